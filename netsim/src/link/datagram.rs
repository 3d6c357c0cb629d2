//! One direction of a path for datagrams: each arrives once, whole, or not at all. Not a stream.
//!
//! A datagram waits for the line, leaves it, and may then be lost; the one that finds the queue full
//! is dropped (drop-tail). What is lost behind the line has used the line all the same.

use super::{Path, line::Line};
use crate::{clock::Instant, random::Random};

/// What IPv4 (20) and UDP (8) add to each datagram on the line, bytes.
pub const HEADER_BYTES: u64 = 28;

/// One direction of a path.
#[derive(Debug)]
pub struct Datagrams {
    path: Path,
    reorder: bool,
    random: Random,
    line: Line,
    now: Instant,
    arrived: Instant,
}

/// Why a datagram never arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// Too much waited before it.
    #[error("the queue was full")]
    Queue,
    /// The path lost it.
    #[error("lost on the way")]
    Lost,
}

impl Datagrams {
    /// A direction over `path` whose jitter and losses `random` decides.
    ///
    /// With `reorder` each datagram has its own jitter, and later ones may arrive first; without,
    /// none arrives before the one sent before it. A retransmission costs nothing: there is none.
    #[must_use]
    pub const fn new(path: Path, reorder: bool, random: Random) -> Self {
        let line = Line::new(path.bandwidth);
        Self { path, reorder, random, line, now: Instant(0), arrived: Instant(0) }
    }

    /// Sends a datagram of `payload` bytes at `now`, no earlier than the one before; returns when it
    /// arrives. One that finds the line idle is never too long for the queue.
    ///
    /// # Errors
    /// [`Dropped`]: why it does not arrive.
    pub fn send(&mut self, now: Instant, payload: usize) -> Result<Instant, Dropped> {
        self.now = self.now.max(now);
        let bytes = u64::try_from(payload).unwrap_or(u64::MAX).saturating_add(HEADER_BYTES);
        let waiting = self.line.waiting(self.now);
        if waiting > 0 && waiting.saturating_add(bytes) > self.path.queue {
            return Err(Dropped::Queue);
        }
        let arrives = self.line.send(self.now, bytes) + self.path.delay;
        let arrives = arrives + self.path.draw_jitter(&mut self.random);
        if self.path.draw_loss(&mut self.random) {
            return Err(Dropped::Lost);
        }
        if self.reorder {
            return Ok(arrives);
        }
        self.arrived = self.arrived.max(arrives);
        Ok(self.arrived)
    }
}

#[cfg(test)]
mod tests;
