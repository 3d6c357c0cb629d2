//! `comity-netsim plan`: who should hold which blocks. Not the search ([`crate::plan`]).

use std::{fmt::Write as _, path::PathBuf};

use comity_protocol::placement::{Evaluator, Flow, Mask, Placement};
use serde_json::json;

use super::{
    Outcome, print, print_json,
    progress::Progress,
    run::{CommandError, Common},
};
use crate::{
    outlook::{self, Account, RulePrice, part, text as tables},
    plan::{self, Settings},
    world::{ModelFleet, Need, World},
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
    let world = args.common.world(&args.scenario, Need::Placement)?;
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
    let model = world.workloads[args.which.workload].model;
    let rules = rules(&world, model, settings)?;
    let (accounts, fairness) = outlook::accounts(&world, &fleet, &flow, model);
    let plan = Found { placement: &found.placement, rows: &rows, flow: &flow, rules: &rules };
    if args.common.json {
        let mut out = json(&world, &fleet, &plan);
        out["accounts"] = json!(accounts);
        out["fairness"] = json!(fairness);
        print_json(&out);
    } else {
        print(&text(&world, &fleet, &plan, (&accounts, fairness)));
    }
    if flow.rate() > 0.0 { Ok(Outcome::Done) } else { Ok(Outcome::Failed) }
}

/// What was found, for people and programs.
struct Found<'a> {
    placement: &'a Placement,
    /// What each placement that was compared yields.
    rows: &'a [(&'a str, f64)],
    flow: &'a Flow,
    rules: &'a [RulePrice],
}

/// What the rules of the model cost, also if nodes may hold other blocks.
fn rules(world: &World, model: usize, settings: Settings) -> Result<Vec<RulePrice>, CommandError> {
    let evaluations = (settings.evaluations / 10).max(1_000);
    let bar = Progress::new("placements tried under rules");
    let most = evaluations * world.policies.len() as u64;
    let search = Some(Settings { evaluations, ..settings });
    let found = outlook::rules(world, model, search, &mut bar.searches(most));
    bar.end();
    Ok(found?)
}

fn json(world: &World, fleet: &ModelFleet, found: &Found<'_>) -> serde_json::Value {
    let Found { placement, rows, flow, rules } = *found;
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
        "bottlenecks": limits, "rules": rules })
}

fn text(
    world: &World,
    fleet: &ModelFleet,
    found: &Found<'_>,
    (accounts, fairness): (&[Account], Option<f64>),
) -> String {
    let Found { placement, rows, flow, rules } = *found;
    let name = &world.models[world.nodes[fleet.nodes[0]].model].name;
    let mut out = format!("{}\n\n{:<24}{:>16}\n", world.name, "placement", "tokens/s");
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
    out.push_str(&tables::rules(name, rules));
    out.push_str(&tables::accounts(accounts, fairness));
    out
}
