//! Nodes without blocks get some; the others keep theirs.

use std::path::Path;

use super::SETTINGS;
use crate::{
    plan::vacant::fill,
    scenario::{SMALL, ScenarioFile},
    world::{Need, World},
};

fn filled(text: &str) -> (ScenarioFile, World) {
    let file = ScenarioFile::parse(Path::new("x.toml"), text.to_owned()).unwrap();
    let mut world = World::resolve(&file, None).unwrap();
    fill(&mut world, SETTINGS).unwrap();
    (file, world)
}

fn ranges(world: &World) -> Vec<Option<(u32, u32)>> {
    let range = |node: &crate::world::Node| node.blocks.map(|it| (it.start(), it.end()));
    world.nodes.iter().map(range).collect()
}

#[test]
fn what_has_no_blocks_gets_what_is_missing_and_nothing_else_moves() {
    let (file, world) = filled(&SMALL.replace("blocks = [0, 4]\n", ""));
    let found = ranges(&world);
    assert_eq!(found[1], Some((4, 8)));
    assert!(matches!(found[0], Some((0, end)) if end >= 4), "{found:?}");
    assert_eq!(world.placed, [0]);
    world.check(&file, Need::Routes).unwrap();
    // Where every node has its blocks nothing is chosen.
    let (_, world) = filled(SMALL);
    assert_eq!((ranges(&world), world.placed), (vec![Some((0, 4)), Some((4, 8))], vec![]));
}

#[test]
fn a_rule_that_few_nodes_may_answer_is_placed_for_first() {
    // Alone each node holds the whole model; together two of half rates are faster, but the rule
    // keeps one out.
    let text = SMALL
        .replace("blocks = [0, 4]\n", "")
        .replace("blocks = [4, 8]\n", "")
        .replace("model = \"toy\"\narrivals", "model = \"toy\"\npolicy = \"nl\"\narrivals");
    let text = format!("{text}[[policy]]\nname = \"nl\"\nallowed_jurisdictions = [\"NL\"]\n");
    let (file, world) = filled(&text);
    assert_eq!(ranges(&world)[0], Some((0, 8)));
    assert_eq!(world.placed, [0, 1]);
    world.check(&file, Need::Routes).unwrap();
}

#[test]
fn nodes_of_a_model_that_nobody_asks_for_stay_empty() {
    let more = "[[model]]\nname = \"idle\"\nblock_count = 4\nhidden_bytes = 64\n[[node]]\nname = \"c\"\n\
                institution = \"south\"\nsite = \"ghent\"\ndevice = \"box\"\nmodel = \"idle\"\n";
    let (_, world) = filled(&format!("{SMALL}{more}"));
    assert_eq!(ranges(&world)[2], None);
    assert!(world.placed.is_empty());
}
