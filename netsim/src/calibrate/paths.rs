//! Lines between sites, as connections over them saw them. Not what a scenario makes of them.

use std::collections::BTreeMap;

use crate::measurement::Measurement;

/// What the connections between two sites saw in one measurement.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PathFit {
    /// The measurement.
    pub measurement: String,
    /// The two sites; twice the same for what stays within one.
    pub between: [String; 2],
    /// Least round trip, milliseconds, software of both ends included.
    pub round_trip_ms: f64,
    /// What the scenario says.
    pub stated_round_trip_ms: f64,
    /// Largest rate of one connection over a second, Mbit/s: what was asked for, not what is there.
    pub rate_mbit: f64,
    /// What the scenario says.
    pub stated_rate_mbit: f64,
    /// Share of the packets that were given up as lost.
    pub loss: f64,
    /// Packets.
    pub packets: u64,
}

/// What one site's connections to another saw.
struct Seen {
    nodes: (usize, usize),
    least_us: u64,
    rate: f64,
    lost: u64,
    sent: u64,
}

/// Lines of all measurements.
pub(super) fn paths(all: &[Measurement]) -> Vec<PathFit> {
    all.iter().flat_map(of).collect()
}

fn of(measurement: &Measurement) -> Vec<PathFit> {
    let world = &measurement.world;
    let mut pairs: BTreeMap<(usize, usize), Seen> = BTreeMap::new();
    for (from, record) in measurement.records.iter().enumerate() {
        // By connection: when it was told last, and what it had carried then.
        let mut before: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        let mut totals: BTreeMap<u32, (usize, u64, u64)> = BTreeMap::new();
        for (at, path) in &record.paths {
            let named = |other: &crate::measurement::Record| other.node.peer == path.peer;
            let Some(to) = measurement.records.iter().position(named) else { continue };
            let sites = (world.nodes[from].site, world.nodes[to].site);
            let key = (sites.0.min(sites.1), sites.0.max(sites.1));
            let seen = pairs.entry(key).or_insert(Seen {
                nodes: (from, to),
                least_us: u64::MAX,
                rate: 0.0,
                lost: 0,
                sent: 0,
            });
            if path.round_trip_least_us > 0 {
                seen.least_us = seen.least_us.min(path.round_trip_least_us);
            }
            if let Some((then, bytes)) = before.insert(path.connection, (*at, path.bytes_sent))
                && *at > then
            {
                let sent = path.bytes_sent.saturating_sub(bytes) as f64 * 8.0;
                seen.rate = seen.rate.max(sent / (*at - then) as f64);
            }
            totals.insert(path.connection, (to, path.packets_lost, path.packets_sent));
        }
        for (to, lost, sent) in totals.into_values() {
            let sites = (world.nodes[from].site, world.nodes[to].site);
            if let Some(seen) = pairs.get_mut(&(sites.0.min(sites.1), sites.0.max(sites.1))) {
                seen.lost += lost;
                seen.sent += sent;
            }
        }
    }
    let fit = |((one, other), seen): ((usize, usize), Seen)| {
        let (from, to) = seen.nodes;
        let delay = |from, to| world.network.delay_ns(from, to).unwrap_or(0) as f64 / 1e6;
        let lines = world.network.way(from, to).unwrap_or_default();
        let rates = lines.iter().map(|line| world.network.lines[*line].rate);
        PathFit {
            measurement: measurement.name.clone(),
            between: [one, other].map(|site| world.sites[site].name.clone()),
            round_trip_ms: seen.least_us as f64 / 1e3,
            stated_round_trip_ms: delay(from, to) + delay(to, from),
            rate_mbit: seen.rate,
            stated_rate_mbit: rates.fold(f64::INFINITY, f64::min) / 1e6,
            loss: if seen.sent == 0 { 0.0 } else { seen.lost as f64 / seen.sent as f64 },
            packets: seen.sent,
        }
    };
    pairs.into_iter().filter(|(_, seen)| seen.least_us < u64::MAX).map(fit).collect()
}
