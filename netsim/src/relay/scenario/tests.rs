//! What a scenario file may say, and where it is told what it may not.

use std::time::Duration;

use super::*;
use crate::link;

fn parse(text: &str) -> Result<Scenario, TomlFileError> {
    Scenario::parse(Path::new("link.toml"), text)
}

const LINK: &str =
    "[[link]]\nname = 'a'\nlisten = '127.0.0.1:0'\ntarget = '127.0.0.1:9'\n[link.forward]\n";

#[test]
fn the_example_is_a_scenario_and_means_what_it_says() {
    let scenario = parse(Scenario::example()).unwrap();
    let [north, east] = &scenario.links[..] else { panic!("two links") };
    let expected = link::Path {
        delay: Duration::from_millis(20),
        bandwidth: 12_500_000,
        queue: 500_000,
        jitter: Duration::from_micros(500),
        loss: 1_000,
        retransmission: Duration::ZERO,
    };
    assert_eq!(north.forward, Direction { path: expected, reorder: false });
    assert_eq!((north.back.path.bandwidth, north.back.path.queue), (2_500_000, 125_000));
    assert_eq!((east.forward, east.back), (Direction::default(), Direction::default()));
}

#[test]
fn the_example_has_every_key_and_states_the_defaults() {
    let keys = ["seed", "name", "listen", "target", "flows_max", "idle_s"];
    let direction =
        ["delay_ms", "rate_mbit", "queue_ms", "queue_bytes", "loss", "jitter_ms", "reorder"];
    for key in keys.iter().chain(&direction) {
        let has = Scenario::example().lines().any(|line| line.starts_with(&format!("{key} = ")));
        assert!(has, "{key}");
    }
    let scenario = parse(&LINK.replace("[link.forward]", "")).unwrap();
    assert_eq!(
        (scenario.seed, scenario.links[0].flows_max, scenario.links[0].idle_s),
        (1, 64, 120)
    );
    let rated = parse(&format!("{LINK}rate_mbit = 8")).unwrap();
    assert_eq!(rated.links[0].forward.path.queue, 50_000);
}

#[test]
fn what_is_wrong_is_told_with_its_file_and_line() {
    let samples = [
        ("sede = 1\n".to_owned() + LINK, "link.toml:1: unknown field `sede`"),
        (LINK.replace("name", "nmae"), "link.toml:2: unknown field `nmae`"),
        (format!("{LINK}delay = 1"), "link.toml:6: unknown field `delay`"),
        (format!("{LINK}[link.sideways]"), "link.toml:6: unknown field `sideways`"),
        (LINK.replace("127.0.0.1:0", "0.0.0.0:0"), "link.toml:3: listen = 0.0.0.0:0 is not on"),
        (LINK.replace("127.0.0.1:9", "127.0.0.1:0"), "link.toml:4: target = 127.0.0.1:0 names"),
        (format!("{LINK}delay_ms = -1"), "link.toml:5: delay_ms = -1 is not"),
        (format!("{LINK}jitter_ms = nan"), "link.toml:5: jitter_ms = NaN is not"),
        (format!("{LINK}rate_mbit = 0"), "link.toml:5: rate_mbit = 0 is not"),
        (format!("{LINK}loss = 1.5"), "link.toml:5: loss = 1.5 is neither"),
        (format!("{LINK}loss = 1e-9"), "link.toml:5: loss = 0.000000001 is neither"),
        (format!("{LINK}queue_ms = 5"), "link.toml:5: a queue needs rate_mbit"),
        (
            format!("{LINK}rate_mbit = 1\nqueue_ms = 5\nqueue_bytes = 5"),
            "link.toml:5: queue_bytes and queue_ms",
        ),
        (format!("{LINK}rate_mbit = 10_000\nqueue_ms = 9_000"), "link.toml:5: a queue of"),
        ("link = []".to_owned(), "link.toml:1: 0 links are not"),
        ("seed = 1".to_owned(), "link.toml:1: missing field `link`"),
        (LINK.replace('[', ""), "link.toml:1: "),
    ];
    for (text, expected) in samples {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
}
