//! Which waiting steps a stage runs together. Not the running.
//!
//! A microbatch reads the weights once for all its positions, so steps of several sessions share it.
//! Decode steps come first; what they leave of the budget goes to pieces of prefill steps, so that a
//! decode step waits for one microbatch at most unless decode steps alone are more than fit. Shares
//! are by positions: the institution that has had fewest for its weight comes next, and of its sessions the one
//! that has, but a step that has begun is finished first: prompts that take turns at every piece all
//! end late.

use std::collections::BTreeMap;

use crate::{id::SessionId, limits::SHARE_MAX};

/// Positions of one microbatch: what a decode step that has just come waits for. From about half
/// as many on, a CPU's time is arithmetic and more positions gain nothing.
pub const MICROBATCH_POSITIONS_MAX: u32 = 64;
/// Positions of them that decode steps leave to prefill if any waits, so that it goes on under any
/// load.
pub const PREFILL_POSITIONS_MIN: u32 = 16;
/// Longest step that counts as decode: one position, or a window of speculated ones. Longer ones are
/// prefill and are cut into pieces.
pub const DECODE_POSITIONS_MAX: u32 = 16;

/// A waiting step, as its owner names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Positions of one step that run in a microbatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The step.
    pub ticket: Ticket,
    /// First position, counted from the step's first.
    pub from: u32,
    /// Positions.
    pub positions: u32,
    /// Whether the step is complete with it.
    pub last: bool,
}

/// Steps that wait for one model on one device. Its owner bounds how many.
#[derive(Debug, Default)]
pub struct Microbatcher {
    /// In order of arrival.
    waiting: Vec<Waiting>,
    next_ticket: u64,
    institutions: BTreeMap<String, Share>,
    sessions: BTreeMap<SessionId, Share>,
    /// Positions the institution chosen last had had.
    institutions_now: u64,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    session: SessionId,
    institution: String,
    done: u32,
    left: u32,
}

/// What an institution or session has had.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// Positions; of an institution, times [`SHARE_MAX`] over its weight.
    positions: u64,
    /// Of an institution: positions its session chosen last had had.
    now: u64,
    /// Of an institution: its weight among others.
    weight: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { positions: 0, now: 0, weight: 1 }
    }
}

impl Microbatcher {
    /// Steps that wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a step of `positions` positions, behind those of its session.
    pub fn push(&mut self, institution: &str, session: SessionId, positions: u32) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        // Who has waited for nothing has no claim on what others had meanwhile.
        if !self.waiting.iter().any(|step| step.institution == institution) {
            let share = self.institutions.entry(institution.to_owned()).or_default();
            share.positions = share.positions.max(self.institutions_now);
        }
        let now = self.institutions.get(institution).map_or(0, |share| share.now);
        if !self.waiting.iter().any(|step| step.session == session) {
            let share = self.sessions.entry(session).or_default();
            share.positions = share.positions.max(now);
        }
        let institution = institution.to_owned();
        self.waiting.push(Waiting { ticket, session, institution, done: 0, left: positions });
        ticket
    }

    /// Gives an institution a weight, 1 to [`SHARE_MAX`]: of what several wait for, it gets as many
    /// times more. Without one it has 1.
    pub fn set_share(&mut self, institution: &str, weight: u32) {
        let share = self.institutions.entry(institution.to_owned()).or_default();
        share.weight = weight.clamp(1, SHARE_MAX);
    }

    /// Takes out the steps of a session that ended, and forgets it.
    pub fn close(&mut self, session: &SessionId) -> Vec<Ticket> {
        self.sessions.remove(session);
        let closed = self.waiting.extract_if(.., |step| step.session == *session);
        closed.map(|step| step.ticket).collect()
    }

    /// Takes out a step that failed; nothing more of it runs.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.waiting.retain(|step| step.ticket != ticket);
    }

    /// The next microbatch, empty if nothing waits: at most one piece of each session, in the order
    /// its steps came, and at most [`MICROBATCH_POSITIONS_MAX`] positions.
    pub fn take(&mut self) -> Vec<Piece> {
        let mut heads = self.heads();
        let prefill = heads.iter().any(|&index| !self.waiting[index].is_decode());
        let reserved = if prefill { PREFILL_POSITIONS_MIN } else { 0 };
        let mut left = MICROBATCH_POSITIONS_MAX;
        let mut pieces = Vec::new();
        for decode in [true, false] {
            let reserved = if decode { reserved } else { 0 };
            while let Some(place) = self.next_of(&heads, decode, left - reserved) {
                let index = heads.swap_remove(place);
                let piece = self.cut(index, left);
                left -= piece.positions;
                pieces.push(piece);
            }
        }
        self.waiting.retain(|step| step.left > 0);
        pieces
    }

    /// The first waiting step of each session.
    fn heads(&self) -> Vec<usize> {
        let mut seen = std::collections::BTreeSet::new();
        let steps = self.waiting.iter().enumerate();
        steps.filter(|(_, step)| seen.insert(step.session)).map(|(index, _)| index).collect()
    }

    /// Where in `heads` the step is that comes next: decode ones whole, others in pieces.
    fn next_of(&self, heads: &[usize], decode: bool, left: u32) -> Option<usize> {
        let fits = |step: &Waiting| {
            step.is_decode() == decode && if decode { step.left <= left } else { left > 0 }
        };
        let eligible = heads.iter().enumerate().filter(|(_, index)| fits(&self.waiting[**index]));
        let next = eligible.min_by_key(|(_, index)| {
            let step = &self.waiting[**index];
            let positions = |share: Option<&Share>| share.map_or(0, |share| share.positions);
            let institution = positions(self.institutions.get(&step.institution));
            let session = positions(self.sessions.get(&step.session));
            (institution, step.done == 0, session, step.ticket)
        });
        next.map(|(place, _)| place)
    }

    /// Takes up to `most` positions of a waiting step, and counts them.
    fn cut(&mut self, index: usize, most: u32) -> Piece {
        let step = &mut self.waiting[index];
        let positions = step.left.min(most);
        let (from, ticket) = (step.done, step.ticket);
        step.done += positions;
        step.left -= positions;
        let session = self.sessions.entry(step.session).or_default();
        let institution = self.institutions.entry(step.institution.clone()).or_default();
        self.institutions_now = institution.positions;
        institution.now = session.positions;
        let (positions_had, weight) = (u64::from(positions), u64::from(institution.weight));
        institution.positions += positions_had * u64::from(SHARE_MAX) / weight;
        session.positions += u64::from(positions);
        Piece { ticket, from, positions, last: step.left == 0 }
    }
}

impl Waiting {
    /// Whether it runs whole; the end of a long step stays prefill.
    const fn is_decode(&self) -> bool {
        self.done + self.left <= DECODE_POSITIONS_MAX
    }
}

#[cfg(test)]
mod tests;
