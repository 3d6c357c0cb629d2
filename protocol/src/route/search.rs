//! The cheapest chain of distinct peers over a field. Not who may be in it.
//!
//! Source: A* (Hart, Nilsson, Raphael 1968) with a dynamic program over (boundary, last runner) as
//! its bound. The program lets a peer return after another, so it never overestimates, and it is
//! the exact answer wherever no peer would return.

mod table;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use self::table::{Cost, Table, enter, segment};
use super::{RouteStage, field::Field};
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
        let levels = stages.unwrap_or(1);
        if levels * (field.block_count + 1) * (field.runners.len() + 1) > CELLS_MAX {
            return Outcome::Exhausted;
        }
        if stages.is_some_and(|stages| stages < field.stages_least()) {
            return Outcome::Infeasible;
        }
        let open;
        let tables = match stages {
            Some(stages) => {
                // A chain's first stage is chosen by what its others cost: up to one fewer.
                while self.counted.len() < stages {
                    self.counted.push(Table::counted(field, self.counted.last()));
                }
                &self.counted[..stages]
            }
            None => {
                open = [Table::open(field)];
                &open[..]
            }
        };
        let chain = Chain { field, tables, counted: stages.is_some() };
        if let Some(path) = chain.straight() {
            return Outcome::Found(chain.route(&path));
        }
        match chain.cheapest(false) {
            Outcome::Exhausted => chain.cheapest(true),
            outcome => outcome,
        }
    }
}

/// One kind of chain over one field.
struct Chain<'a> {
    field: &'a Field,
    tables: &'a [Table],
    counted: bool,
}

impl Chain<'_> {
    /// What the bound leads to from the start: if no peer returns in it, it is the cheapest chain there
    /// is, and of equals the first.
    fn straight(&self) -> Option<Vec<Leg>> {
        let (mut path, mut cost) = (Vec::new(), Cost::ZERO);
        let peer = |leg: &Leg| self.field.runners[leg.runner].peer;
        loop {
            let more = self.stages().checked_sub(path.len() + 1)?;
            let mut best: Option<(Cost, Leg, Cost)> = None;
            let last = path.last().map(peer);
            self.next(path.last(), more, |leg, step, rest| {
                // As the bound has it: nobody follows itself.
                if Some(peer(&leg)) == last {
                    return;
                }
                let all = cost.plus(step);
                let total = all.plus(rest);
                if best.is_none_or(|(least, first, _)| (total, leg) < (least, first)) {
                    best = Some((total, leg, all));
                }
            });
            let (_, leg, all) = best?;
            if path.iter().any(|other| peer(other) == peer(&leg)) {
                return None;
            }
            path.push(leg);
            cost = all;
            if leg.left == 0 {
                return (!self.counted || more == 0).then_some(path);
            }
        }
    }

    /// Every leg that may follow the last one of a chain with so many stages still to come behind it:
    /// what it costs, and what all behind it costs at least.
    fn next(&self, last: Option<&Leg>, more: usize, mut each: impl FnMut(Leg, Cost, Cost)) {
        let field = self.field;
        let (width, home) = (field.runners.len() + 1, field.runners.len());
        let bound = &self.tables[if self.counted { more } else { 0 }];
        let (last, left) = last.map_or((home, field.block_count), |leg| (leg.runner, leg.left));
        let start = field.block_count - left;
        // Who has run all of it goes nowhere.
        let holders = if left > 0 { field.holders(start) } else { &[] };
        for runner in holders.iter().copied() {
            let entered = enter(field, last, runner);
            for end in start + 1..=field.runners[runner].until[start] {
                let rest = bound.0[end * width + runner];
                if !rest.is_never() {
                    let cost = entered.plus(segment(field, runner, end - start, self.counted));
                    each(Leg { runner, left: field.block_count - end }, cost, rest);
                }
            }
        }
    }

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
        let Some(more) = self.stages().checked_sub(partial.path.len() + 1) else { return };
        let visited = self.visited(partial);
        self.next(partial.path.last(), more, |leg, step, rest| {
            if visited.contains(&self.field.runners[leg.runner].peer) {
                return;
            }
            let cost = partial.cost.plus(step);
            let total = cost.plus(rest);
            let depth = if greedy { more as u64 } else { 0 };
            let mut path = partial.path.clone();
            path.push(leg);
            queue.push(Reverse(Partial { rank: [depth, total.uneven, total.ns], path, cost }));
        });
    }

    /// Stages a chain has exactly, if they are counted; else at most.
    const fn stages(&self) -> usize {
        if self.counted { self.tables.len() } else { STAGES_MAX }
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

#[cfg(test)]
mod tests;
