//! Rounds of decode steps that nothing disturbs, taken in one leap. Not rounds that meet others.
//!
//! While the sessions of one route have its nodes and their homes for themselves, none of them has a
//! prompt there, and no flow is on their lines, what happens follows from what is there: a [`Ring`]
//! goes through it with a fraction of the work of single events, and without any event up to the
//! next end of an answer. Whatever comes to a node or a line of a leap ends it first: its steps are put
//! where they are by then, and go on event by event.
//!
//! Differs from going event by event only in what crossing messages would have held up on a line
//! between sites: less than a fiftieth of a round each time, and one in fifty rounds at most, for
//! larger ones end the leap, and where its own are larger there is none, nor where software takes time
//! on every hop, nor where passes vary. Where nobody else uses such a line both are the same, but for
//! the order of what happens at one nanosecond, and for the draws of lines with losses or jitter
//! anywhere: connections are numbered as they are first asked for. `rounds = "exact"` of a scenario's
//! `[run]` turns leaps off.

mod begin;
mod place;
mod ring;

use std::collections::BTreeSet;

use self::{
    place::Party,
    ring::{Ring, Way},
};
use super::{Event, Run, session::Step};
use crate::{event::Ticket, fabric::ConnectionId};

/// Rounds that are worth a leap.
const ROUNDS_MIN: u32 = 3;
/// Share of a round that one message may keep a line busy which others use too: one part in so many.
/// It is met as seldom, and then half of it is waited for, so a round is a 5,000th longer at most.
const HELD_UP: u64 = 50;

/// All leaps of a run.
#[derive(Debug, Default)]
pub(super) struct Leaps<'a> {
    all: Vec<Option<Leap<'a>>>,
    free: Vec<u32>,
    /// Leaps over each line that is nobody's interface, and how many there are in all.
    over: Vec<Vec<u32>>,
    over_count: usize,
}

/// Rounds that are under way.
#[derive(Debug)]
struct Leap<'a> {
    ring: Ring<'a>,
    /// Nanoseconds of the quickest round.
    round_ns: u64,
    ends: Option<Ticket>,
}

impl Leaps<'_> {
    /// Lays a leap over lines.
    fn lay(&mut self, place: u32, lines: &[u32]) {
        for line in lines {
            let line = *line as usize;
            if self.over.len() <= line {
                self.over.resize_with(line + 1, Vec::new);
            }
            self.over[line].push(place);
        }
        self.over_count += lines.len();
    }

    /// Takes a leap off its lines.
    fn lift(&mut self, place: u32, lines: &[u32]) {
        for line in lines {
            self.over[*line as usize].retain(|other| *other != place);
        }
        self.over_count -= lines.len();
    }
}

impl<'a> Run<'a> {
    /// Ends the leap over a node, if there is one.
    pub(super) fn disturb(&mut self, node: usize) {
        if let Some(place) = self.workers[node].leap {
            self.land(place);
        }
    }

    /// Ends the leaps over the lines of a connection that a message of so many bytes would hold up, or
    /// a flow.
    pub(super) fn disturb_lines(&mut self, connection: ConnectionId, bytes: Option<u64>) {
        if self.leaps.over_count == 0 {
            return;
        }
        let mut disturbed = BTreeSet::new();
        let fabric = self.carriage.fabric();
        for line in fabric.path(connection) {
            let Some(over @ [_, ..]) = self.leaps.over.get(line.0 as usize).map(Vec::as_slice)
            else {
                continue;
            };
            let busy_ns = bytes.map_or(u64::MAX, |bytes| fabric.busy_ns(*line, bytes));
            for place in over {
                let leap = self.leaps.all[*place as usize].as_ref();
                if leap.is_some_and(|leap| busy_ns >= leap.round_ns / HELD_UP) {
                    disturbed.insert(*place);
                }
            }
        }
        disturbed.into_iter().for_each(|place| self.land(place));
    }

    /// Ends all leaps.
    pub(super) fn disturb_all(&mut self) {
        for place in 0..self.leaps.all.len() {
            self.land(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }

    /// The quickest rounds would be over: those that were not go on, if many are left.
    pub(super) fn leapt(&mut self, place: u32) {
        let Some(leap) = &mut self.leaps.all[place as usize] else { return };
        leap.ends = None;
        leap.ring.advance(self.now, &mut self.measured);
        let end = leap.ring.end(self.now);
        if end.0.saturating_sub(self.now.0) >= u64::from(ROUNDS_MIN) * leap.round_ns {
            leap.ends = Some(self.queue.push(end, Event::Leapt(place)));
        } else {
            self.land(place);
        }
    }

    /// Ends a leap, if it is still under way: its steps go on from where they are.
    fn land(&mut self, place: u32) {
        let Some(mut leap) = self.leaps.all[place as usize].take() else { return };
        self.leaps.free.push(place);
        if let Some(ticket) = leap.ends {
            self.queue.cancel(ticket);
        }
        leap.ring.advance(self.now, &mut self.measured);
        let lines = self.shared_lines(&leap.ring);
        self.leaps.lift(place, &lines);
        for Way { ride, .. } in &leap.ring.ways {
            self.carriage.fabric().count(ride);
        }
        self.carriage.fabric().occupy(self.now, &leap.ring.lines);
        self.tell(&leap.ring);
        self.put_back(&leap.ring);
    }

    /// Tells sessions what became of them.
    fn tell(&mut self, ring: &Ring<'a>) {
        for group in &ring.groups {
            let mut id = group.step.session;
            for _ in 0..group.count {
                let session = &mut self.sessions[id as usize];
                session.produced += group.rounds;
                session.context += u64::from(group.rounds);
                id = session.next;
            }
        }
    }

    /// Puts the steps of a ring where they are.
    fn put_back(&mut self, ring: &Ring<'a>) {
        let home = u16::try_from(ring.route.len()).unwrap_or(u16::MAX);
        for (stage, place) in (0..).zip(&ring.places) {
            let decode = self.steps(ring, &place.decode, stage);
            let rows = self.steps(ring, &place.rows, home);
            let runs = if place.at_home { home } else { stage };
            let running = place.busy.then(|| self.steps(ring, &place.running, runs));
            let worker = &mut self.workers[place.node];
            worker.leap = None;
            // Some of it may have been lost meanwhile.
            worker.current_at = 0;
            worker.decode.extend(decode);
            worker.rows.extend(rows);
            if let Some(steps) = running {
                worker.running = steps;
                (worker.busy, worker.since, worker.at_home) = (true, place.since, place.at_home);
                self.timers.set(place.node, place.ends, self.queue.number());
            }
            for (at, party, is_home) in &place.inbox {
                let mut steps = self.steps(ring, party, if *is_home { home } else { stage });
                let flight = self.flight(place.node, &mut steps);
                self.deliver(*at, flight);
            }
        }
    }

    /// The steps of groups at a stage, or at home.
    fn steps(&self, ring: &Ring<'a>, party: &Party, stage: u16) -> Vec<Step> {
        let step = |group: usize| {
            let group = &ring.groups[group];
            let mut step = Step { stage, context: group.context, ..group.step };
            self.sessions[step.session as usize].place(&mut step);
            step
        };
        party.iter().map(step).collect()
    }

    /// Lines of a ring that others may use without coming to its nodes.
    fn shared_lines(&mut self, ring: &Ring<'a>) -> Vec<u32> {
        let own = u32::try_from(self.world.nodes.len() * 2).unwrap_or(u32::MAX);
        let fabric = self.carriage.fabric();
        let paths = ring.ways.iter().flat_map(|way| fabric.path(way.ride.connection()));
        let mut lines: Vec<u32> = paths.map(|line| line.0).filter(|line| *line >= own).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }
}
