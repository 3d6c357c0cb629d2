//! Which texts are days, and when they begin.

use super::*;

fn begins(text: &str) -> Option<u64> {
    text.parse::<Day>().ok().map(|day| day.0.as_ms() / 1_000)
}

#[test]
fn a_day_begins_at_midnight_in_utc() {
    assert_eq!(begins("1970-01-01"), Some(0));
    assert_eq!(begins("2000-02-29"), Some(951_782_400));
    assert_eq!(begins("2000-03-01"), Some(951_868_800));
    assert_eq!(begins("2026-11-21"), Some(1_795_219_200));
    assert_eq!(begins("2100-03-01"), Some(4_107_542_400));
    assert_eq!(begins("9999-12-31"), Some(253_402_214_400));
}

#[test]
fn what_is_no_day_is_refused() {
    let wrong = [
        "",
        "2026",
        "2026-11",
        "2026-1-01",
        "2026-00-01",
        "2026-13-01",
        "2026-11-31",
        "2026-11-00",
        "2026-02-29",
        "2100-02-29",
        "1969-12-31",
        "+026-11-21",
        "2026-11-21-",
        "2026-11-2x",
    ];
    for text in wrong {
        assert_eq!(begins(text), None, "{text}");
    }
}

#[test]
fn a_period_includes_its_last_day() {
    let day: Day = "2026-11-21".parse().unwrap();
    let period = period(Some(day), Some(day));
    let ends = period.to.unwrap();
    assert_eq!(ends.as_ms() - period.from.as_ms(), 86_400_000);
    assert_eq!(super::period(None, None), Period::default());
}
