//! `comity-netsim buy`: which of the offers brings most for its price. Not the search.

use std::{fmt::Write as _, path::PathBuf};

use serde_json::json;

use super::{
    Outcome,
    plan::{Planned, Which},
    print, print_json,
    progress::Progress,
    run::{CommandError, Common},
};
use crate::{
    plan::buy::{Offer, Purchase, Trials, rank},
    report::table::interval,
    statistics::Estimate,
    world::World,
};

/// What to compare.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  comity-netsim buy netsim/scenarios/five-hospitals.toml --runs 5"
)]
pub struct Args {
    /// The scenario file; its `[[offer]]` sections are compared.
    pub scenario: PathBuf,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    which: Which,
}

/// Runs it.
///
/// # Errors
/// [`CommandError`].
pub fn run(args: &Args) -> Result<Outcome, CommandError> {
    let world = args.common.world(&args.scenario)?;
    let Planned { fleet, settings, .. } = args.which.of(&world)?;
    let model = world.workloads[args.which.workload].model;
    let asked: Vec<_> = world.offers.iter().filter(|offer| offer.node.model == model).collect();
    if asked.is_empty() {
        return Err(CommandError::NoOffer);
    }
    let offers: Vec<Offer> = asked
        .iter()
        .map(|offer| purchase(&world, args.which.workload, offer))
        .collect::<Result<_, _>>()?;
    let seeds = (0..u64::from(world.run.runs)).map(|run| world.seed.wrapping_add(run)).collect();
    let evaluations = (settings.evaluations / 10).max(1_000);
    let trials = Trials { seeds, evaluations };
    let bar = Progress::new("placements tried");
    let rounds = trials.seeds.len() as u64 * (offers.len() as u64 + 1) * evaluations;
    let (mut done, mut last) = (0, 0);
    let worth = rank(&fleet.fleet, &fleet.placement, &offers, &trials, &mut |at| {
        // A search that begins counts from zero again.
        done += at.evaluations.checked_sub(last).unwrap_or(at.evaluations);
        last = at.evaluations;
        bar.at(done, rounds);
    });
    bar.end();
    let worth = worth?;
    let mut out = format!(
        "{:<28}{:>12}{:>24}{:>28}\n",
        "offer", "euro", "positions/s gained", "per 1,000 euro"
    );
    let mut rows = Vec::new();
    for it in &worth {
        let offer = asked[it.offer];
        let gain = Estimate::of(&it.gains);
        let (name, price) = (&offer.node.name, offer.price_eur);
        let per = interval(&gain, 1_000.0 / price, 3);
        let _ = writeln!(out, "{name:<28}{price:>12.0}{:>24}{per:>28}", interval(&gain, 1.0, 2));
        rows.push(json!({ "offer": name, "price_eur": price, "gain": gain,
            "gain_per_eur": it.gain_per_eur }));
    }
    match args.common.json {
        true => print_json(&json!({ "offers": rows })),
        false => print(&out),
    }
    Ok(Outcome::Done)
}

/// An offer as a node of the fleet, with lines to all others.
fn purchase(
    world: &World,
    workload: usize,
    offer: &crate::world::Offer,
) -> Result<Offer, CommandError> {
    let mut grown = world.clone();
    let number = grown.nodes.len();
    grown.network.add(offer.node.site);
    grown.nodes.push(offer.node.clone());
    let asked = &world.workloads[workload];
    let fleet = grown.fleet(asked.model, asked.home)?;
    let place = fleet.nodes.iter().position(|node| *node == number);
    let place = place.ok_or(CommandError::NoOffer)?;
    let others = (0..fleet.nodes.len()).filter(|other| *other != place);
    let purchase = Purchase::Node {
        node: fleet.fleet.nodes()[place].clone(),
        links_to: others.clone().map(|other| fleet.fleet.link(place, other)).collect(),
        links_from: others.map(|other| fleet.fleet.link(other, place)).collect(),
    };
    Ok(Offer { purchase, price_eur: offer.price_eur })
}
