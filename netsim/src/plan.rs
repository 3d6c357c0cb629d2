//! Searches for placements that yield more. Not what a placement yields: that is
//! [`comity_protocol::placement`], which the mesh shares.
//!
//! [`search`] starts from heuristics ([`tiles`], [`petals`], [`swarm`]), anneals several copies at
//! different temperatures that exchange places, and now and then takes a few nodes out to put each
//! back where it helps most. What it may spend is counted in evaluations, so the same seed gives
//! the same plan on any machine. [`parallax`], [`petals`] and [`swarm`] are also baselines by
//! themselves.
//! [`vacant`] gives blocks to a world's nodes that hold none; [`screen`], [`buy`] and [`fairness`] ask
//! what follows from a plan.

mod anneal;
pub mod buy;
pub mod fairness;
mod moves;
mod objective;
pub mod parallax;
pub mod petals;
mod repair;
pub mod screen;
pub mod swarm;
pub mod tiles;
pub mod vacant;

use comity_protocol::placement::{Fleet, Mask, Placement};

use anneal::Anneal;
use objective::Objective;

/// What a search may spend, and the seed that decides its choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Decides every choice: the same seed finds the same plan.
    pub seed: u64,
    /// Placements to evaluate at most. One takes some microseconds for tens of nodes.
    pub evaluations: u64,
}

/// How far a search has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Placements evaluated.
    pub evaluations: u64,
    /// Best flow so far, positions/s.
    pub rate: f64,
}

/// The best placement that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Who hosts what. Barred nodes host nothing.
    pub placement: Placement,
    /// Positions/s it yields; 0 if the nodes cannot cover all blocks.
    pub rate: f64,
    /// The best of what it started from, positions/s.
    pub heuristic: f64,
    /// Placements evaluated.
    pub evaluations: u64,
}

/// Looks for the placement of the nodes that `mask` admits which yields most.
///
/// `from`: placements to start from besides the heuristics; the plan is never worse than one of
/// them that fits. `progress` is told each time a round ends, at least every few thousand
/// evaluations.
pub fn search(
    fleet: &Fleet,
    mask: &Mask,
    from: &[Placement],
    settings: Settings,
    progress: &mut dyn FnMut(Progress),
) -> Plan {
    let all: Vec<usize> = (0..fleet.nodes().len()).collect();
    let starts = starts(fleet, mask).into_iter().chain(from.iter().cloned());
    among(fleet, mask, (&all, starts), settings, progress)
}

/// As [`search`], for the nodes that host nothing in `placement`; the others keep what they host.
pub fn complete(
    fleet: &Fleet,
    mask: &Mask,
    placement: &Placement,
    settings: Settings,
    progress: &mut dyn FnMut(Progress),
) -> Plan {
    let keeps = |node: &usize| placement.range(*node).is_some();
    let (kept, free): (Vec<usize>, Vec<usize>) = (0..fleet.nodes().len()).partition(keeps);
    let with_kept = |mut start: Placement| {
        kept.iter().for_each(|node| start.set(*node, placement.range(*node)));
        start
    };
    let starts = starts(fleet, mask).into_iter().map(with_kept);
    let starts = starts.chain([placement.clone()]).collect::<Vec<_>>();
    among(fleet, mask, (&free, starts.into_iter()), settings, progress)
}

/// Searches from `starts`, moving the nodes of `free` alone.
fn among(
    fleet: &Fleet,
    mask: &Mask,
    (free, starts): (&[usize], impl Iterator<Item = Placement>),
    settings: Settings,
    progress: &mut dyn FnMut(Progress),
) -> Plan {
    let mut objective = Objective::new(fleet, mask, settings.evaluations);
    for start in starts {
        objective.offer(&start);
    }
    let heuristic = objective.best().map_or(0.0, |(_, rate)| rate);
    Anneal::new(&mut objective, free, settings.seed).run(progress);
    let evaluations = objective.spent();
    let best = objective.best().map(|(placement, rate)| (placement.clone(), rate));
    let (placement, rate) = best.unwrap_or_else(|| (Placement::empty(fleet.nodes().len()), 0.0));
    Plan { placement, rate, heuristic, evaluations }
}

/// What the heuristics propose.
fn starts(fleet: &Fleet, mask: &Mask) -> Vec<Placement> {
    let mut starts = tiles::placements(fleet, mask);
    starts.push(petals::placement(fleet, mask));
    starts.extend(swarm::placement(fleet, mask));
    starts.extend(parallax::placement(fleet, mask));
    starts
}

#[cfg(test)]
mod tests;
