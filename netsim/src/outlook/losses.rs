//! What is left of the largest flow without each node, site, institution and country. Not how often
//! each is lost.

use std::collections::{BTreeMap, BTreeSet};

use comity_protocol::placement::{Evaluator, Mask, PlacementError};
use serde::Serialize;

use super::distinct;
use crate::{
    plan::screen,
    world::{ModelFleet, World},
};

/// What is left without something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lost {
    /// What is lost: `node`, `site`, `institution` or `country`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Nodes that are gone, by their numbers in the world.
    #[serde(skip)]
    pub nodes: Vec<usize>,
    /// Tokens per second that are left at most.
    pub left: f64,
    /// Share of them that is gone.
    pub share: f64,
    /// Rules whose requests nobody can answer any more; the empty name stands for no rule.
    pub stops: Vec<String>,
}

/// What can be lost.
const KINDS: [&str; 4] = ["site", "institution", "country", "node"];

/// Screens a placed fleet, the worst loss first, then sites, institutions, countries and nodes by
/// their names. Nodes that `mask` bars count as gone already.
///
/// # Errors
/// [`PlacementError`] if the placement does not fit the fleet.
pub fn losses(
    world: &World,
    fleet: &ModelFleet,
    model: usize,
    mask: &Mask,
) -> Result<Vec<Lost>, PlacementError> {
    let mut groups: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
    for (place, index) in fleet.nodes.iter().enumerate() {
        let node = &world.nodes[*index];
        let site = &world.sites[node.site];
        let names = [
            site.name.clone(),
            world.institutions[node.institution].name.clone(),
            site.country.to_string(),
            node.name.clone(),
        ];
        for (kind, name) in names.into_iter().enumerate() {
            groups.entry((kind, name)).or_default().push(place);
        }
    }
    let (names, groups): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let found = screen::losses(&fleet.fleet, &fleet.placement, mask, &groups)?;
    let rules = rules(world, fleet, model);
    let mut evaluator = Evaluator::new();
    let mut rows = Vec::with_capacity(found.len());
    for ((kind, name), loss) in names.into_iter().zip(found) {
        let mut stops = BTreeSet::new();
        for (policy, barred) in &rules {
            let mut without = barred.clone();
            loss.nodes.iter().for_each(|node| without.bar(*node));
            let mut rate = |mask| evaluator.throughput(&fleet.fleet, &fleet.placement, mask);
            if rate(&without)? <= 0.0 && rate(barred)? > 0.0 {
                stops.insert(policy.clone());
            }
        }
        rows.push(Lost {
            kind: KINDS[kind],
            name,
            nodes: loss.nodes.iter().map(|place| fleet.nodes[*place]).collect(),
            left: loss.rate,
            share: loss.share,
            stops: stops.into_iter().collect(),
        });
    }
    // Those of one share stay in the order of their kinds and names.
    rows.sort_by(|one, other| {
        other.share.total_cmp(&one.share).then(other.stops.len().cmp(&one.stops.len()))
    });
    Ok(rows)
}

/// Each rule's name and whom it keeps out; several of one name where it differs by home.
fn rules(world: &World, fleet: &ModelFleet, model: usize) -> Vec<(String, Mask)> {
    let mut rules: Vec<(String, Mask)> = Vec::new();
    for workload in distinct(world, model) {
        let policy = world.workloads[workload].policy;
        let name = if policy == 0 { String::new() } else { world.policies[policy].name.clone() };
        let rule = (name, world.mask(fleet, workload));
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}
