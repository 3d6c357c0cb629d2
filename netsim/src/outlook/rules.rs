//! What each rule costs the largest flow. Not what it costs in time.

use comity_protocol::placement::{Evaluator, Mask};
use serde::Serialize;

use super::{OutlookError, distinct};
use crate::{
    plan::{Progress, Settings, screen::price_of_rule},
    world::World,
};

/// What a rule costs whom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RulePrice {
    /// The rule.
    pub policy: String,
    /// Whose requests are under it.
    pub institution: String,
    /// Tokens per second at most without it, for all that is placed.
    pub free: f64,
    /// The same through the nodes that it lets in, as they are placed.
    pub kept: f64,
    /// The same if those nodes may hold other blocks, as a search found.
    pub planned: Option<f64>,
}

/// The price of each rule of a model, one row for each institution that is under it; those in which
/// nothing differs but the institution are one row. With `search`, also what they cost if nodes may
/// hold other blocks.
///
/// A node that may not run all that it holds counts as kept out.
///
/// # Errors
/// [`OutlookError`].
pub fn rules(
    world: &World,
    model: usize,
    search: Option<Settings>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<RulePrice>, OutlookError> {
    let mut rows: Vec<RulePrice> = Vec::new();
    let mut masks = Vec::new();
    let mut evaluator = Evaluator::new();
    for workload in distinct(world, model) {
        let asked = &world.workloads[workload];
        if asked.policy == 0 {
            continue;
        }
        let fleet = world.fleet(model, asked.home)?;
        let mask = world.mask(&fleet, workload);
        let owner = &world.institutions[asked.institution].name;
        let barred: Vec<bool> = (0..fleet.nodes.len()).map(|node| mask.bars(node)).collect();
        let key = (asked.policy, barred);
        if let Some(place) = masks.iter().position(|other| *other == key) {
            let row = &mut rows[place];
            row.institution = format!("{}, {owner}", row.institution);
            continue;
        }
        let (free, kept, planned) = match search {
            Some(settings) => {
                let (fleet, placed) = (&fleet.fleet, &fleet.placement);
                let price = price_of_rule(fleet, placed, &mask, settings, progress)?;
                (price.free, price.kept, Some(price.planned.rate))
            }
            None => {
                let mut yields = |mask| evaluator.throughput(&fleet.fleet, &fleet.placement, mask);
                (yields(&Mask::none())?, yields(&mask)?, None)
            }
        };
        masks.push(key);
        let (policy, institution) = (world.policies[asked.policy].name.clone(), owner.clone());
        rows.push(RulePrice { policy, institution, free, kept, planned });
    }
    Ok(rows)
}
