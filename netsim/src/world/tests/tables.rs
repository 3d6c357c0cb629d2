//! Tables that a workload names: traces of arrivals, rows of lengths, counts per interval.

use std::{fs, path::PathBuf, process};

use super::*;
use crate::workload::Source;

/// A folder with one file, for one test.
fn folder(test: &str, file: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("comity-netsim-{test}-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), text).unwrap();
    folder
}

fn resolved(from: &str, to: &str, folder: &Path) -> Result<World, String> {
    let file = ScenarioFile::parse(Path::new("x.toml"), SMALL.replace(from, to)).unwrap();
    World::resolve(&file, Some(folder)).map_err(|error| error.to_string())
}

const ARRIVALS: &str = "{ poisson = { per_s = 2.0 } }";
const LENGTHS: &str = "{ drawn = { prompt = { fixed = 32 }, output = { fixed = 16 } } }";

#[test]
fn a_trace_comes_as_recorded_from_its_first_request_on() {
    let folder = folder("trace", "asked.csv", "who,at\na,12.5\nb,10\nc,14\n");
    let trace = "{ trace = { csv = \"asked.csv\", column = \"at\", speed = 2.0 } }";
    let world = resolved(ARRIVALS, trace, &folder).unwrap();
    let mut source = Source::new(&world.workloads[0], 0, 1);
    let mut times = Vec::new();
    while let Some(at) = source.next(times.last().copied().unwrap_or(0.0)) {
        times.push(at);
    }
    assert_eq!(times, [0.0, 1.25, 2.0]);
    let wrong = resolved(ARRIVALS, &trace.replace("\"at\"", "\"when\""), &folder).unwrap_err();
    assert!(wrong.contains("has no column \"when\""), "{wrong}");
    fs::write(folder.join("asked.csv"), "at\n1\nsoon\n").unwrap();
    let wrong = resolved(ARRIVALS, trace, &folder).unwrap_err();
    assert!(wrong.contains("line 3: no numbers"), "{wrong}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn lengths_of_a_table_stay_together_in_order_or_at_random() {
    let folder = folder("rows", "lengths.csv", "in,out\n10,1\n20,2\n30,3\n");
    let rows = |more: &str| {
        let to = format!(
            "{{ rows = {{ csv = \"lengths.csv\", prompt = \"in\", output = \"out\"{more} }} }}"
        );
        let world = resolved(LENGTHS, &to, &folder).unwrap();
        assert_eq!(world.workloads[0].length.means(), (20.0, 2.0));
        let mut source = Source::new(&world.workloads[0], 0, 1);
        (0..3_000).map(|_| source.length()).collect::<Vec<_>>()
    };
    let in_order = rows(", in_order = true");
    assert_eq!(in_order[..4], [(10, 1), (20, 2), (30, 3), (10, 1)]);
    let drawn = rows("");
    for row in [(10, 1), (20, 2), (30, 3)] {
        let count = drawn.iter().filter(|it| **it == row).count();
        assert!((900..1_100).contains(&count), "{row:?} {count} times of 3,000");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn counts_are_repeated_at_the_rate_that_is_wanted() {
    let folder = folder("counts", "counts.json", "[0, 30, 10]");
    let counts = "{ counts = { json = \"counts.json\", interval_s = 10, per_s = 2 } }";
    let world = resolved(ARRIVALS, counts, &folder).unwrap();
    let mut source = Source::new(&world.workloads[0], 0, 1);
    let mut times = vec![0.0];
    while *times.last().unwrap() < 300.0 {
        times.push(source.next(*times.last().unwrap()).unwrap());
    }
    // 40 requests in 30 seconds are thinned and repeated to 60: none, 45, 15.
    let within = |from: f64| times.iter().filter(|at| (from..from + 10.0).contains(*at)).count();
    assert_eq!((within(30.0), within(40.0), within(50.0)), (0, 45, 15));
    fs::write(folder.join("counts.json"), "[0, 0]").unwrap();
    let wrong = resolved(ARRIVALS, counts, &folder).unwrap_err();
    assert!(wrong.contains("the counts are all zero"), "{wrong}");
    fs::remove_dir_all(&folder).unwrap();
}
