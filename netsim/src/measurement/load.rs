//! What the clients of a measurement got, counted as the simulator counts. Not how.

use comity_protocol::telemetry::Request;

use super::Measurement;
use crate::{
    capacity::Measured,
    statistics::{mean, percentile},
};

/// Rates and times of one configuration, measured or predicted.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Load {
    /// Requests that were answered within the time that counts.
    pub answers: usize,
    /// Tokens of answers per second.
    pub tokens_per_s: f64,
    /// Seconds to the first token: half are below.
    pub first_token_s: f64,
    /// The same: 95 of 100 are below.
    pub first_token_p95_s: f64,
    /// Mean seconds of a further token of an answer: half are below.
    pub token_s: f64,
}

/// When a request's tokens came, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenTimes {
    /// Its arrival.
    pub asked: f64,
    /// Its first token.
    pub first: f64,
    /// Its last one.
    pub last: f64,
    /// Its end.
    pub end: f64,
    /// Tokens.
    pub output: u32,
    /// Whether the answer came to its end.
    pub complete: bool,
}

impl TokenTimes {
    fn of(at_us: u64, request: &Request) -> Self {
        let asked = at_us.saturating_sub(request.end_us) as f64 / 1e6;
        let after = |us: u64| asked + us as f64 / 1e6;
        Self {
            asked,
            first: after(request.first_us),
            last: after(request.last_us),
            end: after(request.end_us),
            output: if request.first_us == 0 { 0 } else { request.output },
            complete: request.complete && request.first_us > 0,
        }
    }

    /// Mean seconds of a further token; not a number of one token.
    #[must_use]
    pub fn token_s(&self) -> f64 {
        if self.output < 2 {
            return f64::NAN;
        }
        (self.last - self.first) / (f64::from(self.output) - 1.0)
    }

    /// Tokens that came from one time to another, as if the further ones had come evenly.
    fn between(&self, from: f64, to: f64) -> f64 {
        if self.output == 0 {
            return 0.0;
        }
        let first = f64::from(u8::from((from..to).contains(&self.first)));
        let further = f64::from(self.output) - 1.0;
        let length = self.last - self.first;
        let within = (self.last.min(to) - self.first.max(from)).max(0.0);
        first + if length > 0.0 { further * within / length } else { 0.0 }
    }
}

impl Load {
    /// Of all requests, from one time to another; an answer counts where it ended.
    #[must_use]
    pub fn between(requests: &[TokenTimes], from: f64, to: f64) -> Self {
        let ended = |it: &&TokenTimes| it.complete && (from..to).contains(&it.last);
        let sorted = |value: fn(&TokenTimes) -> f64| {
            let mut all: Vec<f64> = requests.iter().filter(ended).map(value).collect();
            all.retain(|value| value.is_finite());
            all.sort_by(f64::total_cmp);
            all
        };
        let first = sorted(|it| it.first - it.asked);
        let tokens: f64 = requests.iter().map(|it| it.between(from, to)).sum();
        Self {
            answers: requests.iter().filter(ended).count(),
            tokens_per_s: tokens / (to - from),
            first_token_s: percentile(&first, 0.5),
            first_token_p95_s: percentile(&first, 0.95),
            token_s: percentile(&sorted(TokenTimes::token_s), 0.5),
        }
    }
}

impl Load {
    /// What a run's clients got, from `from_s` to its end.
    #[must_use]
    pub fn of_run(run: &Measured, from_s: f64) -> Self {
        let times = run.samples.iter().map(|it| {
            let first = it.asked_s + it.first_s;
            let further =
                if it.output > 1 { it.token_s * (f64::from(it.output) - 1.0) } else { 0.0 };
            let (output, end) = (it.output, it.ended_s);
            TokenTimes {
                asked: it.asked_s,
                first,
                last: first + further,
                end,
                output,
                complete: true,
            }
        });
        let load = Self::between(&times.collect::<Vec<_>>(), from_s, run.until_s);
        // Tokens of answers that had not ended are no samples.
        Self { tokens_per_s: run.tokens_per_s(from_s), ..load }
    }

    /// The mean of several.
    #[must_use]
    pub fn mean(all: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| mean(&all.iter().map(value).collect::<Vec<_>>());
        Self {
            answers: all.iter().map(|it| it.answers).sum::<usize>() / all.len().max(1),
            tokens_per_s: of(|it| it.tokens_per_s),
            first_token_s: of(|it| it.first_token_s),
            first_token_p95_s: of(|it| it.first_token_p95_s),
            token_s: of(|it| it.token_s),
        }
    }
}

impl Measurement {
    /// Requests of every home, each counted from the first one's arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<TokenTimes> {
        let mut all = Vec::new();
        for record in &self.records {
            let times = record.requests.iter().map(|(at, it)| TokenTimes::of(*at, it));
            let mut times: Vec<TokenTimes> = times.collect();
            let start = times.iter().map(|it| it.asked).fold(f64::INFINITY, f64::min);
            for it in &mut times {
                for time in [&mut it.asked, &mut it.first, &mut it.last, &mut it.end] {
                    *time -= start;
                }
            }
            all.extend(times);
        }
        all
    }

    /// What clients got from `from_s` on, in as many seconds as the scenario measures; `None` if no
    /// request was answered then.
    #[must_use]
    pub fn got(&self, from_s: f64) -> Option<Load> {
        let to_s = from_s + self.world.run.duration_s.get();
        let load = Load::between(&self.requests(), from_s, to_s);
        (load.answers > 0).then_some(load)
    }
}
