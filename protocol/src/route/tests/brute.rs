//! Random small consortia and every route through them: what the planner is compared with.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::{country, peer, range};
use crate::{
    directory::{Candidate, Member},
    id::PeerKey,
    policy::{Country, Policy},
    roster::Role,
    route::{
        RouteRequest, RouteStage,
        field::{BLOCK_NS, QUEUE_SHARE, VISIT_NS},
    },
    time::Timestamp,
};

const COUNTRIES: [&str; 3] = ["DE", "FR", "US"];

/// What a request may see of a small consortium.
#[derive(Debug, Clone)]
pub(in crate::route) struct Case {
    block_count: u32,
    stages_min: u32,
    policy: Policy,
    home: Member,
    pub(in crate::route) candidates: Vec<Candidate>,
    /// `[from, to]` in microseconds; peers are numbered from 0.
    latency: Vec<u64>,
}

/// Objective of the planner: fewest stages that count, unevenness, nanoseconds.
pub(in crate::route) type Cost = (usize, u64, u64);

fn countries() -> impl Strategy<Value = Vec<Country>> {
    proptest::collection::vec(proptest::sample::select(&COUNTRIES[..]).prop_map(country), 0..2)
}

prop_compose! {
    fn policy()(
        allowed in prop_oneof![3 => Just(Vec::new()), 1 => countries()],
        forbidden in prop_oneof![3 => Just(Vec::new()), 1 => countries()],
        institutions in prop_oneof![
            3 => Just(Vec::new()),
            1 => proptest::collection::vec(0u8..4, 1..4),
        ],
        pinned_first in prop_oneof![2 => Just(0u32), 1 => 0u32..3],
        pinned_last in prop_oneof![2 => Just(0u32), 1 => 0u32..3],
    ) -> Policy {
        Policy {
            allowed_jurisdictions: allowed.into_iter().collect(),
            forbidden_jurisdictions: forbidden.into_iter().collect(),
            allowed_institutions: institutions.iter().map(|i| format!("inst-{i}")).collect(),
            pinned_first,
            pinned_last,
            ..Policy::open("random")
        }
    }
}

prop_compose! {
    fn candidate(block_count: u32)(
        number in 0u8..5,
        start in 0..block_count,
        len in 1..=block_count,
        block_time_ns in prop_oneof![Just(0u64), Just(100_000), 0u64..2_000_000],
        roomy in proptest::bool::weighted(0.9),
        sessions in 0u32..4,
    ) -> Candidate {
        Candidate {
            peer: peer(number),
            member: Member {
                // Properties of the peer, not of the offer.
                institution: format!("inst-{}", number % 4),
                jurisdiction: country(COUNTRIES[usize::from(number % 3)]),
                parent_country: country(COUNTRIES[usize::from(number / 3 % 3)]),
                data_class_max: None,
                purposes: BTreeSet::new(),
                roles: [Role::Stage].into(),
            },
            blocks: range(start, (start + len).min(block_count)),
            block_time_ns,
            positions_free: if roomy { 100 } else { 99 },
            sessions,
            announced_at: Timestamp::default(),
            data_addresses: Vec::new(),
        }
    }
}

prop_compose! {
    pub(in crate::route) fn case()(block_count in 1u32..7)(
        block_count in Just(block_count),
        stages_min in 0u32..5,
        policy in policy(),
        candidates in proptest::collection::vec(candidate(block_count), 0..7),
        latency in proptest::collection::vec(0u64..3_000, 25),
    ) -> Case {
        let home = Member {
            institution: "inst-0".into(),
            jurisdiction: country(COUNTRIES[0]),
            parent_country: country(COUNTRIES[0]),
            data_class_max: None,
            purposes: BTreeSet::new(),
            roles: [Role::Home].into(),
        };
        Case { block_count, stages_min, policy, home, candidates, latency }
    }
}

impl Case {
    pub(in crate::route) fn request(&self) -> RouteRequest<'_> {
        RouteRequest {
            home: peer(0),
            member: &self.home,
            policy: &self.policy,
            block_count: self.block_count,
            positions: 100,
            stages_min: self.stages_min,
            kept: None,
        }
    }

    pub(in crate::route) fn latency(&self, from: &PeerKey, to: &PeerKey) -> Duration {
        let us = self.latency[usize::from(from.0[0]) * 5 + usize::from(to.0[0])];
        Duration::from_micros(us)
    }

    /// Whether some candidate may run a stage, by rules written down a second time.
    pub(in crate::route) fn may_run(&self, stage: &RouteStage) -> bool {
        self.fitting(stage).next().is_some()
    }

    fn fitting<'a>(&'a self, stage: &'a RouteStage) -> impl Iterator<Item = &'a Candidate> {
        let policy = &self.policy;
        self.candidates.iter().filter(move |candidate| {
            let member = &candidate.member;
            let pinned = stage.blocks.start() < policy.pinned_first
                || stage.blocks.end() + policy.pinned_last > self.block_count;
            candidate.peer == stage.peer
                && candidate.blocks.covers(stage.blocks)
                && candidate.positions_free >= 100
                && self.within(member)
                && (!pinned || member.institution == "inst-0")
        })
    }

    /// Whether a member is anywhere the policy lets it be.
    fn within(&self, member: &Member) -> bool {
        let policy = &self.policy;
        let among = |list: &BTreeSet<Country>| {
            (list.contains(&member.jurisdiction), list.contains(&member.parent_country))
        };
        among(&policy.forbidden_jurisdictions) == (false, false)
            && (policy.allowed_jurisdictions.is_empty()
                || among(&policy.allowed_jurisdictions) == (true, true))
            && (policy.allowed_institutions.is_empty()
                || policy.allowed_institutions.contains(&member.institution))
    }

    /// What counts for a block of those who measured none: the middle of what the others say who may
    /// run any.
    fn unmeasured_ns(&self) -> u64 {
        let usable = self.candidates.iter().filter(|candidate| {
            candidate.blocks.iter().filter(|block| *block < self.block_count).any(|block| {
                let stage = RouteStage { peer: candidate.peer, blocks: range(block, block + 1) };
                self.fitting(&stage).any(|other| other == *candidate)
            })
        });
        let mut known: Vec<u64> = usable.map(|it| it.block_time_ns).filter(|ns| *ns > 0).collect();
        known.sort_unstable();
        if known.is_empty() { BLOCK_NS } else { known[known.len() / 2] }
    }

    pub(in crate::route) fn cost(&self, stages: &[RouteStage]) -> Cost {
        let hop = |from: PeerKey, to: PeerKey| match from == to {
            true => 0,
            false => u64::try_from(self.latency(&from, &to).as_nanos()).unwrap(),
        };
        let unmeasured_ns = self.unmeasured_ns();
        let (mut ns, mut last, mut uneven) = (0, peer(0), 0);
        for stage in stages {
            let len = u64::from(stage.blocks.len());
            let block = |candidate: &Candidate| {
                let each = match candidate.block_time_ns {
                    0 => unmeasured_ns,
                    ns => ns,
                };
                each * (QUEUE_SHARE + u64::from(candidate.sessions)) / QUEUE_SHARE
            };
            ns += hop(last, stage.peer) + VISIT_NS;
            ns += len * self.fitting(stage).map(block).min().unwrap();
            uneven += len * len;
            last = stage.peer;
        }
        ns += hop(last, peer(0));
        if self.stages_min > 1 { (stages.len(), uneven, ns) } else { (stages.len().min(2), 0, ns) }
    }

    /// The least cost of any route, by trying all of them.
    pub(in crate::route) fn best(&self) -> Option<Cost> {
        let mut best = None;
        if !self.within(&self.home) {
            return None;
        }
        self.try_all(&mut Vec::new(), &mut best);
        best
    }

    fn try_all(&self, stages: &mut Vec<RouteStage>, best: &mut Option<Cost>) {
        let start = stages.last().map_or(0, |stage| stage.blocks.end());
        if start == self.block_count {
            if stages.len() >= self.stages_min as usize {
                let cost = self.cost(stages);
                *best = Some(best.map_or(cost, |best| best.min(cost)));
            }
            return;
        }
        for number in 0..5 {
            for end in start + 1..=self.block_count {
                let stage = RouteStage { peer: peer(number), blocks: range(start, end) };
                let used = stages.iter().any(|earlier| earlier.peer == stage.peer);
                if !used && self.may_run(&stage) {
                    stages.push(stage);
                    self.try_all(stages, best);
                    stages.pop();
                }
            }
        }
    }
}
