//! The links of a planner's scenario, as the relay puts them between real nodes. Not the scenario.
//!
//! Each node is told one address for every other, and packets that come there take the link of the
//! pair they are of: the relay tells pairs apart by where packets come from. What several pairs share
//! it cannot relay, for each of its links has a rate and a queue of its own.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::scenario::{Direction, LinkSection, QUEUE_BYTES_MAX, QUEUE_MS, RATE_MBIT};
use crate::{
    link::{MILLION, Path},
    world::World,
};

/// Where a node of the scenario really is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where its data plane listens.
    pub listen: SocketAddr,
    /// Where it tells others to find it.
    pub advertise: SocketAddr,
}

/// Why a scenario's links cannot be relayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlannedError {
    /// A rate that several pairs of nodes share.
    #[error("several pairs of nodes share what leads {line}: the relay has a link for each pair")]
    Shared {
        /// The line.
        line: String,
    },
    /// A node's interface that is slower than its links together.
    #[error("{line} is slower than its links together: the relay has no rate for a node")]
    Interface {
        /// The line.
        line: String,
    },
}

/// A link for each two of the nodes that have a place, both ways; places are by the world's nodes.
///
/// # Errors
/// [`PlannedError`].
pub fn links(world: &World, places: &[Option<Place>]) -> Result<Vec<LinkSection>, PlannedError> {
    let placed: Vec<(usize, Place)> =
        places.iter().enumerate().filter_map(|(node, place)| Some((node, (*place)?))).collect();
    check(world, &placed)?;
    let mut links = Vec::new();
    for &(from, dialing) in &placed {
        for &(to, dialed) in placed.iter().filter(|(to, _)| *to != from) {
            let name = |node: usize| &world.nodes[node].name;
            links.push(LinkSection {
                name: format!("{} to {}", name(from), name(to)),
                listen: dialed.advertise,
                from: Some(dialing.listen),
                target: dialed.listen,
                flows_max: super::scenario::FLOWS,
                idle_s: super::scenario::IDLE_S,
                forward: direction(world, from, to),
                back: direction(world, to, from),
            });
        }
    }
    Ok(links)
}

/// Nothing that limits a rate is between more than two nodes.
fn check(world: &World, placed: &[(usize, Place)]) -> Result<(), PlannedError> {
    let interfaces = world.nodes.len() * 2;
    let mut users = BTreeMap::new();
    let mut sums = BTreeMap::<usize, f64>::new();
    for (from, _) in placed {
        for (to, _) in placed.iter().filter(|(to, _)| to != from) {
            let Some(way) = world.network.way(*from, *to) else { continue };
            let (own, over): (Vec<usize>, Vec<usize>) =
                way.into_iter().partition(|line| *line < interfaces);
            let rates = over.iter().map(|line| world.network.lines[*line].rate);
            let rate = rates.fold(f64::INFINITY, f64::min);
            for line in over {
                if *users.entry(line).or_insert((from, to)) != (from, to) {
                    let line = world.network.name(world, line);
                    return Err(PlannedError::Shared { line });
                }
            }
            own.into_iter().for_each(|line| *sums.entry(line).or_default() += rate);
        }
    }
    let slow = |(line, sum): &(usize, f64)| world.network.lines[*line].rate < *sum;
    // Within a site there is nothing but the interfaces.
    match sums.into_iter().filter(|(_, sum)| sum.is_finite()).find(slow) {
        None => Ok(()),
        Some((line, _)) => Err(PlannedError::Interface { line: world.network.name(world, line) }),
    }
}

/// What stands between two nodes, one way.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and shares are not below zero, and saturate"
)]
fn direction(world: &World, from: usize, to: usize) -> Direction {
    let mut direction = Direction::default();
    let way = world.network.way(from, to).unwrap_or_default();
    let lines = || way.iter().map(|line| world.network.lines[*line]);
    let rate = lines().map(|line| line.rate).fold(f64::INFINITY, f64::min);
    let kept: f64 = lines().map(|line| 1.0 - line.loss).product();
    let path: &mut Path = &mut direction.path;
    path.delay = lines().map(|line| Duration::from_nanos(line.delay_ns)).sum();
    path.jitter = lines().map(|line| Duration::from_nanos(line.jitter_ns)).sum();
    path.loss = ((1.0 - kept) * f64::from(MILLION)).round() as u32;
    // Faster ones hold nothing up that this machine could send.
    if rate < RATE_MBIT.1 * 1e6 {
        path.bandwidth = ((rate / 8.0) as u64).max(1);
        path.queue = ((rate / 8.0 * QUEUE_MS / 1e3) as u64).min(QUEUE_BYTES_MAX);
    }
    direction
}

#[cfg(test)]
mod tests;
