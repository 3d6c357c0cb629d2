//! Lines that are slower, lose more or are cut, for averaged rounds. Not when that is.

use std::rc::Rc;

use super::super::Run;
use crate::world::Effect;

impl Run<'_> {
    /// An outage of a line begins, or is over.
    pub(in crate::capacity) fn hit_average_line(
        &mut self,
        line: usize,
        effect: Effect,
        begins: bool,
    ) {
        let all = &mut self.averages;
        let state = &mut all.lines[line];
        match effect {
            Effect::Down => state.is_cut = begins,
            Effect::Rate(share) => state.rate_share = if begins { share } else { 1.0 },
            Effect::Loss(share) => state.loss = begins.then_some(share),
            Effect::Slow(_) => {}
        }
        for road in &mut all.roads {
            road.renew(self.world, &all.lines);
        }
        if effect == Effect::Down && begins {
            self.lose_over_cuts();
        }
    }

    /// Sessions whose messages go over a line that is cut lose a stage.
    fn lose_over_cuts(&mut self) {
        for id in 0..self.sessions.len() {
            let session = &self.sessions[id];
            if !session.is_running() {
                continue;
            }
            let (home, route) = (session.home, Rc::clone(&session.route));
            if self.roads(home, &route).is_none() {
                self.lose_session(u32::try_from(id).unwrap_or(u32::MAX));
            }
        }
    }
}
