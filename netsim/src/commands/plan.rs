//! `comity-netsim plan`: who should hold which blocks. Not the search ([`crate::plan`]).

use std::{fmt::Write as _, path::PathBuf};

use comity_protocol::placement::{Evaluator, Flow, Mask, Part, Placement};
use serde_json::json;

use super::{
    Outcome, print, print_json,
    progress::Progress,
    run::{CommandError, Common},
};
use crate::{
    plan::{self, Settings},
    world::{ModelFleet, World},
};

/// Placements that a search evaluates unless told otherwise: some seconds for tens of nodes.
const EVALUATIONS: u64 = 1_000_000;

/// What to plan.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comity-netsim plan netsim/scenarios/five-hospitals.toml\n  \
    comity-netsim plan netsim/scenarios/helix/single-70b-helix-offline.toml --data ../shared/data \
    --evaluations 10000000 --json")]
pub struct Args {
    /// The scenario file.
    pub scenario: PathBuf,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    pub(super) which: Which,
}

/// For whom, and how long to search.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// Number of the workload, from 0, whose home and policy are meant.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub workload: usize,
    /// Placements to try.
    #[arg(long, value_name = "N", default_value_t = EVALUATIONS)]
    pub evaluations: u64,
}

/// A fleet, who may serve, and what to spend.
pub(super) struct Planned {
    pub(super) fleet: ModelFleet,
    pub(super) mask: Mask,
    pub(super) settings: Settings,
}

impl Which {
    /// Resolves them.
    pub(super) fn of(&self, world: &World) -> Result<Planned, CommandError> {
        let count = world.workloads.len();
        let asked = world.workloads.get(self.workload);
        let asked = asked.ok_or(CommandError::NoWorkload { got: self.workload, count })?;
        let fleet = world.fleet(asked.model, asked.home)?;
        let mask = world.mask(&fleet, self.workload);
        let settings = Settings { seed: world.seed, evaluations: self.evaluations };
        Ok(Planned { fleet, mask, settings })
    }
}

/// Runs it.
///
/// # Errors
/// [`CommandError`].
pub fn run(args: &Args) -> Result<Outcome, CommandError> {
    let world = args.common.world(&args.scenario)?;
    let Planned { fleet, mask, settings } = args.which.of(&world)?;
    let bar = Progress::new("placements tried");
    let found = plan::search(
        &fleet.fleet,
        &mask,
        std::slice::from_ref(&fleet.placement),
        settings,
        &mut |at| {
            bar.at(at.evaluations, settings.evaluations);
        },
    );
    bar.end();
    let mut evaluator = Evaluator::new();
    let mut rows: Vec<(&str, f64)> = Vec::new();
    let mut row = |name: &'static str, placement: Option<Placement>| {
        let rate = placement
            .and_then(|placement| evaluator.throughput(&fleet.fleet, &placement, &mask).ok());
        rows.push((name, rate.unwrap_or(0.0)));
    };
    row("as it stands", Some(fleet.placement.clone()));
    row("Petals (greedy)", Some(plan::petals::placement(&fleet.fleet, &mask)));
    row("Swarm (equal stages)", plan::swarm::placement(&fleet.fleet, &mask));
    row("Parallax (pipelines)", plan::parallax::placement(&fleet.fleet, &mask));
    row("found", Some(found.placement.clone()));
    let flow = evaluator.flow(&fleet.fleet, &found.placement, &mask)?;
    if args.common.json {
        print_json(&json(&world, &fleet, &found.placement, &rows, &flow));
    } else {
        print(&text(&world, &fleet, &found.placement, &rows, &flow));
    }
    if flow.rate() > 0.0 { Ok(Outcome::Done) } else { Ok(Outcome::Failed) }
}

/// A part of the fleet, by its names.
pub(super) fn part(world: &World, fleet: &ModelFleet, part: Part) -> String {
    let name = |node: usize| &world.nodes[fleet.nodes[node]].name;
    match part {
        Part::Entry { node } => format!("from home to {}", name(node)),
        Part::Compute { node } => format!("{} itself", name(node)),
        Part::Network { node } => format!("the interface of {}", name(node)),
        Part::Link { from, to } => format!("{} to {}", name(from), name(to)),
        Part::Exit { node } => format!("from {} to home", name(node)),
    }
}

fn json(
    world: &World,
    fleet: &ModelFleet,
    placement: &Placement,
    rows: &[(&str, f64)],
    flow: &Flow,
) -> serde_json::Value {
    let nodes: Vec<_> = fleet
        .nodes
        .iter()
        .enumerate()
        .map(|(place, index)| {
            let blocks = placement.range(place).map(|it| [it.start(), it.end()]);
            json!({ "node": world.nodes[*index].name, "blocks": blocks })
        })
        .collect();
    let limits: Vec<_> = flow
        .bottlenecks()
        .iter()
        .map(|load| json!({ "part": part(world, fleet, load.part), "positions_per_s": load.limit }))
        .collect();
    let compared: serde_json::Map<_, _> =
        rows.iter().map(|(name, rate)| ((*name).to_owned(), json!(rate))).collect();
    json!({ "positions_per_s": flow.rate(), "compared": compared, "nodes": nodes,
        "bottlenecks": limits })
}

fn text(
    world: &World,
    fleet: &ModelFleet,
    placement: &Placement,
    rows: &[(&str, f64)],
    flow: &Flow,
) -> String {
    let mut out = format!("{}\n\n{:<24}{:>16}\n", world.name, "placement", "positions/s");
    for (name, rate) in rows {
        let _ = writeln!(out, "{name:<24}{rate:>16.1}");
    }
    let _ = writeln!(out, "\n{:<32}{:<20}{:<12}{:>14}", "node", "institution", "blocks", "carries");
    for (place, index) in fleet.nodes.iter().enumerate() {
        let node = &world.nodes[*index];
        let blocks = placement
            .range(place)
            .map_or_else(|| "none".to_owned(), |it| format!("[{}, {})", it.start(), it.end()));
        let owner = &world.institutions[node.institution].name;
        let _ =
            writeln!(out, "{:<32}{owner:<20}{blocks:<12}{:>14.1}", node.name, flow.through(place));
    }
    let _ = writeln!(out, "\nwhat holds it down (nothing is gained unless one of these grows):");
    for load in flow.bottlenecks() {
        let _ = writeln!(out, "  {:<48}{:>12.1}", part(world, fleet, load.part), load.limit);
    }
    if flow.rate() <= 0.0 {
        out.push_str(
            "  no placement reaches every block: the nodes that the rules let in hold too few\n",
        );
    }
    out
}
