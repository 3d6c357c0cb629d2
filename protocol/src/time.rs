//! Points in time as arguments. Not a clock: whoever calls reads one.

use std::{fmt, ops::Add, time::Duration};

use crate::limits::CLOCK_SKEW_MAX;

/// Wall-clock time in milliseconds since the Unix epoch, UTC: what signed statements carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// `ms` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// Time from `earlier` until this; zero if it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The span in which a signed statement may be believed: from `from` until just before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When it was issued.
    pub from: Timestamp,
    /// When it stops.
    pub until: Timestamp,
}

/// Why a statement is not believed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidityError {
    /// It ends before it begins, or lives longer than its kind may.
    #[error("life from {from} to {until} is empty or longer than {max:?}")]
    Life {
        /// When it was issued.
        from: Timestamp,
        /// When it stops.
        until: Timestamp,
        /// Longest life of its kind.
        max: Duration,
    },
    /// It was issued in the future, by more than clocks may differ.
    #[error("not yet valid: issued at {from}, now {now}")]
    NotYet {
        /// When it was issued.
        from: Timestamp,
        /// The time it was checked at.
        now: Timestamp,
    },
    /// Its time is over.
    #[error("expired at {until}, now {now}")]
    Expired {
        /// When it stopped.
        until: Timestamp,
        /// The time it was checked at.
        now: Timestamp,
    },
}

impl Validity {
    /// Checks that the span is not empty and at most `max` long.
    ///
    /// # Errors
    /// [`ValidityError::Life`].
    pub fn check_life(self, max: Duration) -> Result<(), ValidityError> {
        let Self { from, until } = self;
        if until <= from || until.since(from) > max {
            return Err(ValidityError::Life { from, until, max });
        }
        Ok(())
    }

    /// Checks that `now` is in the span; `from` may lie ahead by [`CLOCK_SKEW_MAX`].
    ///
    /// # Errors
    /// [`ValidityError::NotYet`] or [`ValidityError::Expired`].
    pub fn check(self, now: Timestamp) -> Result<(), ValidityError> {
        let Self { from, until } = self;
        if from > now + CLOCK_SKEW_MAX {
            return Err(ValidityError::NotYet { from, now });
        }
        if until <= now {
            return Err(ValidityError::Expired { until, now });
        }
        Ok(())
    }
}
