//! What counts in the summary, and how it reads.

use super::{Load, Row, judge};

fn row(name: &str, calibrated: bool, token_s: f64, said: f64) -> Row {
    let load = |token_s: f64| Load {
        answers: 10,
        tokens_per_s: 1.0 / token_s,
        first_token_s: token_s * 5.0,
        first_token_p95_s: token_s * 6.0,
        token_s,
    };
    Row { name: name.into(), calibrated, measured: load(token_s), predicted: load(said) }
}

#[test]
fn what_the_calibration_rests_on_does_not_count() {
    let rows = vec![
        row("own", true, 0.01, 0.1),
        row("a", false, 0.010, 0.0102),
        row("b", false, 0.020, 0.0190),
        row("c", false, 0.030, 0.0306),
    ];
    let found = judge(rows, vec!["nothing".into()]);
    assert_eq!((found.judged, found.on_its_own), (3, false));
    assert!((found.token.median - 0.02).abs() < 1e-9, "{:?}", found.token);
    assert!((found.token.bias - 0.02).abs() < 1e-9, "{:?}", found.token);
    assert_eq!((found.rate_rank, found.token_rank), (Some(1.0), Some(1.0)));
    assert!(found.meets());
    let text = found.text();
    assert!(text.contains("own*") && text.contains("nothing"), "{text}");
    assert!(text.contains("met") && !text.contains("MISSED"), "{text}");
    assert_eq!(found.csv().lines().count(), 5);
    let own = judge(vec![row("own", true, 0.01, 0.1)], Vec::new());
    assert!(own.on_its_own && !own.meets(), "{own:?}");
}

#[test]
fn a_goal_that_is_missed_is_named() {
    let rows = vec![
        row("a", false, 0.010, 0.0110),
        row("b", false, 0.0105, 0.0100),
        row("c", false, 0.030, 0.0330),
    ];
    let found = judge(rows, Vec::new());
    assert!(!found.meets());
    let text = found.text();
    let missed = text.lines().filter(|line| line.ends_with("MISSED")).count();
    // Time of a token, tokens per second, and both ranks: two of three are the wrong way round.
    assert_eq!(missed, 4, "{text}");
}
