//! What a home opened and closed since nodes last announced what they do. Not what they announced.
//!
//! Nodes announce seldom, and equal views give equal routes: without this, all that is asked of a home
//! between two announcements goes over the same stages while others idle. Of a node that offers several
//! models, what a session holds counts for all of them alike: they share its memory.

use std::collections::{BTreeMap, VecDeque};

use super::RouteStage;
use crate::{directory::Candidate, id::PeerKey, limits::ANNOUNCEMENT_LIFE_MAX, time::Timestamp};

/// Most positions times blocks of a session that count: no sum of them overflows.
const HELD_MAX: i64 = 1 << 40;
/// Changes within so many milliseconds are kept as one: an announcement tells of all of them or, for
/// this, of none.
const TOGETHER_MS: u64 = 100;

/// The sessions of a home, as far as announcements may not tell of them.
#[derive(Debug, Default)]
pub struct OwnSessions {
    nodes: BTreeMap<PeerKey, Changes>,
}

/// What changed at one node, and when; at most as much as an announcement lives.
#[derive(Debug, Default)]
struct Changes {
    all: VecDeque<(Timestamp, Change)>,
    sum: Change,
}

/// Sessions that began, less those that ended, and what they hold: positions times blocks.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    sessions: i64,
    held: i64,
}

impl OwnSessions {
    /// A session of so many positions begins over these stages.
    pub fn open(&mut self, now: Timestamp, stages: &[RouteStage], positions: u64) {
        self.note(now, stages, positions, 1);
    }

    /// A session that began ends, however.
    pub fn close(&mut self, now: Timestamp, stages: &[RouteStage], positions: u64) {
        self.note(now, stages, positions, -1);
    }

    fn note(&mut self, now: Timestamp, stages: &[RouteStage], positions: u64, sessions: i64) {
        let until = Timestamp::from_ms(now.as_ms() / TOGETHER_MS * TOGETHER_MS + TOGETHER_MS);
        for RouteStage { peer, blocks } in stages {
            let held = positions.saturating_mul(blocks.len().into());
            let held = i64::try_from(held).map_or(HELD_MAX, |held| held.min(HELD_MAX)) * sessions;
            self.nodes.entry(*peer).or_default().add(until, Change { sessions, held });
        }
    }

    /// Adds to what candidates announced what has begun since, and takes off what has ended; forgets
    /// what they announced.
    pub fn correct(&mut self, candidates: &mut [Candidate]) {
        for candidate in candidates {
            let Some(changes) = self.nodes.get_mut(&candidate.peer) else { continue };
            changes.forget(candidate.announced_at);
            if changes.all.is_empty() {
                self.nodes.remove(&candidate.peer);
                continue;
            }
            let Change { sessions, held } = changes.sum;
            let positions = held / i64::from(candidate.blocks.len());
            candidate.positions_free =
                candidate.positions_free.saturating_add_signed(positions.saturating_neg());
            let sessions = i64::from(candidate.sessions).saturating_add(sessions).max(0);
            candidate.sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
        }
    }
}

impl Changes {
    fn add(&mut self, until: Timestamp, change: Change) {
        match self.all.back_mut() {
            Some((last, changes)) if *last >= until => changes.add(change),
            _ => self.all.push_back((until, change)),
        }
        self.sum.add(change);
        while self.all.front().is_some_and(|it| until.since(it.0) > ANNOUNCEMENT_LIFE_MAX) {
            self.forget_first();
        }
    }

    /// Forgets what was before an announcement.
    fn forget(&mut self, announced_at: Timestamp) {
        while self.all.front().is_some_and(|it| it.0 <= announced_at) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, Change { sessions, held })) = self.all.pop_front() {
            self.sum.add(Change { sessions: -sessions, held: held.saturating_neg() });
        }
    }
}

impl Change {
    const fn add(&mut self, other: Self) {
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.held = self.held.saturating_add(other.held);
    }
}

#[cfg(test)]
mod tests;
