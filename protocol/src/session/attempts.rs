//! Whether a request whose session did not open is tried again, without whom, and when. Not how a
//! session opens, nor what becomes of one that has begun.
//!
//! Nodes learn of each other one after the other: home may know a stage that the stage before it has
//! not heard of yet, and stages fill up, stop or lose their neighbours between two announcements. No
//! token and no hidden state has left home by then, so another session may be opened for the same
//! request.

mod blame;

use std::time::Duration;

pub(super) use self::blame::{Source, blame};
use crate::{
    id::PeerKey,
    limits::{OPENINGS_MAX, OPENINGS_SPAN},
    refusal::{Cause, Refusal},
    time::Timestamp,
};

/// Pause before the same stages are tried again for the first time; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Pauses after a stage that does not know home, another stage or what it is to serve: gossip takes
/// in new nodes once a second, and who was new is told after three what it may have missed. A stage
/// that says the same once more means it.
const NEWS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// A session that ended before a token or a hidden state left home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unopened {
    /// Why.
    pub refusal: Refusal,
    /// The stage that said so, or that home itself did not reach.
    pub reporter: PeerKey,
    /// Whom it was for, as far as home can tell: the stage that refused, or the one that another
    /// says it lost.
    pub accused: PeerKey,
}

/// What is left to do for a request whose session did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try a route at once that avoids who refused; if there is none, the request has failed.
    Elsewhere,
    /// Try such a route at once; if there is none, another one after this pause, the same included.
    Anywhere(Pause),
}

/// Bounds of a pause. Requests that failed together are not to come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    least: Duration,
}

impl Pause {
    /// Between the least and half as long again, evenly over `draw`, which is random.
    #[must_use]
    pub fn drawn(self, draw: u32) -> Duration {
        self.least + self.least.mul_f64(f64::from(draw) / f64::from(u32::MAX) / 2.0)
    }
}

/// The sessions opened in vain for one request.
#[derive(Debug)]
pub struct Attempts {
    home: PeerKey,
    began: Timestamp,
    failed: u32,
    pause: Duration,
    /// Who refused for what does not pass within seconds; avoided to the end.
    lasting: Vec<PeerKey>,
    /// Who may do by the end of a pause.
    passing: Vec<PeerKey>,
    /// Who said that it lost another, be it true or not.
    reporters: Vec<PeerKey>,
    /// Who said so twice; avoided as long as there is a route without them.
    doubted: Vec<PeerKey>,
    /// Who does not know enough, with what it said, each as often as it did.
    unknowing: Vec<(PeerKey, Cause)>,
}

impl Attempts {
    /// Of a request of `home` whose first session is opened now.
    #[must_use]
    pub const fn new(now: Timestamp, home: PeerKey) -> Self {
        Self {
            home,
            began: now,
            failed: 0,
            pause: PAUSE,
            lasting: Vec::new(),
            passing: Vec::new(),
            reporters: Vec::new(),
            doubted: Vec::new(),
            unknowing: Vec::new(),
        }
    }

    /// Takes in that one more did not open, and says what to do; `None` if the request has failed.
    pub fn failed(&mut self, now: Timestamp, unopened: &Unopened) -> Option<Retry> {
        self.failed += 1;
        if self.failed >= OPENINGS_MAX || now.since(self.began) >= OPENINGS_SPAN {
            return None;
        }
        let Unopened { refusal: Refusal { cause, .. }, reporter, accused } = unopened;
        let mut least = self.pause;
        match nature(*cause) {
            Nature::Final => return None,
            // Its own sessions are what fills home: one more of them is no help.
            Nature::Passes if *cause == Cause::Overloaded && *accused == self.home => return None,
            Nature::Passes => {
                add(&mut self.passing, *accused);
            }
            Nature::Unknowing => {
                let said = (*accused, *cause);
                let before = self.unknowing.iter().filter(|it| **it == said).count();
                least = *NEWS.get(before)?;
                self.unknowing.push(said);
                add(&mut self.passing, *accused);
            }
            Nature::Lasts => {
                add(&mut self.lasting, *accused);
            }
        }
        if reporter != accused && !add(&mut self.reporters, *reporter) {
            add(&mut self.doubted, *reporter);
        }
        let retry = Retry::Anywhere(Pause { least });
        Some(if self.passing.is_empty() { Retry::Elsewhere } else { retry })
    }

    /// Whether a route should do without this peer.
    #[must_use]
    pub fn avoids(&self, peer: &PeerKey) -> bool {
        [&self.lasting, &self.passing, &self.doubted].iter().any(|list| list.contains(peer))
    }

    /// The pause was made: who refused for what passes may do by now, and the next pause is longer.
    pub fn paused(&mut self) {
        self.passing.clear();
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// There is no route without those who were only doubted: they are avoided no longer, until they
    /// report again. Whether there were any.
    pub fn relent(&mut self) -> bool {
        !std::mem::take(&mut self.doubted).is_empty()
    }
}

/// Adds a peer that is not there yet; whether it was not.
fn add(peers: &mut Vec<PeerKey>, peer: PeerKey) -> bool {
    let new = !peers.contains(&peer);
    if new {
        peers.push(peer);
    }
    new
}

/// What to expect of who refused.
enum Nature {
    /// Another answer any moment.
    Passes,
    /// Another answer when it has heard what home knows. A stage that does not admit home or another
    /// stage has not heard of it yet, as a rule: home plans with those it admits itself, and if the
    /// two do not come to agree, that is what the client is told.
    Unknowing,
    /// The same answer for long; other nodes have quotas and disks of their own.
    Lasts,
    /// The same answer from everyone, what governance data is never guessed around, or a fault to be
    /// seen.
    Final,
}

const fn nature(cause: Cause) -> Nature {
    match cause {
        Cause::PeerLost | Cause::Timeout | Cause::Overloaded | Cause::Shutdown => Nature::Passes,
        Cause::NotServed | Cause::NotAdmitted => Nature::Unknowing,
        Cause::Quota | Cause::Storage => Nature::Lasts,
        Cause::Cancelled
        | Cause::Policy
        | Cause::Governance
        | Cause::PositionMismatch
        | Cause::Violation
        | Cause::NotFinite
        | Cause::Limit
        | Cause::Bug => Nature::Final,
    }
}

#[cfg(test)]
mod tests;
