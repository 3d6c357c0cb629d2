//! One direction of a reliable, ordered stream over a slow and lossy path. Not congestion control.

use std::time::Duration;

use crate::{clock::Instant, random::Random};

/// Payload of one packet, bytes: what fits the least MTU of QUIC.
const SEGMENT_BYTES: u64 = 1_200;
/// Loss is a share of this.
const MILLION: u64 = 1_000_000;

/// What a path is like.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// One-way delay.
    pub delay: Duration,
    /// Bytes per second; at least one.
    pub bandwidth: u64,
    /// Bytes that may wait before the path; what comes on top is dropped, and sent again later.
    pub queue: u64,
    /// Greatest extra delay of one message.
    pub jitter: Duration,
    /// Lost segments of a million; below a million.
    pub loss: u32,
    /// What each loss costs: a retransmission timeout.
    pub retransmission: Duration,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link {
    path: Path,
    random: Random,
    free: Instant,
    arrived: Instant,
    cut: bool,
}

/// When a message leaves the sender's queue and when it is whole at the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// Last byte sent.
    pub sent: Instant,
    /// Last byte received.
    pub arrives: Instant,
}

impl Link {
    /// A link over `path` whose jitter and losses `random` decides.
    #[must_use]
    pub const fn new(path: Path, random: Random) -> Self {
        Self { path, random, free: Instant(0), arrived: Instant(0), cut: false }
    }

    /// Queues `bytes` at `now`; `None` once the link is cut.
    pub fn send(&mut self, now: Instant, bytes: usize) -> Option<Passage> {
        if self.cut {
            return None;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let ns = u128::from(bytes) * 1_000_000_000 / u128::from(self.path.bandwidth.max(1));
        let busy = Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX));
        let waiting = u128::from(self.free.0.saturating_sub(now.0));
        let waiting = waiting * u128::from(self.path.bandwidth) / 1_000_000_000;
        let sent = self.free.max(now) + busy;
        self.free = sent;
        let mut arrives = sent + self.path.delay;
        if waiting > u128::from(self.path.queue) {
            arrives = arrives + self.path.retransmission;
        }
        let jitter = u64::try_from(self.path.jitter.as_nanos()).unwrap_or(u64::MAX);
        if jitter > 0 {
            arrives = arrives + Duration::from_nanos(self.random.below(jitter));
        }
        for _ in 0..bytes.div_ceil(SEGMENT_BYTES) {
            while self.random.below(MILLION) < u64::from(self.path.loss) {
                arrives = arrives + self.path.retransmission;
            }
        }
        self.arrived = self.arrived.max(arrives);
        Some(Passage { sent, arrives: self.arrived })
    }

    /// Ends the link; what is under way is lost.
    pub const fn cut(&mut self) {
        self.cut = true;
    }

    /// Whether it was cut.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }
}

#[cfg(test)]
mod tests;
