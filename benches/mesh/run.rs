//! One scenario: founded, started, asked, stopped, and summed up. Not what is asked.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use comity_client::Client;
use comity_netsim::{
    relay::{
        Relay,
        planned::{self, Place},
        scenario::Scenario,
    },
    scenario::ScenarioFile,
    world::World,
};
use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    daemon::Daemon,
    drive::{Answered, Workload},
    found::Founded,
    harness::{Bench, Spread, say},
    prompts::Prompts,
};

/// How long the nodes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether they have.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Runs a scenario and leaves what its nodes tell in a folder of its name within `output`.
pub(crate) async fn run(bench: &Bench, path: &Path, output: &Path) {
    let file = ScenarioFile::load(path).unwrap_or_else(|error| panic!("{error}"));
    let world = World::resolve(&file, None).unwrap_or_else(|error| panic!("{error}"));
    check(bench, &world);
    let name = path.file_stem().expect("a scenario is a file").to_owned();
    let output = std::path::absolute(output.join(&name)).expect("there is a working directory");
    fs::create_dir_all(&output).expect("the output folder can be made");
    fs::copy(path, output.join("scenario.toml")).expect("the output folder is writable");

    let places: Vec<Place> = world.nodes.iter().map(|_| place()).collect();
    let placed: Vec<_> = places.iter().copied().map(Some).collect();
    let links = planned::links(&world, &placed).unwrap_or_else(|error| panic!("{error}"));
    let relay = Relay::start(&Scenario { seed: world.seed, links }).expect("the relay starts");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let founded = Founded::new(&world, folder.path());
    let mut daemons: Vec<Daemon> = Vec::new();
    for (node, place) in places.iter().enumerate() {
        let peers: Vec<String> = daemons.iter().flat_map(Daemon::control).collect();
        let telemetry = output.join(format!("{}.jsonl", world.nodes[node].name));
        let config = founded.configure(bench, node, (*place, &peers), &telemetry);
        daemons.push(Daemon::start(&config, &processors(&world, node)));
    }
    let answers = ask(bench, &world, &daemons).await;
    daemons.iter().for_each(Daemon::terminate);
    daemons.into_iter().for_each(Daemon::wait);
    let statistics = relay.stop().expect("the relay went on to the end");
    let ways = statistics.links.iter().flat_map(|link| [&link.forward, &link.back]);
    let lost: u64 = ways.clone().map(|way| way.overflowed).sum();
    let queued: u64 = ways.map(|way| way.dropped_queue).sum();
    sum_up(&name.to_string_lossy(), &world, &answers);
    say(&format!("  full queues dropped {queued} packets"));
    if lost > 0 {
        say(&format!(
            "  THROW IT AWAY: the system dropped {lost} packets before the relay saw them"
        ));
    }
}

/// Nothing in it that a mesh on one machine cannot be.
fn check(bench: &Bench, world: &World) {
    let blocks = bench.file.config().block_count;
    for model in &world.models {
        assert_eq!(model.block_count, blocks, "blocks of model {}", model.name);
    }
    let all = world.nodes.iter().all(|node| node.blocks.is_some());
    assert!(all, "every node holds blocks here, also one that is home");
    assert!(world.outages.is_empty(), "faults are not made here");
    let here = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted: u32 = world.machines.iter().sum();
    let enough = wanted as usize <= here;
    assert!(enough, "the scenario's machines have {wanted} processors, this one has {here}");
}

/// Processors of a node's machine: machines take them in order.
fn processors(world: &World, node: usize) -> Vec<u32> {
    let Some((machine, _)) = world.nodes[node].machine else { return Vec::new() };
    let first: u32 = world.machines[..machine].iter().sum();
    (first..first + world.machines[machine]).collect()
}

/// Two ports that nobody listens on now.
fn place() -> Place {
    let open = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let (node, relay) = (open(), open());
    let address = |socket: UdpSocket| -> SocketAddr { socket.local_addr().expect("it is bound") };
    Place { listen: address(node), advertise: address(relay) }
}

/// Asks all workloads for as long as the scenario says.
async fn ask(bench: &Bench, world: &World, daemons: &[Daemon]) -> Vec<Answered> {
    let prompts = Arc::new(Mutex::new(Prompts::new(bench)));
    let mut clients = Vec::new();
    for daemon in daemons {
        let client = daemon.client().await;
        let ready = tokio::time::timeout(PATIENCE, meet(&client, daemons.len())).await;
        ready.expect("the nodes find each other");
        client.close().await;
    }
    for workload in &world.workloads {
        clients.push(daemons[workload.home].client().await);
    }
    let warm_up = world.run.warm_up_s.map_or(0.0, |seconds| seconds.get());
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(warm_up + world.run.duration_s.get());
    let workloads = clients.iter().enumerate().map(|(index, client)| {
        Workload::new(world, index, client.clone(), prompts.clone(), (begun, until))
    });
    let workloads: Vec<_> = workloads.collect();
    let answers = join_all(workloads.iter().map(Workload::run)).await;
    for client in clients {
        client.close().await;
    }
    answers.into_iter().flatten().collect()
}

/// Waits until a node knows what all nodes serve, and so where they are.
async fn meet(client: &Client, nodes: usize) {
    loop {
        let status = client.status().await.expect("the node answers");
        let status: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
        let stages = status["models"][0]["stages"].as_array().map_or(0, Vec::len);
        if stages == nodes {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Tokens per second within the measured time, and times of answers that were asked for within it.
fn sum_up(name: &str, world: &World, answers: &[Answered]) {
    let from = world.run.warm_up_s.map_or(0.0, |seconds| seconds.get());
    let until = from + world.run.duration_s.get();
    let within = |at: f64| from <= at && at < until;
    let tokens = answers.iter().flat_map(|it| &it.tokens).filter(|at| within(**at)).count();
    let short = answers.iter().filter(|it| it.tokens.len() < it.wanted as usize).count();
    let asked = answers.iter().filter(|it| within(it.asked));
    let first = asked.clone().filter_map(|it| Some((it.tokens.first()? - it.asked) * 1e3));
    let further = asked.filter(|it| it.tokens.len() > 1).map(|it| {
        let (first, last) = (it.tokens[0], it.tokens[it.tokens.len() - 1]);
        (last - first) * 1e3 / (it.tokens.len() as f64 - 1.0)
    });
    let (first, further): (Vec<f64>, Vec<f64>) = (first.collect(), further.collect());
    if first.is_empty() || further.is_empty() {
        return say(&format!("{name}: nothing was asked for within the measured time"));
    }
    say(&format!(
        "{name}: {:.1} tokens/s; of {} answers first token after {} ms, further ones {} ms; {short} \
         of {} ended early",
        tokens as f64 / (until - from),
        first.len(),
        Spread::of(first.iter().copied()).show(0),
        Spread::of(further).show(1),
        answers.len(),
    ));
}
