//! The bottleneck of a path: bytes leave it one after another, at its rate. Not what lies behind it.

use std::time::Duration;

use crate::clock::Instant;

/// A sender's line. It has no end to its queue: whoever fills it asks first what waits.
#[derive(Debug)]
pub struct Line {
    bandwidth: u64,
    free: Instant,
}

impl Line {
    /// An idle line of `bandwidth` bytes per second, at least one; `u64::MAX` takes no time.
    #[must_use]
    pub const fn new(bandwidth: u64) -> Self {
        Self { bandwidth, free: Instant(0) }
    }

    /// Bytes that have not left at `now`, with what is left of the message being sent.
    #[must_use]
    pub fn waiting(&self, now: Instant) -> u64 {
        let ns = u128::from(self.free.0.saturating_sub(now.0));
        u64::try_from(ns * u128::from(self.bandwidth) / 1_000_000_000).unwrap_or(u64::MAX)
    }

    /// Queues `bytes` at `now`; returns when the last of them leaves.
    pub fn send(&mut self, now: Instant, bytes: u64) -> Instant {
        let ns = u128::from(bytes) * 1_000_000_000 / u128::from(self.bandwidth.max(1));
        self.free =
            self.free.max(now) + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX));
        self.free
    }
}

#[cfg(test)]
mod tests;
