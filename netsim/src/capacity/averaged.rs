//! Decode rounds and prompts on the mean: no pass is an event, so a run takes as long as its requests are
//! many, whatever their answers' lengths. Not requests, routes, room and outages, which are as ever.
//!
//! Sessions of one home and route draw tokens at one pace ([`cohort`]): what a round takes ([`round`])
//! follows from what else comes to its nodes on the mean of some seconds ([`load`]). Prompts take their
//! turn before nodes and lines ([`prompt`], [`road`]).
//!
//! Sources: queues that serve all who wait at once (Bailey 1954), and arrivals from a closed population
//! (Reiser and Lavenberg 1980: who comes sees the others, not itself). Messages of one home that wait for
//! a pass together stay together, as they do in single passes, so there are fewer of them than sessions.
//! How far off it is, against single passes, stands in `benches/README.md`.

mod books;
mod cohort;
mod faults;
mod load;
mod prompt;
mod road;
mod round;
mod stage;

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use self::{
    cohort::Cohort,
    load::Load,
    road::{Line, Road},
};
use super::{
    Run,
    session::{Hop, Session},
};
use crate::{clock::Instant, fabric, scenario::Rounds, world::World};

/// Everything averaged of a run.
#[derive(Debug, Default)]
pub(super) struct Averages {
    cohorts: Vec<Cohort>,
    known: BTreeMap<(u32, Rc<[Hop]>), u32>,
    loads: Vec<Load>,
    roads: Vec<Road>,
    roads_known: HashMap<(u32, u32), Option<u32>>,
    lines: Vec<Line>,
}

impl Averages {
    /// Nothing, where passes are single.
    pub(super) fn new(world: &World) -> Self {
        if world.run.rounds != Rounds::Averaged {
            return Self::default();
        }
        Self {
            loads: vec![Load::default(); world.nodes.len()],
            lines: vec![Line::default(); world.network.lines.len()],
            ..Self::default()
        }
    }

    fn advance(&mut self, cohort: u32, now: Instant) {
        self.cohorts[cohort as usize].advance(now);
    }
}

impl Run<'_> {
    /// The first token of an answer comes, or the next one after a stage was lost.
    pub(super) fn first_token(&mut self, id: u32, epoch: u32) {
        let session = &self.sessions[id as usize];
        if session.epoch != epoch || !session.is_running() || !self.draw(id, true) {
            return;
        }
        let cohort = self.cohort(id);
        self.averages.advance(cohort, self.now);
        let session = &mut self.sessions[id as usize];
        let (left, context) = (session.output - session.produced, session.context);
        let of = &mut self.averages.cohorts[cohort as usize];
        session.whole_at = of.join((id, epoch), left, context);
        session.cohort = Some(cohort);
        for (node, _) in Rc::clone(&session.route).iter() {
            self.averages.loads[*node as usize].sessions += 1;
        }
        self.renew(cohort);
    }

    /// Answers of a cohort may be whole.
    pub(super) fn rounds(&mut self, cohort: u32) {
        if self.averages.cohorts[cohort as usize].due > self.now {
            return;
        }
        self.averages.cohorts[cohort as usize].due = Instant(u64::MAX);
        self.averages.advance(cohort, self.now);
        while let Some((whole, id, epoch)) = self.averages.cohorts[cohort as usize].next_whole() {
            let of = &mut self.averages.cohorts[cohort as usize];
            let session = &self.sessions[id as usize];
            let is_here = session.epoch == epoch && session.cohort == Some(cohort);
            // Within a nanosecond.
            if is_here && (whole - of.clock) * of.round > 1.0 {
                break;
            }
            of.pop();
            if is_here {
                self.sessions[id as usize].last = self.now;
                self.complete(id);
            }
        }
        self.renew(cohort);
    }

    /// A session that decodes ends or loses a stage.
    pub(super) fn leave_cohort(&mut self, id: u32) {
        let session = &mut self.sessions[id as usize];
        let Some(cohort) = session.cohort.take() else { return };
        let before = session.produced;
        self.averages.advance(cohort, self.now);
        let of = &mut self.averages.cohorts[cohort as usize];
        let left = fabric::whole((session.whole_at - of.clock).max(0.0).ceil());
        session.produced =
            session.output - u32::try_from(left).unwrap_or(u32::MAX).min(session.output);
        let drawn = session.produced.saturating_sub(before);
        session.context += u64::from(drawn);
        of.leave(session.context as f64);
        let taker = session.institution as usize;
        for (node, blocks) in Rc::clone(&session.route).iter() {
            let giver = self.world.nodes[*node as usize].institution;
            self.measured.given(giver, taker, drawn, blocks.len());
            let load = &mut self.averages.loads[*node as usize];
            load.sessions = load.sessions.saturating_sub(1);
        }
        self.renew(cohort);
    }

    /// What nodes and lines are like has changed.
    pub(super) fn renew_all(&mut self) {
        for cohort in 0..self.averages.cohorts.len() {
            let cohort = u32::try_from(cohort).unwrap_or(u32::MAX);
            self.averages.advance(cohort, self.now);
            self.renew(cohort);
        }
    }

    /// The cohort that a session joins.
    fn cohort(&mut self, id: u32) -> u32 {
        let Session { route, home, .. } = &self.sessions[id as usize];
        let key = (*home, Rc::clone(route));
        if let Some(known) = self.averages.known.get(&key) {
            return *known;
        }
        let (home, route) = key.clone();
        // Its prompt has just gone over them.
        let roads = self.roads(home, &route).unwrap_or_default();
        let cohort = Cohort::new(route, home, roads);
        let number = u32::try_from(self.averages.cohorts.len()).unwrap_or(u32::MAX);
        self.averages.cohorts.push(cohort);
        self.averages.known.insert(key, number);
        number
    }

    fn road(&mut self, from: u32, to: u32) -> Option<u32> {
        let all = &mut self.averages;
        *all.roads_known.entry((from, to)).or_insert_with(|| {
            let road = Road::new(self.world, (from, to), &all.lines)?;
            all.roads.push(road);
            u32::try_from(all.roads.len() - 1).ok()
        })
    }
}
