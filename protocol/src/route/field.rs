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

/// Nanoseconds of a block where nobody has measured one.
pub(super) const BLOCK_NS: u64 = 1_000_000;

/// Candidates that may run at least one block, with what they and the hops between them cost.
#[derive(Debug)]
pub(super) struct Field {
    /// Blocks of the model.
    pub(super) block_count: usize,
    /// In ascending order of peer.
    pub(super) runners: Vec<Runner>,
    /// Who may run a block, by index into `runners`; blocks next to each other often have the same.
    holders: Vec<Vec<usize>>,
    /// `[block_count]`: index into `holders`.
    held_by: Vec<usize>,
    /// The number of runners, which stands for home.
    home: usize,
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
        let unmeasured_ns = unmeasured_ns(&usable);
        let runner = |admitted| Runner::new(admitted, &peers, unmeasured_ns);
        let runners: Vec<_> = usable.iter().map(runner).collect();
        let (holders, held_by) = holders(&usable, request.block_count as usize);
        let latency = latencies(&peers, request.home, latency);
        let (block_count, home) = (request.block_count as usize, runners.len());
        Ok(Self { block_count, runners, holders, held_by, home, peers, latency })
    }

    /// Who may run a block, by index into `runners`.
    pub(super) fn holders(&self, block: usize) -> &[usize] {
        &self.holders[self.held_by[block]]
    }

    /// Who may have run what is before a boundary; the number of runners stands for home.
    pub(super) fn before(&self, boundary: usize) -> &[usize] {
        match boundary.checked_sub(1) {
            Some(block) => self.holders(block),
            None => std::slice::from_ref(&self.home),
        }
    }

    /// Fewest stages that run all blocks, if peers could return.
    pub(super) fn stages_least(&self) -> usize {
        let (mut block, mut stages) = (0, 0);
        while block < self.block_count {
            let ends = self.holders(block).iter().map(|index| self.runners[*index].until[block]);
            block = ends.max().unwrap_or(self.block_count);
            stages += 1;
        }
        stages
    }

    /// One-way nanoseconds between two peers by index; the number of peers stands for home.
    pub(super) fn hop_ns(&self, from: usize, to: usize) -> u64 {
        self.latency[from * (self.peers.len() + 1) + to]
    }
}

impl Runner {
    fn new(admitted: &Admitted<'_>, peers: &[PeerKey], unmeasured_ns: u64) -> Self {
        let candidate = admitted.candidate();
        Self {
            peer: peers.partition_point(|peer| *peer < candidate.peer),
            block_ns: block_ns(candidate, unmeasured_ns),
            until: until(admitted.may()),
        }
    }
}

/// `[from, to]` in nanoseconds by index into `peers`; the index past the last is home.
fn latencies(
    peers: &[PeerKey],
    home: PeerKey,
    latency: impl Fn(&PeerKey, &PeerKey) -> Duration,
) -> Vec<u64> {
    // Home may be one of them; elsewhere different numbers are different peers.
    let own = peers.binary_search(&home).unwrap_or(peers.len());
    let ends: Vec<_> = (0..).zip(peers).chain([(own, &home)]).collect();
    let mut all = Vec::with_capacity(ends.len() * ends.len());
    for (number, from) in &ends {
        all.extend(ends.iter().map(|(other, to)| match number == other {
            true => 0,
            false => u64::try_from(latency(from, to).as_nanos()).unwrap_or(u64::MAX),
        }));
    }
    all
}

/// Who may run each block: the different sets, and which of them each block has.
fn holders(usable: &[Admitted<'_>], block_count: usize) -> (Vec<Vec<usize>>, Vec<usize>) {
    let (mut holders, mut held_by): (Vec<Vec<usize>>, Vec<usize>) = (Vec::new(), Vec::new());
    for block in 0..block_count {
        let is_new = |it: &Admitted<'_>| block == 0 || it.may()[block] != it.may()[block - 1];
        if usable.iter().any(is_new) {
            let may = (0..).zip(usable).filter(|(_, it)| it.may()[block]);
            holders.push(may.map(|(index, _)| index).collect());
        }
        held_by.push(holders.len() - 1);
    }
    (holders, held_by)
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

/// Nanoseconds of a block of those who have measured none yet and announce zero: as of the others.
fn unmeasured_ns(usable: &[Admitted<'_>]) -> u64 {
    let known = usable.iter().map(|it| it.candidate().block_time_ns).filter(|ns| *ns > 0);
    let mut known: Vec<u64> = known.collect();
    known.sort_unstable();
    known.get(known.len() / 2).copied().unwrap_or(BLOCK_NS)
}

fn block_ns(candidate: &Candidate, unmeasured_ns: u64) -> u64 {
    let parts = QUEUE_SHARE + u64::from(candidate.sessions);
    let each = if candidate.block_time_ns > 0 { candidate.block_time_ns } else { unmeasured_ns };
    let ns = u128::from(each) * u128::from(parts) / u128::from(QUEUE_SHARE);
    u64::try_from(ns).unwrap_or(u64::MAX)
}
