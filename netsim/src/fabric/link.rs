//! A directed link of the fabric: what it is like, and what crosses it. Not who shares it.

use std::{mem::offset_of, time::Duration};

use super::{whole, window::DATAGRAM};
use crate::{clock::Instant, link::datagram::HEADER_BYTES, random::Random};

/// Bytes on the line for each byte of a full datagram.
pub(super) const ON_THE_LINE: f64 = 1.0 + HEADER_BYTES as f64 / DATAGRAM;

/// What a directed link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Bits a second, with all headers; at least one.
    pub rate: u64,
    /// One-way delay.
    pub delay: Duration,
    /// Greatest extra delay of a packet, which never overtakes another.
    pub jitter: Duration,
    /// Lost packets of a million.
    pub loss: u32,
    /// Bytes that may wait before it; what comes on top is dropped.
    pub queue: u64,
}

/// Names a link of one fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// What crossed a link so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes of UDP payload that entered it, lost ones too.
    pub bytes: u64,
    /// How long it was sending.
    pub busy: Duration,
}

/// A link and what is on it. In this order, so that what a message reads and writes of an idle link lies
/// in one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct State {
    /// Nanoseconds for each byte of datagrams, and whole ones for a full datagram.
    takes: f64,
    packet_ns: u64,
    /// Nanoseconds of work that single messages brought, at `seen`.
    backlog: u64,
    seen: Instant,
    bytes: f64,
    busy: f64,
    /// Bytes of flows that wait before it.
    pub queued: f64,
    bulk: Bulk,
    pub link: Link,
    /// Draws whose packet a full queue drops.
    pub random: Random,
    pub is_cut: bool,
    /// Connections with a flow over it.
    pub flows: Vec<u32>,
    /// The computation of shares that listed it last, and its place there.
    pub listed: (u64, usize),
    /// Sum of their rates, bytes of datagrams a second.
    pub load: f64,
    /// Bytes of datagrams a second.
    capacity: f64,
}

const _: () = assert!(offset_of!(State, bulk) + offset_of!(Bulk, share) <= 64);

/// Larger messages that take their turn on the link.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Bulk {
    /// When the last of them has crossed, and the part of the time until then that the link sends.
    until: Instant,
    share: f64,
    /// Nanoseconds of work that wait at `at`, how many come on top in each, and until when.
    queue: f64,
    at: Instant,
    gain: f64,
    comes_until: Instant,
}

impl Bulk {
    /// Nanoseconds of work that are left at `now`.
    fn left(&self, now: Instant) -> f64 {
        if now >= self.until {
            return 0.0;
        }
        self.until.0.saturating_sub(now.0) as f64 * self.share
    }

    /// Nanoseconds of work that wait before the link at `now`.
    fn queue(&self, now: Instant) -> f64 {
        if now >= self.until {
            return 0.0;
        }
        let since = now.0.saturating_sub(self.at.0) as f64;
        (self.queue + self.gain * since).min(self.left(now)).max(0.0)
    }
}

impl State {
    pub(super) fn new(link: Link, random: Random) -> Self {
        let mut state = Self {
            takes: 0.0,
            packet_ns: 0,
            backlog: 0,
            seen: Instant(0),
            bytes: 0.0,
            busy: 0.0,
            queued: 0.0,
            bulk: Bulk::default(),
            link,
            random,
            is_cut: false,
            flows: Vec::new(),
            listed: (0, 0),
            load: 0.0,
            capacity: 0.0,
        };
        state.set_rate(link.rate);
        state
    }

    /// Changes what it carries, bits a second.
    pub(super) fn set_rate(&mut self, rate: u64) {
        self.link.rate = rate.max(1);
        self.capacity = self.link.rate as f64 / (8.0 * ON_THE_LINE);
        self.takes = 1e9 / self.capacity;
        self.packet_ns = whole(DATAGRAM * self.takes);
    }

    /// Bytes of datagrams a second.
    pub(super) const fn capacity(&self) -> f64 {
        self.capacity
    }

    /// Nanoseconds for each byte of datagrams.
    pub(super) const fn takes(&self) -> f64 {
        self.takes
    }

    /// Whole nanoseconds for a full datagram.
    pub(super) const fn packet_ns(&self) -> u64 {
        self.packet_ns
    }

    /// Nanoseconds of work that may wait before it.
    pub(super) fn queue_ns(&self) -> f64 {
        self.link.queue as f64 / ON_THE_LINE * self.takes
    }

    /// Bytes of datagrams that may still wait before it.
    pub(super) fn room(&self) -> f64 {
        self.link.queue as f64 / ON_THE_LINE - self.queued
    }

    /// Passes a single message of `bytes` at `now`; returns how long it waits and how long it takes,
    /// nanoseconds.
    ///
    /// A message that comes late in the order of calls meets what waited when the last one came.
    pub(super) fn pass(&mut self, now: Instant, bytes: f64) -> (u64, u64) {
        let takes = bytes * self.takes;
        let lasts = whole(takes);
        let mut waits = self.backlog(now);
        self.seen = self.seen.max(now);
        self.backlog = waits + lasts;
        if self.queued > 0.0 || self.is_bulk(now) {
            waits += whole(self.queued * self.takes + self.bulk.queue(now));
        }
        if self.is_bulk(now) {
            self.bulk.until.0 += lasts;
        }
        self.note(bytes, takes);
        (waits, lasts)
    }

    /// Nanoseconds of work with single messages that are left at `now`.
    pub(super) const fn backlog(&self, now: Instant) -> u64 {
        self.backlog.saturating_sub(now.0.saturating_sub(self.seen.0))
    }

    /// Nanoseconds of work beside that of flows within `length` nanoseconds from `now`.
    pub(super) fn work(&self, now: Instant, length: f64) -> f64 {
        let left = self.bulk.until.0.saturating_sub(now.0) as f64;
        self.backlog(now) as f64 + self.bulk.share * left.min(length)
    }

    /// Whether larger messages are crossing.
    pub(super) const fn is_bulk(&self, now: Instant) -> bool {
        now.0 < self.bulk.until.0
    }

    /// Nanoseconds of larger messages before one that comes now; `None` if flows of others than `of`
    /// share the link.
    pub(super) fn turn(&self, now: Instant, of: u32) -> Option<f64> {
        let free = self.flows.iter().all(|flow| *flow == of);
        free.then(|| self.bulk.left(now))
    }

    /// Passes a larger message of `bytes` that comes within `stream` nanoseconds from `now` on, in its
    /// turn; returns when its first bytes cross and how long it takes to cross.
    pub(super) fn pass_bulk(&mut self, now: Instant, bytes: f64, stream: f64) -> (Instant, f64) {
        let takes = bytes * self.takes;
        let lasts = stream.max(takes);
        let before = self.bulk;
        let left = before.left(now);
        let begin = Instant(now.0 + self.backlog(now) + whole(left));
        let until = before.until.max(Instant(begin.0 + whole(lasts)));
        let others = if now < before.comes_until { before.gain + 1.0 } else { 0.0 };
        self.bulk = Bulk {
            until,
            share: ((left + takes) / (until.0 - now.0).max(1) as f64).min(1.0),
            queue: before.queue(now),
            at: now,
            gain: takes / stream + others - 1.0,
            comes_until: before.comes_until.max(Instant(now.0 + whole(stream))),
        };
        self.note(bytes, takes);
        (begin, lasts)
    }

    /// Notes that single messages keep it busy until `free`.
    pub(super) fn occupy(&mut self, now: Instant, free: Instant) {
        let left = self.backlog(now).max(free.0.saturating_sub(now.0));
        self.seen = self.seen.max(now);
        self.backlog = left;
    }

    /// Counts bytes of a flow.
    pub(super) fn carry(&mut self, bytes: f64) {
        self.note(bytes, bytes * self.takes);
    }

    fn note(&mut self, bytes: f64, ns: f64) {
        self.bytes += bytes;
        self.busy += ns;
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic { bytes: whole(self.bytes), busy: Duration::from_nanos(whole(self.busy)) }
    }
}
