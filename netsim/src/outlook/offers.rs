//! What each offer adds to the largest flow for its price. Not the search.

use serde::Serialize;

use super::OutlookError;
use crate::{
    plan::{
        Progress,
        buy::{Offer, Purchase, Trials, rank},
    },
    statistics::Estimate,
    world::{ModelFleet, World},
};

/// What an offer is worth.
#[derive(Debug, Clone, Serialize)]
pub struct Bought {
    /// The offer.
    pub offer: String,
    /// Euro.
    pub price_eur: f64,
    /// Tokens per second that it adds at most, over searches.
    pub gain: Estimate,
    /// The mean of that for each euro.
    pub gain_per_eur: f64,
}

/// The offers for a workload's model, the best for its price first; none if there are none. All nodes
/// may hold other blocks, and no rule counts.
///
/// # Errors
/// [`OutlookError`].
pub fn offers(
    world: &World,
    workload: usize,
    fleet: &ModelFleet,
    trials: &Trials,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Bought>, OutlookError> {
    let model = world.workloads[workload].model;
    let asked: Vec<_> = world.offers.iter().filter(|offer| offer.node.model == model).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let purchases: Vec<Offer> =
        asked.iter().map(|offer| purchase(world, workload, offer)).collect::<Result<_, _>>()?;
    let worth = rank(&fleet.fleet, &fleet.placement, &purchases, trials, progress)?;
    let row = |it: &crate::plan::buy::Worth| Bought {
        offer: asked[it.offer].node.name.clone(),
        price_eur: asked[it.offer].price_eur,
        gain: Estimate::of(&it.gains),
        gain_per_eur: it.gain_per_eur,
    };
    Ok(worth.iter().map(row).collect())
}

/// An offer as a node of the fleet, with lines to all others.
fn purchase(
    world: &World,
    workload: usize,
    offer: &crate::world::Offer,
) -> Result<Offer, OutlookError> {
    let mut grown = world.clone();
    let number = grown.nodes.len();
    grown.network.add(offer.node.site);
    grown.nodes.push(offer.node.clone());
    let asked = &world.workloads[workload];
    let fleet = grown.fleet(asked.model, asked.home)?;
    // Nodes of a fleet are in the order of the world's, and this one is its last.
    let place = fleet.nodes.iter().position(|node| *node == number).unwrap_or_default();
    let others = (0..fleet.nodes.len()).filter(|other| *other != place);
    let purchase = Purchase::Node {
        node: fleet.fleet.nodes()[place].clone(),
        links_to: others.clone().map(|other| fleet.fleet.link(place, other)).collect(),
        links_from: others.map(|other| fleet.fleet.link(other, place)).collect(),
    };
    Ok(Offer { purchase, price_eur: offer.price_eur })
}
