//! `comity-netsim fail`: what is left if one thing fails, or two sites. Not what fails in a run
//! (`[[fault]]`).

use std::{cmp::Ordering, collections::BTreeMap, fmt::Write as _, path::PathBuf};

use comity_protocol::placement::Mask;
use serde_json::{Value, json};

use super::{
    Outcome,
    plan::{Planned, Which},
    print, print_json,
    progress::Progress,
    run::{CommandError, Common},
};
use crate::{
    outlook::{self, Lost, OutlookError, text},
    plan::screen::{PairLoss, pairs},
    world::{ModelFleet, Need, World},
};

/// Pairs that a table shows.
const PAIRS_SHOWN: usize = 20;

/// What to screen.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comity-netsim fail netsim/scenarios/five-hospitals.toml\n  \
    comity-netsim fail netsim/scenarios/forty-institutions.toml --pairs\n\nExit codes: 0 everything \
    is still answered without any single node, 1 it is not.")]
pub struct Args {
    /// The scenario file.
    pub scenario: PathBuf,
    /// Also every two sites together (N-2); the worst are shown, with what is lost only because both
    /// are gone. JSON has all of them.
    #[arg(long)]
    pub pairs: bool,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    which: Which,
}

/// Every two sites, the worst first, and the names of all.
struct Pairs {
    sites: Vec<String>,
    rows: Vec<PairLoss>,
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
    let both = if args.pairs { Some(both(&world, &fleet, &mask)?) } else { None };
    if args.common.json {
        print_json(&json(&found, both.as_ref()));
    } else {
        let both = both.map_or_else(String::new, |both| table(&both));
        print(&(text::losses(&found, usize::MAX) + &both));
    }
    let fatal = found.iter().any(|it| it.kind == "node" && it.left <= 0.0);
    if fatal { Ok(Outcome::Failed) } else { Ok(Outcome::Done) }
}

fn both(world: &World, fleet: &ModelFleet, mask: &Mask) -> Result<Pairs, CommandError> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, index) in fleet.nodes.iter().enumerate() {
        groups.entry(&world.sites[world.nodes[*index].site].name).or_default().push(place);
    }
    let (sites, groups): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let bar = Progress::new("pairs of sites");
    let count = (groups.len() * groups.len().saturating_sub(1) / 2) as u64;
    let done = |pairs| bar.steps(pairs as u64, count);
    let mut rows = pairs(&fleet.fleet, &fleet.placement, mask, &groups, &done)?;
    bar.end();
    rows.sort_by(worst_first);
    Ok(Pairs { sites: sites.into_iter().map(str::to_owned).collect(), rows })
}

/// What is lost only because both are gone comes first among equal losses.
fn worst_first(one: &PairLoss, other: &PairLoss) -> Ordering {
    let by = |value: fn(&PairLoss) -> f64| value(other).total_cmp(&value(one));
    by(|it| it.share).then(by(|it| it.beyond)).then(one.groups.cmp(&other.groups))
}

fn table(both: &Pairs) -> String {
    let mut out = format!(
        "\n{:<44}{:>16}{:>10}{:>16}\n",
        "without both", "tokens/s left", "lost, %", "beyond one, %"
    );
    for pair in both.rows.iter().take(PAIRS_SHOWN) {
        let name = pair.groups.map(|site| both.sites[site].as_str()).join(" and ");
        let (share, beyond) = (pair.share * 100.0, pair.beyond * 100.0);
        let _ = writeln!(out, "{name:<44}{:>16.1}{share:>10.1}{beyond:>16.1}", pair.rate);
    }
    let none = both.rows.iter().filter(|pair| pair.rate <= 0.0).count();
    let only = both.rows.iter().filter(|pair| pair.rate <= 0.0 && pair.beyond > 0.0).count();
    let _ = writeln!(
        out,
        "(of {} pairs {none} leave nothing, {only} of them though each site alone leaves something)",
        both.rows.len()
    );
    out
}

fn json(found: &[Lost], both: Option<&Pairs>) -> Value {
    let row = |it: &Lost| {
        json!({ "lost": format!("{} {}", it.kind, it.name), "left": it.left, "share": it.share,
            "stops": text::stops(it) })
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    let Some(both) = both else { return json!({ "losses": rows }) };
    let pair = |pair: &PairLoss| {
        json!({ "lost": pair.groups.map(|site| &both.sites[site]), "left": pair.rate,
            "share": pair.share, "beyond": pair.beyond })
    };
    json!({ "losses": rows, "pairs": both.rows.iter().map(pair).collect::<Vec<_>>() })
}
