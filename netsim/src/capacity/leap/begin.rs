//! Which sessions may leap, and from where. Not how they go round.

use std::rc::Rc;

use super::{
    HELD_UP, Leap, ROUNDS_MIN,
    place::{GROUPS_MAX, Group, Party, Place},
    ring::{Ring, Way},
};
use crate::{
    capacity::{
        Event, Run,
        carriage::MESSAGE_BYTES,
        session::{Hop, Step},
        together::members,
    },
    clock::Instant,
    fabric::Lines,
    scenario::Rounds,
};

/// Tokens at home until it is worth looking again whether a ring may leap that may not yet.
const PATIENCE: u32 = 8;

impl<'a> Run<'a> {
    /// Leaps if all sessions of the route of the steps that leave home now have its nodes for
    /// themselves; takes the steps then.
    pub(in crate::capacity) fn leap(&mut self, home: usize, steps: &mut Vec<Step>) {
        if self.world.run.rounds != Rounds::Leaped || self.world.network.software != (0, 0) {
            return;
        }
        let Some(first) = steps.first() else { return };
        let route = Rc::clone(&self.sessions[first.session as usize].route);
        if !self.is_calm(&route) {
            return;
        }
        let Some((mut ring, leaving)) = self.ring(steps, &route) else {
            self.workers[route[0].0 as usize].patience = PATIENCE;
            return;
        };
        steps.clear();
        let place = self.leaps.free.pop().unwrap_or_else(|| {
            self.leaps.all.push(None);
            u32::try_from(self.leaps.all.len() - 1).expect("fewer leaps than sessions")
        });
        for it in &ring.places {
            self.take_in(it.node, place);
        }
        let lines = self.shared_lines(&ring);
        self.leaps.lay(place, &lines);
        let from = ring.places.iter().position(|it| it.node == home).unwrap_or(0);
        ring.leave(from, &leaving, self.now, &mut self.measured);
        ring.go_on(from, self.now, &mut self.measured);
        let round_ns = ring.quickest_ns();
        let end = ring.end(self.now);
        let ends = Some(self.queue.push(end, Event::Leapt(place)));
        self.leaps.all[place as usize] = Some(Leap { ring, round_ns, ends });
    }

    /// Whether nothing but decode steps of as many sessions is at the nodes of a route.
    fn is_calm(&mut self, route: &[Hop]) -> bool {
        let entry = &mut self.workers[route[0].0 as usize];
        if entry.fresh > 0 || entry.patience > 0 {
            entry.patience = entry.patience.saturating_sub(1);
            return false;
        }
        let count = entry.sessions;
        route.iter().all(|(node, _)| {
            let device = &self.world.devices[self.world.nodes[*node as usize].device];
            let most = if device.prompts_max.is_some() { u32::MAX } else { device.positions_max };
            self.variations[*node as usize].is_none()
                && self.workers[*node as usize].sessions == count
                && count <= most
                && self.is_free(*node as usize)
        })
    }

    fn is_free(&self, node: usize) -> bool {
        let worker = &self.workers[node];
        worker.prompts.is_empty()
            && worker.down == 0
            && worker.leap.is_none()
            && self.world.nodes[node].machine.is_none()
    }

    /// A node's steps are part of a leap from now on.
    fn take_in(&mut self, node: usize, leap: u32) {
        let worker = &mut self.workers[node];
        worker.leap = Some(leap);
        worker.busy = false;
        worker.running.clear();
        worker.decode.clear();
        worker.rows.clear();
        self.timers.clear(node);
        while let Some((_, flight)) = self.workers[node].inbox.pop_front() {
            let steps = std::mem::take(&mut self.flights[flight as usize].steps);
            self.recycle(flight, steps);
        }
    }

    /// All that is at the nodes of a route and at the homes of its sessions, if that is all of them, and
    /// those that leave home now.
    fn ring(&mut self, steps: &[Step], route: &Rc<[Hop]>) -> Option<(Ring<'a>, Party)> {
        let entry = &self.workers[route[0].0 as usize];
        let count = entry.sessions;
        let mut nodes: Vec<usize> = route.iter().map(|hop| hop.0 as usize).collect();
        for home in entry.homes.iter().map(|(home, _)| *home as usize) {
            if !nodes.contains(&home) {
                if self.workers[home].sessions > 0 || !self.is_free(home) {
                    return None;
                }
                nodes.push(home);
            }
        }
        // Rows of other routes come to those that are homes of more sessions.
        let asked = |node: usize| entry.homes.iter().find(|(home, _)| *home as usize == node);
        if nodes.iter().any(|node| self.workers[*node].asked != asked(*node).map_or(0, |it| it.1)) {
            return None;
        }
        let mut groups = Groups { run: self, route, nodes: &nodes, all: Vec::new() };
        let leaving = groups.party(steps)?;
        let mut places = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let blocks = route.get(index).map_or(0, |hop| hop.1.len());
            places.push(groups.place(*node, blocks)?);
        }
        let groups = groups.all;
        if groups.iter().map(|group| group.count).sum::<u32>() != count {
            return None;
        }
        let next = places.iter().map(Place::next).collect();
        let (route, ways, lines) = (Rc::clone(route), Vec::new(), Lines::default());
        let mut ring = Ring { groups, places, route, ways, lines, next };
        self.lay_ways(&mut ring, count)?;
        // Where more sessions take less time together, the quickest round is not known.
        let falls = |place: &Place<'_>| place.device.is_some_and(|device| !device.rises());
        let is_unsure = ring.groups.len() > 1 && ring.places.iter().any(falls);
        if is_unsure || ring.quickest_ns() == 0 || self.holds_up_others(&ring) {
            return None;
        }
        Some((ring, leaving))
    }

    /// Finds the ways between the places of a ring, for messages of up to `count` sessions.
    fn lay_ways(&mut self, ring: &mut Ring<'a>, count: u32) -> Option<()> {
        let last = ring.route.len() - 1;
        let mut hops: Vec<(usize, usize)> = (0..last).map(|stage| (stage, stage + 1)).collect();
        let homes = ring.groups.iter().map(|group| group.home);
        hops.extend(homes.flat_map(|home| [(last, home), (home, 0)]));
        hops.sort_unstable();
        hops.dedup();
        for hop in hops.into_iter().filter(|(from, to)| from != to) {
            let [from, to] = [hop.0, hop.1].map(|place| ring.places[place].node);
            let (connection, hidden_bytes) = self.carriage.rows(self.world, from, to)?;
            let each = hidden_bytes + MESSAGE_BYTES;
            let most = u64::from(count) * each;
            let ride = self.carriage.fabric().ride(self.now, connection, most, &mut ring.lines)?;
            ring.ways.push(Way { from: hop.0, to: hop.1, ride, each, alone_ns: None });
        }
        for place in 0..ring.places.len() {
            let to_next = if place < last { ring.way(place, place + 1) } else { None };
            let (to_first, from_last) = (ring.way(place, 0), ring.way(last, place));
            let it = &mut ring.places[place];
            (it.to_next, it.to_first, it.from_last) = (to_next, to_first, from_last);
        }
        Some(())
    }

    /// Whether messages of a ring would hold up others on lines that are not of its nodes.
    fn holds_up_others(&mut self, ring: &Ring<'a>) -> bool {
        let own = self.world.nodes.len() * 2;
        let most = ring.groups.iter().map(|group| group.count).max().unwrap_or(1);
        let round_ns = ring.quickest_ns();
        let fabric = self.carriage.fabric();
        ring.ways.iter().any(|way| {
            let bytes = u64::from(most) * way.each;
            let mut lines = fabric.path(way.ride.connection()).iter();
            lines.any(|line| {
                line.0 as usize >= own && fabric.busy_ns(*line, bytes) >= round_ns / HELD_UP
            })
        })
    }
}

/// Groups as they are found.
struct Groups<'r, 'a> {
    run: &'r Run<'a>,
    route: &'r Rc<[Hop]>,
    nodes: &'r [usize],
    all: Vec<Group>,
}

impl<'a> Groups<'_, 'a> {
    /// What is at a node, if nothing else is.
    fn place(&mut self, node: usize, blocks: u32) -> Option<Place<'a>> {
        let run = self.run;
        let (worker, of) = (&run.workers[node], &run.world.nodes[node]);
        let world = run.world;
        let mut place = Place {
            node,
            institution: of.institution,
            blocks,
            hidden_bytes: world.models[of.model].hidden_bytes,
            device: world.devices.get(of.device),
            slow: worker.slow,
            busy: worker.busy,
            running: Party::default(),
            since: worker.since,
            ends: Instant(u64::MAX),
            at_home: worker.at_home,
            decode: self.party(&worker.decode)?,
            rows: self.party(&worker.rows)?,
            inbox: worker.inbox.iter().map(|(at, _)| (*at, Party::default(), false)).collect(),
            to_next: None,
            to_first: None,
            from_last: None,
        };
        if worker.busy {
            (place.running, place.ends) = (self.party(&worker.running)?, run.timers.at(node)?);
        }
        for ((_, flight), (_, party, is_home)) in worker.inbox.iter().zip(&mut place.inbox) {
            let steps = &run.flights[*flight as usize].steps;
            *party = self.party(steps)?;
            *is_home = steps.first().is_some_and(Step::is_home);
        }
        Some(place)
    }

    /// Steps as groups, if all decode on the route and have rounds before them.
    fn party(&mut self, steps: &[Step]) -> Option<Party> {
        let mut party = Party::default();
        for step in steps {
            let session = &self.run.sessions[step.session as usize];
            let alike = Rc::ptr_eq(&session.route, self.route) || session.route == *self.route;
            let home = self.nodes.iter().position(|node| *node == session.home as usize)?;
            let left = members(&self.run.sessions, step)
                .map(|session| session.output.saturating_sub(session.produced + 1))
                .min()?;
            let current = !self.run.is_lossy || self.run.is_current(step);
            let known = self.all.len();
            if step.prompt || !alike || !current || left < ROUNDS_MIN || known == GROUPS_MAX {
                return None;
            }
            let (count, context) = (step.count(), step.context);
            self.all.push(Group { step: *step, count, context, home, left, rounds: 0 });
            party.push(known, count);
        }
        Some(party)
    }
}
