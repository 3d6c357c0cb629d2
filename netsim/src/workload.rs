//! Requests as a workload makes them: when the next one comes, and how long it is. Not who takes it.

use rand_distr::{Distribution as _, Exp1, Gamma, Geometric, LogNormal};

use crate::{
    random::Random,
    scenario::{Diurnal, LengthsOf, Prefix},
    world::{Arrival, Length, Workload},
};

/// Random streams of a workload: drawing more of one never shifts another.
const ARRIVALS: u64 = 0x5752_4b01;
const LENGTHS: u64 = 0x5752_4b02;
const PEOPLE: u64 = 0x5752_4b03;
const BEGINNINGS: u64 = 0x5752_4b04;

/// One workload's requests.
#[derive(Debug, Clone)]
pub struct Source {
    arrival: Arrival,
    length: Length,
    diurnal: Option<Diurnal>,
    /// Mean requests of a conversation, and mean seconds between them.
    turns: (f64, f64),
    prefix: Option<Prefix>,
    arrivals: Random,
    lengths: Random,
    people: Random,
    beginnings: Random,
    /// Arrivals tried.
    count: usize,
    /// Lengths handed out.
    drawn: u64,
    /// Whether it is busy, and until when.
    busy: (bool, f64),
    /// Of counts: times still to come within the interval, and the next interval.
    pending: (Vec<f64>, usize),
}

impl Source {
    /// The requests of workload number `index` in the run of `seed`.
    #[must_use]
    pub fn new(workload: &Workload, index: usize, seed: u64) -> Self {
        let stream = |purpose| Random::of(seed, purpose, index as u64);
        Self {
            arrival: workload.arrival.clone(),
            length: workload.length.clone(),
            diurnal: workload.diurnal,
            turns: workload.turns.map_or((1.0, 0.0), |it| (it.mean.get(), it.think_s.get())),
            prefix: workload.prefix,
            arrivals: stream(ARRIVALS),
            lengths: stream(LENGTHS),
            people: stream(PEOPLE),
            beginnings: stream(BEGINNINGS),
            count: 0,
            drawn: 0,
            busy: (false, 0.0),
            pending: (Vec::new(), 0),
        }
    }

    /// Seconds of the next request that nothing but the clock calls for; `None` if there is none.
    pub fn next(&mut self, after: f64) -> Option<f64> {
        let mut at = after;
        loop {
            at = self.candidate(at)?;
            // Thinning, from the peak down to the hour's rate. Source: Lewis and Shedler 1979.
            let Some(diurnal) = self.diurnal else { return Some(at) };
            let swing = diurnal.swing.get();
            let angle = (at / 3_600.0 - diurnal.peak_hour.get()) / 24.0 * std::f64::consts::TAU;
            let rate = swing.mul_add(angle.cos(), 1.0) / (1.0 + swing);
            if self.arrivals.unit() < rate {
                return Some(at);
            }
        }
    }

    /// The next time at the highest rate of the day.
    fn candidate(&mut self, after: f64) -> Option<f64> {
        let peak = self.diurnal.map_or(1.0, |diurnal| 1.0 + diurnal.swing.get());
        let index = self.count;
        self.count += 1;
        match &self.arrival {
            Arrival::Gamma(rate, _) if *rate == 0.0 => None,
            Arrival::Gamma(rate, variation) => {
                let mean = 1.0 / (rate * peak);
                let shape = 1.0 / (variation * variation);
                let gap: f64 = if shape == 1.0 {
                    let unit: f64 = Exp1.sample(&mut self.arrivals);
                    unit * mean
                } else {
                    let gamma = Gamma::new(shape, mean / shape).ok()?;
                    gamma.sample(&mut self.arrivals)
                };
                Some(after + gap)
            }
            Arrival::Mmpp(rates, means) => {
                let (rates, means) = (*rates, *means);
                let mut at = after;
                loop {
                    let state = usize::from(self.busy.0);
                    let gap: f64 = Exp1.sample(&mut self.arrivals);
                    let next = at + gap / (rates[state] * peak);
                    if next < self.busy.1 {
                        return Some(next);
                    }
                    at = at.max(self.busy.1);
                    let stay: f64 = Exp1.sample(&mut self.arrivals);
                    let other = usize::from(!self.busy.0);
                    self.busy = (!self.busy.0, at + stay * means[other]);
                }
            }
            Arrival::Closed(..) | Arrival::Backlog(_) => None,
            Arrival::At(times) => times.get(index).copied(),
            Arrival::Counts(counts, interval, rate) => {
                let mean = counts.iter().map(|count| f64::from(*count)).sum::<f64>();
                let scale = rate * peak * interval * counts.len() as f64 / mean;
                while self.pending.0.is_empty() {
                    let start = self.pending.1 as f64 * interval;
                    let wanted = f64::from(counts[self.pending.1 % counts.len()]) * scale;
                    let part = self.arrivals.unit() < wanted.fract();
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a count of a file"
                    )]
                    let number = wanted.floor() as u32 + u32::from(part);
                    let drawn = (0..number).map(|_| self.arrivals.unit().mul_add(*interval, start));
                    self.pending.0 = drawn.collect();
                    self.pending.0.sort_by(|one, other| other.total_cmp(one));
                    self.pending.1 += 1;
                }
                self.pending.0.pop()
            }
        }
    }

    /// Tokens of a prompt and its answer; one or more each.
    pub fn length(&mut self) -> (u32, u32) {
        match &self.length {
            Length::Drawn(prompt, output) => {
                let (prompt, output) = (*prompt, *output);
                (draw(prompt, &mut self.lengths), draw(output, &mut self.lengths))
            }
            Length::Rows(rows, in_order) => {
                let count = rows.len() as u64;
                let row = if *in_order { self.drawn % count } else { self.lengths.below(count) };
                self.drawn += 1;
                rows[usize::try_from(row).unwrap_or(0)]
            }
        }
    }

    /// The beginning that the next prompt shares with others, by its number, and its tokens.
    pub fn prefix(&mut self) -> Option<(u32, u32)> {
        let prefix = self.prefix?;
        let group = self.beginnings.below(u64::from(prefix.groups));
        Some((u32::try_from(group).unwrap_or(0), prefix.tokens))
    }

    /// Seconds until who got an answer asks again within the same conversation, if so.
    pub fn follows(&mut self) -> Option<f64> {
        let (mean, think) = self.turns;
        (self.people.unit() >= 1.0 / mean).then(|| think * exponential(&mut self.people))
    }

    /// Seconds of thought of one of a fixed number of people.
    pub fn thinks(&mut self) -> Option<f64> {
        match self.arrival {
            Arrival::Closed(_, think) => Some(think * exponential(&mut self.people)),
            _ => None,
        }
    }

    /// Whether an answer is chosen to be computed again.
    pub fn audited(&mut self, share: f64) -> bool {
        share > 0.0 && self.people.unit() < share
    }
}

fn exponential(random: &mut Random) -> f64 {
    Exp1.sample(random)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn draw(of: LengthsOf, random: &mut Random) -> u32 {
    match of {
        LengthsOf::Fixed(tokens) => tokens,
        LengthsOf::Lognormal { median, sigma, max } => {
            let drawn = LogNormal::new(median.get().ln(), sigma.get());
            let tokens = drawn.map_or_else(|_| median.get(), |drawn| drawn.sample(random));
            tokens.round().clamp(1.0, f64::from(max)) as u32
        }
        LengthsOf::Geometric { mean, max } => {
            let drawn = Geometric::new((1.0 / mean.get()).min(1.0));
            let further = drawn.map_or(0, |drawn| drawn.sample(random));
            (further.saturating_add(1)).min(u64::from(max)) as u32
        }
    }
}

#[cfg(test)]
mod tests;
