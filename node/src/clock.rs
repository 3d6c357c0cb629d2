//! The one place that reads the clock for decisions and signatures.
//!
//! Wall-clock time is read once and then advanced by the monotonic clock, so that a step of the
//! system's clock neither ends sessions nor turns back timestamps while the daemon runs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use comity_protocol::time::Timestamp;

/// A clock that never turns back. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Timestamp,
    started: Instant,
}

impl Clock {
    /// A clock that starts at the system's wall-clock time.
    #[must_use]
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Self { wall, started: Instant::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(self) -> Timestamp {
        self.wall + self.started.elapsed()
    }

    /// When the monotonic clock shows `time`; now if that has passed.
    #[must_use]
    pub fn instant(self, time: Timestamp) -> tokio::time::Instant {
        tokio::time::Instant::now() + time.since(self.now())
    }
}
