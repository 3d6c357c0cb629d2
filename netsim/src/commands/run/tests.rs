//! Files of a report are whole or not there, and the example shows every key.

use super::*;

#[test]
fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = std::env::temp_dir().join(format!("comity-netsim-save-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("report.html");
    save(&path, "one").unwrap();
    save(&path, "two").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    // A folder cannot be replaced by a file.
    let taken = folder.join("taken");
    fs::create_dir_all(taken.join("inside")).unwrap();
    let error = save(&taken, "three").unwrap_err().to_string();
    assert!(error.ends_with("taken cannot be written"), "{error}");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_example_holds_and_shows_every_key_of_a_scenario() {
    let file = ScenarioFile::parse(Path::new("example.toml"), EXAMPLE.to_owned()).unwrap();
    let mut world = World::resolve(&file, None).unwrap();
    vacant::fill(&mut world, Settings { seed: 1, evaluations: 2_000 }).unwrap();
    world.check(&file, Need::Routes).unwrap();
    let sections = [
        include_str!("../../scenario.rs"),
        include_str!("../../scenario/demand.rs"),
        include_str!("../../scenario/fault.rs"),
        include_str!("../../scenario/hardware.rs"),
        include_str!("../../scenario/place.rs"),
        include_str!("../../scenario/published.rs"),
        include_str!("../../scenario/rule.rs"),
    ];
    let is_key = |key: &&str| key.chars().all(|it| it.is_ascii_lowercase() || it == '_');
    let mut count = 0;
    for text in sections {
        // Fields of structs and of variants: `pub name: Type,` or `name: Type,` deeper within.
        let lines = text.lines().filter_map(|line| {
            let (indent, rest) = (line.len() - line.trim_start().len(), line.trim_start());
            let rest = match (indent, rest.strip_prefix("pub ")) {
                (4, Some(field)) => field,
                (8, None) => rest,
                _ => return None,
            };
            let (key, kind) = rest.split_once(": ")?;
            // Fields end with a comma; what is set to a value is no field.
            (kind.ends_with(',')
                && kind.starts_with(|it: char| {
                    it.is_ascii_uppercase() || it == 'u' || it == 'b' || it == 'f' || it == '['
                }))
            .then_some(key)
        });
        for key in lines.filter(is_key).filter(|key| !HIDDEN.contains(key)) {
            let shown = [format!("{key} = "), format!("{key}]"), format!(" {key} ")];
            assert!(shown.iter().any(|it| EXAMPLE.contains(it.as_str())), "{key} is not shown");
            count += 1;
        }
    }
    assert!(count > 100, "{count} keys");
}

/// Fields that have another name in a file, and the file itself.
const HIDDEN: [&str; 12] = [
    "sites",
    "institutions",
    "models",
    "devices",
    "machines",
    "nodes",
    "links",
    "workloads",
    "policies",
    "faults",
    "offers",
    "path",
];
