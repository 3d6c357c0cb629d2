//! `comity-netsim fail`: what is left if one thing fails. Not what fails in a run (`[[fault]]`).

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use serde_json::json;

use super::{
    Outcome,
    plan::{Planned, Which},
    print, print_json,
    run::{CommandError, Common},
};
use crate::plan::screen::{Loss, losses};

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
    let world = args.common.world(&args.scenario)?;
    let Planned { fleet, mask, .. } = args.which.of(&world)?;
    let mut groups: BTreeMap<(u8, String), Vec<usize>> = BTreeMap::new();
    for (place, index) in fleet.nodes.iter().enumerate() {
        let node = &world.nodes[*index];
        let site = &world.sites[node.site];
        let kinds = [
            format!("node {}", node.name),
            format!("site {}", site.name),
            format!("institution {}", world.institutions[node.institution].name),
            format!("country {}", site.country),
        ];
        for (kind, name) in (0..).zip(kinds) {
            groups.entry((kind, name)).or_default().push(place);
        }
    }
    let (names, groups): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let found = losses(&fleet.fleet, &fleet.placement, &mask, &groups)?;
    let mut rows: Vec<(&str, &Loss)> =
        names.iter().map(|(_, name)| name.as_str()).zip(&found).collect();
    rows.sort_by(|one, other| other.1.share.total_cmp(&one.1.share).then(one.0.cmp(other.0)));
    if args.common.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, loss)| json!({ "lost": name, "left": loss.rate, "share": loss.share }))
            .collect();
        print_json(&json!({ "losses": rows }));
    } else {
        let mut out = format!("{:<44}{:>18}{:>12}\n", "without", "positions/s left", "lost, %");
        for (name, loss) in &rows {
            let _ = writeln!(out, "{name:<44}{:>18.1}{:>12.1}", loss.rate, loss.share * 100.0);
        }
        print(&out);
    }
    let fatal = names.iter().zip(&found).any(|((kind, _), loss)| *kind == 0 && loss.rate <= 0.0);
    if fatal { Ok(Outcome::Failed) } else { Ok(Outcome::Done) }
}
