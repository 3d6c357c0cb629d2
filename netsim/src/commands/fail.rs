//! `comity-netsim fail`: what is left if one thing fails, or two sites. Not what fails in a run
//! (`[[fault]]`).

use std::{cmp::Ordering, collections::BTreeMap, fmt::Write as _, path::PathBuf};

use serde_json::json;

use super::{
    Outcome,
    plan::{Planned, Which},
    print, print_json,
    progress::Progress,
    run::{CommandError, Common},
};
use crate::{
    plan::screen::{Loss, PairLoss, losses, pairs},
    world::World,
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

/// Groups of nodes that fail at once: kind and name of each, its places in the fleet.
type Groups = BTreeMap<(u8, String), Vec<usize>>;

/// Number of the kind that sites are.
const SITE: u8 = 1;

/// Runs it.
///
/// # Errors
/// [`CommandError`].
pub fn run(args: &Args) -> Result<Outcome, CommandError> {
    let world = args.common.world(&args.scenario)?;
    let Planned { fleet, mask, .. } = args.which.of(&world)?;
    let groups = groups(&world, &fleet.nodes);
    let sites = groups.iter().filter(|((kind, _), _)| *kind == SITE);
    let (site_names, sites): (Vec<String>, Vec<_>) =
        sites.map(|((_, name), places)| (name.clone(), places.clone())).unzip();
    let (names, groups): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let found = losses(&fleet.fleet, &fleet.placement, &mask, &groups)?;
    let mut rows: Vec<(&str, &Loss)> =
        names.iter().map(|(_, name)| name.as_str()).zip(&found).collect();
    rows.sort_by(|one, other| other.1.share.total_cmp(&one.1.share).then(one.0.cmp(other.0)));
    let mut both = Vec::new();
    if args.pairs {
        let bar = Progress::new("pairs of sites");
        let count = (sites.len() * sites.len().saturating_sub(1) / 2) as u64;
        let done = |pairs| bar.steps(pairs as u64, count);
        both = pairs(&fleet.fleet, &fleet.placement, &mask, &sites, &done)?;
        bar.end();
        both.sort_by(worst_first);
    }
    if args.common.json {
        print_json(&json(&rows, &site_names, args.pairs.then_some(&both)));
    } else {
        let mut out = format!("{:<44}{:>18}{:>12}\n", "without", "positions/s left", "lost, %");
        for (name, loss) in &rows {
            let _ = writeln!(out, "{name:<44}{:>18.1}{:>12.1}", loss.rate, loss.share * 100.0);
        }
        if args.pairs {
            out.push_str(&table(&site_names, &both));
        }
        print(&out);
    }
    let fatal = names.iter().zip(&found).any(|((kind, _), loss)| *kind == 0 && loss.rate <= 0.0);
    if fatal { Ok(Outcome::Failed) } else { Ok(Outcome::Done) }
}

fn groups(world: &World, nodes: &[usize]) -> Groups {
    let mut groups = Groups::new();
    for (place, index) in nodes.iter().enumerate() {
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
    groups
}

/// What is lost only because both are gone comes first among equal losses.
fn worst_first(one: &PairLoss, other: &PairLoss) -> Ordering {
    let by = |value: fn(&PairLoss) -> f64| value(other).total_cmp(&value(one));
    by(|it| it.share).then(by(|it| it.beyond)).then(one.groups.cmp(&other.groups))
}

fn table(sites: &[String], pairs: &[PairLoss]) -> String {
    let mut out = format!(
        "\n{:<44}{:>18}{:>12}{:>18}\n",
        "without both", "positions/s left", "lost, %", "beyond one, %"
    );
    for pair in pairs.iter().take(PAIRS_SHOWN) {
        let name = pair.groups.map(|site| sites[site].trim_start_matches("site ")).join(" and ");
        let (share, beyond) = (pair.share * 100.0, pair.beyond * 100.0);
        let _ = writeln!(out, "{name:<44}{:>18.1}{share:>12.1}{beyond:>18.1}", pair.rate);
    }
    let none = pairs.iter().filter(|pair| pair.rate <= 0.0).count();
    let only = pairs.iter().filter(|pair| pair.rate <= 0.0 && pair.beyond > 0.0).count();
    let _ = writeln!(
        out,
        "(of {} pairs {none} leave nothing, {only} of them though each site alone leaves something)",
        pairs.len()
    );
    out
}

fn json(
    rows: &[(&str, &Loss)],
    sites: &[String],
    pairs: Option<&Vec<PairLoss>>,
) -> serde_json::Value {
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, loss)| json!({ "lost": name, "left": loss.rate, "share": loss.share }))
        .collect();
    let pair = |pair: &PairLoss| {
        json!({ "lost": pair.groups.map(|site| &sites[site]), "left": pair.rate,
            "share": pair.share, "beyond": pair.beyond })
    };
    match pairs {
        None => json!({ "losses": rows }),
        Some(pairs) => {
            json!({ "losses": rows, "pairs": pairs.iter().map(pair).collect::<Vec<_>>() })
        }
    }
}
