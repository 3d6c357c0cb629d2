//! Sessions of one home and one route that decode, as one: how far they are. Not what holds them up.

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};

use super::load::Flow;
use crate::{capacity::session::Hop, clock::Instant};

/// Tokens of a session's answer, since its cohort began.
pub(super) type Tokens = f64;

/// Sessions that go the same rounds. They draw tokens at one pace.
#[derive(Debug)]
pub(super) struct Cohort {
    pub route: Rc<[Hop]>,
    pub home: u32,
    /// Roads from home to the first stage and on, and back home.
    pub roads: Vec<Option<u32>>,
    /// Sessions, messages that carry their rows, and positions in the caches of all.
    pub count: u32,
    pub trains: f64,
    pub context: f64,
    /// Tokens that each of its sessions would have drawn by `at`.
    pub clock: Tokens,
    pub at: Instant,
    /// Nanoseconds of a round, and how many messages become part of others each nanosecond.
    pub round: f64,
    pub merges: f64,
    /// What it tells the nodes it comes to.
    pub told: Flow,
    /// Nanoseconds of home's own part for a message, as it told.
    pub head: f64,
    /// When answers are whole: the bits of the clock, the session and its epoch.
    ends: BinaryHeap<Reverse<(u64, u32, u32)>>,
    /// When it is looked at next.
    pub due: Instant,
    /// Rows that went round and are not in the books, and tokens.
    pub rows: f64,
    pub drawn: f64,
}

impl Cohort {
    pub(super) fn new(route: Rc<[Hop]>, home: u32, roads: Vec<Option<u32>>) -> Self {
        Self {
            route,
            home,
            roads,
            count: 0,
            trains: 0.0,
            context: 0.0,
            clock: 0.0,
            at: Instant(0),
            round: 0.0,
            merges: 0.0,
            told: Flow::default(),
            head: 0.0,
            ends: BinaryHeap::new(),
            due: Instant(u64::MAX),
            rows: 0.0,
            drawn: 0.0,
        }
    }

    /// Brings it up to `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        let ns = now.0.saturating_sub(self.at.0) as f64;
        self.at = now;
        if self.count == 0 || self.round <= 0.0 || ns <= 0.0 {
            return;
        }
        let tokens = ns / self.round;
        let all = tokens * f64::from(self.count);
        self.clock += tokens;
        self.context += all;
        self.rows += all;
        self.drawn += all;
        let more = self.trains - 1.0;
        if more > 0.0 && self.merges > 0.0 {
            // Fewer meet the fewer are left: never below one.
            self.trains = 1.0 + more / (1.0 + self.merges * ns / more);
        }
    }

    /// A session joins that has so many tokens to draw; returns when its answer is whole.
    pub(super) fn join(&mut self, (id, epoch): (u32, u32), left: u32, context: u64) -> Tokens {
        if self.count == 0 {
            self.clock = 0.0;
        }
        self.count += 1;
        self.trains += 1.0;
        self.context += context as f64;
        let end = self.clock + f64::from(left);
        self.ends.push(Reverse((end.to_bits(), id, epoch)));
        end
    }

    /// A session leaves with so many positions.
    pub(super) fn leave(&mut self, context: f64) {
        // Some travel alone.
        let others = f64::from(self.count) / self.trains.max(1.0) - 1.0;
        self.count = self.count.saturating_sub(1);
        let most = f64::from(self.count);
        self.trains = (self.trains - (-others).exp()).clamp(most.min(1.0), most);
        self.context = if self.count == 0 { 0.0 } else { (self.context - context).max(0.0) };
        if self.count == 0 {
            self.ends.clear();
        }
    }

    /// The next session whose answer is whole at its clock, and its epoch.
    pub(super) fn next_whole(&self) -> Option<(Tokens, u32, u32)> {
        let Reverse((end, id, epoch)) = self.ends.peek()?;
        Some((f64::from_bits(*end), *id, *epoch))
    }

    pub(super) fn pop(&mut self) {
        self.ends.pop();
    }

    /// Sessions of a message.
    pub(super) fn train(&self) -> f64 {
        f64::from(self.count) / self.trains.max(1.0)
    }
}
