//! How far nodes count as being from each other.

use super::*;
use crate::{
    announcement::{self, Announcement, tests::MODEL},
    charter::{chain::tests::genesis, tests::NOW},
    directory::tests::{claim, list, peer},
    limits::ANNOUNCEMENT_LIFE_MAX,
};

/// The node that looks.
const HOME: u8 = 1;

/// The directory of node [`HOME`]; nodes 1 to 4 of one institution, of which `tells` announce each how
/// many milliseconds others are away.
fn directory(tells: &[(u8, &[(u8, u32)])]) -> Directory {
    let mut directory = Directory::new(genesis(), peer(HOME));
    directory.insert_roster(NOW, &list(0, 1, &[1, 2, 3, 4])).unwrap();
    for number in 1..=4 {
        directory.insert_announcement(NOW, &claim(0, number, 1)).unwrap();
    }
    for (number, far) in tells {
        let far = far
            .iter()
            .map(|(to, ms)| RoundTrip { peer: peer(*to).beginning(), least_us: ms * 1_000 });
        let mut round_trips: Vec<_> = far.collect();
        round_trips.sort_by_key(|it| it.peer);
        let announcement = announcement::tests::announcement(0, 2);
        let signed =
            announcement::tests::sign(*number, &Announcement { round_trips, ..announcement });
        directory.insert_announcement(NOW, &signed).unwrap();
    }
    directory
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One way, between two of the nodes 1 to 4.
fn one_way(directory: &Directory, from: u8, to: u8) -> Duration {
    let peers: Vec<_> = (1..=4).map(peer).collect();
    directory.latencies(NOW, &peers).one_way(&peer(from), &peer(to))
}

#[test]
fn who_says_more_is_believed_and_both_ways_are_alike() {
    let directory = directory(&[(2, &[(3, 10), (4, 7)]), (3, &[(2, 40)])]);
    for (from, to) in [(2, 3), (3, 2)] {
        assert_eq!(one_way(&directory, from, to), ms(20));
    }
    assert_eq!(one_way(&directory, 2, 4), Duration::from_micros(3_500), "only one of them says it");
    assert_eq!(one_way(&directory, 2, 2), Duration::ZERO);
}

#[test]
fn between_home_and_others_home_believes_itself() {
    let mut directory = directory(&[(2, &[(HOME, 2)]), (HOME, &[(2, 90)])]);
    directory.measured(NOW, &peer(3), ms(50));
    assert_eq!(one_way(&directory, 1, 2), ms(25), "home has no round trip to it");
    directory.measured(NOW, &peer(2), ms(30));
    for (from, to) in [(1, 2), (2, 1)] {
        assert_eq!(one_way(&directory, from, to), ms(15));
    }
}

#[test]
fn who_says_it_is_ages_away_harms_nobody_else() {
    let mut directory = directory(&[(2, &[(3, 4_000_000)])]);
    directory.measured(NOW, &peer(2), ms(10));
    assert_eq!(one_way(&directory, 2, 3), ms(10_000));
    for (from, to) in [(1, 4), (3, 4)] {
        assert_eq!(one_way(&directory, from, to), ms(5), "of 4 nothing is known");
    }
    directory.measured(NOW, &peer(3), Duration::MAX);
    assert_eq!(directory.round_trip(&peer(3)), Some(ms(20_000)));
}

#[test]
fn what_nobody_tells_is_the_way_over_home_or_the_longest() {
    let mut directory = directory(&[]);
    assert_eq!(one_way(&directory, 2, 3), Duration::ZERO, "nothing is known of anyone");
    directory.measured(NOW, &peer(2), ms(10));
    directory.measured(NOW, &peer(3), ms(30));
    assert_eq!(one_way(&directory, 2, 3), ms(20));
    assert_eq!(one_way(&directory, 1, 3), ms(15));
    for (from, to) in [(1, 4), (4, 1), (2, 4)] {
        assert_eq!(one_way(&directory, from, to), ms(15), "nothing is known of 4");
    }
}

#[test]
fn what_is_far_but_no_candidate_does_not_count() {
    let mut directory = directory(&[(2, &[(4, 900)])]);
    directory.measured(NOW, &peer(4), ms(100));
    directory.measured(NOW, &peer(2), ms(10));
    let latencies = directory.latencies(NOW, &[peer(2), peer(3)]);
    assert_eq!(latencies.one_way(&peer(1), &peer(3)), ms(5));
    assert_eq!(latencies.told.len(), 1);
}

#[test]
fn the_least_of_the_last_round_trips_counts() {
    let mut directory = directory(&[]);
    assert_eq!(directory.round_trip(&peer(2)), None);
    directory.measured(NOW, &peer(2), ms(5));
    for _ in 0..KEPT - 1 {
        directory.measured(NOW, &peer(2), ms(50));
    }
    assert_eq!(directory.round_trip(&peer(2)), Some(ms(5)));
    directory.measured(NOW, &peer(2), ms(40));
    assert_eq!(directory.round_trip(&peer(2)), Some(ms(40)), "it moved away");
}

#[test]
fn strangers_are_not_measured_and_who_leaves_is_forgotten() {
    let mut directory = directory(&[]);
    directory.measured(NOW, &peer(9), ms(5));
    assert_eq!(directory.round_trip(&peer(9)), None);
    directory.measured(NOW, &peer(4), ms(5));
    directory.insert_roster(NOW, &list(0, 2, &[1, 2, 3])).unwrap();
    directory.expire(NOW);
    assert_eq!(directory.round_trip(&peer(4)), None);
    directory.measured(NOW, &peer(3), ms(5));
    assert!(directory.lost(&peer(3), NOW));
    assert_eq!(directory.round_trip(&peer(3)), None, "it may be elsewhere when it is back");
}

#[test]
fn the_nearest_that_serve_the_same_models_are_announced() {
    let mut directory = directory(&[]);
    let others: Vec<u8> = (10..=u8::MAX).collect();
    directory.insert_roster(NOW, &list(1, 1, &others)).unwrap();
    for (number, us) in others.iter().zip(1_000..) {
        directory.insert_announcement(NOW, &claim(1, *number, 1)).unwrap();
        directory.measured(NOW, &peer(*number), Duration::from_micros(us));
    }
    let told = directory.round_trips(NOW, &[MODEL]);
    assert_eq!(told.len(), ROUND_TRIPS_MAX);
    assert!(told.is_sorted_by(|one, other| one.peer < other.peer));
    let farthest = told.iter().map(|it| it.least_us).max().unwrap();
    assert_eq!(farthest as usize, 1_000 + ROUND_TRIPS_MAX - 1);
    assert_eq!(directory.round_trips(NOW, &[Digest::ZERO]), []);
    assert_eq!(directory.round_trips(NOW + ANNOUNCEMENT_LIFE_MAX, &[MODEL]), []);
}
