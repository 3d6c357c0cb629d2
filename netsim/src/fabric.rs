//! A network of links that connections share, as a fluid: messages in, arrivals out, in virtual time.
//! Not packets: [`packet`](crate::packet) has those, to measure this against.
//!
//! A message that fits the window of its connection takes a closed form: a small one like a packet among
//! others, a larger one in its turn, as long as its links have no flows and little such work. What does
//! not becomes a flow, whose window grows and shrinks as QUIC's would, and which shares links by
//! weighted max-min. Drive it like every machine here: [`Fabric::send`], then [`Fabric::advance`] at [`Fabric::next_at`].
//!
//! Sources: RFC 9002 and 9438 as quinn has them; SimGrid's fluid links, which know no state of a
//! connection. Differs from both in that packets of a flow have no identity: a repair is bytes sent
//! again.

mod connection;
mod flow;
mod link;
mod pacer;
mod quic;
mod recent;
mod ride;
mod share;
mod sharing;
mod window;

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use self::{
    connection::{Active, Connection, nanoseconds},
    flow::{Outside, Sender, datagram_bytes},
    link::State,
    window::DATAGRAM,
};
pub use self::{
    link::{Link, LinkId, Traffic},
    quic::Quic,
    ride::{Lines, Ride},
};
use crate::{clock::Instant, random::Random};

/// Purpose of the random streams of connections: this and the following ones.
const CONNECTION_PURPOSE: u64 = 0x6661_6272 << 32;

/// The same of links.
const LINK_PURPOSE: u64 = 0x6C69_6E6B << 32;

/// Links and the connections over them.
#[derive(Debug)]
pub struct Fabric {
    seed: u64,
    links: Vec<State>,
    connections: Vec<Connection>,
    /// Next steps of flows.
    steps: BinaryHeap<Reverse<(Instant, ConnectionId)>>,
    /// What left its bottleneck, in order of arrival and then of sending.
    arrivals: BinaryHeap<Reverse<(Instant, u64, ConnectionId, u64)>>,
    arrival: u64,
    done: Vec<(Instant, u64)>,
    sharing: sharing::Scratch,
}

/// Names a connection of one fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is whole at the receiver then; nothing more is heard of it.
    Arrives(Instant),
    /// It does not fit the window: [`Fabric::advance`] tells when it arrived.
    Flows,
    /// A link of the path is cut: it never arrives.
    Lost,
}

/// A message of a flow that is whole at the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// When its last byte arrived.
    pub at: Instant,
    /// On which connection.
    pub connection: ConnectionId,
    /// What the sender called it.
    pub tag: u64,
}

impl Fabric {
    /// A fabric of `links`, named by their place; `seed` decides jitter and losses.
    #[must_use]
    pub fn new(links: &[Link], seed: u64) -> Self {
        let state = |(link, purpose): (&Link, u64)| State::new(*link, Random::new(seed, purpose));
        Self {
            seed,
            links: links.iter().zip(LINK_PURPOSE..).map(state).collect(),
            connections: Vec::new(),
            steps: BinaryHeap::new(),
            arrivals: BinaryHeap::new(),
            arrival: 0,
            done: Vec::new(),
            sharing: sharing::Scratch::default(),
        }
    }

    /// An established connection over the links `there`; acknowledgements come `back`, for which
    /// only the delays count.
    ///
    /// # Panics
    /// If there is no such link, or more than 2³² connections.
    pub fn connect(&mut self, there: &[LinkId], back: &[LinkId], quic: Quic) -> ConnectionId {
        let id = u32::try_from(self.connections.len()).expect("no run has 2³² connections");
        let random = Random::new(self.seed, CONNECTION_PURPOSE + u64::from(id));
        let mut connection = Connection::new([there.to_vec(), back.to_vec()], quic, random);
        connection.survey(&self.links);
        self.connections.push(connection);
        ConnectionId(id)
    }

    /// Sends a message of `bytes` at `now`, no earlier than the call before, and says what becomes of
    /// it. Cost: O(path), without allocation, where it fits the window.
    pub fn send(&mut self, now: Instant, to: ConnectionId, bytes: u64, tag: u64) -> Sent {
        let connection = &mut self.connections[to.0 as usize];
        if connection.ways.is_cut {
            return Sent::Lost;
        }
        let size = datagram_bytes(bytes);
        let is_idle = connection.active.as_ref().is_none_or(|active| active.flow.is_done());
        if is_idle && connection.fits(now, size) {
            return Sent::Arrives(connection.pass(now, size, &mut self.links));
        }
        if is_idle && connection.takes_turn(now, to.0, size, &self.links) {
            return Sent::Arrives(connection.pass_bulk(now, size, &mut self.links));
        }
        if let Some(active) = &mut connection.active {
            active.flow.push(bytes, tag);
            return Sent::Flows;
        }
        let mut flow = connection.flow(now);
        flow.push(bytes, tag);
        let bottleneck = connection.paths[0][0];
        let active = Active { flow, rate: 0.0, most: f64::NAN, weight: 0.0, bottleneck, next: now };
        connection.active = Some(Box::new(active));
        self.enter(to);
        self.steps.push(Reverse((now, to)));
        Sent::Flows
    }

    /// When to call [`Fabric::advance`] next; re-read after every call.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        let step = self.steps.peek().map(|next| next.0.0);
        let arrival = self.arrivals.peek().map(|next| next.0.0);
        step.into_iter().chain(arrival).min()
    }

    /// Lets everything up to `now` happen; appends what arrived, in order of time.
    pub fn advance(&mut self, now: Instant, delivered: &mut Vec<Delivered>) {
        while let Some(at) = self.next_at().filter(|at| *at <= now) {
            if let Some(&Reverse((arrives, _, connection, tag))) = self.arrivals.peek()
                && arrives == at
            {
                self.arrivals.pop();
                delivered.push(Delivered { at, connection, tag });
            } else if let Some(Reverse((_, connection))) = self.steps.pop() {
                self.step(at, connection);
            }
        }
    }

    /// Changes what a link carries, bits a second.
    pub fn set_rate(&mut self, link: LinkId, rate: u64) {
        self.links[link.0 as usize].set_rate(rate);
        self.survey(link);
    }

    /// Sets the losses of a link, of a million packets.
    pub fn set_loss(&mut self, link: LinkId, loss: u32) {
        self.links[link.0 as usize].link.loss = loss;
        self.survey(link);
    }

    /// Changes how long a link takes, one way; what is under way keeps its pace until its flow ends.
    pub fn set_delay(&mut self, link: LinkId, delay: Duration) {
        self.links[link.0 as usize].link.delay = delay;
        self.survey(link);
    }

    /// Cuts a link: flows over it end, also those whose acknowledgements took it. Returns what they had
    /// not delivered, which never arrives.
    pub fn cut(&mut self, link: LinkId) -> Vec<u64> {
        self.links[link.0 as usize].is_cut = true;
        let mut lost = Vec::new();
        for id in self.over(link) {
            let active = &self.connections[id.0 as usize].active;
            lost.extend(active.iter().flat_map(|active| active.flow.tags()));
            self.leave(id);
        }
        self.survey(link);
        lost
    }

    /// Mends a link that was cut; connections over it go on with the windows they had.
    pub fn mend(&mut self, link: LinkId) {
        self.links[link.0 as usize].is_cut = false;
        self.survey(link);
    }

    /// The links that messages of a connection take.
    #[must_use]
    pub fn path(&self, connection: ConnectionId) -> &[LinkId] {
        &self.connections[connection.0 as usize].paths[0]
    }

    /// Nanoseconds that each of many messages of `bytes` takes whose links nobody else uses; `None`
    /// where chance, losses, windows or flows have a say.
    #[must_use]
    pub fn idle_ns(&self, now: Instant, connection: ConnectionId, bytes: u64) -> Option<u64> {
        let connection = &self.connections[connection.0 as usize];
        connection.idle_ns(now, datagram_bytes(bytes), &self.links)
    }

    /// Nanoseconds that a message of `bytes` keeps a link busy.
    #[must_use]
    pub fn busy_ns(&self, link: LinkId, bytes: u64) -> u64 {
        whole(datagram_bytes(bytes) as f64 * self.links[link.0 as usize].takes())
    }

    /// What crossed a link so far.
    #[must_use]
    pub fn traffic(&self, link: LinkId) -> Traffic {
        self.links[link.0 as usize].traffic()
    }

    /// Congestion window of a connection, bytes.
    #[must_use]
    pub fn window(&self, connection: ConnectionId) -> u64 {
        whole(self.connections[connection.0 as usize].window.bytes())
    }

    /// Connections over `link`, for their messages or for acknowledgements.
    fn over(&self, link: LinkId) -> Vec<ConnectionId> {
        let ids = (0..).map(ConnectionId).zip(&self.connections);
        let over =
            ids.filter(|(_, connection)| connection.paths.iter().flatten().any(|l| *l == link));
        over.map(|(id, _)| id).collect()
    }

    /// Notes a change of `link` in all connections over it.
    fn survey(&mut self, link: LinkId) {
        for id in self.over(link) {
            self.connections[id.0 as usize].survey(&self.links);
        }
        if let Some(first) = self.links[link.0 as usize].flows.first() {
            self.share(ConnectionId(*first));
        }
    }

    /// Moves the flow of `id` one step from `now`.
    fn step(&mut self, now: Instant, id: ConnectionId) {
        let connection = &mut self.connections[id.0 as usize];
        // One that was cut leaves its next step behind.
        let Some(active) = connection.active.as_mut().filter(|active| active.next == now) else {
            return;
        };
        if active.flow.is_over() {
            connection.rest(now);
            self.leave(id);
            return;
        }
        let (allowance, bottleneck) =
            sharing::allowance(now, active, &connection.paths[0], &self.links);
        if active.bottleneck != bottleneck {
            self.links[active.bottleneck.0 as usize].queued -= active.flow.queued();
            self.links[bottleneck.0 as usize].queued += active.flow.queued();
            active.bottleneck = bottleneck;
        }
        let before = active.flow.queued();
        let outside = Outside { now, allowance, loss: connection.ways.loss };
        let sender = Sender {
            quic: &connection.quic,
            window: &mut connection.window,
            pacer: &mut connection.pacer,
            random: &mut connection.random,
        };
        active.next = now + active.flow.length;
        let passed = active.flow.advance(outside, sender, &mut self.done);
        self.links[bottleneck.0 as usize].queued += active.flow.queued() - before;
        let next = active.next;
        for LinkId(link) in &connection.paths[0] {
            self.links[*link as usize].carry(passed);
        }
        for (left, tag) in self.done.drain(..) {
            let late = connection.jitter(u64::MAX);
            let delay = nanoseconds(connection.ways.delay) + late;
            let at = connection.arrive(left + Duration::from_nanos(delay));
            self.arrival += 1;
            self.arrivals.push(Reverse((at, self.arrival, id, tag)));
        }
        self.shed(bottleneck);
        self.claim(id);
        self.steps.push(Reverse((next, id)));
    }

    /// Drops what a queue does not hold: from whoever's byte in it is drawn.
    fn shed(&mut self, link: LinkId) {
        let state = &mut self.links[link.0 as usize];
        let excess = -state.room();
        // Less than a packet is no loss.
        if excess <= DATAGRAM {
            return;
        }
        let mut drawn = state.random.unit() * state.queued;
        for id in &state.flows {
            let Some(active) = &mut self.connections[*id as usize].active else { continue };
            let waits = if active.bottleneck == link { active.flow.queued() } else { 0.0 };
            if waits > drawn {
                state.queued -= active.flow.shed(excess);
                return;
            }
            drawn -= waits;
        }
    }
}

/// The whole part of a number of bytes or nanoseconds, none of which comes near 2⁶³; 0 of what is below.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
pub(crate) const fn whole(number: f64) -> u64 {
    // By way of a signed number, for which processors have an instruction; without one it takes three
    // times as long, ten times for each message.
    let signed = number as i64;
    if signed > 0 { signed.cast_unsigned() } else { 0 }
}

#[cfg(test)]
mod tests;
