//! What a connection sent of late without a flow, and what of it is acknowledged. Not its window.

use std::time::Duration;

use super::{connection::nanoseconds, whole};
use crate::clock::Instant;

/// Single messages of a round trip.
#[derive(Debug, Clone, Copy, Default)]
struct Burst {
    first: Instant,
    last: Instant,
    bytes: u64,
}

/// Single messages sent of late, in the round trip before and in the present one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recent([Burst; 2]);

impl Recent {
    /// Bytes of both, whether acknowledged or not.
    pub(super) fn bytes(&self) -> [u64; 2] {
        self.0.map(|burst| burst.bytes)
    }

    /// Bytes of each burst that are not acknowledged at `now`, as if they had left evenly, and when the
    /// first and the last of them are.
    pub(super) fn under_way(
        &self,
        now: Instant,
        round_trip: u64,
    ) -> [(u64, (Duration, Duration)); 2] {
        self.0.map(|burst| {
            let left = (burst.last.0 + round_trip).saturating_sub(now.0);
            let length = burst.last.0 - burst.first.0;
            let bytes = match left {
                0 => 0,
                left if left >= length => burst.bytes,
                left => whole(burst.bytes as f64 * left as f64 / length as f64),
            };
            let from = left.saturating_sub(length);
            (bytes, (Duration::from_nanos(from), Duration::from_nanos(left)))
        })
    }

    /// Bytes of both that are not acknowledged at `now`.
    pub(super) fn sum(&self, now: Instant, round_trip: u64) -> u64 {
        self.under_way(now, round_trip).iter().map(|(bytes, _)| bytes).sum()
    }

    /// Adds bytes sent at `now` of which the last leave at `end`.
    pub(super) fn add(&mut self, now: Instant, end: Instant, round_trip: u64, bytes: u64) {
        let Self([before, present]) = self;
        let is_acked = now.0 >= before.last.0 + round_trip;
        if present.bytes == 0 || is_acked && now.0 >= present.first.0 + round_trip {
            *before = *present;
            *present = Burst { first: now, last: now, bytes: 0 };
        }
        present.last = present.last.max(end);
        present.bytes += bytes;
    }

    /// Notes bytes of a flow that left evenly within `round` before `now`.
    pub(super) fn follow(&mut self, now: Instant, round: Duration, bytes: u64) {
        let Self([before, present]) = self;
        let first = Instant(now.0.saturating_sub(nanoseconds(round)));
        // What was sent before the flow counts among its bytes.
        *before = Burst::default();
        *present = Burst { first, last: now, bytes };
    }
}
