//! Who shares which link, and when shares are computed anew. Not how.
//!
//! Only flows that a change can reach are looked at: those that share a link with it, and so on.

use super::{
    ConnectionId, Fabric,
    connection::{Active, Connection},
    link::{LinkId, State},
    share::{self, Claim},
};
use crate::clock::Instant;

/// Change of a bound that is worth new shares.
const CHANGE: f64 = 1.1;
/// Share of a link that single messages leave to flows.
const LEFT: f64 = 0.1;

/// Lists kept from one computation to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Number of the computation: what bears it was listed.
    number: u64,
    links: Vec<u32>,
    flows: Vec<u32>,
    capacity: Vec<f64>,
    paths: Vec<usize>,
    claims: Vec<Claim>,
    rates: Vec<f64>,
}

/// Bytes a second that the path carries for a flow in its next step, and the link that sets them.
///
/// Other messages go first, but leave it a part.
pub(super) fn allowance(
    now: Instant,
    active: &Active,
    path: &[LinkId],
    links: &[State],
) -> (f64, LinkId) {
    let length = active.flow.length.as_nanos() as f64;
    let mut least = (f64::INFINITY, active.bottleneck);
    for link in path {
        let state = &links[link.0 as usize];
        let free = (1.0 - state.work(now, length) / length).max(LEFT);
        let spare = ((state.capacity() - state.load).max(0.0) + active.rate) * free;
        if spare < least.0 {
            least = (spare, *link);
        }
    }
    least
}

/// Whether a weight is much as it was.
fn within(weight: f64, before: f64) -> bool {
    weight <= before * CHANGE && before <= weight * CHANGE
}

impl Fabric {
    /// Adds the flow of `id` to its links.
    pub(super) fn enter(&mut self, id: ConnectionId) {
        for LinkId(link) in &self.connections[id.0 as usize].paths[0] {
            self.links[*link as usize].flows.push(id.0);
        }
        self.claim(id);
    }

    /// Takes the flow of `id` off its links.
    pub(super) fn leave(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.0 as usize];
        let Some(active) = connection.active.take() else { return };
        let mut others = Vec::new();
        for LinkId(link) in &connection.paths[0] {
            let state = &mut self.links[*link as usize];
            state.flows.retain(|other| *other != id.0);
            let was_full = state.load >= state.capacity() * 0.999;
            state.load -= active.rate;
            if was_full {
                others.extend(state.flows.first());
            }
            if state.flows.is_empty() {
                (state.load, state.queued) = (0.0, 0.0);
            }
        }
        let queued = &mut self.links[active.bottleneck.0 as usize].queued;
        *queued = (*queued - active.flow.queued()).max(0.0);
        for other in others {
            self.share(ConnectionId(other));
        }
    }

    /// Notes what the flow of `id` asks for now; shares anew where that changes others' parts.
    pub(super) fn claim(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.0 as usize];
        let Some(active) = &mut connection.active else { return };
        let path = &connection.paths[0];
        let is_alone = path.iter().all(|link| self.links[link.0 as usize].flows.len() == 1);
        let most = match is_alone {
            true => f64::INFINITY,
            false => active.flow.demand(&connection.window, &connection.quic),
        };
        let is_bounded = active.most <= active.rate * 1.001;
        let weight = active.flow.weight(&connection.window, &connection.quic);
        let shifts = most.is_infinite() && !is_alone && !within(weight, active.weight);
        let less = most * CHANGE < active.rate;
        let more = is_bounded && most > active.most * CHANGE;
        if !less && !more && !shifts && !active.most.is_nan() {
            return;
        }
        let spare = |link: &LinkId| {
            let state = &self.links[link.0 as usize];
            state.capacity() - state.load
        };
        let least = path.iter().map(spare).fold(f64::INFINITY, f64::min);
        let is_full = least <= 1e-3 * connection.ways.slowest;
        if is_alone || !shifts && (!is_full || more) && most - active.rate <= least {
            let rate = most.min(connection.ways.slowest);
            for LinkId(link) in path {
                self.links[*link as usize].load += rate - active.rate;
            }
            (active.rate, active.most, active.weight) = (rate, most, weight);
        } else {
            self.share(id);
        }
    }

    /// Shares anew what the flows that reach `id` over common links use.
    pub(super) fn share(&mut self, id: ConnectionId) {
        let mut scratch = std::mem::take(&mut self.sharing);
        self.collect(id, &mut scratch);
        let Scratch { capacity, paths, claims, rates, .. } = &mut scratch;
        share::fill(capacity, paths, claims, rates);
        for link in &scratch.links {
            self.links[*link as usize].load = 0.0;
        }
        for ((flow, claim), rate) in scratch.flows.iter().zip(&scratch.claims).zip(&scratch.rates) {
            let connection = &mut self.connections[*flow as usize];
            let Some(active) = &mut connection.active else { continue };
            (active.rate, active.most, active.weight) = (*rate, claim.most, claim.weight);
            for LinkId(link) in &connection.paths[0] {
                self.links[*link as usize].load += rate;
            }
        }
        self.sharing = scratch;
    }

    /// Lists the flows that reach `id` over common links, and those links.
    fn collect(&mut self, id: ConnectionId, scratch: &mut Scratch) {
        scratch.number += 1;
        let Scratch { number, links, flows, capacity, paths, claims, .. } = scratch;
        links.clear();
        flows.clear();
        capacity.clear();
        paths.clear();
        claims.clear();
        self.connections[id.0 as usize].listed = *number;
        flows.push(id.0);
        let mut next = 0;
        while let Some(flow) = flows.get(next).copied() {
            next += 1;
            let first = paths.len();
            for place in 0..self.connections[flow as usize].paths[0].len() {
                let LinkId(link) = self.connections[flow as usize].paths[0][place];
                let state = &mut self.links[link as usize];
                if state.listed.0 != *number {
                    state.listed = (*number, links.len());
                    links.push(link);
                    capacity.push(state.capacity());
                    for other in &state.flows {
                        let listed = &mut self.connections[*other as usize].listed;
                        if *listed != *number {
                            *listed = *number;
                            flows.push(*other);
                        }
                    }
                }
                paths.push(state.listed.1);
            }
            let Connection { window, quic, active, .. } = &self.connections[flow as usize];
            let (most, weight) = active.as_ref().map_or((0.0, 1.0), |active| {
                (active.flow.demand(window, quic), active.flow.weight(window, quic))
            });
            claims.push(Claim { most, weight, path: (first, paths.len()) });
        }
    }
}
