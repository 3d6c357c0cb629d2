//! What tiles a model, and what the planner finds among random consortia.

pub(super) mod brute;
mod refusals;

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::{directory::Member, policy::Country, roster::Role, time::Timestamp};

pub(super) fn peer(number: u8) -> PeerKey {
    PeerKey([number; 32])
}

fn range(start: u32, end: u32) -> BlockRange {
    BlockRange::new(start, end).unwrap()
}

pub(super) fn stage(number: u8, start: u32, end: u32) -> RouteStage {
    RouteStage { peer: peer(number), blocks: range(start, end) }
}

fn country(code: &str) -> Country {
    code.parse().unwrap()
}

/// A node of "inst-N" in FR with room for 1,000 positions, a millisecond per block.
pub(super) fn candidate(number: u8, start: u32, end: u32) -> Candidate {
    Candidate {
        peer: peer(number),
        member: Member {
            institution: format!("inst-{number}"),
            jurisdiction: country("FR"),
            parent_country: country("FR"),
            data_class_max: None,
            purposes: std::collections::BTreeSet::new(),
            roles: [Role::Stage].into(),
        },
        blocks: range(start, end),
        block_time_ns: 1_000_000,
        positions_free: 1_000,
        sessions: 0,
        announced_at: Timestamp::default(),
        data_addresses: Vec::new(),
    }
}

/// What home is: node 1 of "inst-1".
static HOME: LazyLock<Member> = LazyLock::new(|| candidate(1, 0, 30).member);

pub(super) fn request(policy: &Policy) -> RouteRequest<'_> {
    let (home, member) = (peer(1), &*HOME);
    let (block_count, positions, stages_min) = (30, 100, 0);
    RouteRequest { home, member, policy, block_count, positions, stages_min, kept: None }
}

pub(super) fn near(_: &PeerKey, _: &PeerKey) -> Duration {
    Duration::from_millis(1)
}

fn stages(request: &RouteRequest<'_>, candidates: &[Candidate]) -> Vec<RouteStage> {
    plan(request, candidates, near).unwrap().into_stages()
}

#[test]
fn a_route_tiles_all_blocks_with_distinct_peers() {
    assert!(Route::new(vec![stage(1, 0, 10), stage(2, 10, 30)], 30).is_ok());
    let gap = |stage, expected, got| RouteError::Gap { stage, expected, got };
    let table = [
        (vec![], RouteError::Empty),
        (vec![stage(1, 1, 30)], gap(0, 0, 1)),
        (vec![stage(1, 0, 10), stage(2, 9, 30)], gap(1, 10, 9)),
        (vec![stage(1, 0, 10), stage(2, 11, 30)], gap(1, 10, 11)),
        (vec![stage(1, 0, 29)], RouteError::End { expected: 30, got: 29 }),
        (vec![stage(1, 0, 31)], RouteError::End { expected: 30, got: 31 }),
        (vec![stage(1, 0, 10), stage(1, 10, 30)], RouteError::Repeated { peer: peer(1) }),
    ];
    for (stages, error) in table {
        assert_eq!(Route::new(stages, 30), Err(error));
    }
}

#[test]
fn a_route_is_bounded_before_it_is_read() {
    let many = vec![stage(1, 0, 1); STAGES_MAX + 1];
    assert_eq!(Route::new(many, 1), Err(RouteError::TooLong { got: STAGES_MAX + 1 }));
}

#[test]
fn a_model_that_fits_one_node_is_not_split_unless_asked() {
    let policy = Policy::open("open");
    let fast = Candidate { block_time_ns: 1, ..candidate(2, 0, 29) };
    let candidates = [candidate(1, 0, 30), fast];
    assert_eq!(stages(&request(&policy), &candidates), [stage(1, 0, 30)]);
}

#[test]
fn three_nodes_with_every_block_share_them_evenly_when_asked() {
    let policy = Policy::open("open");
    let candidates = [candidate(3, 0, 30), candidate(1, 0, 30), candidate(2, 0, 30)];
    let split = |stages_min| {
        let request = RouteRequest { stages_min, ..request(&policy) };
        stages(&request, &candidates)
    };
    assert_eq!(split(1).len(), 1);
    assert_eq!(split(2), [stage(1, 0, 15), stage(2, 15, 30)]);
    assert_eq!(split(3), [stage(1, 0, 10), stage(2, 10, 20), stage(3, 20, 30)]);
    let request = RouteRequest { stages_min: 4, ..request(&policy) };
    let error = plan(&request, &candidates, near).unwrap_err();
    assert_eq!(error, RouteError::NoChain { peers: 3, stages_min: 4 });
}

#[test]
fn an_even_cut_bends_to_what_nodes_hold() {
    let policy = Policy::open("open");
    let candidates = [candidate(1, 0, 8), candidate(2, 0, 30), candidate(3, 15, 30)];
    let request = RouteRequest { stages_min: 3, ..request(&policy) };
    let expected = [stage(1, 0, 8), stage(2, 8, 19), stage(3, 19, 30)];
    assert_eq!(stages(&request, &candidates), expected);
}

#[test]
fn pinned_blocks_stay_home_and_the_rest_may_leave() {
    let policy = Policy { pinned_first: 2, ..Policy::open("pinned") };
    let fast = Candidate { block_time_ns: 1, ..candidate(2, 0, 30) };
    let candidates = [candidate(1, 0, 10), fast];
    assert_eq!(stages(&request(&policy), &candidates), [stage(1, 0, 2), stage(2, 2, 30)]);
}

#[test]
fn a_chain_prefers_near_idle_nodes() {
    let policy = Policy::open("open");
    let busy = Candidate { sessions: 8, ..candidate(2, 10, 30) };
    let candidates = [candidate(1, 0, 10), busy, candidate(3, 10, 30), candidate(4, 10, 30)];
    let latency = |from: &PeerKey, to: &PeerKey| match [from, to].contains(&&peer(3)) {
        true => Duration::from_millis(9),
        false => Duration::from_millis(1),
    };
    let route = plan(&request(&policy), &candidates, latency).unwrap();
    assert_eq!(route.stages(), [stage(1, 0, 10), stage(4, 10, 30)]);
}

#[test]
fn who_has_measured_nothing_counts_like_the_others() {
    let policy = Policy::open("open");
    let request = request(&policy);
    // A new node beside one that is known: not all that comes goes there, nor nothing.
    let known = candidate(2, 0, 30);
    let fresh = |sessions| Candidate { block_time_ns: 0, sessions, ..candidate(3, 0, 30) };
    assert_eq!(stages(&request, &[known.clone(), fresh(1)])[0].peer, peer(2));
    let busy = Candidate { sessions: 2, ..known };
    assert_eq!(stages(&request, &[busy, fresh(1)])[0].peer, peer(3));
    // Among those who know nothing at all, sessions decide too.
    let other = Candidate { peer: peer(2), ..fresh(1) };
    assert_eq!(stages(&request, &[other, fresh(0)])[0].peer, peer(3));
}

#[test]
fn a_refusal_names_the_missing_blocks() {
    let policy = Policy::open("open");
    let candidates = [candidate(1, 0, 10), candidate(2, 12, 28)];
    let error = plan(&request(&policy), &candidates, near).unwrap_err();
    let blocks = vec![range(10, 12), range(28, 30)];
    assert_eq!(error, RouteError::NoCandidate { blocks });
    assert_eq!(error.to_string(), "no live peer serves blocks [10, 12), [28, 30)");
}

/// P3: a refusal names the predicate that leaves no candidate, and the blocks it uncovers.
#[test]
fn a_refusal_names_the_missing_predicate_and_its_blocks() {
    let policy = Policy { allowed_jurisdictions: [country("FR")].into(), ..Policy::open("fr") };
    let mut abroad = candidate(2, 5, 30);
    abroad.member.jurisdiction = country("US");
    let full = Candidate { positions_free: 99, ..candidate(3, 20, 30) };
    let error = plan(&request(&policy), &[candidate(1, 0, 10), abroad, full.clone()], near);
    let Err(RouteError::Policy(uncovered)) = error else { panic!("{error:?}") };
    assert_eq!(uncovered.blocks, [range(10, 20)]);
    let denials = vec![Denial::JurisdictionNotAllowed {
        institution: "inst-2".into(),
        jurisdiction: country("US"),
    }];
    assert_eq!(uncovered.nodes, [KeptOut { peer: peer(2), blocks: 10, denials }]);
    let error = plan(&request(&policy), &[candidate(1, 0, 20), full], near).unwrap_err();
    assert_eq!(error, RouteError::NoRoom { positions: 100, blocks: vec![range(20, 30)] });
}

#[test]
fn a_peer_never_runs_two_stages() {
    let policy = Policy { pinned_first: 1, pinned_last: 1, ..Policy::open("pinned") };
    let fast = Candidate { block_time_ns: 1, ..candidate(2, 0, 30) };
    let candidates = [candidate(1, 0, 1), candidate(1, 29, 30), fast];
    let error = plan(&request(&policy), &candidates, near).unwrap_err();
    assert_eq!(error, RouteError::NoChain { peers: 2, stages_min: 0 });
}

#[test]
fn a_model_has_blocks() {
    let policy = Policy::open("open");
    for block_count in [0, BLOCKS_MAX + 1] {
        let request = RouteRequest { block_count, ..request(&policy) };
        let error = plan(&request, &[], near).unwrap_err();
        assert_eq!(error, RouteError::BlockCount(block_count));
    }
}

#[test]
fn candidates_are_bounded_before_they_are_compared() {
    let policy = Policy::open("open");
    let many = vec![candidate(1, 0, 30); CANDIDATES_MAX + 1];
    let error = plan(&request(&policy), &many, near).unwrap_err();
    assert_eq!(error, RouteError::TooManyCandidates { got: CANDIDATES_MAX + 1 });
    assert!(plan(&request(&policy), &many[1..], near).is_ok());
}

#[test]
fn absurd_claims_neither_overflow_nor_win() {
    let policy = Policy::open("open");
    let absurd = Candidate { block_time_ns: u64::MAX, sessions: u32::MAX, ..candidate(1, 0, 30) };
    let candidates = [absurd, candidate(2, 0, 30)];
    let route = plan(&request(&policy), &candidates, |_, _| Duration::MAX).unwrap();
    assert_eq!(route.stages().len(), 1);
    assert_eq!(stages(&request(&policy), &candidates), [stage(2, 0, 30)]);
}

/// Twelve interchangeable nodes have 12! orders; a search without memory would not come back.
#[test]
fn many_equal_nodes_are_planned_at_once() {
    let policy = Policy::open("open");
    let candidates: Vec<_> = (1..=12).map(|number| candidate(number, 0, 30)).collect();
    let request = RouteRequest { stages_min: 12, ..request(&policy) };
    let lengths: Vec<_> =
        stages(&request, &candidates).iter().map(|stage| stage.blocks.len()).collect();
    assert_eq!(lengths.len(), 12);
    assert!(lengths.iter().all(|len| [2, 3].contains(len)), "{lengths:?}");
}

/// Where the bound is blind (cheap peers would return) the plan is still valid.
#[test]
fn a_plan_beyond_the_budget_is_still_a_route() {
    let policy = Policy::open("open");
    let candidates: Vec<_> = (1..=40)
        .map(|number| Candidate {
            block_time_ns: 1_000 * u64::from(number) * u64::from(number),
            ..candidate(number, 0, 120)
        })
        .collect();
    let request = RouteRequest { block_count: 120, stages_min: 36, ..request(&policy) };
    let latency =
        |from: &PeerKey, to: &PeerKey| Duration::from_micros(u64::from(from.0[0] ^ to.0[0]));
    let route = plan(&request, &candidates, latency).unwrap();
    assert_eq!(route.stages().len(), 36);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// P3: no stage of any plan is outside the policy, its holdings or its room; and the plan costs
    /// what the best of all routes costs.
    #[test]
    fn plans_stay_within_the_policy_and_match_brute_force(case in brute::case()) {
        let request = case.request();
        let found = plan(&request, &case.candidates, |from, to| case.latency(from, to));
        let best = case.best();
        match found {
            Ok(route) => {
                for stage in route.stages() {
                    prop_assert!(case.may_run(stage), "{stage:?}");
                }
                prop_assert!(Route::new(route.stages().to_vec(), request.block_count).is_ok());
                prop_assert_eq!(Some(case.cost(route.stages())), best);
            }
            Err(error) => prop_assert_eq!(best, None, "{}", error),
        }
    }

    #[test]
    fn plans_do_not_depend_on_the_order_of_candidates(case in brute::case()) {
        let request = case.request();
        let latency = |from: &PeerKey, to: &PeerKey| case.latency(from, to);
        let mut reversed = case.candidates.clone();
        reversed.reverse();
        prop_assert_eq!(
            plan(&request, &case.candidates, latency),
            plan(&request, &reversed, latency)
        );
    }
}

#[test]
fn a_route_stays_in_one_class_and_takes_the_first_that_has_one() {
    let policy = Policy::open("open");
    let request = request(&policy);
    let whole = || vec![candidate(1, 0, 30)];
    let (first, second) = (|| vec![candidate(2, 0, 10)], || vec![candidate(3, 10, 30)]);
    let class = |exact: Vec<Candidate>, other: Vec<Candidate>| {
        plan_in_one_class(&request, [("exact", exact), ("other", other)], near)
            .map(|(route, class)| (route.into_stages(), class))
    };
    let slow = vec![Candidate { block_time_ns: 9_000_000, ..candidate(4, 0, 30) }];
    assert_eq!(class(slow, whole()), Ok((vec![stage(4, 0, 30)], "exact")));
    assert_eq!(class(first(), whole()), Ok((vec![stage(1, 0, 30)], "other")));
    assert_eq!(class(vec![], whole()), Ok((vec![stage(1, 0, 30)], "other")));
    // Together they would make a route.
    let missing = |start, end| Err(RouteError::NoCandidate { blocks: vec![range(start, end)] });
    assert_eq!(class(first(), second()), missing(10, 30));
    assert_eq!(class(vec![], second()), missing(0, 10));
    assert_eq!(class(vec![], vec![]), missing(0, 30));
}
