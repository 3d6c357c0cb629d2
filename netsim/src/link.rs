//! One direction of a reliable, ordered stream over a slow and lossy path. Not congestion control.
//!
//! [`datagram`] is the same path for datagrams, which are lost for good; both wait for a
//! [`Line`].

pub mod datagram;
pub mod line;

use std::time::Duration;

use self::line::Line;
use crate::{clock::Instant, random::Random};

/// Payload of one packet, bytes: what fits the least MTU of QUIC.
const SEGMENT_BYTES: u64 = 1_200;
/// Loss is a share of this.
pub(crate) const MILLION: u32 = 1_000_000;

/// What a path is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// One-way delay.
    pub delay: Duration,
    /// Bytes per second; at least one.
    pub bandwidth: u64,
    /// Bytes that may wait before the path; what comes on top is dropped, and a stream sends it again.
    pub queue: u64,
    /// Greatest extra delay of one message.
    pub jitter: Duration,
    /// Lost segments of a million; below a million for a stream, which else would never arrive.
    pub loss: u32,
    /// What each loss costs a stream: a retransmission timeout.
    pub retransmission: Duration,
}

impl Path {
    /// Extra delay of one message.
    fn draw_jitter(&self, random: &mut Random) -> Duration {
        let jitter = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
        if jitter == 0 { Duration::ZERO } else { Duration::from_nanos(random.below(jitter)) }
    }

    /// Whether one packet is lost.
    fn draw_loss(&self, random: &mut Random) -> bool {
        random.below(u64::from(MILLION)) < u64::from(self.loss)
    }
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link {
    path: Path,
    random: Random,
    line: Line,
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
        let line = Line::new(path.bandwidth);
        Self { path, random, line, arrived: Instant(0), cut: false }
    }

    /// Queues `bytes` at `now`; `None` once the link is cut.
    pub fn send(&mut self, now: Instant, bytes: usize) -> Option<Passage> {
        if self.cut {
            return None;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let waiting = self.line.waiting(now);
        let sent = self.line.send(now, bytes);
        let mut arrives = sent + self.path.delay;
        if waiting > self.path.queue {
            arrives = arrives + self.path.retransmission;
        }
        arrives = arrives + self.path.draw_jitter(&mut self.random);
        for _ in 0..bytes.div_ceil(SEGMENT_BYTES) {
            while self.path.draw_loss(&mut self.random) {
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
