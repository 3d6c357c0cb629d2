//! Lower bounds for what is left of a chain. Not which chain.

use super::super::field::{Field, VISIT_NS};

/// Unevenness first (zero if the number of stages is open), then nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    pub(super) uneven: u64,
    pub(super) ns: u64,
}

impl Cost {
    pub(super) const ZERO: Self = Self { uneven: 0, ns: 0 };
    /// No way at all; no real chain is this uneven.
    const NEVER: Self = Self { uneven: u64::MAX, ns: u64::MAX };

    pub(super) const fn plus(self, other: Self) -> Self {
        let uneven = self.uneven.saturating_add(other.uneven);
        Self { uneven, ns: self.ns.saturating_add(other.ns) }
    }

    pub(super) const fn is_never(self) -> bool {
        self.uneven == u64::MAX
    }
}

/// `[boundary, last runner]`: a lower bound of what finishing from there costs. The index past the
/// last runner is home, where every chain starts.
#[derive(Debug)]
pub(super) struct Table(pub(super) Vec<Cost>);

/// Nanoseconds of no way at all; what is absurdly long stays below.
const NEVER_NS: u64 = u64::MAX;

impl Table {
    /// For any number of stages, filled from the last boundary to the first.
    pub(super) fn open(field: &Field) -> Self {
        let (blocks, home) = (field.block_count, field.peers.len());
        let width = field.runners.len() + 1;
        let mut ns = vec![NEVER_NS; (blocks + 1) * width];
        for last in field.before(blocks) {
            ns[blocks * width + last] = bounded(field.hop_ns(peer_of(field, *last), home));
        }
        // Of each runner: what it costs to enter it at a block, run on from there and finish.
        let mut runs = vec![NEVER_NS; width];
        let mut entered: Vec<(usize, u64)> = Vec::new();
        for block in (0..blocks).rev() {
            entered.clear();
            for index in field.holders(block).iter().copied() {
                let runner = &field.runners[index];
                let on = if runner.until[block] > block + 1 { runs[index] } else { NEVER_NS };
                let rest = on.min(ns[(block + 1) * width + index]);
                runs[index] = along(rest, runner.block_ns);
                entered.push((runner.peer, along(runs[index], VISIT_NS)));
            }
            for last in field.before(block).iter().copied() {
                let from = peer_of(field, last);
                let others = entered.iter().filter(|(peer, _)| *peer != from);
                let ways = others.map(|(peer, rest)| along(*rest, field.hop_ns(from, *peer)));
                ns[block * width + last] = ways.min().unwrap_or(NEVER_NS);
            }
        }
        let cost = |ns| if ns == NEVER_NS { Cost::NEVER } else { Cost { uneven: 0, ns } };
        Self(ns.into_iter().map(cost).collect())
    }

    /// For one stage more than `fewer` is for; for none at all if there is none.
    pub(super) fn counted(field: &Field, fewer: Option<&Self>) -> Self {
        let (blocks, runners) = (field.block_count, field.runners.len());
        let width = runners + 1;
        let mut table = Self(vec![Cost::NEVER; (blocks + 1) * width]);
        let Some(fewer) = fewer else {
            for last in field.before(blocks) {
                let ns = field.hop_ns(peer_of(field, *last), field.peers.len());
                table.0[blocks * width + last] = Cost { uneven: 0, ns };
            }
            return table;
        };
        let mut runs = vec![Cost::NEVER; runners];
        for block in (0..blocks).rev() {
            for index in field.holders(block).iter().copied() {
                let ends = block + 1..=field.runners[index].until[block];
                let run = |end: usize| {
                    segment(field, index, end - block, true).plus(fewer.0[end * width + index])
                };
                runs[index] = ends.map(run).min().unwrap_or(Cost::NEVER);
            }
            for last in field.before(block).iter().copied() {
                let next = field.holders(block).iter().copied();
                table.0[block * width + last] = next
                    .filter(|index| field.runners[*index].peer != peer_of(field, last))
                    .map(|index| enter(field, last, index).plus(runs[index]))
                    .min()
                    .unwrap_or(Cost::NEVER);
            }
        }
        table
    }
}

/// The sum of two times, if the first is one.
const fn along(rest: u64, ns: u64) -> u64 {
    if rest == NEVER_NS { NEVER_NS } else { bounded(rest.saturating_add(ns)) }
}

const fn bounded(ns: u64) -> u64 {
    if ns == NEVER_NS { NEVER_NS - 1 } else { ns }
}

/// Peer of a runner, or home.
fn peer_of(field: &Field, runner: usize) -> usize {
    field.runners.get(runner).map_or(field.peers.len(), |runner| runner.peer)
}

/// Cost of going from one runner, or home, to the next one.
pub(super) fn enter(field: &Field, last: usize, next: usize) -> Cost {
    let hop = field.hop_ns(peer_of(field, last), peer_of(field, next));
    Cost { uneven: 0, ns: hop.saturating_add(VISIT_NS) }
}

/// Cost of running `len` blocks.
pub(super) fn segment(field: &Field, runner: usize, len: usize, counted: bool) -> Cost {
    let len = len as u64;
    let uneven = if counted { len * len } else { 0 };
    Cost { uneven, ns: field.runners[runner].block_ns.saturating_mul(len) }
}
