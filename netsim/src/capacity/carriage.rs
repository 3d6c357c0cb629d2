//! Steps between nodes: grouped by where they go, over the fabric. Not the fabric itself.

use super::{Flight, Measured, Run, processors::Of, session::Step};
use crate::{
    clock::Instant,
    fabric::{ConnectionId, Delivered, Fabric, Link, LinkId, Quic, Sent},
    link::MILLION,
    world::{Line, World},
};

/// Bytes of a message beside its hidden states, and of each step in it.
pub(super) const MESSAGE_BYTES: u64 = 40;
/// Seconds that may wait before a line, as before a link of the relay.
const QUEUE_S: f64 = 0.05;

/// The network of a run.
#[derive(Debug)]
pub(super) struct Carriage {
    fabric: Fabric,
    /// Of each node, the ways out of it that were taken.
    ways: Vec<Vec<Way>>,
    quic: Quic,
    delivered: Vec<Delivered>,
    lines: usize,
}

/// How steps get from one node to another.
#[derive(Debug, Clone, Copy)]
struct Way {
    to: u32,
    /// Whether it is that of prompts, which is apart: rows overtake what is left of prompts, as they
    /// do by their priority in the mesh.
    prompt: bool,
    /// Nothing if no lines lead there.
    connection: Option<ConnectionId>,
    /// Bytes of one position.
    hidden_bytes: u64,
}

impl Carriage {
    pub(super) fn new(world: &World, seed: u64) -> Self {
        let links: Vec<Link> = world.network.lines.iter().map(link).collect();
        let (initial_window, most) = world.network.window;
        let quic = Quic { initial_window, stream_window: most, ..Quic::NEIGHBOUR };
        Self {
            lines: links.len(),
            fabric: Fabric::new(&links, seed),
            ways: vec![Vec::new(); world.nodes.len()],
            quic,
            delivered: Vec::new(),
        }
    }

    /// The way from a node to another one.
    fn way(&mut self, world: &World, (from, to): (usize, usize), prompt: bool) -> Way {
        let number = |node: usize| u32::try_from(node).unwrap_or(u32::MAX);
        let ways = &mut self.ways[from];
        let known = ways.iter().position(|way| way.to == number(to) && way.prompt == prompt);
        if let Some(place) = known {
            let way = ways[place];
            // What is taken often comes to the front.
            if place > 0 {
                ways.swap(place, place / 2);
            }
            return way;
        }
        let ids = |lines: Vec<usize>| -> Vec<LinkId> {
            lines.into_iter().map(|line| LinkId(number(line))).collect()
        };
        let there = world.network.way(from, to).map(ids);
        let back = world.network.way(to, from).map(ids);
        let connection =
            there.zip(back).map(|(there, back)| self.fabric.connect(&there, &back, self.quic));
        let model = &world.models[world.nodes[from].model];
        let hidden_bytes = match world.nodes[from].stage && world.nodes[to].stage {
            true => model.hidden_bytes,
            false => model.home_bytes,
        };
        let way = Way { to: number(to), prompt, connection, hidden_bytes };
        self.ways[from].push(way);
        way
    }

    /// The connection for rows between two different nodes, and bytes of each.
    pub(super) fn rows(
        &mut self,
        world: &World,
        from: usize,
        to: usize,
    ) -> Option<(ConnectionId, u64)> {
        let way = self.way(world, (from, to), false);
        Some((way.connection?, way.hidden_bytes))
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

    /// When the network has something to say next.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.fabric.next_at()
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
    /// Sends steps on from a node to where each is placed, those to the same node together. Leaves
    /// none.
    pub(super) fn send_on(&mut self, from: usize, steps: &mut Vec<Step>) {
        if self.is_lossy {
            steps.retain(|step| self.is_current(step));
        }
        while let Some(first) = steps.first() {
            let to = first.node;
            if steps.iter().all(|step| step.node == to) {
                self.send(from, to as usize, steps);
                break;
            }
            let mut together = std::mem::take(&mut self.together);
            together.clear();
            together.extend(steps.extract_if(.., |step| step.node == to));
            self.send(from, to as usize, &mut together);
            self.together = together;
        }
        steps.clear();
    }

    /// Sends steps to a node, one after the other where software takes time to send; takes them.
    fn send(&mut self, from: usize, to: usize, steps: &mut Vec<Step>) {
        let sending_ns = self.world.network.software.1;
        if sending_ns == 0 || from == to {
            self.carry(from, to, steps);
            return;
        }
        let worker = &mut self.workers[from];
        worker.outbox.extend(steps.drain(..));
        if worker.sent.is_none() {
            self.begin(Of::Sending(from), sending_ns);
        }
    }

    /// A node has sent the first step of its outbox, and begins with the next.
    pub(super) fn sent(&mut self, from: usize) {
        self.workers[from].sent = None;
        self.ended_on_machine(Of::Sending(from));
        if let Some(step) = self.workers[from].outbox.pop_front()
            && self.is_current(&step)
        {
            self.carry(from, step.node as usize, &mut vec![step]);
        }
        if !self.workers[from].outbox.is_empty() {
            self.begin(Of::Sending(from), self.world.network.software.1);
        }
    }

    /// Carries steps from a node to another; takes them.
    fn carry(&mut self, from: usize, to: usize, steps: &mut Vec<Step>) {
        if from == to {
            self.receive(to, steps);
            self.run_next(to);
            return;
        }
        let (mut prompt, mut rows, mut count) = (false, 0, 0);
        for step in steps.iter() {
            let returned = if step.prompt && step.is_home() { 1 } else { step.positions };
            prompt |= step.prompt && returned > 1;
            rows += returned;
            count += u64::from(step.count());
        }
        let way = self.carriage.way(self.world, (from, to), prompt);
        let bytes = u64::from(rows) * way.hidden_bytes + MESSAGE_BYTES * count;
        let flight = self.flight(to, steps);
        let Some(connection) = way.connection else {
            self.lose(flight);
            return;
        };
        match self.carriage.fabric.send(self.now, connection, bytes, u64::from(flight)) {
            Sent::Arrives(at) => {
                self.disturb_lines(connection, Some(bytes));
                let at = Instant(at.0.saturating_add(self.world.network.software.0));
                self.deliver(at, flight);
            }
            Sent::Flows => self.disturb_lines(connection, None),
            Sent::Lost => self.lose(flight),
        }
    }

    pub(super) fn flight(&mut self, to: usize, steps: &mut Vec<Step>) -> u32 {
        let place = self.flights_free.pop().unwrap_or_else(|| {
            self.flights.push(Flight::default());
            u32::try_from(self.flights.len() - 1).expect("fewer than 2^32 messages under way")
        });
        let flight = &mut self.flights[place as usize];
        flight.to = u32::try_from(to).unwrap_or(u32::MAX);
        std::mem::swap(&mut flight.steps, steps);
        place
    }

    pub(super) fn recycle(&mut self, flight: u32, mut steps: Vec<Step>) {
        steps.clear();
        self.flights[flight as usize].steps = steps;
        self.flights_free.push(flight);
    }

    /// What was on it never arrives: its sessions have lost a stage.
    pub(super) fn lose(&mut self, flight: u32) {
        let steps = std::mem::take(&mut self.flights[flight as usize].steps);
        for step in &steps {
            if self.is_current(step) {
                let mut id = step.session;
                for _ in 0..step.count() {
                    let next = self.sessions[id as usize].next;
                    self.lose_session(id);
                    id = next;
                }
            }
        }
        self.recycle(flight, steps);
    }

    /// What has arrived over the network is at its nodes.
    pub(super) fn network(&mut self) {
        let mut delivered = std::mem::take(&mut self.carriage.delivered);
        self.carriage.fabric.advance(self.now, &mut delivered);
        for message in delivered.drain(..) {
            let flight = u32::try_from(message.tag).unwrap_or(u32::MAX);
            let at = Instant(message.at.0.saturating_add(self.world.network.software.0));
            self.deliver(at.max(self.now), flight);
        }
        self.carriage.delivered = delivered;
    }
}
