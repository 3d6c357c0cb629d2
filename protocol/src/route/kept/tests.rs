//! Where a prompt goes whose beginning some stages may hold.

use std::time::Duration;

use super::*;
use crate::{
    directory::Candidate,
    id::PeerKey,
    policy::Policy,
    route::{
        Route, RouteError, plan,
        tests::{candidate, near, peer, request, stage},
    },
};

/// The peers that run `candidates`' cheapest route, or the one that is kept.
fn chosen(kept: Option<Kept<'_>>, candidates: &[Candidate]) -> Vec<u8> {
    let policy = Policy::open("open");
    let request = RouteRequest { kept, ..request(&policy) };
    let route: Result<Route, RouteError> = plan(&request, candidates, near);
    route.unwrap().stages().iter().map(|stage| stage.peer.0[0]).collect()
}

/// Node 2 idles; node 3, which serves so many sessions, may hold so many positions.
fn between(sessions: u32, positions: u32) -> Vec<u8> {
    let busy = Candidate { sessions, ..candidate(3, 0, 30) };
    let stages = [stage(3, 0, 30)];
    let kept = Kept { stages: &stages, positions, answer: 100 };
    chosen(Some(kept), &[candidate(2, 0, 30), busy])
}

/// A token takes 30 ms on node 2 and 3.2 ms on the way; each session of node 3 adds 7.5 ms.
#[test]
fn what_is_kept_is_worth_a_detour_of_what_it_spares() {
    assert_eq!(between(0, 0), [3], "equals: no reason to leave");
    assert_eq!(between(1, 0), [2]);
    // 100 tokens of 7.5 ms are 75 positions of 10 ms each.
    assert_eq!(between(1, 74), [2]);
    assert_eq!(between(1, 75), [3]);
    assert_eq!(between(10, 749), [2]);
    assert_eq!(between(10, 750), [3]);
}

/// 25 ms away and 25 back instead of one and one: 48 ms for each of 100 tokens.
#[test]
fn the_way_there_and_back_is_a_detour_too() {
    let policy = Policy::open("open");
    let far = peer(3);
    let latency = |from: &PeerKey, to: &PeerKey| {
        Duration::from_millis(if *from == far || *to == far { 25 } else { 1 })
    };
    for (positions, chosen) in [(479, 2), (480, 3)] {
        let stages = [stage(3, 0, 30)];
        let kept = Some(Kept { stages: &stages, positions, answer: 100 });
        let request = RouteRequest { kept, ..request(&policy) };
        let candidates = [candidate(2, 0, 30), candidate(3, 0, 30)];
        let route = plan(&request, &candidates, latency).unwrap();
        assert_eq!(route.stages(), [stage(chosen, 0, 30)], "{positions}");
    }
}

#[test]
fn only_so_much_of_an_answer_counts() {
    let busy = Candidate { sessions: 1, ..candidate(3, 0, 30) };
    let stages = [stage(3, 0, 30)];
    let of = |answer| {
        let kept = Kept { stages: &stages, positions: 200, answer };
        chosen(Some(kept), &[candidate(2, 0, 30), busy.clone()])
    };
    assert_eq!(of(256), [3]);
    assert_eq!(of(u32::MAX), [3]);
}

#[test]
fn stages_that_cannot_run_all_of_it_now_are_not_returned_to() {
    let idle =
        [candidate(1, 0, 15), candidate(2, 15, 30), candidate(3, 0, 15), candidate(4, 15, 30)];
    let of =
        |stages: &[RouteStage]| chosen(Some(Kept { stages, positions: 1_000, answer: 100 }), &idle);
    assert_eq!(of(&[stage(3, 0, 15), stage(4, 15, 30)]), [3, 4]);
    let others: [&[RouteStage]; 7] = [
        &[],
        &[stage(3, 0, 15)],
        &[stage(3, 0, 15), stage(4, 16, 30)],
        &[stage(3, 0, 15), stage(3, 15, 30)],
        &[stage(3, 0, 15), stage(5, 15, 30)],
        &[stage(3, 0, 16), stage(4, 16, 30)],
        &[stage(3, 0, 15), stage(4, 15, 31)],
    ];
    for stages in others {
        assert_eq!(of(stages), [1, 2], "{stages:?}");
    }
    let full = [candidate(2, 0, 30), Candidate { positions_free: 99, ..candidate(3, 0, 30) }];
    let stages = [stage(3, 0, 30)];
    let kept = Kept { stages: &stages, positions: 1_000, answer: 100 };
    assert_eq!(chosen(Some(kept), &full), [2]);
}

/// P3: what was allowed once is not for that.
#[test]
fn stages_outside_the_policy_are_not_returned_to() {
    let mut policy = Policy::open("close");
    policy.allowed_institutions = ["inst-1".to_owned(), "inst-2".to_owned()].into();
    let stages = [stage(3, 0, 30)];
    let kept = Some(Kept { stages: &stages, positions: 1_000, answer: 100 });
    let request = RouteRequest { kept, ..request(&policy) };
    let route = plan(&request, &[candidate(2, 0, 30), candidate(3, 0, 30)], near).unwrap();
    assert_eq!(route.stages(), [stage(2, 0, 30)]);
}

#[test]
fn how_many_stages_and_how_even_is_as_without_anything_kept() {
    let policy = Policy::open("open");
    let candidates = [candidate(2, 0, 30), candidate(3, 0, 29), candidate(4, 15, 30)];
    let chosen = |stages: &[RouteStage], stages_min| {
        let kept = Some(Kept { stages, positions: 1_000, answer: 100 });
        let request = RouteRequest { kept, stages_min, ..request(&policy) };
        plan(&request, &candidates, near).unwrap().into_stages()
    };
    let (one, two) = ([stage(2, 0, 30)], [stage(3, 0, 15), stage(4, 15, 30)]);
    let uneven = [stage(3, 0, 29), stage(4, 29, 30)];
    assert_eq!(chosen(&two, 0), one);
    assert_eq!(chosen(&one, 2).len(), 2);
    assert_eq!(chosen(&two, 2), two);
    assert_ne!(chosen(&uneven, 2), uneven);
}
