//! Tests of the telemetry's lines.

use super::{Event, Head, Line, Pass};

/// A renamed field, or a value in another place, would make files of other builds unreadable.
#[test]
fn lines_read_as_they_are_written() {
    let pass = Pass {
        shard: 1,
        blocks: 10,
        sessions: 2,
        prompt: 0,
        decode: 2,
        context: 301,
        waited_us: 12,
        took_us: 4_500,
    };
    let line = Line { at_us: 7, event: Event::Pass(pass) };
    let text = serde_json::to_string(&line).unwrap();
    assert_eq!(
        text,
        r#"{"at_us":7,"event":{"pass":{"shard":1,"blocks":10,"sessions":2,"prompt":0,"decode":2,"context":301,"waited_us":12,"took_us":4500}}}"#
    );
    assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
}

/// A reader that skipped what it does not know would fit to half of what was told.
#[test]
fn unknown_keys_are_refused() {
    let line = Line { at_us: 7, event: Event::Head(Head { rows: 1, took_us: 2 }) };
    let text = serde_json::to_string(&line).unwrap();
    for (from, to) in [(r#""rows":1"#, r#""rows":1,"colour":2"#), (r#""head""#, r#""tail""#)] {
        let other = text.replace(from, to);
        assert_ne!(other, text);
        assert!(serde_json::from_str::<Line>(&other).is_err(), "{other}");
    }
}
