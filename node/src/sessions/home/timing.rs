//! When what happened to one request at home. Not what.

use std::time::Instant;

use comity_protocol::{
    receipt::FinishReason, session::home::Ending, telemetry::Request, time::Timestamp,
};

use super::Job;
use crate::{clock::Clock, telemetry::micros};

/// Moments of one request.
#[derive(Debug, Default)]
pub(super) struct Timing {
    /// When its first step was ready to leave.
    pub(super) left: Option<Instant>,
    first_token: Option<Instant>,
    /// The same moment on the clock of receipts.
    pub(super) first_token_at: Option<Timestamp>,
    last_token: Option<Instant>,
    /// Steps that came back and were drawn from.
    pub(super) steps: u32,
}

impl Timing {
    /// A token is there.
    pub(super) fn token(&mut self, clock: Clock) {
        let now = Instant::now();
        if self.first_token.is_none() {
            (self.first_token, self.first_token_at) = (Some(now), Some(clock.now()));
        }
        self.last_token = Some(now);
    }

    /// Nanoseconds from the request's arrival to the first token; 0 without one.
    pub(super) fn first_token_ns(&self, arrived: Instant) -> u64 {
        self.first_token.map_or(0, |first| nanos(arrived, first))
    }

    /// Nanoseconds from the first token to the last; 0 without one.
    pub(super) fn decode_ns(&self) -> u64 {
        self.first_token.zip(self.last_token).map_or(0, |(first, last)| nanos(first, last))
    }

    /// What telemetry hears of the request, but for its end.
    pub(super) fn request(&self, job: &Job, ending: &Ending) -> Request {
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let since = |at: Option<Instant>| {
            at.map_or(0, |at| micros(at.saturating_duration_since(job.asked.arrived)))
        };
        Request {
            stages: count(job.route.stages().len()),
            prompt: job.asked.prompt_tokens,
            reused: ending.cached,
            output: count(ending.output.len()),
            steps: self.steps,
            open_us: since(self.left),
            first_us: since(self.first_token),
            last_us: since(self.last_token),
            end_us: 0,
            // A session that loses its route ends with it; the request may have had others before.
            moved: 0,
            complete: matches!(ending.reason, FinishReason::Stop | FinishReason::Length),
        }
    }
}

fn nanos(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}
