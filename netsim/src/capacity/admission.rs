//! Requests come, wait for room, get a route, and end. Not what runs in between.

use std::rc::Rc;

use super::{
    Event, Run, SECOND,
    prefixes::{KEPT_S, PAGE_POSITIONS},
    routing::{Held, NoRoute},
    session::{Hop, Session, State, Step},
};
use crate::{clock::Instant, scenario::Rounds, world::Arrival};

/// Positions of one step of a prompt, as home cuts it.
const CHUNK_POSITIONS: u32 = 128;
/// Seconds after which people try again who got no answer: without a pause they would ask for ever
/// at one instant while a stage is gone.
const AGAIN_S: f64 = 1.0;
/// Bytes of an opening, with route and signature.
pub(crate) const OPEN_BYTES: u64 = 600;

impl Run<'_> {
    /// The first requests of a workload.
    pub(super) fn begin_workload(&mut self, index: usize) {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        match self.world.workloads[index].arrival {
            Arrival::Closed(users, _) => {
                for _ in 0..users {
                    let think = self.sources[index].thinks().unwrap_or(0.0);
                    self.come(number, think);
                }
            }
            Arrival::Backlog(backlog) => {
                for _ in 0..backlog.start {
                    self.come(number, 0.0);
                }
            }
            _ => self.expect_next(index),
        }
    }

    /// Schedules a workload's next arrival that nothing but the clock calls for.
    fn expect_next(&mut self, index: usize) {
        if self.requests >= self.options.requests_max {
            return;
        }
        let now = self.at_s();
        if let Some(at) = self.sources[index].next(now) {
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            self.queue.push(super::seconds(at), Event::Arrive(number));
        }
    }

    pub(super) fn arrive(&mut self, index: usize) {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let session = self.request(number);
        self.ask(session);
        self.expect_next(index);
    }

    /// A request of a workload in so many seconds.
    fn come(&mut self, workload: u32, delay_s: f64) {
        if self.requests >= self.options.requests_max {
            return;
        }
        let session = self.request(workload);
        let at = self.after(delay_s);
        self.sessions[session as usize].state = State::Pausing;
        self.queue.push(at, Event::Ask(session));
    }

    fn request(&mut self, workload: u32) -> u32 {
        self.requests += 1;
        let source = &mut self.sources[workload as usize];
        let (length, prefix) = (source.length(), source.prefix());
        let owner = &self.world.workloads[workload as usize];
        self.keep(Session { prefix, ..Session::new((workload, owner), length, self.now) })
    }

    fn keep(&mut self, mut session: Session) -> u32 {
        if let Some(place) = self.free.pop() {
            // Steps of whoever was here before are of an older epoch.
            session.epoch = self.sessions[place as usize].epoch + 1;
            self.sessions[place as usize] = session;
            place
        } else {
            self.sessions.push(session);
            u32::try_from(self.sessions.len() - 1).expect("fewer than 2^32 sessions at a time")
        }
    }

    /// A request reaches home, for the first time or again.
    pub(super) fn ask(&mut self, id: u32) {
        let session = &mut self.sessions[id as usize];
        if session.state == State::Pausing && session.losses == 0 {
            session.asked = self.now;
        }
        session.state = State::Waiting;
        if session.losses == 0 && !session.audit {
            self.measured.asked(self.now);
        }
        let home = session.home as usize;
        if self.waiting[home].is_empty() && self.open(id) {
            return;
        }
        if self.sessions[id as usize].state != State::Waiting {
            return;
        }
        if self.waiting[home].len() >= self.world.router.waiting_max as usize {
            self.end(id, Ending::NoRoom);
        } else {
            self.waiting[home].push_back(id);
            self.waits.insert(home);
        }
    }

    /// Opens a session if there is a route with room; ends it if there can be none.
    fn open(&mut self, id: u32) -> bool {
        let session = &self.sessions[id as usize];
        let (number, positions) = (session.home, session.positions());
        let home = number as usize;
        let workload = session.workload as usize;
        let kept = match session.kept {
            0 => self.prefixes.held(session, self.now),
            positions => Some((&session.route, positions)),
        };
        let held = kept.map(|(route, positions)| Held { route, positions });
        let route = self.router.route(self.world, &self.workers, workload, positions, held);
        let route = match route {
            Ok(route) => route,
            Err(NoRoute::Full) if self.fits(id) => {
                self.full_since[home] = Some(self.given_back);
                return false;
            }
            Err(NoRoute::Full | NoRoute::Never) => {
                self.end(id, Ending::Refused);
                return false;
            }
        };
        self.disturb(home);
        self.router.opened(self.now, self.world, number, (&route, positions));
        self.workers[home].asked += 1;
        for (node, blocks) in route.iter() {
            self.disturb(*node as usize);
            let worker = &mut self.workers[*node as usize];
            worker.promised += positions * u64::from(blocks.len());
            worker.sessions += 1;
        }
        self.workers[route[0].0 as usize].enter(home);
        let session = &mut self.sessions[id as usize];
        if session.kept > 0 && session.route != route {
            session.kept = 0;
        }
        session.kept = session.kept.max(self.prefixes.kept(session, &route, self.now));
        session.route = Rc::clone(&route);
        session.state = State::Prompt;
        session.context = u64::from(session.kept);
        let epoch = session.epoch;
        let at = self.opens_at(home, &route);
        if at == self.now {
            self.opened(id, epoch);
        } else {
            self.queue.push(at, Event::Opened(id, epoch));
        }
        true
    }

    /// Whether there would be room for a request if nothing else ran: who waits for more than there
    /// is would wait for ever, and all behind it.
    fn fits(&mut self, id: u32) -> bool {
        let session = &self.sessions[id as usize];
        let workload = session.workload as usize;
        let world = self.world;
        let longest = self.longest[workload].get_or_insert_with(|| world.longest(workload));
        session.positions() <= *longest
    }

    /// Sends the prompt, and what came of the answer before a stage was lost.
    pub(super) fn opened(&mut self, id: u32, epoch: u32) {
        let session = &self.sessions[id as usize];
        if session.epoch != epoch || session.state != State::Prompt {
            return;
        }
        let first = session.route[0].0 as usize;
        let home = session.home as usize;
        let mut left = session.prompt + session.produced - session.kept.min(session.prompt);
        let whole = self.world.devices[self.world.nodes[first].device].prompts_max.is_some();
        let chunk = if whole { u32::MAX } else { CHUNK_POSITIONS };
        // All but the last page may be kept, so that there is always something to run.
        left = left.max(1);
        // Once the last piece is through, caches hold all of it.
        self.sessions[id as usize].context = u64::from(session.kept) + u64::from(left);
        if self.world.run.rounds == Rounds::Averaged {
            return self.average_prompt(id, left, chunk);
        }
        while left > 0 {
            let positions = left.min(chunk);
            left -= positions;
            let mut step = Step {
                session: id,
                last: id,
                epoch,
                positions,
                left: positions,
                piece: 0,
                context: 0,
                node: 0,
                blocks: 0,
                institution: self.sessions[id as usize].institution,
                stage: 0,
                prompt: true,
                returns: left == 0,
            };
            self.sessions[id as usize].place(&mut step);
            self.send_on(home, &mut vec![step]);
        }
    }

    /// When an opening that leaves now has been around the ring.
    fn opens_at(&self, home: usize, route: &[Hop]) -> Instant {
        let own = self.after(self.world.router.open_ms.get() / 1e3);
        let round = if self.world.router.opens { self.round_ns(home, route) } else { 0 };
        Instant(own.0 + round)
    }

    /// Nanoseconds of something short around the ring.
    fn round_ns(&self, home: usize, route: &[Hop]) -> u64 {
        let (mut sum, mut from) = (0, home);
        for to in route.iter().map(|hop| hop.0 as usize).chain([home]) {
            sum += self.carriage.delay_ns(self.world, from, to, OPEN_BYTES);
            from = to;
        }
        sum
    }

    /// Seconds from an answer's last token to its end.
    fn closes_s(&self, id: u32) -> f64 {
        let Some(own) = self.world.router.close_ms else { return 0.0 };
        let session = &self.sessions[id as usize];
        let home = self.world.workloads[session.workload as usize].home;
        own.get() / 1e3 + self.round_ns(home, &session.route) as f64 / SECOND
    }

    /// A session that runs ends and gives back what it had.
    pub(super) fn release(&mut self, id: u32) {
        self.leave_cohort(id);
        let session = &self.sessions[id as usize];
        let positions = session.positions();
        self.router.closed(self.now, self.world, session.home, (&session.route, positions));
        let home = &mut self.workers[session.home as usize];
        home.asked = home.asked.saturating_sub(1);
        self.given_back += 1;
        let is_fresh = session.state == State::Prompt;
        self.workers[session.route[0].0 as usize].leave(session.home, is_fresh);
        for (node, blocks) in Rc::clone(&session.route).iter() {
            let worker = &mut self.workers[*node as usize];
            let held = positions * u64::from(blocks.len());
            worker.promised = worker.promised.saturating_sub(held);
            worker.sessions = worker.sessions.saturating_sub(1);
            worker.given_back = self.given_back;
        }
    }

    /// The answer is whole.
    pub(super) fn complete(&mut self, id: u32) {
        self.release(id);
        self.prefixes.ended(&self.sessions[id as usize], self.now);
        self.end(id, Ending::Done);
        self.make_room();
    }

    /// Lets in who waits, as far as there is room.
    pub(super) fn make_room(&mut self) {
        let mut from = 0;
        while let Some(&home) = self.waits.range(from..).next() {
            from = home + 1;
            if self.is_full_still(home) {
                continue;
            }
            while let Some(&id) = self.waiting[home].front() {
                if !self.open(id) && self.sessions[id as usize].state == State::Waiting {
                    break;
                }
                self.waiting[home].pop_front();
            }
            if self.waiting[home].is_empty() {
                self.full_since[home] = None;
                self.waits.remove(&home);
            }
        }
    }

    /// Whether the first that waits at a home found no room, and no node that it may use has given
    /// back any since.
    fn is_full_still(&mut self, home: usize) -> bool {
        let (Some(since), Some(first)) = (self.full_since[home], self.waiting[home].front()) else {
            return false;
        };
        let workload = self.sessions[*first as usize].workload as usize;
        let near = self.router.near_only(self.world, workload);
        near.is_some_and(|near| {
            near.iter().all(|node| self.workers[*node as usize].given_back <= since)
        })
    }

    /// A request is over, one way or another; the next one of the same people may follow.
    pub(super) fn end(&mut self, id: u32, how: Ending) {
        let session = &mut self.sessions[id as usize];
        let (workload, audit) = (session.workload, session.audit);
        let done = how == Ending::Done;
        session.state = State::Over;
        session.epoch += 1;
        self.epochs += 1;
        self.measured.ended(&self.sessions[id as usize], how, self.now);
        let closes = if done { self.closes_s(id) } else { 0.0 };
        self.free.push(id);
        if audit {
            return;
        }
        let index = workload as usize;
        let (prompt, output) = {
            let session = &self.sessions[id as usize];
            (session.prompt, session.output)
        };
        let share = self.world.workloads[index].audit;
        if done && self.sources[index].audited(share) {
            let owner = &self.world.workloads[index];
            let mut again = Session::new((workload, owner), (prompt + output, 0), self.now);
            again.audit = true;
            let again = self.keep(again);
            self.ask(again);
        }
        if done && let Some(pause) = self.follows(index) {
            self.continue_talk(id, workload, prompt + output, closes + pause);
        } else if let Some(think) = self.sources[index].thinks() {
            self.come(workload, if done { closes + think } else { think.max(AGAIN_S) });
        }
        self.backlog(index, Some(if done { closes } else { AGAIN_S }));
    }

    fn follows(&mut self, index: usize) -> Option<f64> {
        self.world.workloads[index].turns?;
        self.sources[index].follows()
    }

    /// The next request of a conversation begins with all that was said.
    fn continue_talk(&mut self, before: u32, workload: u32, said: u32, pause: f64) {
        let before = &self.sessions[before as usize];
        let (route, prefix) = (Rc::clone(&before.route), before.prefix);
        let next = self.request(workload);
        let session = &mut self.sessions[next as usize];
        session.prefix = prefix;
        session.prompt = session.prompt.saturating_add(said);
        if pause <= KEPT_S {
            session.kept = said / PAGE_POSITIONS * PAGE_POSITIONS;
            session.route = route;
        }
        session.state = State::Pausing;
        let at = self.after(pause);
        self.queue.push(at, Event::Ask(next));
    }

    /// Lets in more of a backlog, if it has one: after a pause for one that ended, or as far as there
    /// is room.
    pub(super) fn backlog(&mut self, index: usize, ended: Option<f64>) {
        let Arrival::Backlog(backlog) = self.world.workloads[index].arrival else { return };
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        match backlog.kv_max {
            None => {
                if let Some(pause) = ended {
                    self.come(number, pause);
                }
            }
            Some(most) => {
                let model = self.world.workloads[index].model;
                let fullest = (self.workers.iter().zip(&self.world.nodes))
                    .filter(|(worker, node)| node.model == model && worker.room > 0)
                    .map(|(worker, _)| worker.promised as f64 / worker.room as f64)
                    .fold(0.0, f64::max);
                if fullest <= most.get() {
                    self.come(number, ended.unwrap_or(0.0));
                }
            }
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an answer.
    Done,
    /// No route is permitted, or none is there.
    Refused,
    /// Too many wait already.
    NoRoom,
    /// A stage was lost.
    Failed,
}
