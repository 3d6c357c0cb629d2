//! The cheapest chain of distinct peers over a field. Not who may be in it.
//!
//! Source: A* (Hart, Nilsson, Raphael 1968) with a dynamic program over (boundary, last runner) as
//! its bound. The program lets a peer return after another, so it never overestimates, and it is
//! the exact answer wherever no peer would return.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use super::{
    RouteStage,
    field::{Field, VISIT_NS},
};
use crate::{block::BlockRange, limits::STAGES_MAX};

/// Entries of the tables of one search, 16 bytes each: 16 MiB. Eight stages of 1,000 offers for a
/// model of 126 blocks fit.
const CELLS_MAX: usize = 1 << 20;

/// Partial routes of one search, 100 bytes and 16 per stage each: 15 MiB for short chains, 150 MiB
/// at worst, for well under a second.
const PARTIAL_MAX: usize = 1 << 17;

/// What one search found.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A chain over all blocks.
    Found(Vec<RouteStage>),
    /// There is none.
    Infeasible,
    /// The bounds of the search did not suffice to tell.
    Exhausted,
}

/// Unevenness first (zero if the number of stages is open), then nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    uneven: u64,
    ns: u64,
}

impl Cost {
    const ZERO: Self = Self { uneven: 0, ns: 0 };
    /// No way at all; no real chain is this uneven.
    const NEVER: Self = Self { uneven: u64::MAX, ns: u64::MAX };

    const fn plus(self, other: Self) -> Self {
        let uneven = self.uneven.saturating_add(other.uneven);
        Self { uneven, ns: self.ns.saturating_add(other.ns) }
    }

    const fn is_never(self) -> bool {
        self.uneven == u64::MAX
    }
}

/// `[boundary, last runner]`: a lower bound of what finishing from there costs. The index past the
/// last runner is home, where every chain starts.
#[derive(Debug)]
struct Table(Vec<Cost>);

/// Searches one field.
#[derive(Debug)]
pub(super) struct Search<'a> {
    field: &'a Field,
    /// By the number of stages still to come.
    counted: Vec<Table>,
}

/// A partial route. Ordered by rank, then by path: among equals the lower peer, then the longer
/// stage, so the first whole route that comes up is the same for equal fields.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Partial {
    rank: [u64; 3],
    path: Vec<Leg>,
    cost: Cost,
}

/// One stage of a partial route: its runner, and how many blocks are left after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Leg {
    runner: usize,
    left: usize,
}

impl<'a> Search<'a> {
    pub(super) const fn new(field: &'a Field) -> Self {
        Self { field, counted: Vec::new() }
    }

    /// The best chain of exactly `stages` stages, the most even first; or the cheapest of any
    /// number.
    pub(super) fn run(&mut self, stages: Option<usize>) -> Outcome {
        let field = self.field;
        let levels = stages.unwrap_or(0) + 1;
        if levels * (field.block_count + 1) * (field.runners.len() + 1) > CELLS_MAX {
            return Outcome::Exhausted;
        }
        let open;
        let tables = match stages {
            Some(stages) => {
                while self.counted.len() <= stages {
                    self.counted.push(table(field, Some(self.counted.last())));
                }
                &self.counted[..=stages]
            }
            None => {
                open = [table(field, None)];
                &open[..]
            }
        };
        let chain = Chain { field, tables, counted: stages.is_some() };
        match chain.cheapest(false) {
            Outcome::Exhausted => chain.cheapest(true),
            outcome => outcome,
        }
    }
}

/// Fills a table from the last boundary to the first. `next` is the table for one stage fewer, if
/// stages are counted, and none at all for zero stages; else the table continues in itself.
fn table(field: &Field, next: Option<Option<&Table>>) -> Table {
    let (blocks, runners) = (field.block_count, field.runners.len());
    let width = runners + 1;
    let mut table = Table(vec![Cost::NEVER; (blocks + 1) * width]);
    if !matches!(next, Some(Some(_))) {
        for last in 0..width {
            let ns = field.hop_ns(peer_of(field, last), field.peers.len());
            table.0[blocks * width + last] = Cost { uneven: 0, ns };
        }
    }
    if matches!(next, Some(None)) {
        return table;
    }
    let mut runs = vec![Cost::NEVER; runners];
    for block in (0..blocks).rev() {
        for (index, runner) in field.runners.iter().enumerate() {
            let after = next.flatten().unwrap_or(&table);
            runs[index] = (block + 1..=runner.until[block])
                .map(|end| {
                    segment(field, index, end - block, next.is_some())
                        .plus(after.0[end * width + index])
                })
                .min()
                .unwrap_or(Cost::NEVER);
        }
        for last in 0..width {
            table.0[block * width + last] = (0..runners)
                .filter(|index| field.runners[*index].peer != peer_of(field, last))
                .map(|index| enter(field, last, index).plus(runs[index]))
                .min()
                .unwrap_or(Cost::NEVER);
        }
    }
    table
}

/// Peer of a runner, or home.
fn peer_of(field: &Field, runner: usize) -> usize {
    field.runners.get(runner).map_or(field.peers.len(), |runner| runner.peer)
}

/// Cost of going from one runner, or home, to the next one.
fn enter(field: &Field, last: usize, next: usize) -> Cost {
    let hop = field.hop_ns(peer_of(field, last), peer_of(field, next));
    Cost { uneven: 0, ns: hop.saturating_add(VISIT_NS) }
}

/// Cost of running `len` blocks.
fn segment(field: &Field, runner: usize, len: usize, counted: bool) -> Cost {
    let len = len as u64;
    let uneven = if counted { len * len } else { 0 };
    Cost { uneven, ns: field.runners[runner].block_ns.saturating_mul(len) }
}

/// One kind of chain over one field.
struct Chain<'a> {
    field: &'a Field,
    tables: &'a [Table],
    counted: bool,
}

impl Chain<'_> {
    /// Searches by total cost; or, if `greedy`, by depth, which finds some chain soon.
    fn cheapest(&self, greedy: bool) -> Outcome {
        let mut queue = BinaryHeap::new();
        let mut seen = HashSet::new();
        let mut budget = PARTIAL_MAX;
        let start = Partial { rank: [0; 3], path: Vec::new(), cost: Cost::ZERO };
        queue.push(Reverse(start));
        while let Some(Reverse(partial)) = queue.pop() {
            let last = partial.path.last().map(|leg| (leg.runner, leg.left));
            if matches!(last, Some((_, 0)))
                && (!self.counted || partial.path.len() == self.stages())
            {
                return Outcome::Found(self.route(&partial.path));
            }
            let mut visited = self.visited(&partial);
            visited.sort_unstable();
            if !seen.insert((last, visited)) {
                continue;
            }
            let queued = queue.len();
            self.extend(&partial, greedy, &mut queue);
            let Some(rest) = budget.checked_sub(queue.len() - queued) else {
                return Outcome::Exhausted;
            };
            budget = rest;
        }
        Outcome::Infeasible
    }

    /// Queues every continuation of a partial route by a peer that is not in it yet.
    fn extend(&self, partial: &Partial, greedy: bool, queue: &mut BinaryHeap<Reverse<Partial>>) {
        let field = self.field;
        let (width, home) = (field.runners.len() + 1, field.runners.len());
        let Some(more) = self.stages().checked_sub(partial.path.len() + 1) else { return };
        let bound = &self.tables[if self.counted { more } else { 0 }];
        let (last, left) =
            partial.path.last().map_or((home, field.block_count), |leg| (leg.runner, leg.left));
        let start = field.block_count - left;
        let visited = self.visited(partial);
        for (runner, offer) in field.runners.iter().enumerate() {
            if left == 0 || visited.contains(&offer.peer) {
                continue;
            }
            for end in start + 1..=offer.until[start] {
                let cost = partial.cost.plus(enter(field, last, runner)).plus(segment(
                    field,
                    runner,
                    end - start,
                    self.counted,
                ));
                let total = cost.plus(bound.0[end * width + runner]);
                if total.is_never() {
                    continue;
                }
                let depth = if greedy { more as u64 } else { 0 };
                let mut path = partial.path.clone();
                path.push(Leg { runner, left: field.block_count - end });
                queue.push(Reverse(Partial { rank: [depth, total.uneven, total.ns], path, cost }));
            }
        }
    }

    /// Stages a chain has exactly, if they are counted; else at most.
    const fn stages(&self) -> usize {
        if self.counted { self.tables.len() - 1 } else { STAGES_MAX }
    }

    /// Peers of a partial route, by index.
    fn visited(&self, partial: &Partial) -> Vec<usize> {
        partial.path.iter().map(|leg| self.field.runners[leg.runner].peer).collect()
    }

    fn route(&self, path: &[Leg]) -> Vec<RouteStage> {
        let mut start = 0;
        let stages = path.iter().map(|leg| {
            let end = u32::try_from(self.field.block_count - leg.left).expect("at most BLOCKS_MAX");
            let blocks = BlockRange::new(start, end).expect("a leg runs at least one block");
            start = end;
            let peer = self.field.peers[self.field.runners[leg.runner].peer];
            RouteStage { peer, blocks }
        });
        stages.collect()
    }
}
