//! Which client stands behind which socket towards the target. Not the sockets.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use crate::clock::Instant;

/// Names a flow for as long as the relay runs; 0 names none.
pub(super) type FlowId = u32;

/// The clients of one link, at most as many as it may have.
#[derive(Debug)]
pub(super) struct Flows<S> {
    by_id: BTreeMap<FlowId, Flow<S>>,
    by_client: BTreeMap<SocketAddr, FlowId>,
    capacity: usize,
    idle: Duration,
    last: FlowId,
}

#[derive(Debug)]
struct Flow<S> {
    client: SocketAddr,
    upstream: S,
    seen: Instant,
    overflowed: u32,
}

impl<S> Flows<S> {
    /// No clients; `capacity` may come, and each is forgotten `idle` after its last packet.
    pub(super) fn new(capacity: usize, idle: Duration) -> Self {
        let (by_id, by_client) = (BTreeMap::new(), BTreeMap::new());
        Self { by_id, by_client, capacity, idle, last: 0 }
    }

    /// The socket of a client that sent at `now`; `None` if it is new.
    pub(super) fn of_client(&mut self, now: Instant, client: SocketAddr) -> Option<&S> {
        let flow = self.by_id.get_mut(self.by_client.get(&client)?)?;
        flow.seen = flow.seen.max(now);
        Some(&flow.upstream)
    }

    /// The client and the socket of a flow.
    pub(super) fn of_id(&self, id: FlowId) -> Option<(SocketAddr, &S)> {
        self.by_id.get(&id).map(|flow| (flow.client, &flow.upstream))
    }

    /// Notes that the target sent to a flow at `now`, and what its socket has dropped so far, if it
    /// says; returns how much that is more than before.
    pub(super) fn touch(&mut self, now: Instant, id: FlowId, overflowed: Option<u32>) -> u32 {
        let Some(flow) = self.by_id.get_mut(&id) else { return 0 };
        flow.seen = flow.seen.max(now);
        let before = flow.overflowed;
        flow.overflowed = overflowed.unwrap_or(before);
        flow.overflowed.wrapping_sub(before)
    }

    /// Whether another client may come.
    pub(super) fn has_room(&self) -> bool {
        self.by_id.len() < self.capacity && self.last < FlowId::MAX
    }

    /// Enters a new client, for whom there must be room.
    pub(super) fn insert(&mut self, now: Instant, client: SocketAddr, upstream: S) -> FlowId {
        debug_assert!(self.has_room() && !self.by_client.contains_key(&client));
        self.last += 1;
        self.by_client.insert(client, self.last);
        self.by_id.insert(self.last, Flow { client, upstream, seen: now, overflowed: 0 });
        self.last
    }

    /// Forgets the clients that are idle at `now`; returns their sockets.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<S> {
        let idle = self.idle;
        let expired: Vec<FlowId> = self
            .by_id
            .iter()
            .filter(|(_, flow)| flow.seen + idle <= now)
            .map(|(id, _)| *id)
            .collect();
        let flows = expired.into_iter().filter_map(|id| self.by_id.remove(&id));
        let flows: Vec<Flow<S>> = flows.collect();
        for flow in &flows {
            self.by_client.remove(&flow.client);
        }
        flows.into_iter().map(|flow| flow.upstream).collect()
    }

    /// When the first client will be idle, if no more packets come.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.by_id.values().map(|flow| flow.seen + self.idle).min()
    }

    /// All flows.
    pub(super) fn ids(&self) -> impl Iterator<Item = FlowId> {
        self.by_id.keys().copied()
    }

    /// How many clients were ever entered.
    pub(super) const fn entered(&self) -> u32 {
        self.last
    }
}

#[cfg(test)]
mod tests;
