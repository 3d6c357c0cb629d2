//! When an institution has had enough for now.

use std::time::Duration;

use super::*;
use crate::charter::tests::NOW;

const HOUR: Duration = Duration::from_secs(3_600);

fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

#[test]
fn work_counts_for_a_day_and_then_is_forgotten() {
    let mut quotas = Quotas::default();
    assert_eq!(quotas.check(NOW, "north", 10), Ok(()));
    quotas.record(NOW, "north", session(1), 9 * UNIT);
    assert_eq!(quotas.check(NOW, "north", 10), Ok(()));
    quotas.record(NOW + HOUR, "north", session(2), UNIT);
    let error = quotas.check(NOW + HOUR, "north", 10).unwrap_err();
    assert_eq!((error.had, error.quota), (10, 10));
    let again = NOW + HOUR + error.retry_after;
    assert!(error.retry_after <= 23 * HOUR + Duration::from_secs(600));
    assert!(quotas.check(Timestamp::from_ms(again.as_ms() - 1), "north", 10).is_err());
    assert_eq!(quotas.check(again, "north", 10), Ok(()));
    assert!(error.to_string().contains("north has had 10 of the 10 billion"), "{error}");
}

#[test]
fn institutions_count_apart_and_without_a_quota_nothing_is_refused() {
    let mut quotas = Quotas::default();
    quotas.record(NOW, "north", session(1), 100 * UNIT);
    assert!(quotas.check(NOW, "north", 10).is_err());
    assert_eq!(quotas.check(NOW, "north", 0), Ok(()));
    assert_eq!(quotas.check(NOW, "north-west", 10), Ok(()));
    assert_eq!(quotas.check(NOW, "nort", 10), Ok(()));
}

/// A stage signs every so many positions for the whole of what it did by then.
#[test]
fn what_a_session_had_before_is_counted_once() {
    let mut quotas = Quotas::default();
    for work in [3, 6, 6, 8] {
        quotas.record(NOW, "north", session(1), work * UNIT);
    }
    assert_eq!(quotas.check(NOW, "north", 9), Ok(()));
    quotas.close(&session(1));
    quotas.record(NOW, "north", session(1), UNIT);
    assert!(quotas.check(NOW, "north", 9).is_err());
}
