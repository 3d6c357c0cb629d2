//! Beginnings that prompts share, as stages keep them of sessions that ended. Not what a
//! conversation keeps, which its next request brings along.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    SECOND,
    session::{Hop, Session},
};
use crate::clock::Instant;

/// Positions of a page of the prefix cache.
pub(super) const PAGE_POSITIONS: u32 = 32;
/// Seconds for which stages keep the pages of a session that ended.
pub(super) const KEPT_S: f64 = 600.0;

/// Along which route something is kept, and since when it is unused.
type Kept = (Rc<[Hop]>, Instant);

/// What stages keep, by workload and beginning.
#[derive(Debug, Default)]
pub(super) struct Prefixes(BTreeMap<(u32, u32), Kept>);

impl Prefixes {
    /// Where the beginning of a prompt is kept, and how many positions: whole pages, and never all.
    pub(super) fn held(&self, session: &Session, now: Instant) -> Option<(&Rc<[Hop]>, u32)> {
        let (group, tokens) = session.prefix?;
        let (kept_by, since) = self.0.get(&(session.workload, group))?;
        let unused_s = (now.0 - since.0) as f64 / SECOND;
        let positions =
            tokens.min(session.prompt.saturating_sub(1)) / PAGE_POSITIONS * PAGE_POSITIONS;
        (unused_s <= KEPT_S && positions > 0).then_some((kept_by, positions))
    }

    /// Positions of a prompt that the stages of its route have already.
    pub(super) fn kept(&self, session: &Session, route: &[Hop], now: Instant) -> u32 {
        let held = self.held(session, now);
        held.map_or(0, |(kept_by, positions)| if **kept_by == *route { positions } else { 0 })
    }

    /// A session ended whole, and its stages keep what it began with.
    pub(super) fn ended(&mut self, session: &Session, now: Instant) {
        if let Some((group, _)) = session.prefix {
            self.0.insert((session.workload, group), (Rc::clone(&session.route), now));
        }
    }

    /// A node is gone, and with it what it kept.
    pub(super) fn lose(&mut self, node: usize) {
        self.0.retain(|_, (route, _)| route.iter().all(|hop| hop.0 as usize != node));
    }
}
