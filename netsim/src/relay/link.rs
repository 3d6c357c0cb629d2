//! One link with its sockets: from packets received to packets sent. Not when the thread wakes.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    flows::{FlowId, Flows},
    scenario::LinkSection,
    socket::{Buffer, Socket},
    statistics::LinkStatistics,
    way::Way,
};
use crate::{clock::Instant, random::Random};

/// A link at work.
#[derive(Debug)]
pub(super) struct RelayedLink {
    name: String,
    address: SocketAddr,
    target: SocketAddr,
    listen: Socket,
    listen_overflowed: u32,
    flows: Flows<Arc<Socket>>,
    /// When idle clients are looked for next; not before anybody came.
    sweep: Option<Instant>,
    forward: Way<(Arc<Socket>, Box<[u8]>)>,
    back: Way<(SocketAddr, Box<[u8]>)>,
}

/// What reading from clients brought.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Nothing is there to be read.
    Nothing,
    /// A packet of a client that is known, or that cannot be taken in.
    Packet,
    /// A packet of a new client, whose replies will come to this socket.
    Client(FlowId, Arc<Socket>),
}

impl RelayedLink {
    /// Opens the link of a scenario that stands at `index` in it.
    pub(super) fn open(section: &LinkSection, seed: u64, index: usize) -> io::Result<Self> {
        let listen = match section.from {
            Some(client) => Socket::bind_for(section.listen, client)?,
            None => Socket::bind(section.listen)?,
        };
        let random = |way| Random::new(seed, index as u64 * 2 + way);
        let idle = Duration::from_secs(section.idle_s.into());
        Ok(Self {
            name: section.name.clone(),
            address: listen.address()?,
            target: section.target,
            listen,
            listen_overflowed: 0,
            flows: Flows::new(section.flows_max.into(), idle),
            sweep: None,
            forward: Way::new(section.forward, random(0)),
            back: Way::new(section.back, random(1)),
        })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket that clients send to.
    pub(super) const fn listen(&self) -> &Socket {
        &self.listen
    }

    /// Every flow there is.
    pub(super) fn flow_ids(&self) -> Vec<FlowId> {
        self.flows.ids().collect()
    }

    /// Takes one packet from a client.
    pub(super) fn receive_forward(&mut self, buffer: &mut Buffer) -> io::Result<Incoming> {
        let Some(received) = self.listen.receive(buffer)? else { return Ok(Incoming::Nothing) };
        if let Some(overflowed) = received.overflowed {
            let more = overflowed.wrapping_sub(self.listen_overflowed);
            self.forward.statistics.overflowed += u64::from(more);
            self.listen_overflowed = overflowed;
        }
        let (at, payload, client) = (received.at, received.payload, received.from);
        let mut incoming = Incoming::Packet;
        let upstream = match self.flows.of_client(at, client) {
            Some(upstream) => Arc::clone(upstream),
            None => match self.open_flow(at, client) {
                Some((id, upstream)) => {
                    incoming = Incoming::Client(id, Arc::clone(&upstream));
                    upstream
                }
                None => {
                    self.forward.statistics.received(payload.len());
                    self.forward.statistics.dropped_flows += 1;
                    return Ok(incoming);
                }
            },
        };
        self.forward.send(at, payload.len(), || (upstream, payload.into()));
        Ok(incoming)
    }

    /// Takes one packet from the target to a flow; whether there was one.
    pub(super) fn receive_back(&mut self, id: FlowId, buffer: &mut Buffer) -> io::Result<bool> {
        let Some((client, upstream)) = self.flows.of_id(id) else { return Ok(false) };
        let Some(received) = upstream.receive(buffer)? else { return Ok(false) };
        let (at, payload, overflowed) = (received.at, received.payload, received.overflowed);
        let more = self.flows.touch(at, id, overflowed);
        self.back.statistics.overflowed += u64::from(more);
        self.back.send(at, payload.len(), || (client, payload.into()));
        Ok(true)
    }

    /// When it has something to do.
    pub(super) fn next_at(&mut self) -> Option<Instant> {
        [self.forward.next_at(), self.back.next_at(), self.sweep].into_iter().flatten().min()
    }

    /// Sends what is due until `until`, the time being `now`.
    pub(super) fn deliver(&mut self, now: Instant, until: Instant) {
        let late = |due: Instant| Duration::from_nanos(now.0.saturating_sub(due.0));
        while let Some(arrival) = self.forward.arrive(until) {
            let (upstream, payload) = &arrival.packet;
            let sent = upstream.send(payload).is_ok();
            self.forward.statistics.sent(arrival.payload, late(arrival.due), sent);
        }
        while let Some(arrival) = self.back.arrive(until) {
            let (client, payload) = &arrival.packet;
            let sent = self.listen.send_to(payload, *client).is_ok();
            self.back.statistics.sent(arrival.payload, late(arrival.due), sent);
        }
    }

    /// Forgets clients that are idle at `now`; returns their sockets.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Arc<Socket>> {
        if self.sweep.is_none_or(|sweep| sweep > now) {
            return Vec::new();
        }
        let expired = self.flows.expire(now);
        self.sweep = self.flows.next_expiry();
        expired
    }

    /// Ends the link.
    pub(super) fn finish(self) -> LinkStatistics {
        LinkStatistics {
            name: self.name,
            listen: self.address,
            target: self.target,
            clients: self.flows.entered(),
            forward: self.forward.finish(),
            back: self.back.finish(),
        }
    }

    fn open_flow(&mut self, at: Instant, client: SocketAddr) -> Option<(FlowId, Arc<Socket>)> {
        if !self.flows.has_room() {
            return None;
        }
        // Without a socket, the client is one too many, as with a full table.
        let upstream = Arc::new(Socket::connect(self.target).ok()?);
        let id = self.flows.insert(at, client, Arc::clone(&upstream));
        self.sweep = self.sweep.or_else(|| self.flows.next_expiry());
        Some((id, upstream))
    }
}
