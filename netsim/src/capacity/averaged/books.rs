//! What averaged rounds leave in the books of a run. Not how long they take.

use super::super::Run;
use crate::{clock::Instant, fabric};

impl Run<'_> {
    /// Closes the books.
    pub(in crate::capacity) fn finish_averages(&mut self) {
        for cohort in 0..self.averages.cohorts.len() {
            self.averages.advance(u32::try_from(cohort).unwrap_or(u32::MAX), self.now);
            self.enter(cohort);
        }
        for node in 0..self.averages.loads.len() {
            self.look_after(node);
        }
        for (line, crossed) in self.world.network.lines.iter().zip(&self.averages.lines) {
            self.measured.line(fabric::whole(crossed.bytes), crossed.bytes * 8.0 / line.rate);
        }
    }

    /// Enters in the books how long a node has run so far.
    pub(super) fn look_after(&mut self, node: usize) {
        let load = &mut self.averages.loads[node];
        let from = Instant(std::mem::replace(&mut load.booked, self.now.0));
        if self.now > from {
            self.measured.ran(node, (from, self.now), load.busy());
        }
    }

    /// Enters in the books what a cohort drew and what crossed lines for it.
    pub(super) fn enter(&mut self, cohort: usize) {
        let all = &mut self.averages;
        let of = &mut all.cohorts[cohort];
        let tokens = of.drawn.floor();
        of.drawn -= tokens;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        self.measured.tokens(tokens as u32, self.now);
        if of.rows <= 0.0 {
            return;
        }
        for road in of.roads.iter().flatten() {
            let road = &all.roads[*road as usize];
            for line in &road.lines {
                all.lines[*line as usize].bytes += road.bytes(of.rows);
            }
        }
        of.rows = 0.0;
    }
}
