//! What a home adds to what nodes announced.

use std::time::Duration;

use super::*;
use crate::route::tests::{candidate, peer, stage};

const ANNOUNCED: Timestamp = Timestamp::from_ms(30_000);

/// Sessions and free positions of a node of 1,000 with ten sessions over blocks 0 to 10, as corrected.
fn corrected(own: &mut OwnSessions, announced_at: Timestamp) -> (u32, u64) {
    let mut candidates = [Candidate { announced_at, sessions: 10, ..candidate(1, 0, 10) }];
    own.correct(&mut candidates);
    let [Candidate { sessions, positions_free, .. }] = candidates;
    (sessions, positions_free)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_ms(seconds * 1_000)
}

#[test]
fn what_began_since_counts_and_what_ended_does_not() {
    let mut own = OwnSessions::default();
    let [all, half] = [[stage(1, 0, 10)], [stage(1, 0, 5)]];
    own.open(at(29), &all, 100);
    own.open(at(31), &all, 100);
    own.open(at(31), &half, 100);
    assert_eq!(corrected(&mut own, ANNOUNCED), (12, 850), "not what began before");
    own.close(at(32), &all, 100);
    own.close(at(32), &all, 100);
    assert_eq!(corrected(&mut own, ANNOUNCED), (10, 1_050), "both that ended, announced or not");
}

#[test]
fn an_announcement_tells_of_all_that_was_before_it() {
    let mut own = OwnSessions::default();
    own.open(at(31), &[stage(1, 0, 10)], 100);
    own.open(at(33), &[stage(1, 0, 10)], 100);
    assert_eq!(corrected(&mut own, at(32)), (11, 900));
    assert_eq!(corrected(&mut own, at(60)), (10, 1_000));
    own.close(at(61), &[stage(1, 0, 10)], 100);
    assert_eq!(corrected(&mut own, at(60)), (9, 1_100));
}

#[test]
fn nodes_count_for_themselves() {
    let mut own = OwnSessions::default();
    own.open(at(31), &[stage(2, 0, 10), stage(3, 10, 30)], 100);
    assert_eq!(corrected(&mut own, ANNOUNCED), (10, 1_000));
}

#[test]
fn nothing_is_kept_for_longer_than_announcements_live() {
    let mut own = OwnSessions::default();
    let life = ANNOUNCEMENT_LIFE_MAX + Duration::from_secs(2);
    own.open(at(31), &[stage(1, 0, 10)], 100);
    own.open(at(31) + life, &[stage(1, 0, 10)], 100);
    assert_eq!(own.nodes[&peer(1)].all.len(), 1);
    assert_eq!(corrected(&mut own, ANNOUNCED), (11, 900));
}

#[test]
fn absurd_numbers_stay_within_bounds() {
    let mut own = OwnSessions::default();
    let all = [stage(1, 0, 10)];
    own.close(at(31), &all, u64::MAX);
    own.close(at(31), &all, u64::MAX);
    let (sessions, free) = corrected(&mut own, ANNOUNCED);
    assert_eq!(sessions, 8);
    assert!(free > 1_000);
    for _ in 0..20 {
        own.close(at(32), &all, 1);
    }
    assert_eq!(corrected(&mut own, ANNOUNCED).0, 0);
}
