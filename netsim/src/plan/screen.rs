//! What is left when nodes fail or a rule keeps them out. Not how often that happens.

use comity_protocol::placement::{Evaluator, Fleet, Mask, Part, Placement, PlacementError};
use rayon::prelude::*;

use super::{Plan, Progress, Settings, search};

/// What is left without some nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// The nodes that are gone.
    pub nodes: Vec<usize>,
    /// Positions/s that the others yield, each hosting what it hosted.
    pub rate: f64,
    /// Share of the flow that is gone, 0 to 1; 0 if nothing flowed before.
    pub share: f64,
}

/// What is left without two groups of nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLoss {
    /// The groups that are gone, the lower number first.
    pub groups: [usize; 2],
    /// Positions/s that the others yield, each hosting what it hosted.
    pub rate: f64,
    /// Share of the flow that is gone, 0 to 1; 0 if nothing flowed before.
    pub share: f64,
    /// How much of that share is lost only because both are gone: beyond the worse of them alone.
    pub beyond: f64,
}

/// What a rule that keeps nodes out costs.
#[derive(Debug, Clone, PartialEq)]
pub struct RulePrice {
    /// Positions/s without the rule.
    pub free: f64,
    /// Positions/s under it while every node hosts what it hosted.
    pub kept: f64,
    /// The plan under it, if nodes may host other blocks.
    pub planned: Plan,
}

/// Every node by itself, to be screened.
#[must_use]
pub fn nodes(fleet: &Fleet) -> Vec<Vec<usize>> {
    (0..fleet.nodes().len()).map(|node| vec![node]).collect()
}

/// The nodes of every institution, to be screened together.
#[must_use]
pub fn institutions(fleet: &Fleet) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); fleet.institutions()];
    for (node, host) in fleet.nodes().iter().enumerate() {
        groups[host.institution].push(node);
    }
    groups
}

/// Drops each group of nodes by itself, beside those that `mask` bars already: N-1 if a group is
/// what fails at once. In the order of the groups.
///
/// # Errors
/// [`PlacementError`] if the placement does not fit the fleet.
pub fn losses(
    fleet: &Fleet,
    placement: &Placement,
    mask: &Mask,
    groups: &[Vec<usize>],
) -> Result<Vec<Loss>, PlacementError> {
    let mut evaluator = Evaluator::new();
    let whole = evaluator.throughput(fleet, placement, mask)?;
    let mut losses = Vec::with_capacity(groups.len());
    for group in groups {
        let mut mask = mask.clone();
        group.iter().for_each(|node| mask.bar(*node));
        let rate = evaluator.throughput(fleet, placement, &mask)?;
        let share = if whole > 0.0 { 1.0 - rate / whole } else { 0.0 };
        losses.push(Loss { nodes: group.clone(), rate, share });
    }
    Ok(losses)
}

/// Drops every two groups of nodes together, beside those that `mask` bars already: N-2. Pairs in
/// order. `done` hears after each group how many pairs are behind it.
///
/// A group that the largest flow without another one does not use takes nothing more from it: only the
/// rest is evaluated.
///
/// # Errors
/// [`PlacementError`] if the placement does not fit the fleet.
pub fn pairs(
    fleet: &Fleet,
    placement: &Placement,
    mask: &Mask,
    groups: &[Vec<usize>],
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<PairLoss>, PlacementError> {
    let whole = Evaluator::new().throughput(fleet, placement, mask)?;
    let singles = losses(fleet, placement, mask, groups)?;
    let share = |rate: f64| if whole > 0.0 { 1.0 - rate / whole } else { 0.0 };
    let with = |one: usize| -> Result<Vec<PairLoss>, PlacementError> {
        let mut evaluator = Evaluator::new();
        let mut without = mask.clone();
        groups[one].iter().for_each(|node| without.bar(*node));
        let flow = evaluator.flow(fleet, placement, &without)?;
        let mut is_used = vec![false; fleet.nodes().len()];
        for load in flow.loads() {
            if let Part::Compute { node } | Part::Network { node } = load.part {
                is_used[node] = true;
            }
        }
        let found = (one + 1..groups.len()).map(|other| {
            let rate = match groups[other].iter().any(|node| is_used[*node]) {
                true => {
                    let mut without = without.clone();
                    groups[other].iter().for_each(|node| without.bar(*node));
                    evaluator.throughput(fleet, placement, &without)?
                }
                false => flow.rate(),
            };
            let beyond = share(rate) - singles[one].share.max(singles[other].share);
            Ok(PairLoss { groups: [one, other], rate, share: share(rate), beyond: beyond.max(0.0) })
        });
        let found = found.collect::<Result<Vec<_>, _>>()?;
        done(found.len());
        Ok(found)
    };
    let all: Vec<Vec<PairLoss>> =
        (0..groups.len()).into_par_iter().map(with).collect::<Result<_, _>>()?;
    Ok(all.concat())
}

/// Compares the flow of `placement` with that of the nodes which a rule, as `mask`, lets in: as
/// they are placed, and as a search places them.
///
/// # Errors
/// [`PlacementError`] if the placement does not fit the fleet.
pub fn price_of_rule(
    fleet: &Fleet,
    placement: &Placement,
    mask: &Mask,
    settings: Settings,
    progress: &mut dyn FnMut(Progress),
) -> Result<RulePrice, PlacementError> {
    let mut evaluator = Evaluator::new();
    let free = evaluator.throughput(fleet, placement, &Mask::none())?;
    let kept = evaluator.throughput(fleet, placement, mask)?;
    let from = [placement.clone()];
    let planned = search(fleet, mask, &from, settings, progress);
    Ok(RulePrice { free, kept, planned })
}
