//! A consortium at work: requests, routes, passes, hops and outages in virtual time. Not single
//! bytes of a session ([`crate::mesh`]), nor what its figures mean ([`crate::report`]).
//!
//! Steps travel as the mesh sends them: what left a stage together towards the same node travels
//! together and is one event when it arrives, whoever's it is. So the number of events is that of
//! passes and messages, not of tokens, and nothing is averaged. Rounds that nothing disturbs are taken
//! in one leap.
//!
//! Start at [`simulate`]; a `Run` holds everything, one module per kind of event.

mod admission;
mod averaged;
mod carriage;
mod decode;
mod leap;
mod measured;
mod near;
mod outage;
mod pass;
mod prefixes;
mod processors;
mod prompts;
mod routing;
mod session;
mod together;
mod variation;

use std::collections::{BTreeSet, VecDeque};

pub(crate) use self::admission::OPEN_BYTES;
pub use self::measured::{InstitutionUse, Measured, NodeUse, PassRecord, SLICES, Sample, Series};
use self::{
    averaged::Averages,
    carriage::Carriage,
    leap::Leaps,
    outage::Outages,
    prefixes::Prefixes,
    processors::Machine,
    prompts::Prompts,
    routing::Router,
    session::{Session, Step},
    together::Meets,
    variation::{Variation, variations},
};
use crate::{
    clock::Instant,
    device::Pass,
    event::{Queue, Ticket, Timers},
    scenario::Rounds,
    workload::Source,
    world::World,
};

/// Nanoseconds of a second.
pub(crate) const SECOND: f64 = 1e9;

/// How a run is done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Decides every draw of this run.
    pub seed: u64,
    /// Seconds after which nothing more happens.
    pub until_s: f64,
    /// Most passes to record, for a trace.
    pub passes_max: usize,
    /// Requests after which none arrives any more; for scale, not for figures.
    pub requests_max: u64,
}

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A workload's next request comes.
    Arrive(u32),
    /// A request is asked again, or a conversation goes on.
    Ask(u32),
    /// A session's opening has been around the ring.
    Opened(u32, u32),
    /// A node has sent a step.
    Sent(u32),
    /// An outage begins or ends.
    Outage(u32),
    /// Rounds of a leap may be over.
    Leapt(u32),
    /// Home learns that a session lost a stage.
    Lost(u32, u32),
    /// Nodes announce what they have free.
    Announce,
    /// On the mean, an answer's first token comes.
    First(u32, u32),
    /// On the mean, answers of a cohort may be whole.
    Rounds(u32),
}

/// Steps on their way to a node.
#[derive(Debug, Default)]
struct Flight {
    to: u32,
    steps: Vec<Step>,
}

/// A node at work. In this order, so that what a pass reads and writes lies in three cache lines.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Worker {
    /// What is on its way to it, in order of arrival.
    inbox: VecDeque<(Instant, u32)>,
    /// Decode steps that wait, and pieces of prompts.
    decode: Vec<Step>,
    busy: bool,
    /// Whether what runs now is home's own part.
    at_home: bool,
    /// Whether it is there.
    down: u32,
    /// Rows that wait for home's own part.
    rows: Vec<Step>,
    /// What runs now: steps with the positions of each.
    running: Vec<Step>,
    since: Instant,
    /// How many times as long it takes.
    slow: f64,
    prompts: Prompts,
    /// The leap that it is part of.
    leap: Option<u32>,
    /// Tokens until it is looked again whether they may leap.
    patience: u32,
    /// How often sessions had ended or were lost when what waits was last found current.
    current_at: u64,
    /// Sessions it is a stage of, and sessions it is home of.
    sessions: u32,
    asked: u32,
    /// Of the sessions whose first stage it is: how many await their first token, and how many each
    /// home has.
    fresh: u32,
    homes: Vec<(u32, u32)>,
    /// Steps to send one after the other, and when the first has left.
    outbox: VecDeque<Step>,
    sent: Option<Ticket>,
    /// KV cache, in positions times blocks: room, and what is promised.
    room: u64,
    promised: u64,
    /// Number of the last session that gave some back.
    given_back: u64,
}

const _: () = assert!(std::mem::offset_of!(Worker, sessions) <= 3 * 64);

impl Worker {
    /// A session of a home has it as its first stage.
    fn enter(&mut self, home: usize) {
        let home = u32::try_from(home).unwrap_or(u32::MAX);
        self.fresh += 1;
        self.patience = 0;
        match self.homes.iter_mut().find(|(other, _)| *other == home) {
            Some((_, count)) => *count += 1,
            None => self.homes.push((home, 1)),
        }
    }

    /// Such a session is over, or loses it; `is_fresh` if its first token has not come.
    fn leave(&mut self, home: u32, is_fresh: bool) {
        self.fresh = self.fresh.saturating_sub(u32::from(is_fresh));
        self.patience = 0;
        if let Some((_, count)) = self.homes.iter_mut().find(|(other, _)| *other == home) {
            *count -= 1;
        }
        self.homes.retain(|(_, count)| *count > 0);
    }
}

/// One run.
#[derive(Debug)]
struct Run<'a> {
    world: &'a World,
    options: Options,
    now: Instant,
    queue: Queue<Event>,
    /// Of every node: when it is done with what it runs, or when the first steps come to it if it runs
    /// nothing.
    timers: Timers,
    sources: Vec<Source>,
    /// Requests of each home that wait for room, in order.
    waiting: Vec<VecDeque<u32>>,
    /// Homes where any wait; of each, how much had been given back when the first found no room.
    waits: BTreeSet<usize>,
    full_since: Vec<Option<u64>>,
    /// How often a session gave back what it had.
    given_back: u64,
    sessions: Vec<Session>,
    free: Vec<u32>,
    workers: Vec<Worker>,
    machines: Vec<Machine>,
    /// Of each node whose passes vary, by how much the next one does.
    variations: Vec<Option<Variation>>,
    router: Router,
    carriage: Carriage,
    outages: Outages,
    leaps: Leaps<'a>,
    averages: Averages,
    prefixes: Prefixes,
    flights: Vec<Flight>,
    flights_free: Vec<u32>,
    measured: Measured,
    /// Events handled, and requests that arrived.
    events: u64,
    requests: u64,
    /// Whether a session was ever lost: until then every step is current.
    is_lossy: bool,
    /// How often a session ended or was lost: what was current is so until it happens again.
    epochs: u64,
    /// The passes of one node, and steps to the same node; kept for their memory.
    parts: Vec<Pass>,
    together: Vec<Step>,
    meets: Meets,
    /// Positions of the longest request that each workload's nodes have room for, once it is asked.
    longest: Vec<Option<u64>>,
}

/// Simulates a world once.
#[must_use]
pub fn simulate(world: &World, options: Options) -> Measured {
    let mut run = Run::new(world, options);
    run.start();
    let until = seconds(options.until_s);
    while run.next(until) {}
    run.finish(until)
}

/// A time of so many seconds from the start.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never below zero")]
pub(crate) fn seconds(seconds: f64) -> Instant {
    Instant((seconds * SECOND).round() as u64)
}

impl<'a> Run<'a> {
    fn new(world: &'a World, options: Options) -> Self {
        let sources = (0..)
            .zip(&world.workloads)
            .map(|(index, workload)| Source::new(workload, index, options.seed))
            .collect();
        let workers = world.nodes.iter().map(|node| {
            let room = world.room(node);
            Worker { slow: 1.0, room, ..Worker::default() }
        });
        Self {
            world,
            options,
            now: Instant(0),
            queue: Queue::default(),
            timers: Timers::new(world.nodes.len()),
            sources,
            waiting: vec![VecDeque::new(); world.nodes.len()],
            waits: BTreeSet::new(),
            full_since: vec![None; world.nodes.len()],
            given_back: 0,
            sessions: Vec::new(),
            free: Vec::new(),
            workers: workers.collect(),
            machines: world.machines.iter().map(|count| Machine::new(*count)).collect(),
            variations: variations(world, options.seed),
            router: Router::new(world, options.seed),
            carriage: Carriage::new(world, options.seed),
            outages: Outages::new(world, options.seed),
            leaps: Leaps::default(),
            averages: Averages::new(world),
            prefixes: Prefixes::default(),
            flights: Vec::new(),
            flights_free: Vec::new(),
            measured: Measured::new(world, &options),
            events: 0,
            requests: 0,
            is_lossy: false,
            epochs: 0,
            parts: Vec::new(),
            together: Vec::new(),
            meets: Meets::default(),
            longest: vec![None; world.workloads.len()],
        }
    }

    fn start(&mut self) {
        // What is asked at once comes after the first announcements, and counts once.
        if self.router.announces() {
            self.queue.push(Instant(0), Event::Announce);
        }
        for index in 0..self.world.workloads.len() {
            self.begin_workload(index);
        }
        self.begin_outages();
    }

    /// Handles what comes next, if anything does until then; the network first.
    fn next(&mut self, until: Instant) -> bool {
        const NEVER: (Instant, u64) = (Instant(u64::MAX), u64::MAX);
        let event = self.queue.peek().unwrap_or(NEVER);
        let timer = self.timers.peek();
        let rings = timer.map_or(NEVER, |(_, at, number)| (at, number));
        let network = self.carriage.next_at().unwrap_or(NEVER.0);
        let at = event.min(rings).0.min(network);
        if at > until || at == NEVER.0 {
            return false;
        }
        self.now = at;
        self.events += 1;
        if network == at {
            self.network();
        } else if let Some((node, ..)) = timer.filter(|_| rings < event) {
            self.timers.clear(node);
            self.rings(node);
        } else if let Some((_, event)) = self.queue.pop() {
            self.handle(event);
        }
        true
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrive(workload) => self.arrive(workload as usize),
            Event::Ask(session) => self.ask(session),
            Event::Opened(session, epoch) => self.opened(session, epoch),
            Event::Sent(node) => self.sent(node as usize),
            Event::Outage(index) => self.outage(index as usize),
            Event::Leapt(leap) => self.leapt(leap),
            Event::Lost(session, epoch) => self.lost(session, epoch),
            Event::Announce => self.announce(),
            Event::First(session, epoch) => self.first_token(session, epoch),
            Event::Rounds(cohort) => self.rounds(cohort),
        }
    }

    fn at_s(&self) -> f64 {
        self.now.0 as f64 / SECOND
    }

    fn after(&self, seconds: f64) -> Instant {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never below zero"
        )]
        let ns = (seconds * SECOND).round() as u64;
        Instant(self.now.0.saturating_add(ns))
    }

    /// Whether steps of a session still mean something.
    fn is_current(&self, step: &Step) -> bool {
        self.sessions[step.session as usize].awaits(step)
    }

    /// Closes the books.
    fn finish(mut self, until: Instant) -> Measured {
        self.now = until;
        self.disturb_all();
        for index in 0..self.workers.len() {
            if self.workers[index].busy {
                let since = self.workers[index].since;
                self.measured.busy(index, since, until);
            }
        }
        if self.world.run.rounds == Rounds::Averaged {
            self.finish_averages();
        } else {
            self.carriage.traffic(&mut self.measured);
        }
        self.measured.end(&self.sessions, self.events, self.requests);
        self.measured
    }
}

#[cfg(test)]
mod tests;
