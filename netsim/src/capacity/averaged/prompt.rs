//! Prompts on the mean: when the first token of an answer comes. Not what comes after it.

use std::{iter, rc::Rc};

use super::super::{Event, Run, session::Hop};
use crate::{clock::Instant, fabric};

impl Run<'_> {
    /// A prompt of so many positions leaves home, in pieces of up to `piece`.
    pub(in crate::capacity) fn average_prompt(&mut self, id: u32, positions: u32, piece: u32) {
        let session = &self.sessions[id as usize];
        let (home, route, epoch) = (session.home, Rc::clone(&session.route), session.epoch);
        let taker = session.institution as usize;
        let Some(roads) = self.roads(home, &route) else {
            self.lose_session(id);
            return;
        };
        let pieces = (f64::from(positions.div_ceil(piece)), f64::from(positions));
        let each = pieces.1 / pieces.0;
        let now = self.now.0 as f64;
        let mut there = (now, now);
        for (place, (node, blocks)) in route.iter().enumerate() {
            if let Some(road) = roads[place] {
                let all = &mut self.averages;
                // Home has all of it at once, stages one piece after the other.
                let bursts = if place == 0 { 1.0 } else { pieces.0 };
                let road = &mut all.roads[road as usize];
                there = road.carry(now, there, (pieces.0, pieces.1, bursts), &mut all.lines);
            }
            self.look_after(*node as usize);
            let stage = self.stage(*node as usize);
            let messages = self.messages(*node as usize);
            let giver = self.world.nodes[*node as usize].institution;
            let load = &mut self.averages.loads[*node as usize];
            load.prompt(self.now.0, pieces.0, pieces.1);
            if let Some(stage) = stage {
                let it = load.piece(&stage, blocks.len(), each);
                let begin = if load.free > there.0 { load.free } else { there.0 + it.waits };
                let work = it.takes * pieces.0;
                load.free = load.free.max(now) + work;
                let first = it.alone * f64::from(piece.min(positions)) / each;
                there = (begin + first, (begin + work).max(there.1 + it.alone));
                load.settle(self.now.0, &stage, blocks.len(), messages);
            }
            self.measured.given(giver, taker, positions, blocks.len());
        }
        let back = self.way_ns(roads.last().copied().flatten(), 1.0);
        let head = self.head_ns(home as usize, 1) as f64 * self.workers[home as usize].slow;
        let waits = self.averages.loads[home as usize].waits_mean_ns(head);
        let at = Instant(fabric::whole(there.1 + back + waits).max(self.now.0));
        self.queue.push(at, Event::First(id, epoch));
    }

    /// The roads from home to the first stage and on, and back; none within a node. `None` if there is no
    /// way, or a line of it is cut.
    pub(super) fn roads(&mut self, home: u32, route: &[Hop]) -> Option<Vec<Option<u32>>> {
        let stops: Vec<u32> =
            iter::once(home).chain(route.iter().map(|hop| hop.0)).chain([home]).collect();
        let hops = stops.windows(2).map(|ends| {
            if ends[0] == ends[1] {
                return Some(None);
            }
            let road = self.road(ends[0], ends[1])?;
            (!self.averages.roads[road as usize].is_cut).then_some(Some(road))
        });
        hops.collect()
    }
}
