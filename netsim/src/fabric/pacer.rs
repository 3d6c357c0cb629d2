//! How fast a window may leave: the token bucket of quinn. Not the window.
//!
//! Tokens are counted anew only when they run out, so that after a pause two bursts leave at once:
//! what was left, and what came meanwhile.

use super::window::DATAGRAM;
use crate::clock::Instant;

/// How much faster than a window per round trip QUIC sends (RFC 9002, §7.7).
const PACING: f64 = 1.25;
/// Seconds of sending that may leave at once.
const BURST_SECONDS: f64 = 0.002;
/// Bytes that may leave at once at least: ten packets.
pub(super) const LEAST_BURST: f64 = 10.0 * DATAGRAM;
/// The same at most.
const MOST_BURST: f64 = 256.0 * DATAGRAM;

/// What a window and a round trip allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Bytes a second.
    pub rate: f64,
    /// Bytes that leave at once; having sent them, QUIC waits until it may send as many again.
    pub most: f64,
}

impl Pace {
    /// Of a window of so many bytes and a round trip of so many seconds.
    pub(super) fn of(window: f64, round_trip: f64) -> Self {
        let burst = window * BURST_SECONDS / round_trip;
        Self { rate: PACING * window / round_trip, most: burst.clamp(LEAST_BURST, MOST_BURST) }
    }
}

/// What is left of a burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pacer {
    tokens: f64,
    counted: Instant,
}

impl Pacer {
    pub(super) const fn new() -> Self {
        Self { tokens: f64::INFINITY, counted: Instant(0) }
    }

    /// Bytes that could leave at once at `now`.
    pub(super) fn ready(&self, now: Instant, pace: Pace) -> f64 {
        self.tokens.min(pace.most) + self.fresh(now, pace)
    }

    /// Takes as many of `wanted` bytes as may leave at once at `now`.
    pub(super) fn take(&mut self, now: Instant, wanted: f64, pace: Pace) -> f64 {
        self.tokens = self.tokens.min(pace.most);
        if wanted <= self.tokens {
            self.tokens -= wanted;
            return wanted;
        }
        let (left, fresh) = (self.tokens, self.fresh(now, pace));
        let more = fresh.min(wanted - left);
        (self.tokens, self.counted) = (fresh - more, self.counted.max(now));
        left + more
    }

    /// When what was sent has left, as far as it held that back.
    pub(super) const fn spent(&self) -> Instant {
        self.counted
    }

    /// Notes that all that may leave until `end` has left.
    pub(super) fn spend(&mut self, end: Instant) {
        (self.tokens, self.counted) = (0.0, self.counted.max(end));
    }

    fn fresh(&self, now: Instant, pace: Pace) -> f64 {
        let since = now.0.saturating_sub(self.counted.0) as f64 / 1e9;
        (pace.rate * since).min(pace.most)
    }
}
