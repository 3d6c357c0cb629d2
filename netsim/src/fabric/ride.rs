//! Small messages over lines that nobody else uses, one after the other. Not what else is on them.
//!
//! The same sums as for a message that fits, without all that has no say there: chance, losses, windows
//! and flows.

use super::{ConnectionId, Fabric, LinkId, flow::datagram_bytes, whole};
use crate::clock::Instant;

/// Until when single messages keep lines busy.
#[derive(Debug, Default)]
pub struct Lines {
    all: Vec<(LinkId, Instant)>,
}

/// A way over lines.
#[derive(Debug)]
pub struct Ride {
    connection: ConnectionId,
    path: Vec<Leg>,
    delay_ns: u64,
    /// Bytes of datagrams that took it.
    bytes: u64,
}

/// A line of a way.
#[derive(Debug)]
struct Leg {
    /// Its place.
    line: usize,
    /// Nanoseconds that it takes for a byte, and whole ones for a full datagram.
    takes: f64,
    packet_ns: u64,
}

impl Leg {
    /// Nanoseconds until the first packet of a message of `size` bytes has crossed, and the last one.
    fn ns(&self, size: f64) -> (u64, u64) {
        let lasts = whole(size * self.takes);
        (self.packet_ns.min(lasts), lasts)
    }
}

impl Ride {
    /// The connection whose way it is.
    #[must_use]
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Nanoseconds of a message of `bytes` that meets no other one.
    #[must_use]
    pub fn idle_ns(&self, bytes: u64) -> u64 {
        let size = datagram_bytes(bytes) as f64;
        let (mut ns, mut takes) = (self.delay_ns, 0);
        for leg in &self.path {
            let (packet, lasts) = leg.ns(size);
            ns += packet;
            takes = takes.max(lasts - packet);
        }
        ns + takes
    }

    /// Counts a message of `bytes`.
    pub fn note(&mut self, bytes: u64) {
        self.bytes += datagram_bytes(bytes);
    }

    /// When a message of `bytes` arrives that leaves at `now`.
    pub fn pass(&mut self, now: Instant, bytes: u64, lines: &mut Lines) -> Instant {
        let bytes = datagram_bytes(bytes);
        self.bytes += bytes;
        let (size, mut at, mut takes) = (bytes as f64, now, 0);
        for leg in &self.path {
            let free = &mut lines.all[leg.line].1;
            let (packet, lasts) = leg.ns(size);
            let waits = free.0.saturating_sub(at.0);
            free.0 = free.0.max(at.0) + lasts;
            at.0 += waits + packet;
            takes = takes.max(lasts - packet);
        }
        Instant(at.0 + takes + self.delay_ns)
    }
}

impl Fabric {
    /// The way of a connection for messages of up to `bytes` at a time; `None` where chance, losses,
    /// windows or flows have a say.
    pub fn ride(
        &self,
        now: Instant,
        connection: ConnectionId,
        bytes: u64,
        lines: &mut Lines,
    ) -> Option<Ride> {
        self.idle_ns(now, connection, bytes)?;
        let of = &self.connections[connection.0 as usize];
        let path = of.paths[0].iter().map(|link| {
            let known = lines.all.iter().position(|(other, _)| other == link);
            let state = &self.links[link.0 as usize];
            let line = known.unwrap_or_else(|| {
                lines.all.push((*link, Instant(now.0 + state.backlog(now))));
                lines.all.len() - 1
            });
            Leg { line, takes: state.takes(), packet_ns: state.packet_ns() }
        });
        Some(Ride { connection, path: path.collect(), delay_ns: of.ways.delay_ns, bytes: 0 })
    }

    /// Notes how long messages of rides still keep lines busy.
    pub fn occupy(&mut self, now: Instant, lines: &Lines) {
        for (link, free) in &lines.all {
            self.links[link.0 as usize].occupy(now, *free);
        }
    }

    /// Counts what took a way.
    pub fn count(&mut self, ride: &Ride) {
        for LinkId(link) in &self.connections[ride.connection.0 as usize].paths[0] {
            self.links[*link as usize].carry(ride.bytes as f64);
        }
    }
}
