//! Whether a request whose session did not open is tried again, without whom, and when. Not how a
//! session opens, nor what becomes of one that has begun.
//!
//! Nodes learn of each other one after the other: home may know a stage that the stage before it has
//! not heard of yet, and stages fill up, stop or lose their neighbours between two announcements.
//! Nothing of the prompt has left home by then, so another session may be opened for the same request.

use std::time::Duration;

use crate::{
    id::PeerKey,
    limits::{OPENINGS_MAX, OPENINGS_SPAN},
    refusal::{Cause, Refusal},
    time::Timestamp,
};

/// Pause before the same stages are tried again for the first time; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest such pause. With [`OPENINGS_MAX`] they outlast news on their way: gossip takes in new
/// nodes once a second, and who was new is told after three what it may have missed.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A session that ended before anything was made of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unopened {
    /// Why.
    pub refusal: Refusal,
    /// Whom it was for, as far as home can tell: the stage that refused, or the one that another
    /// did not reach.
    pub suspect: PeerKey,
}

/// What is left to do for a request whose session did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try a route at once that avoids who refused; if there is none, the request has failed.
    Elsewhere,
    /// Try such a route at once; if there is none, any, the same included, after this pause.
    Anywhere(Duration),
}

/// The sessions opened in vain for one request.
#[derive(Debug)]
pub struct Attempts {
    began: Timestamp,
    failed: u32,
    pause: Duration,
    avoided: Vec<PeerKey>,
}

impl Attempts {
    /// Of a request whose first session is opened now.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { began: now, failed: 0, pause: PAUSE, avoided: Vec::new() }
    }

    /// Takes in that one more did not open, and says what to do; `None` if the request has failed.
    pub fn failed(&mut self, now: Timestamp, unopened: &Unopened) -> Option<Retry> {
        self.failed += 1;
        if self.failed >= OPENINGS_MAX || now.since(self.began) >= OPENINGS_SPAN {
            return None;
        }
        let retry = retry(unopened.refusal.cause, self.pause)?;
        if !self.avoids(&unopened.suspect) {
            self.avoided.push(unopened.suspect);
        }
        Some(retry)
    }

    /// Whether a route should do without this peer.
    #[must_use]
    pub fn avoids(&self, peer: &PeerKey) -> bool {
        self.avoided.contains(peer)
    }

    /// The pause was made: whoever refused before may do by now, and the next pause is longer.
    pub fn paused(&mut self) {
        self.avoided.clear();
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// What a stage's refusal leaves to do.
///
/// A stage that does not admit home or another stage has not heard of it yet, as a rule: home plans
/// with those it admits itself, and if the two do not come to agree, that is what the client is told.
const fn retry(cause: Cause, pause: Duration) -> Option<Retry> {
    match cause {
        Cause::PeerLost
        | Cause::Timeout
        | Cause::Overloaded
        | Cause::Shutdown
        | Cause::NotServed
        | Cause::NotAdmitted => Some(Retry::Anywhere(pause)),
        // Neither passes within seconds; other nodes have quotas and disks of their own.
        Cause::Quota | Cause::Storage => Some(Retry::Elsewhere),
        // The same everywhere, what governance data is never guessed around, or a fault to be seen.
        Cause::Cancelled
        | Cause::Policy
        | Cause::Governance
        | Cause::PositionMismatch
        | Cause::Violation
        | Cause::NotFinite
        | Cause::Limit
        | Cause::Bug => None,
    }
}

/// Index of the stage that a refusal of the ring's opening is for, in a route of `stages`; `None` if
/// home itself gave up. `heard`: it came from a stage, and is not home's own word on its neighbour.
pub(super) fn suspect(refusal: &Refusal, heard: bool, stages: u32) -> Option<u32> {
    let by = (refusal.stage < stages).then_some(refusal.stage)?;
    match refusal.cause {
        // The last stage's next neighbour is home.
        Cause::PeerLost if heard => Some((by + 1).min(stages - 1)),
        _ => Some(by),
    }
}

#[cfg(test)]
mod tests;
