//! The congestion window of a connection: slow start and CUBIC, as quinn has them. Not pacing.
//!
//! Source: RFC 9438, in the fluid limit: what quinn does for each acknowledged packet is done for all
//! bytes that a step acknowledges.

use std::time::Duration;

use super::quic::Quic;
use crate::clock::Instant;

/// UDP payload of a full packet once the path's MTU is known, bytes.
pub(super) const DATAGRAM: f64 = 1_452.0;
/// What is left of the window after a loss.
const BETA: f64 = 0.7;
/// Packets per second cubed by which the window grows.
const C: f64 = 0.4;

/// Window and what CUBIC remembers of the last loss.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Bytes that may be under way.
    bytes: f64,
    /// Below it, the window grows by what is acknowledged.
    threshold: f64,
    /// Window at the last loss, bytes.
    most: f64,
    /// Seconds from the last loss until the window is there again.
    until_most: f64,
    /// When the last loss was noticed.
    reduced: Option<Instant>,
}

impl Window {
    pub(super) fn new(quic: &Quic) -> Self {
        let bytes = quic.initial_window as f64;
        Self { bytes, threshold: f64::INFINITY, most: 0.0, until_most: 0.0, reduced: None }
    }

    pub(super) const fn bytes(&self) -> f64 {
        self.bytes
    }

    /// Whether it grows with what is acknowledged.
    pub(super) fn is_slow_start(&self) -> bool {
        self.bytes < self.threshold
    }

    /// Takes in `acked` bytes, sent at `sent` by a sender that had more to send; `round_trip` in
    /// seconds.
    pub(super) fn acked(&mut self, now: Instant, sent: Instant, acked: f64, round_trip: f64) {
        if self.reduced.is_some_and(|reduced| sent <= reduced) {
            return;
        }
        if self.is_slow_start() {
            self.bytes += acked;
            return;
        }
        let since = now.0.saturating_sub(self.reduced.unwrap_or(now).0);
        let since = Duration::from_nanos(since).as_secs_f64();
        let offset = since + round_trip - self.until_most;
        let cubic = C * offset * offset * offset * DATAGRAM + self.most;
        let reno = 3.0 * (1.0 - BETA) / (1.0 + BETA) * since / round_trip;
        let reno = self.most * BETA + reno * DATAGRAM;
        let grown = if cubic < reno {
            reno - self.bytes
        } else {
            (cubic - self.bytes) / self.bytes * acked
        };
        self.bytes += grown.clamp(0.0, acked);
    }

    /// Takes in that bytes sent at `sent` are lost.
    pub(super) fn lost(&mut self, now: Instant, sent: Instant) {
        if self.reduced.is_some_and(|reduced| sent <= reduced) {
            return;
        }
        self.reduced = Some(now);
        self.most =
            if self.bytes < self.most { self.bytes * (1.0 + BETA) / 2.0 } else { self.bytes };
        self.bytes = (self.bytes * BETA).max(2.0 * DATAGRAM);
        self.threshold = self.bytes;
        self.until_most = cube_root(self.most / DATAGRAM * (1.0 - BETA) / C);
    }
}

/// By Newton's method, whose bits do not depend on the host's library.
fn cube_root(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let mut root = x.max(1.0);
    for _ in 0..64 {
        let next = (2.0 * root + x / (root * root)) / 3.0;
        if next >= root {
            break;
        }
        root = next;
    }
    root
}

#[cfg(test)]
mod tests;
