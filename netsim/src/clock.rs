//! Virtual time in nanoseconds. Not the machine's.

use std::{ops::Add, time::Duration};

use comity_protocol::time::Timestamp;

/// Wall-clock time at which every simulation starts, milliseconds.
const START_MS: u64 = 1_800_000_000_000;

/// Nanoseconds since the simulation started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// What a node's wall clock shows now.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        Timestamp::from_ms(START_MS + self.0 / 1_000_000)
    }

    /// When a node's wall clock first shows `timestamp`.
    #[must_use]
    pub const fn of(timestamp: Timestamp) -> Self {
        Self(timestamp.as_ms().saturating_sub(START_MS).saturating_mul(1_000_000))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ns))
    }
}
