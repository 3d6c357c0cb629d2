//! What the policy lets candidates do for a request: the only way into a search. Not their cost.

use super::RouteRequest;
use crate::{
    block::BlockRange,
    directory::Candidate,
    policy::{Access, Denial},
};

/// A candidate and the blocks that the policy lets it run. Nothing but the policy makes one, and a
/// search takes nothing else.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    candidate: &'a Candidate,
    /// `[block_count]`
    may: Vec<bool>,
}

impl<'a> Admitted<'a> {
    /// The candidate, if there is any block that it holds and may run.
    pub(super) fn new(request: &RouteRequest<'_>, candidate: &'a Candidate) -> Option<Self> {
        let mut may = vec![false; request.block_count as usize];
        // Who may run blocks together may run each of them; the reverse does not hold.
        let end = candidate.blocks.end().min(request.block_count);
        let all = BlockRange::new(candidate.blocks.start(), end).ok();
        match all {
            Some(all) if denials(request, candidate, all).is_empty() => {
                may[all.start() as usize..all.end() as usize].fill(true);
            }
            _ => {
                for block in held(request, candidate) {
                    may[block.start() as usize] = denials(request, candidate, block).is_empty();
                }
            }
        }
        may.contains(&true).then_some(Self { candidate, may })
    }

    /// The candidate.
    pub(super) const fn candidate(&self) -> &'a Candidate {
        self.candidate
    }

    /// `[block_count]`: which blocks it holds and may run.
    pub(super) fn may(&self) -> &[bool] {
        &self.may
    }
}

/// The model's blocks that `candidate` holds, one by one.
pub(super) fn held(
    request: &RouteRequest<'_>,
    candidate: &Candidate,
) -> impl Iterator<Item = BlockRange> + use<> {
    let (blocks, block_count) = (candidate.blocks, request.block_count);
    blocks
        .iter()
        .take_while(move |block| *block < block_count)
        .filter_map(|block| BlockRange::new(block, block + 1).ok())
}

/// Every predicate that keeps `candidate` from running `blocks`.
pub(super) fn denials(
    request: &RouteRequest<'_>,
    candidate: &Candidate,
    blocks: BlockRange,
) -> Vec<Denial> {
    let access = Access::Blocks { blocks, block_count: request.block_count };
    let (subject, home) = (candidate.member.subject(), &request.member.institution);
    request.policy.denials(&subject, home, access)
}
