//! How long a simulation takes and what it needs, and how both grow with nodes and requests. Not
//! whether it is right.
//!
//! Times are of the processor, so that others on the machine weigh less. The sizes of the planner's
//! goals take many minutes and are run with `COMITY_BENCH_LONG=1` only.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use comity_netsim::{
    capacity::{Options, simulate},
    data,
    report::html,
    scenario::{Rounds, ScenarioFile},
    world::World,
};

use super::harness::say;

/// Set to run the sizes of the goals.
const LONG: &str = "COMITY_BENCH_LONG";
/// Threads of a sweep.
const THREADS: usize = 2;
/// Requests of each point of a sweep, and its points.
const POINT_REQUESTS: u32 = 10_000;
const POINTS: usize = 1_000;

/// A scenario of forty institutions, and fewer requests a second than all of them ask.
const GALLERY: &str = "netsim/scenarios/forty-institutions.toml";
const GALLERY_PER_S: f64 = 15.0;
/// Most requests of it: minutes enough.
const GALLERY_MAX: u32 = 100_000;

/// Tokens of prompts and answers: about those of the Azure conversations of 2023, shorter prompts.
const LENGTHS: &str = "lengths = { drawn = { \
    prompt = { lognormal = { median = 400, sigma = 0.9, max = 4000 } }, \
    output = { lognormal = { median = 129, sigma = 0.86, max = 1000 } } } }\n";

/// Who stands where: rings of four nodes.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Forty institutions with a node each; ten rings, each of a model of its own, go over four sites.
    Forty,
    /// The same with machines and lines several times as fast, on which steps of many sessions run
    /// together.
    Fast,
    /// So many institutions with 248 nodes each, whose rings stay within a site.
    Wide(u32),
    /// Two institutions, each with a model of its own over two nodes.
    Pair,
}

/// What one run took.
struct Took {
    nodes: usize,
    requests: u64,
    events: u64,
    seconds: f64,
    peak_mb: f64,
}

/// Prints tables of runs and their growth, and writes the growth as a plot.
pub(crate) fn report() {
    let long = std::env::var_os(LONG).is_some();
    let mut sizes = vec![10_000, 30_000, 100_000];
    let mut institutions = vec![4, 40];
    if long {
        sizes.push(1_000_000);
        institutions.push(400);
    } else {
        say(&format!("\n{LONG}=1 runs a million requests, 10^5 nodes and all points of a sweep"));
    }
    let mut by_requests = Vec::new();
    for rounds in [Rounds::Leaped, Rounds::Averaged] {
        heading("40 institutions with a node each, 1.5 requests/s each", rounds);
        by_requests =
            sizes.iter().map(|size| run(Shape::Forty, f64::from(*size), 1.5, rounds)).collect();
        heading("40 institutions with a fast node each, 9 requests/s each", rounds);
        for size in &sizes {
            run(Shape::Fast, f64::from(*size), 9.0, rounds);
        }
        heading("40 institutions, 0.05 requests/s each: seldom two in a ring", rounds);
        run(Shape::Forty, 10_000.0, 0.05, rounds);
        if let Some(folder) = data::folder() {
            heading("netsim/scenarios/forty-institutions.toml, for as long as it takes", rounds);
            for size in sizes.iter().filter(|size| **size <= GALLERY_MAX) {
                gallery(&folder, *size, rounds);
            }
        }
    }
    heading("248 nodes an institution, rings within it", Rounds::Leaped);
    for count in [4, 40] {
        wide(count, 20_000.0, Rounds::Leaped);
    }
    heading("248 nodes an institution, rings within it", Rounds::Averaged);
    let requests = if long { 1_000_000.0 } else { 20_000.0 };
    let by_nodes: Vec<Took> =
        institutions.iter().map(|count| wide(*count, requests, Rounds::Averaged)).collect();
    for rounds in [Rounds::Averaged, Rounds::Leaped] {
        sweep(if long && rounds == Rounds::Averaged { POINTS } else { 10 }, rounds);
    }
    let line = |took: &[Took], x: fn(&Took) -> f64| -> Vec<(f64, f64)> {
        took.iter().map(|took| (x(took), took.seconds)).collect()
    };
    let page = html::curves(
        "How long a simulation takes",
        "seconds",
        &[
            (
                "thousands of requests, 40 nodes, averaged",
                &line(&by_requests, |it| it.requests as f64 / 1e3),
            ),
            ("thousands of nodes, averaged", &line(&by_nodes, |it| it.nodes as f64 / 1e3)),
        ],
    );
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planner-growth.html");
    match fs::write(&path, page) {
        Ok(()) => say(&format!("growth, plotted: {}", path.display())),
        Err(error) => say(&format!("{} cannot be written: {error}", path.display())),
    }
}

fn heading(what: &str, rounds: Rounds) {
    let how = if rounds == Rounds::Averaged { "averaged: " } else { "" };
    say(&format!(
        "\n{how}{what}\n{:>10}{:>12}{:>14}{:>12}{:>14}{:>10}",
        "nodes", "requests", "events", "seconds", "µs a request", "peak, MB"
    ));
}

fn run(shape: Shape, requests: f64, per_s: f64, rounds: Rounds) -> Took {
    take(|| {
        let mut world = world(shape, requests, per_s);
        world.run.rounds = rounds;
        let options = options(&world);
        (world, options)
    })
}

/// So many requests to so many institutions of many nodes, within a thousand seconds.
fn wide(institutions: u32, requests: f64, rounds: Rounds) -> Took {
    run(Shape::Wide(institutions), requests, requests / f64::from(institutions) / 1e3, rounds)
}

/// The consortium of the gallery, until so many requests have come.
fn gallery(folder: &Path, requests: u32, rounds: Rounds) -> Took {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GALLERY);
    let file = ScenarioFile::load(&path).expect("the scenario");
    take(|| {
        let mut world = World::resolve(&file, Some(folder)).expect("its world");
        world.run.rounds = rounds;
        let until_s = f64::from(requests) / GALLERY_PER_S;
        let options = Options { until_s, requests_max: requests.into(), ..options(&world) };
        (world, options)
    })
}

/// Builds a world, simulates it once and prints what that took.
fn take(build: impl FnOnce() -> (World, Options)) -> Took {
    // Counts the peak from here on.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let begin = processor_s();
    let (world, options) = build();
    let measured = simulate(&world, options);
    let took = Took {
        nodes: world.nodes.len(),
        requests: measured.requests,
        events: measured.events,
        seconds: processor_s() - begin,
        peak_mb: peak_mb(),
    };
    let each = took.seconds / took.requests as f64 * 1e6;
    say(&format!(
        "{:>10}{:>12}{:>14}{:>12.1}{each:>14.1}{:>10.0}",
        took.nodes, took.requests, took.events, took.seconds, took.peak_mb
    ));
    took
}

/// Points that differ in the rate of their lines, on two threads.
fn sweep(points: usize, rounds: Rounds) {
    let begin = Instant::now();
    let next = AtomicUsize::new(0);
    let (mut requests, mut events) = (0, 0);
    thread::scope(|scope| {
        let work = || {
            let mut sums = (0, 0);
            while next.fetch_add(1, Ordering::Relaxed) < points {
                let mut world = world(Shape::Pair, f64::from(POINT_REQUESTS), 1.0);
                world.run.rounds = rounds;
                let measured = simulate(&world, options(&world));
                sums = (sums.0 + measured.requests, sums.1 + measured.events);
            }
            sums
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let sums = thread.join().expect("a point of a sweep");
            (requests, events) = (requests + sums.0, events + sums.1);
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    say(&format!(
        "\n{}sweep of {points} points with two rings of two nodes, {THREADS} threads: {seconds:.1} s, \
         {requests} requests, {events} events; {POINTS} points at this pace: {:.0} s",
        if rounds == Rounds::Averaged { "averaged: " } else { "" },
        seconds / points as f64 * POINTS as f64
    ));
}

pub(crate) fn options(world: &World) -> Options {
    let until_s = world.run.duration_s.get();
    Options { seed: world.seed, until_s, passes_max: 0, requests_max: u64::MAX }
}

/// A world in which `requests` come in all, `per_s` to each institution.
pub(crate) fn world(shape: Shape, requests: f64, per_s: f64) -> World {
    let (institutions, models, stages, count) = match shape {
        Shape::Forty | Shape::Fast => (40, 10, 4, 1),
        Shape::Wide(institutions) => (institutions, 1, 4, 62),
        Shape::Pair => (2, 2, 2, 1),
    };
    let seconds = requests / f64::from(institutions) / per_s;
    let (mbit, block_us, decode_us, prompt_us, kv_positions) = match shape {
        Shape::Fast => (10_000, 60, 3.0, 1.5, 4_000_000),
        Shape::Forty | Shape::Wide(_) | Shape::Pair => (1_000, 300, 4.0, 12.0, 400_000),
    };
    let mut text = format!(
        "name = \"scale\"\n[run]\nwarm_up_s = 0\nduration_s = {seconds:.3}\nruns = 1\n[network]\n\
         coordinates_mbit = {mbit}\nlocal_round_trip_ms = 0.2\n[[device]]\nname = \"d\"\n\
         [device.time.measured]\npass_us = 200\nblock_us = {block_us}\ndecode_us = {decode_us}\n\
         prompt_us = {prompt_us}\ncontext_ns = 5\nkv_positions = {kv_positions}\nblocks_max = 40\n"
    );
    for model in 0..models {
        let _ =
            write!(text, "[[model]]\nname = \"m{model}\"\nblock_count = 40\nhidden_bytes = 8192\n");
    }
    for site in 0..institutions {
        // Spread over a continent, no two at one place.
        let (north, east) = (45 + site * 7 % 10, site * 13 % 23);
        let part = f64::from(site) / f64::from(institutions);
        let (north, east) = (f64::from(north) + part, f64::from(east) + part);
        let _ = write!(
            text,
            "[[site]]\nname = \"s{site}\"\ncountry = \"NL\"\nlatitude = {north:.3}\nlongitude = \
             {east:.3}\n[[institution]]\nname = \"i{site}\"\n"
        );
        let held: Vec<u32> = match shape {
            Shape::Forty | Shape::Fast => vec![site / models % stages],
            Shape::Wide(_) | Shape::Pair => (0..stages).collect(),
        };
        let model = site % models;
        for stage in held {
            let (from, to) = (stage * 40 / stages, (stage + 1) * 40 / stages);
            let _ = write!(
                text,
                "[[node]]\nname = \"n{site}-{stage}\"\ninstitution = \"i{site}\"\nsite = \
                 \"s{site}\"\ndevice = \"d\"\nmodel = \"m{model}\"\nblocks = [{from}, {to}]\n\
                 count = {count}\n"
            );
        }
        let _ = write!(
            text,
            "[[workload]]\ninstitution = \"i{site}\"\nmodel = \"m{model}\"\n\
             arrivals = {{ poisson = {{ per_s = {per_s} }} }}\n{LENGTHS}"
        );
    }
    let file = ScenarioFile::parse(Path::new("scale.toml"), text).expect("a scenario");
    World::resolve(&file, None).expect("a world")
}

/// Seconds this thread has had a processor.
fn processor_s() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    ns.unwrap_or(0.0) / 1e9
}

/// Most memory this process had since it was last asked to count anew, megabytes.
fn peak_mb() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().split(' ').next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1e3
}
