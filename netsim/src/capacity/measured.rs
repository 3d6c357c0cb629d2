//! What a run left behind: samples and sums. Not their statistics.

use super::{
    Options, SECOND,
    admission::Ending,
    session::{Session, State},
};
use crate::{clock::Instant, world::World};

/// Slices of a run for what is shown over time.
pub const SLICES: usize = 200;
/// Most nodes whose time is kept slice by slice.
const NODES_MAX: usize = 4_096;
/// Most institutions whose exchange is kept pair by pair.
const INSTITUTIONS_MAX: usize = 1_024;

/// One request that was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Whose workload.
    pub workload: u32,
    /// Seconds from the start when it was asked, and when its answer was whole.
    pub asked_s: f64,
    /// See above.
    pub ended_s: f64,
    /// Seconds until the first token.
    pub first_s: f64,
    /// Mean seconds of a further token; NaN of an answer of one token.
    pub token_s: f64,
    /// Tokens of prompt and answer.
    pub prompt: u32,
    /// See above.
    pub output: u32,
}

/// One pass, for a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PassRecord {
    /// The node.
    pub node: u32,
    /// Nanoseconds from the start.
    pub from_ns: u64,
    /// See above.
    pub to_ns: u64,
    /// Positions of prompts and of decode steps.
    pub prompt: u32,
    /// See above.
    pub decode: u32,
}

/// What one node did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeUse {
    /// Seconds it ran, all in all.
    pub busy_s: f64,
    /// Seconds it ran in each slice; empty if there are too many nodes.
    pub slices: Vec<f64>,
}

/// What one institution's clients got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstitutionUse {
    /// Requests that were answered, refused for good, turned away for want of room, and failed.
    pub answered: u64,
    /// See above.
    pub refused: u64,
    /// See above.
    pub turned_away: u64,
    /// See above.
    pub failed: u64,
}

/// Counts over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Tokens that came in each slice.
    pub tokens: Vec<u64>,
    /// Requests that reached their home in each slice, and those that ended, however they did.
    pub asked: Vec<u64>,
    /// See above.
    pub ended: Vec<u64>,
}

/// What a run left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Seconds that were simulated.
    pub until_s: f64,
    /// Requests that were answered, in order of their ends.
    pub samples: Vec<Sample>,
    /// Counts over time.
    pub series: Series,
    /// By node.
    pub nodes: Vec<NodeUse>,
    /// By institution.
    pub institutions: Vec<InstitutionUse>,
    /// Positions times blocks: what the first institution computed for the second, row by row;
    /// empty if there are too many institutions.
    pub given: Vec<u64>,
    /// Bytes over each line and the seconds it was sending.
    pub lines: Vec<(u64, f64)>,
    /// The first passes.
    pub passes: Vec<PassRecord>,
    /// Events handled, requests that came, and those that still waited or ran at the end.
    pub events: u64,
    /// See above.
    pub requests: u64,
    /// See above.
    pub waiting: u64,
    /// See above.
    pub running: u64,
    slice_ns: u64,
    /// The slice that was looked up last, and when it begins.
    last: (usize, u64),
    passes_max: usize,
}

impl Measured {
    pub(super) fn new(world: &World, options: &Options) -> Self {
        let until = super::seconds(options.until_s);
        let node = |_| NodeUse {
            busy_s: 0.0,
            slices: if world.nodes.len() <= NODES_MAX { vec![0.0; SLICES] } else { Vec::new() },
        };
        let institutions = world.institutions.len();
        let pairs = if institutions <= INSTITUTIONS_MAX { institutions.pow(2) } else { 0 };
        Self {
            until_s: options.until_s,
            samples: Vec::new(),
            series: Series {
                tokens: vec![0; SLICES],
                asked: vec![0; SLICES],
                ended: vec![0; SLICES],
            },
            nodes: (0..world.nodes.len()).map(node).collect(),
            institutions: vec![InstitutionUse::default(); institutions],
            given: vec![0; pairs],
            lines: Vec::new(),
            passes: Vec::new(),
            events: 0,
            requests: 0,
            waiting: 0,
            running: 0,
            slice_ns: (until.0 / SLICES as u64).max(1),
            last: (0, 0),
            passes_max: options.passes_max,
        }
    }

    fn slice(&mut self, at: Instant) -> usize {
        let (slice, begins) = self.last;
        if (begins..begins + self.slice_ns).contains(&at.0) {
            return slice;
        }
        let slice = usize::try_from(at.0 / self.slice_ns).unwrap_or(SLICES).min(SLICES - 1);
        self.last = (slice, slice as u64 * self.slice_ns);
        slice
    }

    /// Tokens came.
    pub(super) fn tokens(&mut self, count: u32, at: Instant) {
        let slice = self.slice(at);
        self.series.tokens[slice] += u64::from(count);
    }

    /// A request reaches its home for the first time.
    pub(super) fn asked(&mut self, at: Instant) {
        let slice = self.slice(at);
        self.series.asked[slice] += 1;
    }

    /// A node ran from one time to another.
    pub(super) fn busy(&mut self, node: usize, from: Instant, to: Instant) {
        self.ran(node, (from, to), 1.0);
    }

    /// A node ran for a share of a time.
    pub(super) fn ran(&mut self, node: usize, (from, to): (Instant, Instant), share: f64) {
        let (first, last) = (self.slice(from), self.slice(to));
        let slice_ns = self.slice_ns;
        let place = &mut self.nodes[node];
        let seconds = (to.0 - from.0) as f64 / SECOND * share;
        place.busy_s += seconds;
        if place.slices.is_empty() {
            return;
        }
        if first == last {
            place.slices[first] += seconds;
            return;
        }
        for slice in first..=last {
            let start = from.0.max(slice as u64 * slice_ns);
            let end = if slice == last { to.0 } else { (slice as u64 + 1) * slice_ns };
            place.slices[slice] += end.saturating_sub(start) as f64 / SECOND * share;
        }
    }

    /// A pass of a node from one time to another, with positions of prompts and of decode steps.
    pub(super) fn passed(
        &mut self,
        node: usize,
        (from, to): (Instant, Instant),
        positions: impl FnOnce() -> (u32, u32),
    ) {
        if self.passes.len() >= self.passes_max {
            return;
        }
        let (prompt, decode) = positions();
        self.passes.push(PassRecord {
            node: u32::try_from(node).unwrap_or(u32::MAX),
            from_ns: from.0,
            to_ns: to.0,
            prompt,
            decode,
        });
    }

    /// An institution ran blocks for a client of another one.
    pub(super) fn given(&mut self, giver: usize, taker: usize, positions: u32, blocks: u32) {
        if let Some(sum) = self.given.get_mut(giver * self.institutions.len() + taker) {
            *sum += u64::from(positions) * u64::from(blocks);
        }
    }

    pub(super) fn ended(&mut self, session: &Session, how: Ending, now: Instant) {
        if session.audit {
            return;
        }
        let slice = self.slice(now);
        self.series.ended[slice] += 1;
        let taker = &mut self.institutions[session.institution as usize];
        match how {
            Ending::Refused => taker.refused += 1,
            Ending::NoRoom => taker.turned_away += 1,
            Ending::Failed => taker.failed += 1,
            Ending::Done => {
                taker.answered += 1;
                let since = |from: Instant, to: Instant| (to.0 - from.0) as f64 / SECOND;
                let further = f64::from(session.output) - 1.0;
                self.samples.push(Sample {
                    workload: session.workload,
                    asked_s: session.asked.0 as f64 / SECOND,
                    ended_s: now.0 as f64 / SECOND,
                    first_s: since(session.asked, session.first),
                    token_s: match further > 0.0 {
                        true => since(session.first, session.last) / further,
                        false => f64::NAN,
                    },
                    prompt: session.prompt,
                    output: session.output,
                });
            }
        }
    }

    pub(super) fn end(&mut self, sessions: &[Session], events: u64, requests: u64) {
        let count = |wanted: &dyn Fn(State) -> bool| {
            sessions.iter().filter(|session| !session.audit && wanted(session.state)).count() as u64
        };
        self.waiting = count(&|state| state == State::Waiting);
        self.running = count(&|state| matches!(state, State::Prompt | State::Decode));
        self.events = events;
        self.requests = requests;
    }

    pub(super) fn line(&mut self, bytes: u64, busy_s: f64) {
        self.lines.push((bytes, busy_s));
    }

    /// Seconds of one slice.
    #[must_use]
    pub fn slice_s(&self) -> f64 {
        self.slice_ns as f64 / SECOND
    }

    /// The first slice that begins `from_s` seconds after the start or later; the last one at most.
    #[must_use]
    pub fn slice_from(&self, from_s: f64) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a run")]
        let first = (from_s / self.slice_s()).ceil() as usize;
        first.min(SLICES - 1)
    }

    /// Tokens per second from `from_s` on.
    #[must_use]
    pub fn tokens_per_s(&self, from_s: f64) -> f64 {
        let first = self.slice_from(from_s);
        let tokens: u64 = self.series.tokens[first..].iter().sum();
        tokens as f64 / ((SLICES - first) as f64 * self.slice_s())
    }
}
