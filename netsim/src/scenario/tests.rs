//! A small scenario, and what is refused of it, with the line.

use std::path::Path;

use super::ScenarioFile;

/// Two universities, one node each.
pub(crate) const SMALL: &str = r#"name = "two"
[[site]]
name = "delft"
country = "NL"
[[site]]
name = "ghent"
country = "BE"
[[institution]]
name = "north"
[[institution]]
name = "south"
[[link]]
between = ["delft", "ghent"]
round_trip_ms = 8
rate_mbit = 1000
[[model]]
name = "toy"
block_count = 8
hidden_bytes = 1024
[[device]]
name = "box"
[device.time.measured]
pass_us = 100
block_us = 400
decode_us = 10
prompt_us = 30
kv_positions = 20000
blocks_max = 8
[[node]]
name = "a"
institution = "north"
site = "delft"
device = "box"
model = "toy"
blocks = [0, 4]
[[node]]
name = "b"
institution = "south"
site = "ghent"
device = "box"
model = "toy"
blocks = [4, 8]
[[workload]]
institution = "north"
model = "toy"
arrivals = { poisson = { per_s = 2.0 } }
lengths = { drawn = { prompt = { fixed = 32 }, output = { fixed = 16 } } }
"#;

fn refusal(text: String) -> String {
    ScenarioFile::parse(Path::new("x.toml"), text).unwrap_err().to_string()
}

#[test]
fn the_small_scenario_is_read() {
    let file = ScenarioFile::parse(Path::new("x.toml"), SMALL.to_owned()).unwrap();
    assert_eq!(file.scenario.nodes.len(), 2);
    assert_eq!(file.scenario.run.runs, 5);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let line = |needle: &str| SMALL[..SMALL.find(needle).unwrap()].matches('\n').count() + 1;
    let cases = [
        ("rate_mbit = 1000", "rate_mbit = -5", "is not above 0"),
        ("per_s = 2.0", "per_s = -1", "is not 0 or more"),
        ("round_trip_ms = 8", "round_trip_ms = nan", "is not 0 or more"),
        ("pass_us = 100", "pass_us = 100\npas_us = 1", "unexpected keys in table: pas_us"),
        ("block_count = 8", "block_count = 8\nlayers = 3", "unknown field `layers`"),
    ];
    for (from, to, expected) in cases {
        let at = line(from) + to.matches('\n').count();
        let message = refusal(SMALL.replacen(from, to, 1));
        assert!(message.starts_with(&format!("x.toml:{at}: ")), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let message = refusal(SMALL.replacen("name = \"ghent\"", "name = \"delft\"", 1));
    assert!(message.contains("a second site \"delft\""), "{message}");
}
