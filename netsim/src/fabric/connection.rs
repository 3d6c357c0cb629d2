//! A connection of the fabric: its path, its window, and messages that fit into it. Not its flow.

use std::{mem::offset_of, time::Duration};

use super::{
    flow::{self, AMPLE, Flow},
    link::{LinkId, State},
    pacer::{Pace, Pacer},
    quic::Quic,
    recent::Recent,
    whole,
    window::{DATAGRAM, Window},
};
use crate::{clock::Instant, link::MILLION, random::Random};

/// How long a sender waits for the rest of an acknowledgement before it calls a packet lost, in
/// round trips (RFC 9002, §6.1.2).
const TIME_THRESHOLD: f64 = 9.0 / 8.0;
/// Packets behind a lost one that show the loss at once (RFC 9002, §6.1.1).
const PACKET_THRESHOLD: u64 = 3;
/// Least part of a probe timeout beside round trip and acknowledgement delay, nanoseconds; else it is
/// four deviations of the round trip (RFC 9002, §6.2.1).
const GRANULARITY: f64 = 1e6;

/// A message passes between flows like a single packet up to so many bytes of datagrams, some
/// milliseconds of a slow link and more than a decode step has, or so many nanoseconds on its slowest
/// link.
const SINGLE: u64 = 64 << 10;
const SINGLE_NS: f64 = 1e6;
/// Nanoseconds of work on a link up to which larger messages take their turn on it, as in a queue: more
/// is shared.
const BULK_NS: f64 = 50e6;

/// A connection over a path. In this order, so that what a message reads and writes on idle links lies
/// in four cache lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Connection {
    pub active: Option<Box<Active>>,
    /// Bytes of datagrams that flow control lets be under way.
    pub flow_window: f64,
    recent: Recent,
    pub pacer: Pacer,
    /// The pace that follows from a window, and that window.
    paced: (f64, Pace),
    /// There and, for acknowledgements, back.
    pub paths: [Vec<LinkId>; 2],
    pub ways: Ways,
    /// The computation of shares that listed it last.
    pub listed: u64,
    pub window: Window,
    /// When the last of those larger messages arrives that took their turn: nothing overtakes them.
    bulk: Instant,
    /// When the last message arrives, where none overtakes another.
    arrived: Option<Instant>,
    pub quic: Quic,
    pub random: Random,
    /// Of the measured round trip, nanoseconds.
    deviation: f64,
}

const _: () = assert!(offset_of!(Connection, ways) + offset_of!(Ways, slowest) <= 3 * 64);
const _: () = assert!(offset_of!(Connection, window) == 4 * 64);

/// What follows from the links of a connection. In this order: see [`Connection`].
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Ways {
    /// Whether a link of it is cut.
    pub is_cut: bool,
    /// One-way delay there, and round trip of a packet, without queues, nanoseconds.
    pub delay_ns: u64,
    pub round_trip_ns: u64,
    /// Greatest jitter there.
    pub jitter: u64,
    /// Lost share of packets there.
    pub loss: f64,
    /// Bytes of datagrams a second of the slowest link there.
    pub slowest: f64,
    /// A window beyond which the links alone decide, bytes.
    pub ample: f64,
    /// Nanoseconds of work on a link there that larger messages make at most: what its queue holds.
    pub bulk_ns: f64,
    /// The same as above.
    pub delay: Duration,
    pub round_trip: Duration,
}

/// The flow of a connection and its place among others.
#[derive(Debug)]
pub(super) struct Active {
    pub flow: Flow,
    /// Its share, bytes of datagrams a second.
    pub rate: f64,
    /// The most it asked for when shares were computed, not a number before that, and its part beside
    /// others.
    pub most: f64,
    pub weight: f64,
    /// Where it waits.
    pub bottleneck: LinkId,
    /// When its next step is.
    pub next: Instant,
}

impl Connection {
    pub(super) fn new(paths: [Vec<LinkId>; 2], quic: Quic, random: Random) -> Self {
        Self {
            active: None,
            flow_window: flow::flow_window(&quic),
            recent: Recent::default(),
            pacer: Pacer::new(),
            paced: (f64::NAN, Pace::of(1.0, 1.0)),
            paths,
            ways: Ways::default(),
            listed: 0,
            window: Window::new(&quic),
            bulk: Instant(0),
            arrived: quic.ordered.then_some(Instant(0)),
            quic,
            random,
            deviation: f64::NAN,
        }
    }

    /// Notes what its links are like now.
    pub(super) fn survey(&mut self, links: &[State]) {
        let mut ways = Ways { slowest: f64::INFINITY, bulk_ns: BULK_NS, ..Ways::default() };
        let mut arrives = 1.0;
        for (back, path) in self.paths.iter().enumerate() {
            for LinkId(id) in path {
                let State { link, is_cut, .. } = &links[*id as usize];
                ways.round_trip += link.delay + link.jitter;
                ways.is_cut |= is_cut;
                if back == 1 {
                    continue;
                }
                ways.delay += link.delay;
                ways.jitter += u64::try_from(link.jitter.as_nanos()).unwrap_or(u64::MAX);
                let state = &links[*id as usize];
                ways.slowest = ways.slowest.min(state.capacity());
                ways.bulk_ns = ways.bulk_ns.min(state.queue_ns());
                arrives *= 1.0 - f64::from(link.loss.min(MILLION)) / f64::from(MILLION);
            }
        }
        ways.loss = 1.0 - arrives;
        ways.round_trip = ways.round_trip.max(Duration::from_micros(1));
        if self.deviation.is_nan() {
            // Half of the first sample, less what the other samples of a handshake leave of it.
            self.deviation = nanoseconds(ways.round_trip) as f64 * 0.375;
        }
        ways.ample = AMPLE * ways.round_trip.as_secs_f64() * ways.slowest;
        ways.delay_ns = nanoseconds(ways.delay);
        ways.round_trip_ns = nanoseconds(ways.round_trip);
        self.ways = ways;
        self.paced = (f64::NAN, Pace::of(self.window.bytes(), ways.round_trip.as_secs_f64()));
    }

    /// Whether a message of `bytes` (of datagrams) leaves at once, beside all others.
    pub(super) fn fits(&self, now: Instant, bytes: u64) -> bool {
        self.is_single(bytes) && self.has_window(now, bytes)
    }

    fn is_single(&self, bytes: u64) -> bool {
        bytes <= SINGLE || bytes as f64 <= self.ways.slowest * SINGLE_NS / 1e9
    }

    /// Whether a message of `bytes` (of datagrams) of the connection `of` takes its turn on its links: it
    /// fits the window, and what is before it on them is as short. Then it need not become a flow, which
    /// would share them.
    pub(super) fn takes_turn(
        &mut self,
        now: Instant,
        of: u32,
        bytes: u64,
        links: &[State],
    ) -> bool {
        // What fits the window has left before anything of it is acknowledged: none of it widens it.
        if self.active.is_some() || self.ways.loss > 0.0 || !self.has_window(now, bytes) {
            return false;
        }
        let rate = self.full_pace().rate.min(self.ways.slowest);
        let most = self.ways.bulk_ns - bytes as f64 / rate * 1e9;
        let mut path = self.paths[0].iter().map(|LinkId(id)| &links[*id as usize]);
        path.all(|link| link.turn(now, of).is_some_and(|left| left <= most))
    }

    fn has_window(&self, now: Instant, bytes: u64) -> bool {
        let limit = whole(self.window.bytes().min(self.flow_window));
        let flow = self.active.as_ref().map_or(0, |active| active.flow.under_way());
        let all: u64 = self.recent.bytes().iter().sum();
        let sum = flow + bytes;
        sum + all <= limit || sum + self.recent.sum(now, self.ways.round_trip_ns) <= limit
    }

    /// A flow that begins at `now`.
    pub(super) fn flow(&self, now: Instant) -> Flow {
        let Ways { round_trip, slowest, .. } = self.ways;
        let mut flow = Flow::new(round_trip, slowest, &self.window);
        for (bytes, left) in self.recent.under_way(now, nanoseconds(round_trip)) {
            flow.precede(bytes, left);
        }
        flow
    }

    /// Ends its flow at `now`; what is not acknowledged stays under way.
    pub(super) fn rest(&mut self, now: Instant) {
        if let Some(active) = &self.active
            && active.flow.under_way() > 0
        {
            self.recent.follow(now, active.flow.round(), active.flow.under_way());
        }
    }

    /// When a message of `bytes` (of datagrams) that fits arrives.
    pub(super) fn pass(&mut self, now: Instant, bytes: u64, links: &mut [State]) -> Instant {
        let (size, mut at, mut takes) = (bytes as f64, now, 0);
        for LinkId(id) in &self.paths[0] {
            let link = &mut links[*id as usize];
            let (waits, lasts) = link.pass(at, size);
            // Behind the slowest link a message follows packet by packet.
            let packet = link.packet_ns().min(lasts);
            at.0 += waits + packet;
            takes = takes.max(lasts - packet);
        }
        let before = now.max(self.pacer.spent());
        let paced = self.pace(now, size);
        self.widen(before, Instant(now.0 + paced));
        at.0 += takes.max(paced);
        self.recent.add(now, at, self.ways.round_trip_ns, bytes);
        at.0 += self.ways.delay_ns;
        let packets = bytes.div_ceil(whole(DATAGRAM));
        at.0 += self.jitter(packets);
        if self.ways.loss > 0.0 {
            at.0 += self.repair(now, bytes, packets);
            self.sample(packets);
        }
        self.arrive(at)
    }

    /// When a message of `bytes` (of datagrams) arrives that takes its turn.
    pub(super) fn pass_bulk(&mut self, now: Instant, bytes: u64, links: &mut [State]) -> Instant {
        let size = bytes as f64;
        let paced = size / self.full_pace().rate * 1e9;
        // What went before it on the connection leaves first.
        let begin = now.max(self.pacer.spent());
        let (mut at, mut stream) = (begin, paced);
        for LinkId(id) in &self.paths[0] {
            let link = &mut links[*id as usize];
            let (begin, lasts) = link.pass_bulk(at, size, stream);
            // Behind the slowest link a message follows packet by packet.
            at = Instant(begin.0 + link.packet_ns());
            stream = lasts;
        }
        let end = begin + Duration::from_nanos(whole(paced));
        self.pacer.spend(end);
        self.widen(begin, end);
        let rest = stream * (1.0 - DATAGRAM / size);
        at.0 += whole(rest.max(0.0));
        self.recent.add(now, at, self.ways.round_trip_ns, bytes);
        at.0 += self.ways.delay_ns + self.jitter(u64::MAX);
        self.bulk = self.arrive(at);
        self.bulk
    }

    /// How long messages of `bytes` (of datagrams) take one by one on links that are idle, nanoseconds;
    /// `None` where that is not always the same.
    pub(super) fn idle_ns(&self, now: Instant, bytes: u64, links: &[State]) -> Option<u64> {
        let Ways { jitter, loss, is_cut, round_trip, .. } = self.ways;
        let limit = whole(self.window.bytes().min(self.flow_window));
        let pace = Pace::of(self.window.bytes(), round_trip.as_secs_f64());
        let size = bytes as f64;
        let held = !self.is_single(bytes) || bytes > limit || size > pace.most;
        let is_idle = |id: &LinkId| {
            let link = &links[id.0 as usize];
            link.flows.is_empty() && !link.is_bulk(now)
        };
        if !self.paths[0].iter().all(is_idle) {
            return None;
        }
        if is_cut || jitter > 0 || loss > 0.0 || self.active.is_some() || held {
            return None;
        }
        let (mut at, mut takes) = (0, 0);
        for LinkId(id) in &self.paths[0] {
            let link = &links[*id as usize];
            let lasts = whole(size * link.takes());
            let packet = link.packet_ns().min(lasts);
            at += packet;
            takes = takes.max(lasts - packet);
        }
        Some(at + takes + nanoseconds(self.ways.delay))
    }

    /// When something that comes at `at` may be read.
    pub(super) fn arrive(&mut self, at: Instant) -> Instant {
        match &mut self.arrived {
            Some(last) => {
                *last = at.max(*last);
                *last
            }
            None => at.max(self.bulk),
        }
    }

    /// Extra delay of the last of `packets`, nanoseconds: none overtakes another.
    pub(super) fn jitter(&mut self, packets: u64) -> u64 {
        if self.ways.jitter == 0 {
            return 0;
        }
        // The mean of the greatest of n even draws.
        let short = (1.0 - self.random.unit()) * 2.0 / (packets as f64 + 1.0);
        whole(self.ways.jitter as f64 * (1.0 - short))
    }

    /// What its window and a round trip without queues allow.
    fn full_pace(&mut self) -> Pace {
        let window = self.window.bytes();
        if self.paced.0 != window {
            self.paced = (window, Pace::of(window, self.ways.round_trip.as_secs_f64()));
        }
        self.paced.1
    }

    /// How long pacing holds back the end of `size` bytes, nanoseconds.
    fn pace(&mut self, now: Instant, size: f64) -> u64 {
        let pace = self.full_pace();
        let later = size - self.pacer.take(now, size, pace);
        if later <= 0.0 {
            return 0;
        }
        let takes = whole((later / pace.most).ceil() * pace.most / pace.rate * 1e9);
        self.pacer.spend(now + Duration::from_nanos(takes));
        takes
    }

    /// Takes in what is acknowledged while pacing holds back a message until `end`: the window is in
    /// use then, and grows.
    fn widen(&mut self, now: Instant, end: Instant) {
        let round_trip = self.ways.round_trip_ns;
        if end <= now || self.window.bytes() >= self.ways.ample {
            return;
        }
        let [before, after] = [now, end].map(|at| self.recent.sum(at, round_trip));
        let acked = before.saturating_sub(after);
        if acked > 0 {
            let sent = Instant(end.0.saturating_sub(round_trip));
            self.window.acked(end, sent, acked as f64, self.ways.round_trip.as_secs_f64());
        }
    }

    /// Notes how the acknowledgements of `packets` spread: each second one comes at once, and the last
    /// of an odd number late.
    fn sample(&mut self, packets: u64) {
        let samples = i32::try_from(packets.div_ceil(2)).unwrap_or(i32::MAX);
        self.deviation *= 0.75_f64.powi(samples);
        if !packets.is_multiple_of(2) {
            self.deviation += 0.25 * nanoseconds(self.quic.ack_delay) as f64;
        }
    }

    /// How much later the last of `packets` is there for losses on the way, nanoseconds.
    fn repair(&mut self, now: Instant, bytes: u64, packets: u64) -> u64 {
        let loss = self.ways.loss;
        let each = if bytes <= self.quic.repeats { loss * loss } else { loss };
        let none = (1.0 - each).powi(i32::try_from(packets).unwrap_or(i32::MAX));
        if self.random.unit() < none {
            return 0;
        }
        let round_trip = nanoseconds(self.ways.round_trip) as f64;
        let spread = (4.0 * self.deviation).max(GRANULARITY);
        let probe = round_trip + spread + nanoseconds(self.quic.ack_delay) as f64;
        let behind = self.random.next() % packets.max(1);
        let used = self.recent.bytes().into_iter().max().unwrap_or(0) as f64;
        if !self.quic.lenient || used >= self.window.bytes() / 2.0 {
            self.window.lost(now, now);
        }
        let mut later = match behind {
            0 => probe,
            n if n < PACKET_THRESHOLD => round_trip * TIME_THRESHOLD,
            _ => round_trip,
        };
        let mut backoff = 2.0;
        while self.random.unit() < loss {
            later += probe * backoff;
            backoff *= 2.0;
        }
        whole(later)
    }
}

/// Whole nanoseconds.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
