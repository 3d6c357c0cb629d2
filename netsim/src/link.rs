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
        let sent = self.free.max(now) + busy;
        self.free = sent;
        let mut arrives = sent + self.path.delay;
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
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn link(jitter: u64, loss: u32) -> Link {
        let path = Path {
            delay: Duration::from_millis(10),
            bandwidth: 1_000_000,
            jitter: Duration::from_millis(jitter),
            loss,
            retransmission: Duration::from_millis(200),
        };
        Link::new(path, Random::new(1, 2))
    }

    #[test]
    fn a_message_takes_its_size_over_bandwidth_plus_delay_and_waits_for_those_before_it() {
        let mut link = link(0, 0);
        let passage =
            |sent, arrives| Some(Passage { sent: Instant(sent), arrives: Instant(arrives) });
        assert_eq!(link.send(Instant(0), 5_000), passage(5 * MS, 15 * MS));
        assert_eq!(link.send(Instant(MS), 1_000), passage(6 * MS, 16 * MS));
        assert_eq!(link.send(Instant(50 * MS), 1_000), passage(51 * MS, 61 * MS));
        link.cut();
        assert_eq!(link.send(Instant(60 * MS), 1), None);
    }

    #[test]
    fn jitter_and_loss_delay_messages_but_never_reorder_them() {
        let mut link = link(50, 200_000);
        let times: Vec<_> =
            (0..200).map(|i| link.send(Instant(i * MS), 100).unwrap().arrives).collect();
        assert!(times.is_sorted());
        assert!(times.iter().any(|at| at.0 > 400 * MS), "a loss costs a timeout");
    }
}
