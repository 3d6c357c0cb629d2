//! Sessions whose decode steps travel as one: those of a home that met in a pass and go on over the
//! same stages, until their answers end. Not how they travel.
//!
//! Whatever befalls one of them befalls all, for they share home and route: so the first one's epoch
//! tells whether a step still means something.

use std::rc::Rc;

use super::{
    Run,
    session::{Session, Step},
};

/// Where to find the step of each home that others join.
#[derive(Debug, Default)]
pub(super) struct Meets {
    /// Of each home: the pass it was last seen in, and its place there.
    seen: Vec<(u64, usize)>,
    pass: u64,
}

impl Step {
    /// How many sessions it is of.
    pub(super) const fn count(&self) -> u32 {
        if self.prompt { 1 } else { self.positions }
    }

    /// Adds a session to a decode step of others.
    pub(super) fn add(&mut self, sessions: &mut [Session], id: u32, context: u64) {
        sessions[self.last as usize].next = id;
        self.last = id;
        self.resize(self.positions + 1);
        self.context += context;
    }

    fn resize(&mut self, count: u32) {
        (self.positions, self.left, self.piece) = (count, count, count);
    }
}

/// The sessions of a step.
pub(super) fn members<'a>(
    sessions: &'a [Session],
    step: &Step,
) -> impl Iterator<Item = &'a Session> + use<'a> {
    let next = |session: &&'a Session| Some(&sessions[session.next as usize]);
    let mut left = step.count();
    let mut at = Some(&sessions[step.session as usize]);
    std::iter::from_fn(move || {
        let session = at?;
        left = left.checked_sub(1)?;
        // What follows the last one means nothing.
        at = if left > 0 { next(&session) } else { None };
        Some(session)
    })
}

impl Run<'_> {
    /// Lets decode steps that ran together and go on together travel as one from now on.
    pub(super) fn join(&mut self, steps: &mut Vec<Step>) {
        // Where each step takes time to send, they part again.
        if steps.len() < 2 || self.world.network.software.1 > 0 {
            return;
        }
        self.meets.pass += 1;
        self.meets.seen.resize(self.workers.len(), (0, 0));
        let mut kept = 0;
        for place in 0..steps.len() {
            let step = steps[place];
            if !step.prompt {
                let home = self.sessions[step.session as usize].home as usize;
                let (pass, other) = self.meets.seen[home];
                if pass == self.meets.pass && self.joins(&mut steps[other], &step) {
                    continue;
                }
                self.meets.seen[home] = (self.meets.pass, kept);
            }
            steps[kept] = step;
            kept += 1;
        }
        steps.truncate(kept);
    }

    /// Adds the sessions of a step to another one of the same home, if they go the same way.
    fn joins(&mut self, step: &mut Step, other: &Step) -> bool {
        let route = |step: &Step| &self.sessions[step.session as usize].route;
        let (one, two) = (route(step), route(other));
        let alike = (step.stage, step.institution) == (other.stage, other.institution);
        if !alike || !Rc::ptr_eq(one, two) && one != two {
            return false;
        }
        self.sessions[step.last as usize].next = other.session;
        step.last = other.last;
        step.resize(step.positions + other.positions);
        step.context += other.context;
        true
    }

    /// Leaves the first `most` sessions of a decode step in it; returns the step of the others.
    pub(super) fn part(&self, step: &mut Step, most: u32) -> Step {
        let mut rest = *step;
        for _ in 0..most {
            let session = &self.sessions[rest.session as usize];
            rest.context -= session.context;
            step.last = rest.session;
            rest.session = session.next;
        }
        rest.epoch = self.sessions[rest.session as usize].epoch;
        step.context -= rest.context;
        rest.resize(step.positions - most);
        step.resize(most);
        rest
    }
}
