//! What telemetry hears of passes and heads. Not what runs.

use std::{collections::BTreeMap, time::Instant};

use comity_protocol::{
    microbatch::{DECODE_POSITIONS_MAX, Piece, Ticket},
    telemetry::{Event, Head, Pass},
};

use super::worker::Waiting;
use crate::telemetry::micros;

/// A pass that has begun.
pub(super) struct Told {
    pass: Pass,
    begun: Instant,
}

impl Told {
    /// Sums up `pieces` of the steps in `waiting`, which began to run together at `begun`.
    pub(super) fn of(
        pieces: &[Piece],
        waiting: &BTreeMap<Ticket, Waiting>,
        begun: Instant,
    ) -> Self {
        let (shard, blocks, took_us) = (0, 0, 0);
        let (sessions, prompt, decode, context, waited_us) = (0, 0, 0, 0, 0);
        let mut pass =
            Pass { shard, blocks, sessions, prompt, decode, context, waited_us, took_us };
        for piece in pieces {
            let Some(step) = waiting.get(&piece.ticket) else { continue };
            // A pass has one piece of a session at most.
            pass.sessions += 1;
            if step.positions() <= DECODE_POSITIONS_MAX {
                pass.decode += piece.positions;
            } else {
                pass.prompt += piece.positions;
            }
            let (first, count) = (u64::from(step.start + piece.from), u64::from(piece.positions));
            pass.context += first * count + count * count.saturating_sub(1) / 2;
            let waited = step.since.map_or(0, |since| micros(begun - since));
            pass.waited_us = pass.waited_us.max(waited);
        }
        Self { pass, begun }
    }

    /// The pass, which has ended, through blocks of a shard.
    pub(super) fn ended(self, shard: u32, blocks: u32) -> Event {
        let took_us = micros(self.begun.elapsed());
        Event::Pass(Pass { shard, blocks, took_us, ..self.pass })
    }
}

/// A run of the head, which has ended, over `rows`.
pub(super) fn head(rows: u32, begun: Instant) -> Event {
    Event::Head(Head { rows, took_us: micros(begun.elapsed()) })
}
