//! What a round of a cohort takes beside everything else, and what nodes are told of it. Not how far
//! its sessions are.

use std::rc::Rc;

use super::{
    super::{Event, Run},
    load::Flow,
    stage::Stage,
};
use crate::{clock::Instant, fabric};

/// Rounds and nanoseconds after which a cohort is looked at even if no answer is whole: what it meets
/// changes.
const ROUNDS_MAX: f64 = 64.0;
const UNSEEN_NS: f64 = 4e9;

impl<'a> Run<'a> {
    /// Finds anew what a round takes, and tells nodes.
    pub(super) fn renew(&mut self, cohort: u32) {
        self.enter(cohort as usize);
        let (round, loose) = self.mean_round_ns(cohort);
        let of = &mut self.averages.cohorts[cohort as usize];
        let (before, route, home) = (of.told, Rc::clone(&of.route), of.home as usize);
        of.round = round;
        let (rows, trains) = (f64::from(of.count) / round, of.trains / round);
        let context = of.context / round;
        let train = of.train();
        let told = Flow { rows, trains, context, ..Flow::default() };
        of.told = told;
        let mut last = None;
        for (node, blocks) in route.iter() {
            self.look_after(*node as usize);
            let stage = self.stage(*node as usize);
            let load = &mut self.averages.loads[*node as usize];
            let blocks = blocks.len();
            match last {
                Some(last) => load.come(last, told.trains - before.trains),
                None => load.entry = (load.entry + told.trains - before.trains).max(0.0),
            }
            last = Some(*node);
            let of = |told: Flow| Flow { blocks: told.rows * f64::from(blocks), ..told };
            load.flow.add(&of(before), -1.0);
            load.flow.add(&of(told), 1.0);
            if load.sessions == 0 {
                load.rest();
            }
            if let Some(stage) = stage {
                let messages = self.messages(*node as usize);
                self.averages.loads[*node as usize].settle(self.now.0, &stage, blocks, messages);
            }
        }
        let head = self.home_ns(home, train);
        self.look_after(home);
        let load = &mut self.averages.loads[home];
        let heads = |told: &Flow, head: f64| Flow {
            heads: told.trains * head,
            heads_squared: told.trains * head * head,
            ..Flow::default()
        };
        let of = &mut self.averages.cohorts[cohort as usize];
        load.flow.add(&heads(&before, of.head), -1.0);
        load.flow.add(&heads(&told, head), 1.0);
        of.head = head;
        let visits = route.iter().map(|hop| hop.0 as usize).chain([home]);
        of.merges =
            visits.map(|node| self.averages.loads[node].merges(of.trains, round)).sum::<f64>()
                * loose;
        self.expect_cohort(cohort);
    }

    /// Sees to it that a cohort is looked at when an answer may be whole.
    fn expect_cohort(&mut self, cohort: u32) {
        let of = &mut self.averages.cohorts[cohort as usize];
        let Some((whole, ..)) = of.next_whole() else { return };
        let rounds = (whole - of.clock).clamp(0.0, ROUNDS_MAX);
        let ns = (rounds * of.round).min(UNSEEN_NS).ceil();
        let at = Instant(self.now.0.saturating_add(fabric::whole(ns)));
        if at < of.due {
            of.due = at;
            self.queue.push(at, Event::Rounds(cohort));
        }
    }

    /// Nanoseconds of a round, and how likely what its messages meet is not of their like: those that
    /// meet nothing else keep their distances.
    fn mean_round_ns(&self, cohort: u32) -> (f64, f64) {
        let all = &self.averages;
        let of = &all.cohorts[cohort as usize];
        let (train, sessions) = (of.train(), f64::from(of.count).max(1.0));
        let own = of.told.trains;
        let one = if of.trains > 0.0 { own / of.trains } else { 0.0 };
        let (mut foreign, mut like) = (0.0, 0.0);
        for (node, _) in of.route.iter() {
            let met = all.loads[*node as usize].meetings(own, one, of.round);
            (foreign, like) = (foreign + met.0, like + met.1);
        }
        let loose = if like > foreign { foreign / like } else { 1.0 };
        let (mut sums, mut ways, mut most) = ([0.0; 2], 0.0, 0.0_f64);
        let (mut prompted, mut stays) = (0.0, 0.0);
        for (place, (node, blocks)) in of.route.iter().enumerate() {
            let load = &all.loads[*node as usize];
            let rows = if place == 0 { train } else { train.max(load.together()) };
            ways += self.way_ns(of.roads.get(place).copied().flatten(), rows);
            let Some(stage) = self.stage(*node as usize) else { continue };
            let rows = train.max(load.together());
            let alone = stage.pass_ns(f64::from(blocks.len()), rows, of.context / sessions, 0.0);
            let meets = loose.mul_add(load.meets(one) - load.meets(own), load.meets(own));
            let mut visit = load.visit_ns(meets, alone);
            if place == 0 && *node == of.home {
                // Home's own part has waited for the pass before.
                let waits = load.waits_ns(meets, 0.0);
                visit = [visit[0] - waits[0], visit[1] - waits[1]];
            }
            sums = [sums[0] + visit[0], sums[1] + visit[1]];
            prompted += load.prompted();
            stays += load.stays_ns();
            most = most.max(alone * of.trains).max(load.full_ns(&stage));
        }
        ways += self.way_ns(of.roads.last().copied().flatten(), train);
        let one = if of.route.iter().any(|hop| hop.0 == of.home) { own } else { 0.0 };
        let load = &all.loads[of.home as usize];
        let own = self.home_ns(of.home as usize, train);
        let is_last = of.route.last().is_some_and(|hop| hop.0 == of.home);
        // The last stage's rows come when its pass ends.
        let head = if is_last { [own; 2] } else { load.waits_ns(load.meets(one), own) };
        let prompted = prompted / of.route.len() as f64;
        let [with, without] = [0, 1].map(|it| ways + sums[it] + head[it]);
        // Prompts come to one stage after the other. Where they stay for many rounds paces are averaged,
        // else rounds.
        let rounds = prompted.mul_add(with - without, without);
        let paces = 1.0 / prompted.mul_add(1.0 / with - 1.0 / without, 1.0 / without);
        let stays = stays / of.route.len() as f64;
        let round = (stays / (stays + rounds)).mul_add(paces - rounds, rounds);
        (round.max(most).max(1.0), loose)
    }

    /// Nanoseconds of a message of so many rows.
    pub(super) fn way_ns(&self, road: Option<u32>, rows: f64) -> f64 {
        let all = &self.averages;
        road.map_or(0.0, |road| all.roads[road as usize].rows_ns(rows, &all.lines))
    }

    /// Messages with rows that come to a node, each nanosecond.
    pub(super) fn messages(&self, node: usize) -> f64 {
        let loads = &self.averages.loads;
        let from = loads[node].from.iter();
        loads[node].entry + from.map(|(from, of)| loads[*from as usize].leaves(*of)).sum::<f64>()
    }

    /// Nanoseconds of home's own part for so many rows.
    fn home_ns(&self, home: usize, rows: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let rows = rows.round() as u32;
        self.head_ns(home, rows) as f64 * self.workers[home].slow
    }

    pub(super) fn stage(&self, node: usize) -> Option<Stage<'a>> {
        let place = &self.world.nodes[node];
        let bytes = self.world.models[place.model].hidden_bytes;
        let device = self.world.devices.get(place.device)?;
        Some(Stage { device, bytes, slow: self.workers[node].slow })
    }
}
