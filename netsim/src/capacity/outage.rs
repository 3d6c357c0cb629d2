//! Nodes and lines that fail and come back, and sessions that lose a stage by it.

use rand_distr::{Distribution as _, Exp1};

use super::{Event, Run, admission::Ending, processors::Of, session::State};
use crate::{
    fabric::LinkId,
    link::MILLION,
    random::Random,
    scenario::{Recovery, Rounds},
    world::{Effect, Target, World},
};

/// Random stream of outages.
const OUTAGES: u64 = 0x4f55_5401;

/// What goes wrong in a run.
#[derive(Debug)]
pub(super) struct Outages {
    /// Of each: its stream, and whether it is on.
    each: Vec<(Random, bool)>,
}

impl Outages {
    pub(super) fn new(world: &World, seed: u64) -> Self {
        let stream = |index| (Random::of(seed, OUTAGES, index as u64), false);
        Self { each: (0..world.outages.len()).map(stream).collect() }
    }
}

impl Run<'_> {
    pub(super) fn begin_outages(&mut self) {
        for index in 0..self.world.outages.len() {
            let outage = &self.world.outages[index];
            let at = match outage.between_s {
                Some((between, _)) => self.drawn(index) * between,
                None => outage.at_s,
            };
            self.plan_outage(index, at);
        }
    }

    fn drawn(&mut self, index: usize) -> f64 {
        Exp1.sample(&mut self.outages.each[index].0)
    }

    fn plan_outage(&mut self, index: usize, delay_s: f64) {
        let at = self.after(delay_s);
        self.queue.push(at, Event::Outage(u32::try_from(index).unwrap_or(u32::MAX)));
    }

    /// An outage begins, or what it hit is mended.
    pub(super) fn outage(&mut self, index: usize) {
        self.disturb_all();
        let begins = !self.outages.each[index].1;
        self.outages.each[index].1 = begins;
        let outage = self.world.outages[index].clone();
        match &outage.target {
            Target::Nodes(nodes) => {
                for node in nodes {
                    self.hit_node(*node, outage.effect, begins);
                }
            }
            Target::Lines(lines) => {
                for line in lines {
                    self.hit_line(*line, outage.effect, begins);
                }
            }
        }
        self.full_since.fill(None);
        self.renew_all();
        let next = match (outage.between_s, begins) {
            (Some((_, mend)), true) => Some(self.drawn(index) * mend),
            (Some((between, _)), false) => Some(self.drawn(index) * between),
            (None, true) => outage.for_s,
            (None, false) => None,
        };
        if let Some(next) = next {
            let load = if begins { self.load_s(&outage.target, outage.effect) } else { 0.0 };
            self.plan_outage(index, next + load);
        }
        self.make_room();
    }

    /// Seconds that nodes which come back take to load their weights.
    fn load_s(&self, target: &Target, effect: Effect) -> f64 {
        let (Target::Nodes(nodes), Effect::Down) = (target, effect) else { return 0.0 };
        let gigabytes = nodes.iter().map(|node| {
            let node = &self.world.nodes[*node];
            let blocks = node.blocks.map_or(0, |blocks| blocks.len());
            f64::from(blocks) * self.world.models[node.model].block_bytes as f64 / 1e9
        });
        gigabytes.fold(0.0, f64::max) * self.world.recovery.load_s_per_gb.get()
    }

    fn hit_node(&mut self, node: usize, effect: Effect, begins: bool) {
        let worker = &mut self.workers[node];
        match effect {
            Effect::Slow(factor) => worker.slow *= if begins { factor } else { 1.0 / factor },
            Effect::Down if !begins => worker.down = worker.down.saturating_sub(1),
            _ => {
                worker.down += 1;
                worker.decode.clear();
                worker.prompts.retain(|_| false);
                worker.rows.clear();
                worker.outbox.clear();
                self.stop(node);
                self.prefixes.lose(node);
                self.lose_all(node);
            }
        }
    }

    /// What a node runs never ends.
    fn stop(&mut self, node: usize) {
        self.ended_on_machine(Of::Pass(node));
        self.ended_on_machine(Of::Sending(node));
        let worker = &mut self.workers[node];
        if let Some(ticket) = worker.sent.take() {
            self.queue.cancel(ticket);
        }
        if std::mem::take(&mut worker.busy) {
            worker.running.clear();
            self.measured.busy(node, worker.since, self.now);
            self.timers.clear(node);
            self.expect_steps(node);
        }
    }

    /// Every session that has a node as a stage loses it.
    fn lose_all(&mut self, node: usize) {
        for id in 0..self.sessions.len() {
            let session = &self.sessions[id];
            let home = session.home as usize;
            let there = session.route.iter().any(|hop| hop.0 as usize == node) || home == node;
            if session.is_running() && there {
                self.lose_session(u32::try_from(id).unwrap_or(u32::MAX));
            }
        }
    }

    /// A session has lost a stage; home notices after a while.
    pub(super) fn lose_session(&mut self, id: u32) {
        self.is_lossy = true;
        let session = &mut self.sessions[id as usize];
        session.losses += 1;
        // Steps on their way mean nothing any more.
        session.epoch += 1;
        self.epochs += 1;
        let epoch = session.epoch;
        self.release(id);
        self.sessions[id as usize].state = State::Pausing;
        let at = self.after(self.world.recovery.detect_s.get());
        self.queue.push(at, Event::Lost(id, epoch));
    }

    /// Home notices that a session has lost a stage.
    pub(super) fn lost(&mut self, id: u32, epoch: u32) {
        let session = &mut self.sessions[id as usize];
        if session.epoch != epoch {
            return;
        }
        session.kept = 0;
        match self.world.recovery.mode {
            _ if session.audit => self.end(id, Ending::Failed),
            Recovery::None => self.end(id, Ending::Failed),
            Recovery::Retry => {
                session.produced = 0;
                let at = self.after(self.world.recovery.retry_s.get());
                self.queue.push(at, Event::Ask(id));
            }
            Recovery::Replay => self.ask(id),
        }
    }

    fn hit_line(&mut self, line: usize, effect: Effect, begins: bool) {
        if self.world.run.rounds == Rounds::Averaged {
            self.hit_average_line(line, effect, begins);
            return;
        }
        let link = LinkId(u32::try_from(line).unwrap_or(u32::MAX));
        let usual = self.world.network.lines[line];
        let fabric = self.carriage.fabric();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0")]
        match (effect, begins) {
            (Effect::Down, true) => {
                for flight in fabric.cut(link) {
                    self.lose(u32::try_from(flight).unwrap_or(u32::MAX));
                }
            }
            (Effect::Down, false) => fabric.mend(link),
            (Effect::Rate(share), _) => {
                let rate = if begins { usual.rate * share } else { usual.rate };
                fabric.set_rate(link, (rate as u64).max(1));
            }
            (Effect::Loss(share), _) => {
                let loss = if begins { share } else { usual.loss };
                fabric.set_loss(link, (loss * f64::from(MILLION)) as u32);
            }
            (Effect::Slow(_), _) => {}
        }
    }
}
