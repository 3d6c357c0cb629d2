//! Who may run which block for a request, at what cost. Not which of them do.

use std::time::Duration;

use super::{
    RouteError, RouteRequest, Uncovered,
    admitted::{Admitted, held},
};
use crate::{block::BlockRange, directory::Candidate, id::PeerKey};

/// Nanoseconds of every visit of a stage beside its blocks and hops: two frames through QUIC, a
/// queue and a wake of the executor. An assumption until the pipeline bench measures it.
pub(super) const VISIT_NS: u64 = 200_000;

/// Every session in service slows a block by one part in this many. A session of a ring is at one
/// given stage for a fraction of the time only, and waiting steps are merged into one pass.
pub(super) const QUEUE_SHARE: u64 = 4;

/// Candidates that may run at least one block, with what they and the hops between them cost.
#[derive(Debug)]
pub(super) struct Field {
    /// Blocks of the model.
    pub(super) block_count: usize,
    /// In ascending order of peer.
    pub(super) runners: Vec<Runner>,
    /// Their distinct peers, ascending.
    pub(super) peers: Vec<PeerKey>,
    /// `[from, to]` in nanoseconds by index into `peers`; the index past the last is home.
    latency: Vec<u64>,
}

/// One offer of one peer, as far as the request may use it.
#[derive(Debug)]
pub(super) struct Runner {
    /// Index into [`Field::peers`].
    pub(super) peer: usize,
    /// Time of one position through one block, its queue included.
    pub(super) block_ns: u64,
    /// `[block_count]`: one past the last block of an unbroken run from here; the block itself if
    /// it may not run it.
    pub(super) until: Vec<usize>,
}

/// What stands between a block and its being run, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Want {
    Nothing,
    Room,
    Permission,
    Holder,
}

impl Field {
    /// Filters `candidates` by holdings, policy and room.
    ///
    /// # Errors
    /// [`RouteError`] if a block is left without anyone to run it.
    pub(super) fn new(
        request: &RouteRequest<'_>,
        candidates: &[Candidate],
        latency: impl Fn(&PeerKey, &PeerKey) -> Duration,
    ) -> Result<Self, RouteError> {
        let mut candidates: Vec<&Candidate> = candidates.iter().collect();
        candidates.sort_by_key(|c| (c.peer, c.blocks, c.block_time_ns, c.sessions));
        let usable = usable(request, &candidates)?;
        let mut peers: Vec<PeerKey> = usable.iter().map(|it| it.candidate().peer).collect();
        peers.dedup();
        let runners = usable.iter().map(|admitted| Runner::new(admitted, &peers)).collect();
        let ends: Vec<PeerKey> = peers.iter().copied().chain([request.home]).collect();
        let between = |from: &PeerKey, to: &PeerKey| match from == to {
            true => 0,
            false => u64::try_from(latency(from, to).as_nanos()).unwrap_or(u64::MAX),
        };
        let latency =
            ends.iter().flat_map(|from| ends.iter().map(|to| between(from, to))).collect();
        Ok(Self { block_count: request.block_count as usize, runners, peers, latency })
    }

    /// One-way nanoseconds between two peers by index; the number of peers stands for home.
    pub(super) fn hop_ns(&self, from: usize, to: usize) -> u64 {
        self.latency[from * (self.peers.len() + 1) + to]
    }
}

impl Runner {
    fn new(admitted: &Admitted<'_>, peers: &[PeerKey]) -> Self {
        let candidate = admitted.candidate();
        Self {
            peer: peers.partition_point(|peer| *peer < candidate.peer),
            block_ns: block_ns(candidate),
            until: until(admitted.may()),
        }
    }
}

/// Those of `candidates` that may run some block and have room.
fn usable<'a>(
    request: &RouteRequest<'_>,
    candidates: &[&'a Candidate],
) -> Result<Vec<Admitted<'a>>, RouteError> {
    let mut wants = vec![Want::Holder; request.block_count as usize];
    let mut lower = |index: usize, want: Want| wants[index] = wants[index].min(want);
    let mut usable = Vec::new();
    for candidate in candidates {
        for block in held(request, candidate) {
            lower(block.start() as usize, Want::Permission);
        }
        let Some(admitted) = Admitted::new(request, candidate) else { continue };
        let roomy = candidate.positions_free >= request.positions;
        let want = if roomy { Want::Nothing } else { Want::Room };
        for (index, _) in admitted.may().iter().enumerate().filter(|(_, may)| **may) {
            lower(index, want);
        }
        if roomy {
            usable.push(admitted);
        }
    }
    covered(request, candidates, &wants)?;
    Ok(usable)
}

/// Refuses if a block wants something; what is missing most is named first.
fn covered(
    request: &RouteRequest<'_>,
    candidates: &[&Candidate],
    wants: &[Want],
) -> Result<(), RouteError> {
    let blocks = |want: Want| ranges(wants, want);
    match wants.iter().max() {
        Some(Want::Holder) => Err(RouteError::NoCandidate { blocks: blocks(Want::Holder) }),
        Some(Want::Permission) => {
            let uncovered = Uncovered::new(request, candidates, blocks(Want::Permission));
            Err(RouteError::Policy(uncovered))
        }
        Some(Want::Room) => {
            let (positions, blocks) = (request.positions, blocks(Want::Room));
            Err(RouteError::NoRoom { positions, blocks })
        }
        Some(Want::Nothing) | None => Ok(()),
    }
}

/// The maximal ranges of blocks that want the same.
fn ranges(wants: &[Want], wanted: Want) -> Vec<BlockRange> {
    let mut ranges: Vec<BlockRange> = Vec::new();
    for (block, _) in (0u32..).zip(wants).filter(|(_, want)| **want == wanted) {
        let start = match ranges.last() {
            Some(last) if last.end() == block => last.start(),
            _ => block,
        };
        if start < block {
            ranges.pop();
        }
        ranges.extend(BlockRange::new(start, block + 1));
    }
    ranges
}

/// For each block, one past the last of the unbroken run of usable blocks that starts there.
fn until(may: &[bool]) -> Vec<usize> {
    let mut until: Vec<usize> = (0..may.len()).collect();
    for block in (0..may.len()).rev().filter(|block| may[*block]) {
        until[block] = until.get(block + 1).map_or(block + 1, |end| *end);
    }
    until
}

fn block_ns(candidate: &Candidate) -> u64 {
    let parts = QUEUE_SHARE + u64::from(candidate.sessions);
    let ns = u128::from(candidate.block_time_ns) * u128::from(parts) / u128::from(QUEUE_SHARE);
    u64::try_from(ns).unwrap_or(u64::MAX)
}
