//! Real QUIC (quinn-proto) packet by packet in virtual time: what the fluid model of
//! [`fabric`](crate::fabric) is measured against. Not for planning: it costs microseconds a packet.
//!
//! Two endpoints for each connection, the handshake without cryptography, one link each way that all
//! connections share. The same seed gives the same packets.

mod compare;
mod connection;
mod crypto;
mod endpoint;

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

pub use self::compare::{Case, Comparison, compare, quantile};
use self::connection::Connection;
use crate::{
    clock::Instant,
    fabric::{Link, Quic},
    link::{Path, datagram::Datagrams},
    random::Random,
};

/// Purpose of the random streams of the links: this and the next.
const LINK_PURPOSE: u64 = 0x7061_636b;

/// Connections over one link and back.
#[derive(Debug)]
pub struct Oracle {
    /// What a standard clock shows at [`Instant`] 0.
    epoch: std::time::Instant,
    now: Instant,
    ways: [Datagrams; 2],
    connections: Vec<Connection>,
    events: BinaryHeap<Reverse<Event>>,
    order: u64,
    delivered: Vec<Delivered>,
}

/// A message that is whole at the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// When its last byte was read.
    pub at: Instant,
    /// Which connection, from 0.
    pub connection: usize,
    /// Which message of it, from 0.
    pub message: usize,
}

/// What happens to one side of one connection.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Instant,
    /// Of equal times the first one scheduled is first.
    order: u64,
    connection: usize,
    /// 0 sends messages, 1 receives them.
    side: usize,
    what: What,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Datagram(Vec<u8>),
    Timer,
    /// Bytes to send.
    Message(u64),
}

impl Oracle {
    /// `count` connections with `quic` over `link`, and back over the same; the
    /// handshake begins at 0.
    #[must_use]
    pub fn new(link: Link, quic: &Quic, count: usize, seed: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the epoch only: differences alone are used")]
        let epoch = std::time::Instant::now();
        let path = Path {
            delay: link.delay,
            bandwidth: (link.rate / 8).max(1),
            queue: link.queue,
            jitter: link.jitter,
            loss: link.loss,
            retransmission: Duration::ZERO,
        };
        let way = |n| Datagrams::new(path, false, Random::new(seed, LINK_PURPOSE + n));
        let mut oracle = Self {
            epoch,
            now: Instant(0),
            ways: [way(0), way(1)],
            connections: Vec::new(),
            events: BinaryHeap::new(),
            order: 0,
            delivered: Vec::new(),
        };
        for n in 0..count {
            oracle.connections.push(Connection::new(epoch, quic, seed ^ (n as u64) << 32));
            oracle.drive(n, 0);
        }
        oracle
    }

    /// Sends a message of `bytes` on `connection` at `at`, no earlier than what has happened.
    pub fn send(&mut self, at: Instant, connection: usize, bytes: u64) {
        self.push(at.max(self.now), connection, 0, What::Message(bytes));
    }

    /// Lets everything up to `end` happen, or all there is until every message sent is delivered;
    /// returns the deliveries since the last call.
    pub fn run(&mut self, end: Option<Instant>) -> Vec<Delivered> {
        while let Some(Reverse(next)) = self.events.peek() {
            let over = match end {
                Some(end) => next.at > end,
                None => self.is_done(),
            };
            if over {
                break;
            }
            let Some(Reverse(event)) = self.events.pop() else { break };
            self.handle(event);
        }
        self.now = self.now.max(end.unwrap_or_default());
        std::mem::take(&mut self.delivered)
    }

    /// The congestion window of a connection, bytes, and its smoothed round trip.
    #[must_use]
    pub fn path(&self, connection: usize) -> (u64, Duration) {
        self.connections[connection].path()
    }

    /// When the last event was.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    fn is_done(&self) -> bool {
        self.connections.iter().all(Connection::is_done)
            && !self.events.iter().any(|event| matches!(event.0.what, What::Message(_)))
    }

    fn handle(&mut self, event: Event) {
        let Event { at, connection: n, side, what, .. } = event;
        self.now = at;
        let now = self.epoch + Duration::from_nanos(at.0);
        let connection = &mut self.connections[n];
        match what {
            What::Datagram(bytes) => connection.receive(now, side, &bytes),
            What::Timer => {
                if !connection.expire(now, side) {
                    return;
                }
            }
            What::Message(bytes) => connection.queue(bytes),
        }
        self.drive(n, side);
    }

    /// Performs what one side of a connection wants done now.
    fn drive(&mut self, n: usize, side: usize) {
        let now = self.epoch + Duration::from_nanos(self.now.0);
        let mut datagrams = Vec::new();
        let timer = self.connections[n].drive(now, side, &mut datagrams);
        for datagram in datagrams {
            if let Ok(at) = self.ways[side].send(self.now, datagram.len()) {
                self.push(at, n, 1 - side, What::Datagram(datagram));
            }
        }
        if let Some(timer) = timer {
            let after = timer.saturating_duration_since(self.epoch).as_nanos();
            let at = Instant(u64::try_from(after).unwrap_or(u64::MAX)).max(self.now);
            self.push(at, n, side, What::Timer);
        }
        let at = self.now;
        for message in self.connections[n].arrived() {
            self.delivered.push(Delivered { at, connection: n, message });
        }
    }

    fn push(&mut self, at: Instant, connection: usize, side: usize, what: What) {
        self.order += 1;
        let order = self.order;
        self.events.push(Reverse(Event { at, order, connection, side, what }));
    }
}

#[cfg(test)]
mod tests;
