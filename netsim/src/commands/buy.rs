//! `comity-netsim buy`: which of the offers brings most for its price. Not the search.

use std::path::PathBuf;

use serde_json::json;

use super::{
    Outcome,
    plan::{Planned, Which},
    print, print_json,
    progress::Progress,
    run::{CommandError, Common},
};
use crate::{
    outlook::{self, text},
    plan::buy::Trials,
    world::Need,
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
    let world = args.common.world(&args.scenario, Need::Placement)?;
    let Planned { fleet, settings, .. } = args.which.of(&world)?;
    let seeds = (0..u64::from(world.run.runs)).map(|run| world.seed.wrapping_add(run)).collect();
    let evaluations = (settings.evaluations / 10).max(1_000);
    let trials = Trials { seeds, evaluations };
    let bar = Progress::new("placements tried");
    let rounds = trials.seeds.len() as u64 * (world.offers.len() as u64 + 1) * evaluations;
    let mut heard = bar.searches(rounds);
    let found = outlook::offers(&world, args.which.workload, &fleet, &trials, &mut heard);
    bar.end();
    let found = found?;
    if found.is_empty() {
        return Err(CommandError::NoOffer);
    }
    match args.common.json {
        true => print_json(&json!({ "offers": found })),
        false => print(&text::offers(&found)),
    }
    Ok(Outcome::Done)
}
