//! Steps between nodes: grouped by where they go, over the fabric. Not the fabric itself.

use std::collections::BTreeMap;

use super::{Event, Flight, Measured, Run, processors::Of, session::Step};
use crate::{
    clock::Instant,
    event::Ticket,
    fabric::{ConnectionId, Delivered, Fabric, Link, LinkId, Quic, Sent},
    link::MILLION,
    world::{Line, World},
};

/// Bytes of a message beside its hidden states, and of each step in it.
const MESSAGE_BYTES: u64 = 40;
/// Seconds that may wait before a line, as before a link of the relay.
const QUEUE_S: f64 = 0.05;

/// The network of a run.
#[derive(Debug)]
pub(super) struct Carriage {
    fabric: Fabric,
    /// From node to node, rows and prompts apart: rows overtake what is left of prompts, as they do
    /// by their priority in the mesh.
    connections: BTreeMap<(u32, u32, bool), Option<ConnectionId>>,
    quic: Quic,
    wake: Option<(Instant, Ticket)>,
    delivered: Vec<Delivered>,
    lines: usize,
}

impl Carriage {
    pub(super) fn new(world: &World, seed: u64) -> Self {
        let links: Vec<Link> = world.network.lines.iter().map(link).collect();
        let (initial_window, most) = world.network.window;
        let quic = Quic { initial_window, stream_window: most, ..Quic::NEIGHBOUR };
        Self {
            lines: links.len(),
            fabric: Fabric::new(&links, seed),
            connections: BTreeMap::new(),
            quic,
            wake: None,
            delivered: Vec::new(),
        }
    }

    fn connection(
        &mut self,
        world: &World,
        (from, to): (usize, usize),
        prompt: bool,
    ) -> Option<ConnectionId> {
        let number = |node: usize| u32::try_from(node).unwrap_or(u32::MAX);
        let key = (number(from), number(to), prompt);
        if let Some(connection) = self.connections.get(&key) {
            return *connection;
        }
        let ids = |lines: Vec<usize>| -> Vec<LinkId> {
            lines.into_iter().map(|line| LinkId(number(line))).collect()
        };
        let there = world.network.way(from, to).map(ids);
        let back = world.network.way(to, from).map(ids);
        let connection =
            there.zip(back).map(|(there, back)| self.fabric.connect(&there, &back, self.quic));
        self.connections.insert(key, connection);
        connection
    }

    /// Nanoseconds of a small message on idle lines.
    pub(super) fn delay_ns(&self, world: &World, from: usize, to: usize, bytes: u64) -> u64 {
        let Some(way) = world.network.way(from, to) else { return 0 };
        let slowest = way.iter().map(|line| world.network.lines[*line].rate);
        let slowest = slowest.fold(f64::INFINITY, f64::min);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0")]
        let sending = (bytes as f64 * 8.0 / slowest * 1e9) as u64;
        let (hop, step) = world.network.software;
        let software = if from == to { 0 } else { hop + step };
        world.network.delay_ns(from, to).unwrap_or(0) + sending + software
    }

    pub(super) fn fabric(&mut self) -> &mut Fabric {
        &mut self.fabric
    }

    /// Says what crossed each line.
    pub(super) fn traffic(&self, measured: &mut Measured) {
        for line in 0..self.lines {
            let traffic = self.fabric.traffic(LinkId(u32::try_from(line).unwrap_or(u32::MAX)));
            measured.line(traffic.bytes, traffic.busy.as_secs_f64());
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked when read")]
fn link(line: &Line) -> Link {
    Link {
        rate: (line.rate as u64).max(1),
        delay: std::time::Duration::from_nanos(line.delay_ns),
        jitter: std::time::Duration::from_nanos(line.jitter_ns),
        loss: (line.loss * f64::from(MILLION)) as u32,
        queue: (line.rate / 8.0 * QUEUE_S) as u64,
    }
}

impl Run<'_> {
    /// Sends steps on from a node, those with the same way together.
    pub(super) fn send_on(&mut self, from: usize, steps: &mut Vec<Step>) {
        while let Some(first) = steps.iter().find_map(|step| self.next_node(step)) {
            let together: Vec<Step> =
                steps.iter().filter(|step| self.next_node(step) == Some(first)).copied().collect();
            steps.retain(|step| {
                let next = self.next_node(step);
                next.is_some() && next != Some(first)
            });
            if self.world.network.software.1 == 0 || first == from {
                self.carry(from, first, &together);
            } else {
                let to = u32::try_from(first).unwrap_or(u32::MAX);
                let worker = &mut self.workers[from];
                worker.outbox.extend(together.into_iter().map(|step| (to, step)));
                if worker.sent.is_none() {
                    self.begin(Of::Sending(from), self.world.network.software.1);
                }
            }
        }
        steps.clear();
    }

    /// A node has sent the first step of its outbox, and begins with the next.
    pub(super) fn sent(&mut self, from: usize) {
        self.workers[from].sent = None;
        self.ended_on_machine(Of::Sending(from));
        if let Some((to, step)) = self.workers[from].outbox.pop_front()
            && self.is_current(&step)
        {
            self.carry(from, to as usize, &[step]);
        }
        if !self.workers[from].outbox.is_empty() {
            self.begin(Of::Sending(from), self.world.network.software.1);
        }
    }

    /// Where a step goes next; nowhere if only rows return and it has none, or its session is over.
    fn next_node(&self, step: &Step) -> Option<usize> {
        if !self.is_current(step) {
            return None;
        }
        let session = &self.sessions[step.session as usize];
        match session.route.get(usize::from(step.stage)) {
            Some((node, _)) => Some(*node as usize),
            None if step.returns => Some(self.world.workloads[session.workload as usize].home),
            None => None,
        }
    }

    fn carry(&mut self, from: usize, to: usize, steps: &[Step]) {
        if from == to {
            self.receive(to, steps);
            return;
        }
        let model = self.world.nodes[from].model;
        let ends = |node: usize| !self.world.nodes[node].stage;
        let hidden = match ends(from) || ends(to) {
            true => self.world.models[model].home_bytes,
            false => self.world.models[model].hidden_bytes,
        };
        let returned = |step: &Step| {
            let session = &self.sessions[step.session as usize];
            let home = usize::from(step.stage) == session.route.len();
            if home && step.prompt { 1 } else { step.positions }
        };
        let prompt = steps.iter().any(|step| step.prompt && returned(step) > 1);
        let rows: u32 = steps.iter().map(returned).sum();
        let bytes = u64::from(rows) * hidden + MESSAGE_BYTES * steps.len() as u64;
        let flight = self.flight(to, steps);
        let Some(connection) = self.carriage.connection(self.world, (from, to), prompt) else {
            self.lose(flight);
            return;
        };
        match self.carriage.fabric.send(self.now, connection, bytes, u64::from(flight)) {
            Sent::Arrives(at) => {
                let at = Instant(at.0.saturating_add(self.world.network.software.0));
                self.queue.push(at, Event::Steps(flight));
            }
            Sent::Flows => self.wake(),
            Sent::Lost => self.lose(flight),
        }
    }

    fn flight(&mut self, to: usize, steps: &[Step]) -> u32 {
        let place = self.flights_free.pop().unwrap_or_else(|| {
            self.flights.push(Flight::default());
            u32::try_from(self.flights.len() - 1).expect("fewer than 2^32 messages under way")
        });
        let flight = &mut self.flights[place as usize];
        flight.to = u32::try_from(to).unwrap_or(u32::MAX);
        flight.steps.clear();
        flight.steps.extend_from_slice(steps);
        place
    }

    pub(super) fn recycle(&mut self, flight: u32, steps: Vec<Step>) {
        self.flights[flight as usize].steps = steps;
        self.flights_free.push(flight);
    }

    /// What was on it never arrives: its sessions have lost a stage.
    fn lose(&mut self, flight: u32) {
        let steps = std::mem::take(&mut self.flights[flight as usize].steps);
        for step in &steps {
            if self.is_current(step) {
                self.lose_session(step.session);
            }
        }
        self.recycle(flight, steps);
    }

    /// Makes sure that the fabric is heard when it has something to say.
    pub(super) fn wake(&mut self) {
        let Some(at) = self.carriage.fabric.next_at() else { return };
        match self.carriage.wake {
            Some((planned, _)) if planned <= at => return,
            Some((_, ticket)) => self.queue.cancel(ticket),
            None => {}
        }
        let ticket = self.queue.push(at.max(self.now), Event::Network);
        self.carriage.wake = Some((at, ticket));
    }

    pub(super) fn network(&mut self) {
        self.carriage.wake = None;
        let mut delivered = std::mem::take(&mut self.carriage.delivered);
        self.carriage.fabric.advance(self.now, &mut delivered);
        for message in delivered.drain(..) {
            let flight = u32::try_from(message.tag).unwrap_or(u32::MAX);
            let at = Instant(message.at.0.saturating_add(self.world.network.software.0));
            self.queue.push(at.max(self.now), Event::Steps(flight));
        }
        self.carriage.delivered = delivered;
        self.wake();
    }
}
