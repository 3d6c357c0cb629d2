//! Queueing theory as the oracle: the simulation of nodes, homes and requests against closed forms
//! (E7 of the literature: Pollaczek and Khinchine, Jackson, Little, the bounds of closed pipelines).
//! Each holds within three half widths of the 99 % interval over independent runs, and that half width
//! is no more than a few hundredths of the value, so that a pass means something.

use super::*;
use crate::statistics::Estimate;

/// One node that serves whole prompts one by one: a single server.
const SERVER: &str = r#"name = "server"
[[site]]
name = "s"
country = "NL"
[[institution]]
name = "i"
[[model]]
name = "m"
block_count = 1
hidden_bytes = 1
[[device]]
name = "d"
batch = { prompts_max = 1 }
[device.time.measured]
pass_us = PASS
block_us = 0
decode_us = 0
prompt_us = PROMPT
kv_positions = 1000000000
blocks_max = 1
[[node]]
name = "n"
institution = "i"
site = "s"
device = "d"
model = "m"
blocks = [0, 1]
[router]
opens = false
waiting_max = 1000000
[[workload]]
institution = "i"
model = "m"
arrivals = { poisson = { per_s = RATE } }
lengths = { drawn = { prompt = LENGTH, output = { fixed = 1 } } }
"#;

/// Mean of a value over runs, the first tenth of each left out.
fn over_runs(world: &World, until_s: f64, value: impl Fn(&[Sample]) -> f64) -> Estimate {
    let values: Vec<f64> = (0..16)
        .map(|seed| {
            let measured = simulate(world, Options { seed, ..options(until_s) });
            let samples = &measured.samples;
            value(&samples[samples.len() / 10..])
        })
        .collect();
    Estimate::with_confidence(&values, 0.99)
}

fn close(estimate: Estimate, exact: f64, sharp: f64, what: &str) {
    let half = estimate.half_width.unwrap();
    assert!(half <= sharp * exact, "{what}: ± {half} says little about {exact}");
    let off = (estimate.mean - exact).abs();
    assert!(off <= 3.0 * half, "{what}: {} ± {half} is not {exact}", estimate.mean);
}

fn mean_response(samples: &[Sample]) -> f64 {
    samples.iter().map(|sample| sample.first_s).sum::<f64>() / samples.len() as f64
}

fn server(pass_us: f64, prompt_us: f64, rate: f64, length: &str) -> World {
    let text = SERVER
        .replace("PASS", &pass_us.to_string())
        .replace("PROMPT", &prompt_us.to_string())
        .replace("RATE", &rate.to_string())
        .replace("LENGTH", length);
    world(&text)
}

#[test]
fn equal_services_wait_as_m_d_1() {
    // S = 10 ms; Wq = rho / (2 (1 - rho)) S.
    for rho in [0.5, 0.8] {
        let world = server(10_000.0, 0.0, rho * 100.0, "{ fixed = 1 }");
        let response = over_runs(&world, 2_000.0, mean_response);
        close(response, 0.01 * (1.0 + rho / (2.0 * (1.0 - rho))), 0.02, &format!("rho {rho}"));
    }
}

#[test]
fn services_of_any_length_wait_as_m_g_1() {
    // Geometric lengths: E[S^2] = (2 - p) / p^2 in steps of 0.1 ms, p = 1/100.
    let (p, unit) = (0.01, 1e-4);
    let (mean, square) = (unit / p, unit * unit * (2.0 - p) / (p * p));
    let rate = 0.7 / mean;
    let world = server(0.0, 100.0, rate, "{ geometric = { mean = 100, max = 100000 } }");
    let exact = mean + rate * square / (2.0 * (1.0 - 0.7));
    close(over_runs(&world, 2_000.0, mean_response), exact, 0.04, "M/G/1");
}

#[test]
fn work_in_progress_is_rate_times_time_and_use_is_rate_times_service() {
    let world = server(10_000.0, 0.0, 60.0, "{ fixed = 1 }");
    let measured = simulate(&world, options(1_000.0));
    let rate = measured.samples.len() as f64 / 1_000.0;
    assert!((measured.nodes[0].busy_s / 1_000.0 / (rate * 0.01) - 1.0).abs() < 1e-3);
    // Little: the time average of requests inside, by integrating over their stays.
    let inside: f64 = measured.samples.iter().map(|it| it.ended_s - it.asked_s).sum();
    let times = mean_response(&measured.samples);
    assert!((inside / 1_000.0 / (rate * times) - 1.0).abs() < 1e-9);
    // Nothing is lost: what came ended, waits or runs.
    let ended = measured.samples.len() as u64;
    assert_eq!(measured.requests, ended + measured.waiting + measured.running);
}

#[test]
fn a_closed_pipeline_is_bound_by_its_round_and_by_its_slowest_stage() {
    // Stages of 1 and 3 ms that take one session at a time, 13 ms of hops: R0 = 17 ms.
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = USERS }")
        .replace("round_trip_ms = 8\nrate_mbit = 1000", "round_trip_ms = 13\nrate_mbit = 1000000")
        .replace("output = { fixed = 16 }", "output = { fixed = 20000 }")
        .replace("kv_positions = 20000", "kv_positions = 2000000")
        .replace(
            "pass_us = 100\nblock_us = 400\ndecode_us = 10",
            "pass_us = 0\nblock_us = 500\ndecode_us = 0",
        )
        .replace(
            "name = \"box\"\n",
            "name = \"box\"\nbatch = { positions_max = 1, prompt_positions_min = 0 }\n",
        )
        .replace("[0, 4]", "[0, 2]")
        .replace("[4, 8]", "[2, 8]");
    for (users, exact) in
        [(1, 1.0 / 0.017), (2, 2.0 / 0.017), (5, 5.0 / 0.017), (8, 1.0 / 0.003), (12, 1.0 / 0.003)]
    {
        let world = world(&text.replace("USERS", &users.to_string()));
        let rate = simulate(&world, options(40.0)).tokens_per_s(20.0);
        assert!((rate / exact - 1.0).abs() < 5e-3, "{users} users: {rate} for {exact}");
    }
}

/// Stations in a row with exponential services: the event queue, the streams and the statistics
/// alone, against Erlang and Jackson.
fn stations(seed: u64, rate: f64, servers: &[(usize, f64)], customers: usize) -> f64 {
    use std::collections::VecDeque;

    use rand_distr::{Distribution as _, Exp1};

    use crate::{event::Queue, random::Random};

    let mut streams: Vec<Random> =
        (0..=servers.len() as u64).map(|entity| Random::of(seed, 99, entity)).collect();
    let mut draw = |entity: usize, mean: f64| -> u64 {
        let unit: f64 = Exp1.sample(&mut streams[entity]);
        seconds(unit * mean).0
    };
    let mut queue = Queue::default();
    let mut waiting = vec![VecDeque::new(); servers.len()];
    let mut free: Vec<usize> = servers.iter().map(|server| server.0).collect();
    let (mut began, mut sum, mut done) = (Vec::new(), 0.0, 0usize);
    queue.push(Instant(draw(servers.len(), 1.0 / rate)), (usize::MAX, 0));
    while let Some((now, (station, customer))) = queue.pop() {
        let arrives = if station == usize::MAX {
            began.push(now);
            if began.len() < customers {
                let next = Instant(now.0 + draw(servers.len(), 1.0 / rate));
                queue.push(next, (usize::MAX, began.len()));
            }
            Some(0)
        } else {
            free[station] += 1;
            if let Some(next) = waiting[station].pop_front() {
                free[station] -= 1;
                queue.push(Instant(now.0 + draw(station, servers[station].1)), (station, next));
            }
            (station + 1 < servers.len()).then_some(station + 1)
        };
        match arrives {
            Some(at) if free[at] > 0 => {
                free[at] -= 1;
                queue.push(Instant(now.0 + draw(at, servers[at].1)), (at, customer));
            }
            Some(at) => waiting[at].push_back(customer),
            None => {
                done += 1;
                if done > customers / 10 {
                    sum += (now.0 - began[customer].0) as f64 / SECOND;
                }
            }
        }
    }
    sum / (customers - customers / 10) as f64
}

#[test]
fn several_servers_wait_as_m_m_c_and_stations_in_a_row_as_jackson() {
    /// Name, rate, servers and mean service of each station, mean time, customers.
    type Case = (&'static str, f64, &'static [(usize, f64)], f64, usize);
    let cases: [Case; 4] = [
        ("M/M/1, 0.8", 0.8, &[(1, 1.0)], 5.0, 100_000),
        ("M/M/4, 0.8", 3.2, &[(4, 1.0)], 1.745_541, 40_000),
        ("M/M/10, 0.9", 9.0, &[(10, 1.0)], 1.668_732, 60_000),
        ("Jackson", 0.8, &[(1, 1.0), (1, 0.8), (1, 0.5)], 8.055_6, 100_000),
    ];
    for (name, rate, servers, exact, customers) in cases {
        let means: Vec<f64> =
            (0..24).map(|seed| stations(seed, rate, servers, customers)).collect();
        close(Estimate::with_confidence(&means, 0.99), exact, 0.03, name);
    }
}
