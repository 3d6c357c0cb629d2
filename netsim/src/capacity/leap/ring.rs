//! Sessions that have the nodes of one route and their homes for themselves, round after round. Not
//! when that begins or ends.
//!
//! What happens here is what happens event by event, told once more for as little as is left: no
//! prompts, no openings, nothing lost. It differs in nothing but the order of what happens at one
//! nanosecond.

use std::rc::Rc;

use super::{
    super::{Measured, session::Hop},
    place::{Group, Party, Place},
};
use crate::{
    clock::Instant,
    fabric::{Lines, Ride},
};

/// All of it.
#[derive(Debug)]
pub(super) struct Ring<'a> {
    pub groups: Vec<Group>,
    /// Stages in order, then homes that are none.
    pub places: Vec<Place<'a>>,
    pub route: Rc<[Hop]>,
    pub ways: Vec<Way>,
    pub lines: Lines,
    /// Of each place, when something happens there next.
    pub next: Vec<Instant>,
}

/// How messages get from a place to another one.
#[derive(Debug)]
pub(super) struct Way {
    pub from: usize,
    pub to: usize,
    pub ride: Ride,
    /// Bytes of a position.
    pub each: u64,
    /// Nanoseconds of a message of the only group there is, once one has found the lines idle.
    pub alone_ns: Option<u64>,
}

impl Ring<'_> {
    /// The way from a place to another one; none within one node.
    pub(super) fn way(&self, from: usize, to: usize) -> Option<usize> {
        self.ways.iter().position(|way| (way.from, way.to) == (from, to))
    }

    /// Nanoseconds of the quickest round of a group, if it meets nobody.
    pub(super) fn round_ns(&self, group: usize) -> u64 {
        let Group { count, context, home, .. } = self.groups[group];
        let last = self.route.len() - 1;
        let mut ns = self.places[home].head_ns(count);
        for place in &self.places[..=last] {
            ns = ns.saturating_add(place.pass_ns(count, context));
        }
        let hops = (0..last).map(|stage| (stage, stage + 1)).chain([(last, home), (home, 0)]);
        for way in hops.filter_map(|(from, to)| self.way(from, to)) {
            let way = &self.ways[way];
            ns = ns.saturating_add(way.ride.idle_ns(u64::from(count) * way.each));
        }
        ns
    }

    /// The same of the quickest group.
    pub(super) fn quickest_ns(&self) -> u64 {
        (0..self.groups.len()).map(|group| self.round_ns(group)).min().unwrap_or(0)
    }

    /// When the last token of a session may come at the earliest.
    pub(super) fn end(&self, now: Instant) -> Instant {
        let left = (0..self.groups.len())
            .map(|group| u64::from(self.groups[group].left).saturating_mul(self.round_ns(group)));
        Instant(now.0.saturating_add(left.min().unwrap_or(0)))
    }

    /// Lets everything before `until` happen; enters it in the books.
    pub(super) fn advance(&mut self, until: Instant, books: &mut Measured) {
        if self.groups.len() == 1 {
            self.advance_alone(until, books);
            return;
        }
        loop {
            let (mut place, mut at) = (0, Instant(u64::MAX));
            for (index, next) in self.next.iter().enumerate() {
                if *next < at {
                    (place, at) = (index, *next);
                }
            }
            if at >= until {
                return;
            }
            if self.places[place].busy {
                self.ended(place, at, books);
            }
            self.go_on(place, at, books);
        }
    }

    /// The same for one group, of which every place knows where it comes from and goes.
    fn advance_alone(&mut self, until: Instant, books: &mut Measured) {
        let next = self.next.iter().zip(0..).min();
        let Some((_, mut at)) = next.filter(|next| *next.0 < until) else { return };
        let it = &mut self.places[at];
        let (mut since, mut ends, mut at_home) = (it.since, it.ends, it.at_home);
        let party = if std::mem::take(&mut it.busy) {
            it.running
        } else {
            let (arrived, party, is_home) = it.inbox.remove(0);
            (since, at_home) = (arrived, is_home);
            ends = Instant(since.0.saturating_add(self.takes_ns(at, &party, at_home)));
            party
        };
        self.next[at] = Instant(u64::MAX);
        loop {
            if ends >= until {
                let it = &mut self.places[at];
                (it.busy, it.running, it.at_home) = (true, party, at_home);
                (it.since, it.ends, self.next[at]) = (since, ends, ends);
                return;
            }
            books.busy(self.places[at].node, since, ends);
            let (to, way);
            if at_home {
                self.draw(&party, ends, books);
                (to, way, at_home) = (0, self.places[at].to_first, false);
            } else {
                self.book(at, &party, (since, ends), books);
                at_home = at + 1 == self.route.len();
                to = if at_home { self.groups[0].home } else { at + 1 };
                way = if at_home { self.places[to].from_last } else { self.places[at].to_next };
            }
            since = way.map_or(ends, |way| self.arrival_alone(way, party.count, ends));
            at = to;
            if since >= until {
                self.places[at].inbox.push((since, party, at_home));
                self.next[at] = since;
                return;
            }
            ends = Instant(since.0.saturating_add(self.takes_ns(at, &party, at_home)));
        }
    }

    fn ended(&mut self, place: usize, now: Instant, books: &mut Measured) {
        let it = &mut self.places[place];
        it.busy = false;
        let (party, since) = (it.running, it.since);
        books.busy(it.node, since, now);
        if it.at_home {
            self.tokens(place, &party, now, books);
        } else {
            self.passed(place, &party, (since, now), books);
        }
    }

    /// Home draws a token for each row, and the next steps leave.
    fn tokens(&mut self, place: usize, party: &Party, now: Instant, books: &mut Measured) {
        self.draw(party, now, books);
        self.leave(place, party, now, books);
    }

    fn draw(&mut self, party: &Party, now: Instant, books: &mut Measured) {
        for group in party.iter() {
            let group = &mut self.groups[group];
            group.context += u64::from(group.count);
            group.left = group.left.saturating_sub(1);
            group.rounds += 1;
        }
        books.tokens(party.count, now);
    }

    /// Steps leave home for the first stage.
    pub(super) fn leave(&mut self, home: usize, party: &Party, now: Instant, books: &mut Measured) {
        match self.places[home].to_first {
            Some(way) => self.send(way, party, now, false),
            None => {
                self.places[0].decode.append(party);
                self.run_next(0, now, books);
            }
        }
    }

    fn passed(
        &mut self,
        place: usize,
        party: &Party,
        (since, now): (Instant, Instant),
        books: &mut Measured,
    ) {
        self.book(place, party, (since, now), books);
        match self.places[place].to_next {
            Some(way) => self.send(way, party, now, false),
            None => self.go_home(place, party, now, books),
        }
    }

    /// Enters a pass in the books.
    fn book(&self, place: usize, party: &Party, time: (Instant, Instant), books: &mut Measured) {
        let it = &self.places[place];
        for group in party.iter().map(|group| &self.groups[group]) {
            books.given(it.institution, group.step.institution as usize, group.count, it.blocks);
        }
        books.passed(it.node, time, || (0, party.count));
    }

    /// Rows leave the last stage for their homes.
    fn go_home(&mut self, place: usize, party: &Party, now: Instant, books: &mut Measured) {
        let mut rest = *party;
        while let Some(home) = rest.first().map(|group| self.groups[group].home) {
            let (mut there, mut others) = (Party::default(), Party::default());
            for group in rest.iter() {
                let is_there = self.groups[group].home == home;
                if is_there { &mut there } else { &mut others }
                    .push(group, self.groups[group].count);
            }
            match self.places[home].from_last {
                Some(way) => self.send(way, &there, now, true),
                None => {
                    self.places[place].rows.append(&there);
                    self.run_next(place, now, books);
                }
            }
            rest = others;
        }
    }

    fn send(&mut self, way: usize, party: &Party, now: Instant, is_home: bool) {
        let at = self.arrival(way, party.count, now);
        let to = self.ways[way].to;
        let it = &mut self.places[to];
        let earlier = it.inbox.iter().rposition(|(other, ..)| *other <= at);
        it.inbox.insert(earlier.map_or(0, |place| place + 1), (at, *party, is_home));
        if !it.busy {
            self.next[to] = self.next[to].min(at);
        }
    }

    /// When a message with so many positions arrives.
    fn arrival(&mut self, way: usize, count: u32, now: Instant) -> Instant {
        let Way { ride, each, .. } = &mut self.ways[way];
        ride.pass(now, u64::from(count) * *each, &mut self.lines)
    }

    /// The same where nobody else's are on the lines.
    fn arrival_alone(&mut self, way: usize, count: u32, now: Instant) -> Instant {
        let Some(ns) = self.ways[way].alone_ns else {
            let at = self.arrival(way, count, now);
            let way = &mut self.ways[way];
            way.alone_ns = Some(way.ride.idle_ns(u64::from(count) * way.each));
            return at;
        };
        let Way { ride, each, .. } = &mut self.ways[way];
        ride.note(u64::from(count) * *each);
        Instant(now.0 + ns)
    }

    /// Nanoseconds that a place runs what it begins with.
    fn takes_ns(&self, place: usize, party: &Party, at_home: bool) -> u64 {
        let it = &self.places[place];
        if at_home {
            return it.head_ns(party.count);
        }
        let context = party.iter().map(|group| self.groups[group].context).sum();
        it.pass_ns(party.count, context)
    }

    /// Takes in what has arrived at a place, and starts what waits there.
    pub(super) fn go_on(&mut self, place: usize, now: Instant, books: &mut Measured) {
        let it = &mut self.places[place];
        while it.inbox.first().is_some_and(|(at, ..)| *at <= now) {
            let (_, party, is_home) = it.inbox.remove(0);
            if is_home { &mut it.rows } else { &mut it.decode }.append(&party);
        }
        self.run_next(place, now, books);
        self.next[place] = self.places[place].next();
    }

    fn run_next(&mut self, place: usize, now: Instant, books: &mut Measured) {
        let it = &mut self.places[place];
        if it.busy || it.rows.is_empty() && it.decode.is_empty() {
            return;
        }
        it.at_home = !it.rows.is_empty();
        it.running = std::mem::take(if it.at_home { &mut it.rows } else { &mut it.decode });
        let (party, at_home) = (it.running, it.at_home);
        let ns = self.takes_ns(place, &party, at_home);
        let it = &mut self.places[place];
        (it.busy, it.since, it.ends) = (true, now, Instant(now.0.saturating_add(ns)));
        self.next[place] = it.next();
        if ns == 0 && at_home {
            self.ended(place, now, books);
            self.run_next(place, now, books);
        }
    }
}
