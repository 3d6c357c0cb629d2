//! What a search wants more of, and the account of what it spent. Not how it searches.

use comity_protocol::placement::{Evaluator, Fleet, Mask, Placement};

/// How much of the score is coverage: see [`Objective::covered`].
const COVERAGE_SHARE: f64 = 1.0;
/// How far above the best flow coverage still counts.
const AHEAD: f64 = 1.1;
/// Placements kept to start from.
const POOL: usize = 16;

/// Evaluates placements and keeps the best.
#[derive(Debug)]
pub(super) struct Objective<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) mask: &'a Mask,
    evaluator: Evaluator,
    /// Positions/s by block that its hosts could run, as changes from one block to the next.
    coverage: Vec<f64>,
    /// Positions/s up to which coverage counts.
    target: f64,
    spent: u64,
    budget: u64,
    best: Option<(Placement, f64)>,
    /// Placements offered, best first.
    pool: Vec<(Placement, f64)>,
}

impl<'a> Objective<'a> {
    pub(super) fn new(fleet: &'a Fleet, mask: &'a Mask, budget: u64) -> Self {
        Self {
            fleet,
            mask,
            evaluator: Evaluator::new(),
            coverage: Vec::new(),
            target: fleet.compute_max(),
            spent: 0,
            budget,
            best: None,
            pool: Vec::new(),
        }
    }

    /// Flow of a placement with a little for coverage; `None` if it does not fit the fleet.
    pub(super) fn score(&mut self, placement: &Placement) -> Option<f64> {
        self.spent += 1;
        let rate = self.evaluator.throughput(self.fleet, placement, self.mask).ok()?;
        if self.best.as_ref().is_none_or(|(_, best)| rate > *best) {
            self.best = Some((placement.clone(), rate));
        }
        Some(rate + COVERAGE_SHARE * self.covered(placement))
    }

    /// Takes a placement to start from.
    pub(super) fn offer(&mut self, placement: &Placement) {
        let mut placement = placement.clone();
        for node in 0..placement.ranges().len() {
            if self.mask.bars(node) {
                placement.set(node, None);
            }
        }
        if let Some(score) = self.score(&placement) {
            let at = self.pool.partition_point(|(_, other)| *other >= score);
            self.pool.insert(at, (placement, score));
            self.pool.truncate(POOL);
        }
    }

    /// Placements to start from, best first.
    pub(super) fn pool(&self) -> &[(Placement, f64)] {
        &self.pool
    }

    /// The best placement so far with its positions/s.
    pub(super) fn best(&self) -> Option<(&Placement, f64)> {
        self.best.as_ref().map(|(placement, rate)| (placement, *rate))
    }

    pub(super) const fn spent(&self) -> u64 {
        self.spent
    }

    pub(super) const fn left(&self) -> u64 {
        self.budget.saturating_sub(self.spent)
    }

    /// Sets sights somewhat above the best flow so far; scores from before no longer compare.
    pub(super) fn aim(&mut self) {
        let best = self.best.as_ref().map_or(0.0, |(_, rate)| *rate);
        if best > 0.0 {
            self.target = AHEAD * best;
        }
    }

    /// Mean over blocks of what their hosts could run, as far as the target needs it, positions/s.
    /// A flow says only what its weakest part allows; this says how much is still weak, and leads
    /// from one flow to the next where several changes are needed before any of them shows.
    fn covered(&mut self, placement: &Placement) -> f64 {
        let block_count = self.fleet.block_count();
        let blocks = block_count as usize;
        self.coverage.clear();
        self.coverage.resize(blocks + 1, 0.0);
        for (node, range) in placement.ranges().iter().enumerate() {
            if let Some(range) = range.filter(|_| !self.mask.bars(node)) {
                let rate = self.fleet.nodes()[node].rates[range.len() as usize - 1];
                self.coverage[range.start() as usize] += rate;
                self.coverage[range.end() as usize] -= rate;
            }
        }
        let (mut rate, mut sum) = (0.0, 0.0);
        for change in &self.coverage[..blocks] {
            rate += change;
            sum += f64::min(rate, self.target);
        }
        sum / f64::from(block_count)
    }
}
