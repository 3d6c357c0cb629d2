//! What rules, losses and accounts say of small worlds known by hand.

use std::path::Path;

use super::*;
use crate::scenario::{SMALL, ScenarioFile};

/// The two universities, and a third node in Bonn that holds all; the Dutch one's requests stay in
/// the Netherlands and Belgium.
fn three() -> World {
    let text =
        SMALL.replace("model = \"toy\"\narrivals", "model = \"toy\"\npolicy = \"p\"\narrivals");
    let more = "[[policy]]\nname = \"p\"\nallowed_jurisdictions = [\"NL\", \"BE\"]\n[[site]]\nname = \
                \"bonn\"\ncountry = \"DE\"\n[[link]]\nbetween = [\"delft\", \"bonn\"]\nround_trip_ms = 8\n\
                rate_mbit = 1000\n[[institution]]\nname = \"east\"\n[[node]]\nname = \"c\"\ninstitution \
                = \"east\"\nsite = \"bonn\"\ndevice = \"box\"\nmodel = \"toy\"\nblocks = [0, 8]\n";
    let asked = "[[workload]]\ninstitution = \"east\"\nmodel = \"toy\"\narrivals = { poisson = { per_s = \
                 6.0 } }\nlengths = { drawn = { prompt = { fixed = 32 }, output = { fixed = 16 } } }\n";
    let file = ScenarioFile::parse(Path::new("x.toml"), format!("{text}{more}{asked}")).unwrap();
    World::resolve(&file, None).unwrap()
}

fn outlook(depth: &Depth) -> Outlook {
    let mut all = outlooks(&three(), depth, &mut |_| ()).unwrap();
    assert_eq!((all.told.len(), all.untold.len()), (1, 0));
    all.told.remove(0)
}

#[test]
fn a_rule_costs_what_flows_through_those_it_keeps_out() {
    let it = outlook(&Depth::default());
    let [rule] = &it.rules[..] else { panic!("{:?}", it.rules) };
    assert_eq!((rule.policy.as_str(), rule.institution.as_str()), ("p", "north"));
    assert_eq!(rule.free, it.tokens_per_s);
    // Two nodes of four blocks each are a ring; the third one is a ring by itself.
    assert!(rule.kept > 0.0 && rule.kept < rule.free, "{rule:?}");
    assert_eq!(rule.planned, None);
    let search = Some(Settings { seed: 1, evaluations: 5_000 });
    let it = outlook(&Depth { rules: search, offers: None });
    assert!(it.rules[0].planned.unwrap() >= it.rules[0].kept, "{:?}", it.rules);
}

#[test]
fn a_loss_says_what_is_left_and_whose_requests_nobody_answers() {
    let it = outlook(&Depth::default());
    let lost = |kind: &str, name: &str| {
        it.losses.iter().find(|lost| lost.kind == kind && lost.name == name).unwrap()
    };
    let (ghent, bonn) = (lost("site", "ghent"), lost("country", "DE"));
    // Without Ghent the ring is gone, and Bonn may not serve the Dutch.
    assert_eq!(ghent.stops, ["p"]);
    assert!((ghent.left + bonn.left - it.tokens_per_s).abs() < 1e-6, "{:?}", it.losses);
    assert_eq!(bonn.stops, Vec::<String>::new());
    assert!((bonn.share - (1.0 - bonn.left / it.tokens_per_s)).abs() < 1e-9);
    assert_eq!(it.losses.len(), 3 + 3 + 3 + 3);
    assert!(it.losses.is_sorted_by(|one, other| one.share >= other.share));
}

#[test]
fn accounts_share_the_flow_as_it_is_asked() {
    let it = outlook(&Depth::default());
    let account = |name: &str| it.accounts.iter().find(|it| it.institution == name).unwrap();
    let (north, south, east) = (account("north"), account("south"), account("east"));
    assert_eq!((north.asked, south.asked, east.asked), (32.0, 0.0, 96.0));
    assert_eq!(north.taken + east.taken, it.tokens_per_s);
    assert!((east.taken / north.taken - 3.0).abs() < 1e-9);
    let given = north.given + south.given + east.given;
    assert!((given - it.tokens_per_s).abs() < 1e-6, "{given}");
    assert!((north.given - south.given).abs() < 1e-9, "half of the blocks each");
    assert!(it.fairness.unwrap() < 1.0);
}

#[test]
fn tables_name_what_they_list() {
    let it = outlook(&Depth::default());
    let rules = text::rules("toy", &it.rules);
    assert!(rules.contains("north") && !rules.contains("placed anew"), "{rules}");
    let losses = text::losses(&it.losses, usize::MAX);
    assert!(losses.contains("site ghent") && losses.lines().count() == 13, "{losses}");
    assert!(text::accounts(&it.accounts, it.fairness).contains("east"));
    assert_eq!(text::rules("toy", &[]), "");
}

/// A model that no flow can be told of takes nothing from the others, and no other error is one.
#[test]
fn only_a_model_whose_nodes_hold_more_than_fits_is_left_out() {
    let more = "[[model]]\nname = \"tiny\"\nblock_count = 2\nhidden_bytes = 8\n[[node]]\nname = \"c\"\n\
                institution = \"south\"\nsite = \"ghent\"\ndevice = \"box\"\nmodel = \"tiny\"\nblocks = \
                [0, 2]\n[[workload]]\ninstitution = \"south\"\nmodel = \"tiny\"\narrivals = { poisson = { \
                per_s = 1 } }\nlengths = { drawn = { prompt = { fixed = 1 }, output = { fixed = 1 } } }\n";
    let file = ScenarioFile::parse(Path::new("x.toml"), format!("{SMALL}{more}")).unwrap();
    let mut world = World::resolve(&file, None).unwrap();
    let told = |world: &World| outlooks(world, &Depth::default(), &mut |_| ());
    // As published rates may end before what is held.
    world.nodes[1].rates = Some(vec![1.0; 3]);
    let found = told(&world).unwrap();
    let models: Vec<&str> = found.told.iter().map(|it| it.model.as_str()).collect();
    assert_eq!(models, ["tiny"]);
    let [untold] = &found.untold[..] else { panic!("{:?}", found.untold) };
    assert_eq!(
        untold.to_string(),
        "model \"toy\" has no largest flow: node \"b\" holds blocks [4, 8), of which 3 fit"
    );
    world.nodes[1].rates = Some(vec![-1.0; 4]);
    assert!(matches!(told(&world), Err(OutlookError::Fleet(_))));
}

#[test]
fn a_model_of_more_nodes_than_are_searched_through_is_left_out() {
    let text = SMALL.replace("blocks = [4, 8]", "blocks = [4, 8]\ncount = 1024");
    let file = ScenarioFile::parse(Path::new("x.toml"), text).unwrap();
    let world = World::resolve(&file, None).unwrap();
    let found = outlooks(&world, &Depth::default(), &mut |_| ()).unwrap();
    let [untold] = &found.untold[..] else { panic!("{:?}", found.untold) };
    assert_eq!(
        untold.to_string(),
        "model \"toy\" has no largest flow: it has 1025 nodes, more than 1024"
    );
    assert!(found.told.is_empty());
}
