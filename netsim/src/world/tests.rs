//! Names are resolved, ways are found, and what does not fit is named with its line.

mod tables;

use std::path::Path;

use super::*;
use crate::scenario::SMALL;

fn resolve(text: &str) -> Result<World, String> {
    let file = ScenarioFile::parse(Path::new("x.toml"), text.to_owned())
        .map_err(|error| error.to_string())?;
    World::resolve(&file, None).map_err(|error| error.to_string())
}

#[test]
fn the_small_world_has_ways_between_its_nodes() {
    let world = resolve(SMALL).unwrap();
    assert_eq!(world.network.delay_ns(0, 1), Some(4_000_000));
    assert_eq!(world.network.way(0, 1).unwrap().len(), 3);
    assert_eq!(world.network.way(0, 0).unwrap(), Vec::<usize>::new());
    assert_eq!(world.workloads[0].home, 0);
}

#[test]
fn sites_are_reached_over_others_by_the_least_delay() {
    let further = r#"
[[site]]
name = "bonn"
country = "DE"
[[link]]
between = ["ghent", "bonn"]
round_trip_ms = 6
rate_mbit = 100
[[link]]
between = ["bonn", "delft"]
round_trip_ms = 20
rate_mbit = 100
[[node]]
name = "c"
institution = "south"
site = "bonn"
device = "box"
model = "toy"
"#;
    let world = resolve(&format!("{SMALL}{further}")).unwrap();
    assert_eq!(world.network.delay_ns(0, 2), Some(7_000_000));
    assert_eq!(world.network.way(0, 2).unwrap().len(), 4);
}

#[test]
fn what_does_not_fit_is_named_with_its_line() {
    let cases = [
        ("site = \"delft\"", "site = \"utopia\"", "no site is called \"utopia\""),
        ("blocks = [4, 8]", "blocks = [4, 9]", "block 9 is past the 8 blocks"),
        ("blocks_max = 8", "blocks_max = 3", "at most 3 fit"),
        ("per_s = 2.0", "per_s = 0", "nothing is asked"),
        ("country = \"NL\"", "country = \"Holland\"", "a country is two upper-case letters"),
        (
            "between = [\"delft\", \"ghent\"]",
            "between = [\"delft\", \"delft\"]",
            "two different sites",
        ),
        (
            "name = \"ghent\"\ncountry = \"BE\"",
            "name = \"ghent\"\ncountry = \"BE\"\nupstream = \"ghent\"",
            "its own upstream",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(SMALL.contains(from), "{from}");
        let message = resolve(&SMALL.replacen(from, to, 1)).unwrap_err();
        assert!(message.starts_with("x.toml:") && message.contains(expected), "{message}");
    }
    let link = "[[link]]\nbetween = [\"delft\", \"ghent\"]\nround_trip_ms = 8\nrate_mbit = 1000\n";
    let message = resolve(&SMALL.replacen(link, "", 1)).unwrap_err();
    assert!(message.contains("no link reaches site \"ghent\""), "{message}");
}

#[test]
fn every_scenario_that_comes_along_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let data = crate::data::folder();
    let (mut folders, mut count) = (vec![folder], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = ScenarioFile::load(&path).unwrap();
            // Those that name tables hold only where the tables are.
            let needs_data =
                !file.scenario.helix.is_empty() || file.scenario.network.topology.is_some();
            if !needs_data || data.is_some() {
                let world = World::resolve(&file, data.as_deref()).unwrap();
                world.check(&file, Need::Placement).unwrap();
                world.check(&file, Need::Routes).unwrap();
            }
            count += 1;
        }
    }
    assert!(count >= 39, "{count} scenarios");
}

#[test]
fn who_may_serve_is_known_block_by_block() {
    let check = |text: &str| {
        let file = ScenarioFile::parse(Path::new("x.toml"), text.to_owned()).unwrap();
        let world = World::resolve(&file, None).unwrap();
        world.check(&file, Need::Routes).map_err(|error| error.to_string())
    };
    let under = |rule: &str| {
        let text =
            SMALL.replace("model = \"toy\"\narrivals", "model = \"toy\"\npolicy = \"p\"\narrivals");
        format!("{text}[[policy]]\nname = \"p\"\n{rule}\n")
    };
    assert_eq!(check(SMALL), Ok(()));
    // Home's own node holds what is pinned; what it holds beside may go elsewhere.
    assert_eq!(check(&under("pinned_first = 4")), Ok(()));
    let error = check(&under("pinned_first = 5")).unwrap_err();
    assert!(error.contains("no node may serve blocks [4, 5)"), "{error}");
    // A node that may run some of what it holds counts for that.
    let text = under("pinned_first = 2").replace("blocks = [4, 8]", "blocks = [1, 8]");
    assert_eq!(check(&text), Ok(()));
    // Who asks for nothing needs nobody.
    let idle = "[[workload]]\ninstitution = \"south\"\nmodel = \"toy\"\narrivals = { poisson = { per_s \
                = 1 } }\nlengths = { drawn = { prompt = { fixed = 1 }, output = { fixed = 1 } } }\n";
    let text = under("allowed_jurisdictions = [\"NL\"]");
    assert!(check(&text).is_err());
    assert_eq!(check(&format!("{}{idle}", text.replace("per_s = 2.0", "per_s = 0"))), Ok(()));
}
