//! What a search for placements finds and takes, how fast losses are screened, how long a simulation
//! takes, and how far averages are off. Not how the mesh then performs.
//!
//! The clusters are the published ones of Helix; without the public data only the screen is timed.

#[path = "planner/averages.rs"]
mod averages;
mod harness;
#[path = "planner/scale.rs"]
mod scale;

use std::{path::Path, time::Instant};

use comity_netsim::{
    data,
    helix::{Cluster, Devices, Model, placement, rates},
    plan::{self, Settings, petals, screen},
    random::Random,
};
use comity_protocol::placement::{Evaluator, Fleet, FleetNode, Mask, Placement};
use harness::{Op, say};

/// Placements a search may evaluate: about 15 seconds of a core.
const EVALUATIONS: u64 = 4_000_000;
const SEEDS: u64 = 10;

/// Name, cluster, published placement.
const CLUSTERS: [(&str, &str, &str); 2] = [
    (
        "one site",
        "single_cluster/config/cluster24.ini",
        "single_cluster/layout_llama70b/ilp/ilp_sol.ini",
    ),
    (
        "three sites",
        "distributed_clusters/config/3cluster24.ini",
        "distributed_clusters/layout_llama70b/ilp/ilp_sol.ini",
    ),
];

fn main() {
    if !harness::begin("planner") {
        return;
    }
    screens();
    scale::report();
    averages::report();
    match data::folder() {
        Some(folder) => CLUSTERS.iter().for_each(|cluster| search(&folder.join("helix"), *cluster)),
        None => say("no public data (COMITY_DATA names its folder): no search is measured"),
    }
}

/// Searches one cluster from every seed.
fn search(helix: &Path, (name, cluster, published): (&str, &str, &str)) {
    let cluster = Cluster::load(&helix.join(cluster)).expect("the published cluster");
    let devices = Devices::load(helix, Model::Llama70b).expect("the published timings");
    let rates = rates(&devices, &cluster.counts()).expect("rates of these devices");
    let fleet = cluster.fleet(Model::Llama70b, &rates).expect("a fleet");
    let nodes = fleet.nodes().len();
    let published = placement(&helix.join(published), nodes).expect("the published placement");
    let published = rate(&fleet, &published);
    say(&format!(
        "\n{name}: published {published:.2} positions/s, at most {:.2}",
        fleet.compute_max()
    ));
    say(&format!(
        "{:>6}{:>12}{:>12}{:>12}{:>10}",
        "seed", "best", "heuristic", "published", "seconds"
    ));
    for seed in 0..SEEDS {
        let begin = Instant::now();
        let settings = Settings { seed, evaluations: EVALUATIONS };
        let plan = plan::search(&fleet, &Mask::none(), &[], settings, &mut |_| ());
        let seconds = begin.elapsed().as_secs_f64();
        let (best, heuristic) = (plan.rate, plan.heuristic);
        say(&format!("{seed:>6}{best:>12.2}{heuristic:>12.2}{published:>12.2}{seconds:>10.1}"));
    }
}

/// Times what a consortium of 40 institutions with three nodes each asks of its placement.
fn screens() {
    let fleet = consortium();
    let placement = petals::placement(&fleet, &Mask::none());
    assert!(rate(&fleet, &placement) > 0.0, "a screen of nothing says nothing");
    let sites = screen::institutions(&fleet);
    let mask = Mask::none();
    let mut evaluator = Evaluator::new();
    let mut ops = [
        Op::new("one placement of 120 nodes", || evaluator.throughput(&fleet, &placement, &mask)),
        Op::new("its losses by 40 institutions", || {
            screen::losses(&fleet, &placement, &mask, &sites)
        }),
    ];
    let spreads = harness::time(&mut ops);
    say(&format!("\n{:<44}{:>12}{:>12}{:>12}", "µs per call", "median", "least", "most"));
    for (op, spread) in ops.iter().zip(spreads) {
        let [median, least, most] =
            [spread.median, spread.least, spread.most].map(|seconds| seconds * 1e6);
        say(&format!("{:<44}{median:>12.1}{least:>12.1}{most:>12.1}", op.name));
    }
}

/// Forty institutions with three nodes each, of three speeds, over links of unlike rates.
fn consortium() -> Fleet {
    let mut random = Random::new(1, 1);
    let nodes = (0..120).map(|node| {
        let speed = [40.0, 90.0, 240.0][node % 3];
        let rates = (1_u32..=12).map(|blocks| 1_000.0 * speed / f64::from(blocks * blocks + 4));
        let network = 60_000.0;
        let (institution, rates) = (node / 3, rates.collect());
        FleetNode { institution, rates, network, entry: 1e8, exit: 1e8 }
    });
    let mut fleet = Fleet::new(80, nodes.collect()).expect("a fleet");
    for from in 0..120 {
        for to in (0..120).filter(|to| *to != from) {
            let rate = if from / 3 == to / 3 { 60_000.0 } else { 600.0 + 6_000.0 * random.unit() };
            fleet.set_link(from, to, rate).expect("a link");
        }
    }
    fleet
}

fn rate(fleet: &Fleet, placement: &Placement) -> f64 {
    Evaluator::new().throughput(fleet, placement, &Mask::none()).expect("a placement of this fleet")
}
