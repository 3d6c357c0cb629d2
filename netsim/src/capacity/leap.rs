//! Rounds of decode steps that nothing disturbs, taken in one leap. Not rounds that meet others.
//!
//! While the sessions whose steps travel together are the only ones at every node of their round, and
//! no flow is on its lines, each round is the one before with one more position of context: hops take
//! what they take on idle lines, and passes what the device says. So all rounds up to the next end of
//! an answer are one event. Whatever comes to a node or a line of a leap ends it first: its steps are
//! put where they are by then, and go on event by event.
//!
//! Differs from going event by event only in what crossing messages would have held up on a line
//! between sites: less than a fiftieth of a round each time, and one in fifty rounds at most, for
//! larger ones end the leap, and where its own are larger there is none, nor where software takes time
//! on every hop. Where nobody else uses such a line both are the same to the nanosecond. `exact` of a
//! scenario's `[run]` turns leaps off.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    Event, Run,
    carriage::MESSAGE_BYTES,
    session::{Hop, Step},
    together::members,
};
use crate::{clock::Instant, device::Pass, event::Ticket, fabric::ConnectionId};

/// Rounds that are worth a leap.
const ROUNDS_MIN: u32 = 3;
/// Share of a round that one message may keep a line busy which others use too: one part in so many.
/// It is met as seldom, and then half of it is waited for, so a round is a 5,000th longer at most.
const HELD_UP: u64 = 50;

/// All leaps of a run.
#[derive(Debug, Default)]
pub(super) struct Leaps {
    all: Vec<Option<Leap>>,
    free: Vec<u32>,
    /// Leaps over each line that is nobody's interface, and how many there are in all.
    over: Vec<Vec<u32>>,
    over_count: usize,
}

/// Rounds that are under way.
#[derive(Debug)]
struct Leap {
    /// The steps of the first round, as they leave home.
    steps: Vec<Step>,
    home: usize,
    route: Rc<[Hop]>,
    /// From home over the stages back.
    hops: Vec<Way>,
    since: Instant,
    rounds: u32,
    /// Nanoseconds of the first round.
    round_ns: u64,
    ends: Option<Ticket>,
}

/// What one message of a leap takes.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// Nothing where it stays at the node.
    connection: Option<ConnectionId>,
    bytes: u64,
    ns: u64,
}

/// How far a leap has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Walked {
    place: Place,
    rounds: u32,
    /// When the last token came; the start if none did.
    last: Instant,
}

/// Where the steps of a leap are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On their way to this stage, where they are at this time; the number of stages stands for home.
    Between(usize, Instant),
    /// At this stage, from one time to another.
    Running(usize, Instant, Instant),
    /// All rounds are done.
    Over,
}

impl Leaps {
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

impl Leap {
    fn nodes(&self) -> impl Iterator<Item = usize> + '_ {
        self.route.iter().map(|hop| hop.0 as usize).chain([self.home])
    }

    fn count(&self) -> u32 {
        self.steps.iter().map(Step::count).sum()
    }
}

impl Run<'_> {
    /// Leaps if the steps that leave home now have their round for themselves; takes them then.
    pub(super) fn leap(&mut self, home: usize, steps: &mut Vec<Step>) {
        if self.world.run.exact || self.world.network.software != (0, 0) {
            return;
        }
        let Some(mut leap) = self.plan_leap(home, steps) else { return };
        let end = self.walk(&leap, Instant(u64::MAX), false).last;
        let place = self.leaps.free.pop().unwrap_or_else(|| {
            self.leaps.all.push(None);
            u32::try_from(self.leaps.all.len() - 1).expect("fewer leaps than sessions")
        });
        leap.ends = Some(self.queue.push(end, Event::Leapt(place)));
        steps.clear();
        for node in leap.nodes() {
            self.workers[node].leap = Some(place);
        }
        let lines = self.shared_lines(&leap);
        self.leaps.lay(place, &lines);
        self.leaps.all[place as usize] = Some(leap);
    }

    /// Ends the leap over a node, if there is one.
    pub(super) fn disturb(&mut self, node: usize) {
        if let Some(place) = self.workers[node].leap {
            self.land_leap(place);
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
        disturbed.into_iter().for_each(|place| self.land_leap(place));
    }

    /// Ends all leaps.
    pub(super) fn disturb_all(&mut self) {
        for place in 0..self.leaps.all.len() {
            self.land_leap(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }

    /// Ends a leap, if it is still under way: books what was done, and puts its steps where they are.
    pub(super) fn land_leap(&mut self, place: u32) {
        let Some(mut leap) = self.leaps.all[place as usize].take() else { return };
        self.leaps.free.push(place);
        for node in leap.nodes() {
            self.workers[node].leap = None;
        }
        let lines = self.shared_lines(&leap);
        self.leaps.lift(place, &lines);
        let walked = self.walk(&leap, self.now, true);
        self.book(&leap, walked);
        let stage = match walked.place {
            Place::Between(stage, _) | Place::Running(stage, ..) => stage,
            Place::Over => 0,
        };
        for step in &mut leap.steps {
            step.context += u64::from(walked.rounds) * u64::from(step.count());
            step.stage = u16::try_from(stage).unwrap_or(u16::MAX);
            self.sessions[step.session as usize].place(step);
        }
        if walked.place != Place::Over
            && let Some(ticket) = leap.ends
        {
            self.queue.cancel(ticket);
        }
        match walked.place {
            Place::Between(_, at) => {
                let to = leap.steps[0].node as usize;
                let flight = self.flight(to, &mut leap.steps);
                self.deliver(at, flight);
            }
            Place::Running(stage, since, end) => {
                let node = leap.steps[0].node as usize;
                let worker = &mut self.workers[node];
                worker.at_home = stage == leap.route.len();
                worker.busy = true;
                worker.since = since;
                worker.running = leap.steps;
                self.timers.set(node, end, self.queue.number());
            }
            Place::Over => self.send_on(leap.home, &mut leap.steps),
        }
    }

    /// The leap that these steps can take, if they can.
    fn plan_leap(&mut self, home: usize, steps: &[Step]) -> Option<Leap> {
        let (first, count) = (steps.first()?, steps.iter().map(Step::count).sum());
        let route = Rc::clone(&self.sessions[first.session as usize].route);
        let alone = |node: usize, stage: bool| {
            let worker = &self.workers[node];
            let at_home = if node == home { count } else { 0 };
            let idle = worker.decode.is_empty() && worker.prompts.is_empty() && !worker.busy;
            worker.sessions == if stage { count } else { 0 }
                && worker.asked == at_home
                && self.world.nodes[node].machine.is_none()
                && worker.down == 0
                && (node == home || idle && worker.rows.is_empty())
        };
        let at_home = route.iter().any(|hop| hop.0 as usize == home);
        let is_alone = alone(home, at_home) && route.iter().all(|hop| alone(hop.0 as usize, true));
        let most = |hop: &Hop| {
            let device = &self.world.devices[self.world.nodes[hop.0 as usize].device];
            if device.prompts_max.is_some() { u32::MAX } else { device.positions_max }
        };
        if !is_alone || route.iter().any(|hop| most(hop) < count) {
            return None;
        }
        let mut rounds = u32::MAX;
        for step in steps {
            if step.prompt || self.sessions[step.session as usize].route != route {
                return None;
            }
            // The last token comes event by event.
            let left = members(&self.sessions, step)
                .map(|session| session.output.saturating_sub(session.produced + 1));
            rounds = rounds.min(left.min().unwrap_or(0));
        }
        if rounds < ROUNDS_MIN {
            return None;
        }
        let ends = route.iter().map(|hop| hop.0 as usize).chain([home]);
        let (mut from, mut hops) = (home, Vec::with_capacity(route.len() + 1));
        for to in ends {
            hops.push(self.plan_way(from, to, count)?);
            from = to;
        }
        let (steps, since, ends, round_ns) = (steps.to_vec(), self.now, None, 0);
        let mut leap = Leap { steps, home, route, hops, since, rounds: 1, round_ns, ends };
        leap.round_ns = self.walk(&leap, Instant(u64::MAX), false).last.0 - since.0;
        leap.rounds = rounds;
        if self.holds_up_others(&leap) { None } else { Some(leap) }
    }

    /// Whether messages of a leap would hold up others on lines that are not of its nodes.
    fn holds_up_others(&mut self, leap: &Leap) -> bool {
        let own = self.world.nodes.len() * 2;
        let fabric = self.carriage.fabric();
        let mut ways = leap.hops.iter().filter_map(|way| Some((way.connection?, way.bytes)));
        ways.any(|(connection, bytes)| {
            let mut lines = fabric.path(connection).iter();
            lines.any(|line| {
                line.0 as usize >= own && fabric.busy_ns(*line, bytes) >= leap.round_ns / HELD_UP
            })
        })
    }

    fn plan_way(&mut self, from: usize, to: usize, count: u32) -> Option<Way> {
        if from == to {
            return Some(Way { connection: None, bytes: 0, ns: 0 });
        }
        let (connection, hidden_bytes) = self.carriage.rows(self.world, from, to)?;
        let bytes = u64::from(count) * (hidden_bytes + MESSAGE_BYTES);
        let ns = self.carriage.fabric().idle_ns(self.now, connection, bytes)?;
        Some(Way { connection: Some(connection), bytes, ns })
    }

    /// Lines of a leap that others may use without coming to its nodes.
    fn shared_lines(&mut self, leap: &Leap) -> Vec<u32> {
        let own = u32::try_from(self.world.nodes.len() * 2).unwrap_or(u32::MAX);
        let fabric = self.carriage.fabric();
        let paths = leap.hops.iter().filter_map(|way| way.connection);
        let lines = paths.flat_map(|connection| fabric.path(connection).iter().map(|line| line.0));
        let mut lines: Vec<u32> = lines.filter(|line| *line >= own).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// Goes through the rounds of a leap up to `until`; enters what nodes did in the books if `book`.
    fn walk(&mut self, leap: &Leap, until: Instant, book: bool) -> Walked {
        let count = leap.count();
        let stages = leap.route.len();
        let mut context: u64 = leap.steps.iter().map(|step| step.context).sum();
        let head_ns = self.slowed(leap.home, self.head_ns(leap.home, count));
        let (mut at, mut last) = (leap.since, leap.since);
        for rounds in 0..leap.rounds {
            for (stage, (node, blocks)) in leap.route.iter().enumerate() {
                at.0 += leap.hops[stage].ns;
                if at >= until {
                    return Walked { place: Place::Between(stage, at), rounds, last };
                }
                let (node, begin) = (*node as usize, at);
                let model = &self.world.models[self.world.nodes[node].model];
                let bytes = u64::from(count) * model.hidden_bytes;
                let pass = Pass { blocks: blocks.len(), prompt: 0, decode: count, context, bytes };
                let device = &self.world.devices[self.world.nodes[node].device];
                at.0 += self.slowed(node, device.pass_ns(&pass));
                if at >= until {
                    return Walked { place: Place::Running(stage, begin, at), rounds, last };
                }
                if book {
                    self.measured.busy(node, begin, at);
                    self.measured.passed(node, begin, at, &leap.steps);
                    self.book_given(node, blocks.len(), leap);
                }
            }
            at.0 += leap.hops[stages].ns;
            if at >= until && head_ns > 0 {
                return Walked { place: Place::Between(stages, at), rounds, last };
            }
            let begin = at;
            at.0 += head_ns;
            if at > until || at == until && rounds + 1 < leap.rounds {
                let place = match head_ns {
                    0 => Place::Between(stages, at),
                    _ => Place::Running(stages, begin, at),
                };
                return Walked { place, rounds, last };
            }
            last = at;
            if book {
                self.measured.busy(leap.home, begin, at);
                self.measured.tokens(count, at);
            }
            context += u64::from(count);
        }
        Walked { place: Place::Over, rounds: leap.rounds, last }
    }

    fn book_given(&mut self, node: usize, blocks: u32, leap: &Leap) {
        let giver = self.world.nodes[node].institution;
        for step in &leap.steps {
            self.measured.given(giver, step.institution as usize, step.count(), blocks);
        }
    }

    /// Enters tokens and messages of a leap in the books.
    fn book(&mut self, leap: &Leap, walked: Walked) {
        for step in &leap.steps {
            let mut id = step.session;
            for _ in 0..step.count() {
                let session = &mut self.sessions[id as usize];
                session.produced += walked.rounds;
                session.context += u64::from(walked.rounds);
                if walked.rounds > 0 {
                    session.last = walked.last;
                }
                id = session.next;
            }
        }
        let further = match walked.place {
            Place::Between(stage, _) | Place::Running(stage, ..) => stage + 1,
            Place::Over => 0,
        };
        for (number, way) in leap.hops.iter().enumerate() {
            let messages = u64::from(walked.rounds) + u64::from(number < further);
            if let Some(connection) = way.connection {
                self.carriage.fabric().repeat(connection, way.bytes, messages);
            }
        }
    }
}
