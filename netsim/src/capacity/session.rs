//! One request on its way. Not where its steps are.

use std::rc::Rc;

use comity_protocol::block::BlockRange;

use crate::{clock::Instant, world::Workload};

/// A stage of a route: which node, which blocks.
pub(super) type Hop = (u32, BlockRange);

/// Some positions of a session, or one each of several, on their way through their stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Its first session and its last one; a decode step is of as many as it has positions.
    pub(super) session: u32,
    pub(super) last: u32,
    /// Of an earlier epoch: the session has another route since, or none.
    pub(super) epoch: u32,
    /// Positions of the step.
    pub(super) positions: u32,
    /// Of them, not run yet at this stage.
    pub(super) left: u32,
    /// Positions of it in the pass that runs.
    pub(super) piece: u32,
    /// Positions that a decode step looks back at, of all its sessions.
    pub(super) context: u64,
    /// The node that runs it or will, and blocks of it there; none at home.
    pub(super) node: u32,
    pub(super) blocks: u16,
    /// Whose client asked.
    pub(super) institution: u32,
    /// Stage from 0; the number of stages stands for home.
    pub(super) stage: u16,
    /// Whether it is of a prompt, and whether a row of it returns to home.
    pub(super) prompt: bool,
    pub(super) returns: bool,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for room.
    Waiting,
    /// Its prompt runs.
    Prompt,
    /// Tokens come.
    Decode,
    /// It waits to be asked again.
    Pausing,
    /// It is over.
    Over,
}

/// One request. In this order, so that what each of its tokens reads and writes lies in one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Session {
    pub(super) route: Rc<[Hop]>,
    /// Positions in the caches.
    pub(super) context: u64,
    /// When the last token came.
    pub(super) last: Instant,
    /// The one behind it in their common step, if it is not the last.
    pub(super) next: u32,
    pub(super) epoch: u32,
    pub(super) workload: u32,
    /// Node that took its prompt.
    pub(super) home: u32,
    /// Tokens asked for, and those that came.
    pub(super) output: u32,
    pub(super) produced: u32,
    pub(super) state: State,
    /// Whether it computes another answer again; nobody waits for it.
    pub(super) audit: bool,
    /// Whose client asked.
    pub(super) institution: u32,
    pub(super) prompt: u32,
    /// Positions of the prompt that stages kept of the turn before.
    pub(super) kept: u32,
    /// Which beginning its prompt shares with others, and the tokens of that.
    pub(super) prefix: Option<(u32, u32)>,
    /// When it was asked, and when the first token came.
    pub(super) asked: Instant,
    pub(super) first: Instant,
    /// Times it lost a stage.
    pub(super) losses: u32,
    /// On the mean, with whom it decodes, and when its answer is whole.
    pub(super) cohort: Option<u32>,
    pub(super) whole_at: f64,
}

const _: () = assert!(std::mem::offset_of!(Session, institution) <= 64);

impl Step {
    /// Whether it is on its way to home, or there.
    pub(super) const fn is_home(&self) -> bool {
        self.blocks == 0
    }
}

impl Session {
    pub(super) fn new(
        (workload, owner): (u32, &Workload),
        (prompt, output): (u32, u32),
        asked: Instant,
    ) -> Self {
        Self {
            route: Rc::from([]),
            context: 0,
            last: Instant(0),
            next: 0,
            epoch: 0,
            workload,
            home: u32::try_from(owner.home).unwrap_or(u32::MAX),
            output,
            produced: 0,
            state: State::Waiting,
            audit: false,
            institution: u32::try_from(owner.institution).unwrap_or(u32::MAX),
            prompt,
            kept: 0,
            prefix: None,
            asked,
            first: Instant(0),
            losses: 0,
            cohort: None,
            whole_at: 0.0,
        }
    }

    pub(super) const fn is_running(&self) -> bool {
        matches!(self.state, State::Prompt | State::Decode)
    }

    /// Whether a step of it still means something.
    pub(super) const fn awaits(&self, step: &Step) -> bool {
        self.epoch == step.epoch && self.is_running()
    }

    /// Puts a step at the stage it has come to; `false` if it goes nowhere any more.
    pub(super) fn place(&self, step: &mut Step) -> bool {
        match self.route.get(usize::from(step.stage)) {
            Some((node, blocks)) => {
                step.node = *node;
                step.blocks = u16::try_from(blocks.len()).unwrap_or(u16::MAX);
                true
            }
            None => {
                (step.node, step.blocks) = (self.home, 0);
                step.returns
            }
        }
    }

    /// Positions every stage keeps room for.
    pub(super) fn positions(&self) -> u64 {
        u64::from(self.prompt) + u64::from(self.output)
    }
}
