//! Annealing at several temperatures at once. Not the changes it tries.
//!
//! Source: parallel tempering (Swendsen and Wang, 1986): copies at neighbouring temperatures
//! exchange places, so that what the hot ones find cools down, and cold ones that are stuck warm
//! up.

use comity_protocol::placement::Placement;

use super::{Progress, moves::Moves, objective::Objective, repair::repair};
use crate::random::Random;

/// Copies, each at its own temperature.
const COPIES: usize = 8;
/// Temperatures of the coldest and the hottest, as shares of what the fleet computes at most: a
/// change that costs so much is taken once in e times.
const COLDEST: f64 = 0.000_5;
const HOTTEST: f64 = 0.03;
/// Changes each copy tries between exchanges.
const STRETCH: u32 = 64;
/// Exchanges between repairs.
const EXCHANGES: u32 = 24;
/// Rounds of a search. Each begins at the heuristics, so that a round that is stuck holds up no other.
const ROUNDS: u64 = 8;
/// Of them the last ones, which begin at the best so far too.
const ROUNDS_FROM_BEST: u64 = 2;

/// Purpose of its random numbers.
const PURPOSE: u64 = 0x504C_414E;

/// A search under way.
#[derive(Debug)]
pub(super) struct Anneal<'a, 'b> {
    objective: &'a mut Objective<'b>,
    moves: Moves<'b>,
    random: Random,
    copies: Vec<Copy>,
}

#[derive(Debug, Clone)]
struct Copy {
    placement: Placement,
    score: f64,
    temperature: f64,
}

impl<'a, 'b> Anneal<'a, 'b> {
    /// A search that moves those nodes of `free` that take part.
    pub(super) fn new(objective: &'a mut Objective<'b>, free: &[usize], seed: u64) -> Self {
        let fleet = objective.fleet;
        let takes_part = |node: &usize| !objective.mask.bars(*node) && fleet.blocks_max(*node) > 0;
        let nodes = free.iter().copied().filter(takes_part).collect();
        let all = (0..fleet.nodes().len()).filter(takes_part).collect();
        let moves = Moves::new(fleet, nodes, all);
        Self { objective, moves, random: Random::new(seed, PURPOSE), copies: Vec::new() }
    }

    /// Spends what the objective has left.
    pub(super) fn run(&mut self, progress: &mut dyn FnMut(Progress)) {
        if self.moves.nodes.is_empty() || self.objective.pool().is_empty() {
            return;
        }
        let round = self.objective.left() / ROUNDS;
        for number in (0..ROUNDS).rev() {
            if number < ROUNDS_FROM_BEST
                && let Some(best) = self.objective.best().map(|(best, _)| best.clone())
            {
                self.objective.offer(&best);
            }
            self.begin();
            let until = number * round;
            while self.objective.left() > until {
                for _ in 0..EXCHANGES {
                    self.stretch(until);
                    self.exchange();
                }
                self.repair();
                let rate = self.objective.best().map_or(0.0, |(_, rate)| rate);
                progress(Progress { evaluations: self.objective.spent(), rate });
            }
        }
    }

    /// Puts every copy at one of the best places known.
    fn begin(&mut self) {
        self.objective.aim();
        let pool = self.objective.pool().to_vec();
        let scale = self.objective.fleet.compute_max();
        self.copies.clear();
        let mut share = COLDEST;
        for copy in 0..COPIES {
            let placement = pool[copy % pool.len()].0.clone();
            let score = self.objective.score(&placement).unwrap_or(0.0);
            self.copies.push(Copy { placement, score, temperature: share * scale });
            share *= (HOTTEST / COLDEST).powf(1.0 / (COPIES - 1) as f64);
        }
    }

    /// Has every copy try some changes.
    fn stretch(&mut self, until: u64) {
        for copy in &mut self.copies {
            for _ in 0..STRETCH {
                if self.objective.left() <= until {
                    return;
                }
                self.moves.change(&mut copy.placement, &mut self.random);
                if !self.moves.has_changed() {
                    continue;
                }
                let score = self.objective.score(&copy.placement);
                let gain = score.map_or(f64::NEG_INFINITY, |score| score - copy.score);
                if gain >= 0.0 || self.random.unit() < (gain / copy.temperature).exp() {
                    copy.score += gain;
                } else {
                    self.moves.undo(&mut copy.placement);
                }
            }
        }
    }

    /// Lets neighbours in temperature change places: always if the better becomes the colder.
    fn exchange(&mut self) {
        for cold in 0..COPIES - 1 {
            let (a, b) = (&self.copies[cold], &self.copies[cold + 1]);
            let gain = (b.score - a.score) * (1.0 / a.temperature - 1.0 / b.temperature);
            if gain >= 0.0 || self.random.unit() < gain.exp() {
                self.copies.swap(cold, cold + 1);
                let warm = self.copies[cold].temperature;
                self.copies[cold].temperature = self.copies[cold + 1].temperature;
                self.copies[cold + 1].temperature = warm;
            }
        }
    }

    /// Repairs the coldest copy.
    fn repair(&mut self) {
        let copy = &mut self.copies[0];
        copy.score =
            repair(self.objective, &self.moves, &mut copy.placement, copy.score, &mut self.random);
    }
}
