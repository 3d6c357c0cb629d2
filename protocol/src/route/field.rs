//! Who may run which block for a request, at what cost. Not which of them do.

use std::time::Duration;

use super::{RouteError, RouteRequest};
use crate::{block::BlockRange, directory::Candidate, id::PeerKey, policy::Denial};

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
#[derive(Debug, Clone)]
enum Want {
    Nothing,
    Room,
    Permission(Denial),
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
        let mut wants = vec![Want::Holder; request.block_count as usize];
        let mut usable = Vec::new();
        for candidate in candidates {
            let may = usable_blocks(request, candidate, &mut wants);
            if may.contains(&true) {
                usable.push((candidate, may));
            }
        }
        covered(request, &wants)?;
        let mut peers: Vec<PeerKey> = usable.iter().map(|(candidate, _)| candidate.peer).collect();
        peers.dedup();
        let runners = usable.iter().map(|(candidate, may)| Runner {
            peer: peers.partition_point(|peer| *peer < candidate.peer),
            block_ns: block_ns(candidate),
            until: until(may),
        });
        let runners = runners.collect();
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

/// Which blocks `candidate` may run, and what that leaves wanting.
fn usable_blocks(
    request: &RouteRequest<'_>,
    candidate: &Candidate,
    wants: &mut [Want],
) -> Vec<bool> {
    let RouteRequest { policy, block_count, positions, institution, .. } = *request;
    let subject = candidate.member.subject();
    let mut may = vec![false; wants.len()];
    for block in candidate.blocks.iter().take_while(|block| *block < block_count) {
        let (index, Ok(single)) = (block as usize, BlockRange::new(block, block + 1)) else {
            continue;
        };
        let want = match policy.permits_stage(&subject, single, block_count, institution) {
            Err(denial) => Want::Permission(denial),
            Ok(()) if candidate.positions_free < positions => Want::Room,
            Ok(()) => Want::Nothing,
        };
        may[index] = matches!(want, Want::Nothing);
        if want.rank() < wants[index].rank() {
            wants[index] = want;
        }
    }
    may
}

impl Want {
    const fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Room => 1,
            Self::Permission(_) => 2,
            Self::Holder => 3,
        }
    }
}

/// Refuses if a block wants something; what is missing most is named first.
fn covered(request: &RouteRequest<'_>, wants: &[Want]) -> Result<(), RouteError> {
    let lacking = |rank: u8| ranges(wants, |want| want.rank() == rank);
    let blocks = lacking(Want::Holder.rank());
    if !blocks.is_empty() {
        return Err(RouteError::NoCandidate { blocks });
    }
    let denial = wants.iter().find_map(|want| match want {
        Want::Permission(denial) => Some(denial.clone()),
        _ => None,
    });
    if let Some(denial) = denial {
        return Err(RouteError::Policy { denial, blocks: lacking(2) });
    }
    let blocks = lacking(Want::Room.rank());
    if !blocks.is_empty() {
        return Err(RouteError::NoRoom { positions: request.positions, blocks });
    }
    Ok(())
}

/// The maximal ranges of blocks for which `lacks` holds.
fn ranges(wants: &[Want], lacks: impl Fn(&Want) -> bool) -> Vec<BlockRange> {
    let mut ranges: Vec<BlockRange> = Vec::new();
    for (block, _) in (0u32..).zip(wants).filter(|(_, want)| lacks(want)) {
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
