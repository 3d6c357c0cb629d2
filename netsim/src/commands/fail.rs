//! `comity-netsim fail`: what is left if one thing fails. Not what fails in a run (`[[fault]]`).

use std::path::PathBuf;

use serde_json::json;

use super::{
    Outcome,
    plan::{Planned, Which},
    print, print_json,
    run::{CommandError, Common},
};
use crate::{
    outlook::{self, OutlookError, text},
    world::Need,
};

/// What to screen.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  comity-netsim fail netsim/scenarios/five-hospitals.toml\n\nExit \
    codes: 0 everything is still answered without any single node, 1 it is not."
)]
pub struct Args {
    /// The scenario file.
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
    let world = args.common.world(&args.scenario, Need::Routes)?;
    let Planned { fleet, mask, .. } = args.which.of(&world)?;
    let model = world.workloads[args.which.workload].model;
    let found = outlook::losses(&world, &fleet, model, &mask).map_err(OutlookError::from)?;
    if args.common.json {
        let rows: Vec<_> = found
            .iter()
            .map(|it| {
                json!({ "lost": format!("{} {}", it.kind, it.name), "left": it.left,
                    "share": it.share, "stops": text::stops(it) })
            })
            .collect();
        print_json(&json!({ "losses": rows }));
    } else {
        print(&text::losses(&found, usize::MAX));
    }
    let fatal = found.iter().any(|it| it.kind == "node" && it.left <= 0.0);
    if fatal { Ok(Outcome::Failed) } else { Ok(Outcome::Done) }
}
