//! What one connection has under way beyond a single window: a fluid that leaves the sender as
//! windows and pacing allow, waits at the bottleneck, and is acknowledged a round trip later. Not the
//! shares of a link.
//!
//! Steps of an eighth of a round trip: enough that slow start, pacing and repairs show their rhythm,
//! and cheap enough for every prefill of a long run.

use std::{collections::VecDeque, time::Duration};

use super::{
    pacer::{LEAST_BURST, Pace, Pacer},
    quic::Quic,
    whole,
    window::{DATAGRAM, Window},
};
use crate::{clock::Instant, random::Random};

/// Steps a round trip, where it is not shorter than that many packets.
const STEPS: u32 = 8;
/// The same once slow start is over.
const SETTLED_STEPS: u32 = 2;
/// Windows, in bytes that the slowest link carries in a round trip, that hold back nothing: pacing has
/// made up for what the link does not carry.
pub(super) const AMPLE: f64 = 2.0;
/// Message bytes in a full datagram of [`DATAGRAM`] bytes: less short header, tag and stream frame.
const PAYLOAD: u64 = 1_415;
/// Share of a flow-control window that is usable: the receiver opens it in eighths.
const CREDIT: f64 = 15.0 / 16.0;

/// Bytes by which sums of many parts may differ from the whole.
const DUST: f64 = 0.5;

/// Bytes of datagrams that carry a message of `bytes`.
pub(super) fn datagram_bytes(bytes: u64) -> u64 {
    bytes.saturating_add(bytes.div_ceil(PAYLOAD).saturating_mul(whole(DATAGRAM) - PAYLOAD))
}

/// Bytes of datagrams that flow control lets be under way.
pub(super) fn flow_window(quic: &Quic) -> f64 {
    quic.flow_window() as f64 * CREDIT * (DATAGRAM / PAYLOAD as f64)
}

/// A message that is under way.
#[derive(Debug, Clone, Copy)]
struct Message {
    /// Bytes of the flow, in datagrams, that are delivered when it is whole.
    end: f64,
    tag: u64,
}

/// What a step looks like from outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outside {
    /// When the step begins.
    pub now: Instant,
    /// Bytes a second that the bottleneck would carry for this flow.
    pub allowance: f64,
    /// Lost share of packets.
    pub loss: f64,
}

/// What a connection keeps when it has no flow.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    pub quic: &'a Quic,
    pub window: &'a mut Window,
    pub pacer: &'a mut Pacer,
    pub random: &'a mut Random,
}

/// Bytes under way on one connection.
#[derive(Debug)]
pub(super) struct Flow {
    messages: VecDeque<Message>,
    /// Bytes of all messages.
    claimed: f64,
    /// Bytes that left the bottleneck and were not lost.
    delivered: f64,
    unsent: f64,
    /// Bytes sent, neither acknowledged nor given up.
    under_way: f64,
    /// Bytes that wait at the bottleneck.
    queued: f64,
    /// Bytes that left the bottleneck in each step of the last round trip: arrived, and lost.
    passed: [[f64; 2]; STEPS as usize],
    step: u32,
    /// How many steps make a round trip.
    steps: u32,
    /// Bytes dropped before a full queue, and how much is served when that shows.
    dropped: VecDeque<(f64, f64)>,
    served: f64,
    /// Bytes paced since a burst left, modulo what leaves at once.
    paced: f64,
    until_loss: f64,
    /// Length of a step.
    pub(super) length: Duration,
    /// Window beyond which the slowest link alone decides, bytes.
    ample: f64,
    /// Whether flow control holds back what is to be sent.
    held: bool,
    /// Most under way in the last round trip and in this one.
    used: [f64; 2],
}

impl Flow {
    /// An empty flow over a path with `round_trip` (without queues), whose slowest link carries
    /// `rate` bytes a second, of a sender with this `window`.
    pub(super) fn new(round_trip: Duration, rate: f64, window: &Window) -> Self {
        let seconds = round_trip.as_secs_f64();
        let packets = seconds * rate / (2.0 * DATAGRAM);
        let ample = AMPLE * seconds * rate;
        let most = if window.bytes() >= ample { SETTLED_STEPS } else { STEPS };
        let steps = u32::try_from(whole(packets)).unwrap_or(most).clamp(1, most);
        let length = (round_trip / steps).max(Duration::from_micros(1));
        Self {
            messages: VecDeque::new(),
            claimed: 0.0,
            delivered: 0.0,
            unsent: 0.0,
            under_way: 0.0,
            queued: 0.0,
            passed: [[0.0; 2]; STEPS as usize],
            step: 0,
            steps,
            dropped: VecDeque::new(),
            served: 0.0,
            paced: 0.0,
            until_loss: -1.0,
            length,
            ample,
            held: false,
            used: [0.0; 2],
        }
    }

    /// Notes `bytes` sent before the flow, that are acknowledged evenly from one time from now to
    /// another.
    pub(super) fn precede(&mut self, bytes: u64, (from, to): (Duration, Duration)) {
        let step = |left: Duration| {
            let step = left.as_nanos() / self.length.as_nanos().max(1);
            u32::try_from(step).unwrap_or(u32::MAX).min(self.steps - 1)
        };
        let (first, last) = (step(from), step(to));
        let each = bytes as f64 / f64::from(last - first + 1);
        for [arrives, _] in &mut self.passed[first as usize..=last as usize] {
            *arrives += each;
        }
        self.under_way += bytes as f64;
    }

    /// Adds a message.
    pub(super) fn push(&mut self, bytes: u64, tag: u64) {
        let bytes = datagram_bytes(bytes) as f64;
        self.claimed += bytes;
        self.unsent += bytes;
        self.messages.push_back(Message { end: self.claimed, tag });
    }

    /// Loses up to `bytes` of what waits at the bottleneck; returns how many.
    pub(super) fn shed(&mut self, bytes: f64) -> f64 {
        let dropped = bytes.min(self.queued);
        self.queued -= dropped;
        let end = self.served + self.queued;
        // What would have shown an earlier drop may be what is dropped now.
        self.dropped.iter_mut().for_each(|(served, _)| *served = served.min(end));
        self.dropped.push_back((end, dropped));
        dropped
    }

    /// What is not delivered.
    pub(super) fn tags(&self) -> impl Iterator<Item = u64> + '_ {
        self.messages.iter().map(|message| message.tag)
    }

    /// Whether all messages were delivered.
    pub(super) fn is_done(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether nothing will be heard that changes a window: all was delivered, and what is under way
    /// was not lost. A window that is not used up is not widened.
    pub(super) fn is_over(&self) -> bool {
        let is_lost = || self.passed[..self.steps as usize].iter().any(|[_, lost]| *lost > 0.0);
        self.is_done()
            && (self.under_way <= DUST
                || self.unsent <= 0.0 && self.dropped.is_empty() && !is_lost())
    }

    /// How long it takes until what leaves now is acknowledged.
    pub(super) fn round(&self) -> Duration {
        self.length * self.steps
    }

    /// Bytes sent and not acknowledged.
    pub(super) fn under_way(&self) -> u64 {
        whole(self.under_way)
    }

    /// Bytes that wait at the bottleneck.
    pub(super) const fn queued(&self) -> f64 {
        self.queued
    }

    /// Bytes a second that its window would carry without queues. Who sends more has more of a queue,
    /// and so of the link behind it.
    pub(super) fn weight(&self, window: &Window, quic: &Quic) -> f64 {
        window.bytes().min(flow_window(quic)) / self.round_trip()
    }

    /// Bytes a second that it asks for, as far as its window decides.
    pub(super) fn demand(&self, window: &Window, quic: &Quic) -> f64 {
        if self.queued > 0.0 {
            return f64::INFINITY;
        }
        if self.is_done() {
            return 0.0;
        }
        self.weight(window, quic)
    }

    fn round_trip(&self) -> f64 {
        (self.length * self.steps).as_secs_f64()
    }

    /// Moves one step; appends tags and the times at which their last byte leaves the bottleneck.
    /// Returns the bytes that left it.
    pub(super) fn advance(
        &mut self,
        outside: Outside,
        sender: Sender<'_>,
        done: &mut Vec<(Instant, u64)>,
    ) -> f64 {
        let round_trip = self.round_trip();
        let delay = self.queued / outside.allowance.max(1.0);
        let Sender { quic, window, pacer, random } = sender;
        let seconds = self.length.as_secs_f64();
        let pace = Pace::of(window.bytes(), round_trip + delay);
        let ready = pacer.ready(outside.now, pace) + pace.rate * seconds;
        self.acknowledge(outside.now, window, quic, round_trip + delay, ready);
        let pace = Pace::of(window.bytes(), round_trip + delay);
        let room = (window.bytes().min(flow_window(quic)) - self.under_way).max(0.0);
        // Whole packets, unless a window may not even hold one.
        let packets = if self.under_way < DATAGRAM { room } else { room - rest(room, DATAGRAM) };
        let wanted = self.unsent.min(packets);
        let saved = pacer.take(outside.now, wanted, pace);
        let sent = wanted.min(saved + pace.rate * seconds);
        if sent > saved {
            let spent = Duration::from_secs_f64((sent - saved) / pace.rate);
            pacer.spend(outside.now + spent);
        }
        let timing = Timing {
            saved: saved + self.queued,
            paced: self.paced,
            pace,
            allowance: outside.allowance,
        };
        self.paced = if sent > saved { rest(self.paced + sent - saved, pace.most) } else { 0.0 };
        self.unsent -= sent;
        self.under_way += sent;
        let held = flow_window(quic) - DATAGRAM;
        self.held = self.unsent > 0.0 && self.under_way >= held && window.bytes() >= held;
        self.used[1] = self.used[1].max(self.under_way);
        let before = self.queued;
        let passed = (before + sent).min(outside.allowance * seconds);
        self.queued = before + sent - passed;
        self.served += passed;
        let lost = self.draw_losses(passed, outside.loss, random);
        self.deliver(outside.now, passed - lost, timing, done);
        let mut missing = lost;
        while self.dropped.front().is_some_and(|(served, _)| *served <= self.served + DUST) {
            missing += self.dropped.pop_front().map_or(0.0, |(_, bytes)| bytes);
        }
        self.passed[self.step as usize] = [passed - lost, missing];
        self.step = (self.step + 1) % self.steps;
        if self.step == 0 {
            self.used = [self.used[1], 0.0];
            let is_settled =
                !window.is_slow_start() || window.bytes() >= flow_window(quic).min(self.ample);
            if is_settled {
                self.coarsen();
            }
        }
        passed
    }

    /// Makes the steps longer, between two round trips: a window past slow start changes little in
    /// one of them.
    fn coarsen(&mut self) {
        if self.steps <= SETTLED_STEPS || !self.steps.is_multiple_of(SETTLED_STEPS) {
            return;
        }
        let each = self.steps / SETTLED_STEPS;
        let mut passed = [[0.0; 2]; STEPS as usize];
        for step in 0..self.steps {
            let [arrived, lost] = self.passed[step as usize];
            let sum = &mut passed[(step / each) as usize];
            *sum = [sum[0] + arrived, sum[1] + lost];
        }
        (self.passed, self.steps) = (passed, SETTLED_STEPS);
        self.length *= each;
    }

    /// Takes in what left the bottleneck a round trip ago.
    fn acknowledge(
        &mut self,
        now: Instant,
        window: &mut Window,
        quic: &Quic,
        round_trip: f64,
        ready: f64,
    ) {
        let [arrived, lost] = self.passed[self.step as usize];
        let ago = Duration::from_secs_f64(round_trip);
        let sent = Instant(now.0.saturating_sub(u64::try_from(ago.as_nanos()).unwrap_or(0)));
        // Once all is sent, or flow control holds it back, the window is not used, and what is
        // acknowledged does not widen it.
        let blocked = self.unsent - (window.bytes() - self.under_way).max(0.0);
        let paced = self.unsent > ready;
        let widens = !self.held && (blocked > 0.0 || paced);
        let freed = if window.is_slow_start() { 2.0 } else { 1.0 };
        let most = if paced { arrived } else { blocked / freed + DATAGRAM };
        let widening = if widens { arrived.min(most) } else { 0.0 };
        // A loss of a step lies in the middle of it.
        window.acked(now, sent, widening / 2.0, round_trip);
        if lost > 0.0 {
            self.unsent += lost;
            let used = self.used[0].max(self.used[1]) >= window.bytes() / 2.0;
            if used || !quic.lenient {
                window.lost(now, sent);
            }
        }
        window.acked(now, sent, widening / 2.0, round_trip);
        self.under_way = (self.under_way - arrived - lost).max(0.0);
    }

    /// How much of `passed` bytes is lost behind the bottleneck.
    fn draw_losses(&mut self, passed: f64, loss: f64, random: &mut Random) -> f64 {
        if loss <= 0.0 {
            return 0.0;
        }
        if self.until_loss < 0.0 {
            self.until_loss = until_loss(loss, random);
        }
        let mut lost = 0.0;
        while self.until_loss < passed {
            lost += DATAGRAM;
            self.until_loss += until_loss(loss, random);
        }
        self.until_loss -= passed;
        self.until_loss = self.until_loss.max(0.0);
        lost.min(passed)
    }

    fn deliver(
        &mut self,
        now: Instant,
        bytes: f64,
        timing: Timing,
        done: &mut Vec<(Instant, u64)>,
    ) {
        let before = self.delivered;
        self.delivered += bytes;
        while self.messages.front().is_some_and(|message| message.end <= self.delivered + DUST) {
            let Some(message) = self.messages.pop_front() else { break };
            let after = timing.after(message.end - before);
            done.push((now + Duration::from_secs_f64(after), message.tag));
        }
    }
}

/// When bytes of a step leave the bottleneck.
#[derive(Debug, Clone, Copy)]
struct Timing {
    /// Bytes that are there, or may be sent, when it begins.
    saved: f64,
    /// Bytes paced before, modulo what leaves at once.
    paced: f64,
    pace: Pace,
    allowance: f64,
}

impl Timing {
    /// Seconds until `bytes` have left.
    fn after(&self, bytes: f64) -> f64 {
        let paced = (bytes - self.saved).max(0.0);
        let Pace { rate, most } = self.pace;
        // Bursts as small as they get come alone; larger ones are woken early by acknowledgements.
        let alone = paced > DUST && most <= LEAST_BURST;
        let rest = if alone { most - rest(self.paced + paced, most) } else { 0.0 };
        ((paced + rest) / rate).max(bytes.max(0.0) / self.allowance.max(1.0))
    }
}

/// What is left of some bytes beside a whole number of `parts`.
fn rest(bytes: f64, parts: f64) -> f64 {
    (bytes - whole(bytes / parts) as f64 * parts).max(0.0)
}

/// Bytes until the next lost packet.
fn until_loss(loss: f64, random: &mut Random) -> f64 {
    -(1.0 - random.unit()).ln() * DATAGRAM / loss
}
