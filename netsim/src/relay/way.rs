//! One direction of a relayed link: what is under way in it, and what became of the rest. Not sockets.

use crate::{
    clock::Instant,
    event::Queue,
    link::datagram::{Datagrams, Dropped},
    random::Random,
};

use super::{scenario::Direction, statistics::WayStatistics};

/// Bytes that one direction may hold, waiting and under way: 10 Gbit/s for 100 ms.
pub(super) const HELD_BYTES_MAX: u64 = 128 << 20;
/// What a packet costs beside its payload, bytes, rounded up: its places in the queue, its address.
const PACKET_BYTES: u64 = 256;

/// Packets under way.
#[derive(Debug)]
pub(super) struct Way<P> {
    path: Datagrams,
    packets: Queue<(usize, P)>,
    held: u64,
    /// What became of the packets.
    pub(super) statistics: WayStatistics,
}

/// A packet that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arrival<P> {
    /// When it should.
    pub(super) due: Instant,
    /// Bytes of its payload.
    pub(super) payload: usize,
    /// The packet.
    pub(super) packet: P,
}

impl<P> Way<P> {
    /// A direction in which nothing is under way.
    pub(super) fn new(direction: Direction, random: Random) -> Self {
        Self {
            path: Datagrams::new(direction.path, direction.reorder, random),
            packets: Queue::default(),
            held: 0,
            statistics: WayStatistics::default(),
        }
    }

    /// Decides on a packet that came at `now`; `packet` is made only if it is to arrive.
    pub(super) fn send(&mut self, now: Instant, payload: usize, packet: impl FnOnce() -> P) {
        let statistics = &mut self.statistics;
        statistics.received(payload);
        let cost = cost(payload);
        if self.held + cost > HELD_BYTES_MAX {
            statistics.dropped_memory += 1;
            return;
        }
        match self.path.send(now, payload) {
            Ok(arrives) => {
                self.held += cost;
                self.packets.push(arrives, (payload, packet()));
            }
            Err(Dropped::Queue) => statistics.dropped_queue += 1,
            Err(Dropped::Lost) => statistics.lost += 1,
        }
    }

    /// When the next packet arrives.
    pub(super) fn next_at(&mut self) -> Option<Instant> {
        self.packets.peek().map(|next| next.0)
    }

    /// The next packet that arrives no later than `until`.
    pub(super) fn arrive(&mut self, until: Instant) -> Option<Arrival<P>> {
        self.next_at().filter(|at| *at <= until)?;
        let (due, (payload, packet)) = self.packets.pop()?;
        self.held -= cost(payload);
        Some(Arrival { due, payload, packet })
    }

    /// Ends the direction: what is under way never arrives.
    pub(super) fn finish(mut self) -> WayStatistics {
        while self.packets.pop().is_some() {
            self.statistics.under_way += 1;
        }
        self.statistics
    }
}

fn cost(payload: usize) -> u64 {
    u64::try_from(payload).unwrap_or(u64::MAX / 2) + PACKET_BYTES
}

#[cfg(test)]
mod tests;
