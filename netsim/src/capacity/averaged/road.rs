//! Ways between nodes as averages have them. Not what is on them beside prompts.

use super::load::{MEMORY_NS, remembered_ns};
use crate::{capacity::carriage::MESSAGE_BYTES, world::World};

/// Bytes of datagrams for each byte of a message.
const DATAGRAMS: f64 = 1_452.0 / 1_415.0;
/// Bytes of a full datagram.
const DATAGRAM: f64 = 1_452.0;

/// Share of a line that prompts leave to rows at least.
const REST_MIN: f64 = 0.05;

/// Share of what a prompt sends at once that waits before a line: pacing spreads the rest.
const QUEUED: f64 = 0.5;

/// A way from one node to another.
#[derive(Debug)]
pub(super) struct Road {
    ends: (u32, u32),
    pub lines: Vec<u32>,
    /// Nanoseconds for a byte of each line.
    takes: Vec<f64>,
    /// Those of them that are slower than all before them, where messages queue.
    narrows: Vec<u32>,
    /// Bytes a nanosecond of its slowest line.
    rate: f64,
    /// Nanoseconds one way, for a full datagram on each line, and there and back.
    delay: f64,
    packets: f64,
    round_trip: f64,
    /// Bytes that may be under way.
    window: f64,
    /// Bytes of a position.
    pub hidden_bytes: u64,
    /// Share of datagrams that are lost.
    loss: f64,
    /// Whether a line of it is cut.
    pub is_cut: bool,
}

/// What a line is like and what crosses it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Share of its usual rate, losses in place of the usual ones, and whether it is cut.
    pub rate_share: f64,
    pub loss: Option<f64>,
    pub is_cut: bool,
    /// When the prompts on it have crossed, nanoseconds.
    free: f64,
    /// Bytes that crossed it.
    pub bytes: f64,
    /// Of prompts that came lately: nanoseconds that they took, and the squares of what came at once.
    busy: f64,
    squared: f64,
    at: f64,
}

impl Default for Line {
    fn default() -> Self {
        let (free, bytes, busy, squared, at) = (0.0, 0.0, 0.0, 0.0, 0.0);
        Self { rate_share: 1.0, loss: None, is_cut: false, free, bytes, busy, squared, at }
    }
}

impl Line {
    /// Something comes at once, `bursts` times in all, and takes `ns` nanoseconds; returns when what was
    /// before it has crossed.
    fn take(&mut self, now: f64, ns: f64, bursts: f64) -> f64 {
        let left = (-(now - self.at).max(0.0) / MEMORY_NS).exp();
        self.busy = self.busy.mul_add(left, ns);
        self.squared = self.squared.mul_add(left, ns * ns / bursts);
        self.at = now;
        let free = self.free;
        self.free = free.max(now) + ns;
        free
    }

    /// Nanoseconds that a message waits for prompts before it.
    fn waits_ns(&self) -> f64 {
        let span = remembered_ns(self.at);
        let rest = (1.0 - self.busy / span).max(REST_MIN);
        QUEUED * self.squared / span / 2.0 / rest
    }
}

/// When the first piece of a prompt is there, and the last one, nanoseconds.
pub(super) type Pieces = (f64, f64);

impl Road {
    /// `None` if no lines lead there.
    pub(super) fn new(world: &World, ends: (u32, u32), lines: &[Line]) -> Option<Self> {
        let (network, (from, to)) = (&world.network, (ends.0 as usize, ends.1 as usize));
        let (there, back) = (network.way(from, to)?, network.way(to, from)?);
        let sum = |way: &[usize]| -> f64 {
            let lines = way.iter().map(|line| &network.lines[*line]);
            lines.map(|line| line.delay_ns as f64 + line.jitter_ns as f64 / 2.0).sum()
        };
        let takes = |line: &usize| 8e9 / (network.lines[*line].rate * lines[*line].rate_share);
        let takes: Vec<f64> = there.iter().map(takes).collect();
        let slowest = takes.iter().copied().fold(0.0, f64::max);
        let number = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
        let (mut narrows, mut slow) = (Vec::new(), 0.0);
        for (line, takes) in there.iter().zip(&takes).filter(|(_, takes)| **takes > 0.0) {
            if *takes > slow {
                slow = *takes;
                narrows.push(number(*line));
            }
        }
        let model = &world.models[world.nodes[from].model];
        let is_inner = world.nodes[from].stage && world.nodes[to].stage;
        let software = (network.software.0 + network.software.1) as f64;
        let loss = |line: &usize| lines[*line].loss.unwrap_or(network.lines[*line].loss);
        Some(Self {
            ends,
            rate: 1.0 / slowest,
            delay: sum(&there) + software,
            packets: takes.iter().sum::<f64>() * DATAGRAM,
            round_trip: sum(&there) + sum(&back),
            window: network.window.0 as f64,
            hidden_bytes: if is_inner { model.hidden_bytes } else { model.home_bytes },
            loss: 1.0 - there.iter().map(|line| 1.0 - loss(line)).product::<f64>(),
            is_cut: there.iter().chain(&back).any(|line| lines[*line].is_cut),
            lines: there.into_iter().map(number).collect(),
            takes,
            narrows,
        })
    }

    /// Its lines are other than they were; what its connection learnt stays.
    pub(super) fn renew(&mut self, world: &World, lines: &[Line]) {
        if let Some(now) = Self::new(world, self.ends, lines) {
            *self = Self { window: self.window, ..now };
        }
    }

    /// Bytes of a message of so many rows.
    pub(super) fn bytes(&self, rows: f64) -> f64 {
        rows * (self.hidden_bytes + MESSAGE_BYTES) as f64 * DATAGRAMS
    }

    /// Nanoseconds of a message of so many rows.
    pub(super) fn rows_ns(&self, rows: f64, lines: &[Line]) -> f64 {
        let size = self.bytes(rows);
        let first = size.min(DATAGRAM);
        let lost = self.loss * self.loss * (size / DATAGRAM).ceil() * 2.0 * self.round_trip;
        let waits: f64 = self.narrows.iter().map(|line| lines[*line as usize].waits_ns()).sum();
        self.delay + waits + self.packets * first / DATAGRAM + (size - first) / self.rate + lost
    }

    /// Carries `pieces` of a prompt, which are of `positions` in all and take their turn on the lines;
    /// they come in so many `bursts`.
    pub(super) fn carry(
        &mut self,
        now: f64,
        (first, last): Pieces,
        (pieces, positions, bursts): (f64, f64, f64),
        lines: &mut [Line],
    ) -> Pieces {
        let size = positions * self.hidden_bytes as f64 * DATAGRAMS;
        let mut begin = first;
        for (line, takes) in self.lines.iter().zip(&self.takes) {
            let line = &mut lines[*line as usize];
            line.bytes += size;
            begin = begin.max(line.take(now, size * takes, bursts));
        }
        let grows = self.grow(size);
        let piece = size / pieces / self.rate;
        let end = (begin + size / self.rate + grows).max(last + piece);
        (begin + piece + self.delay, end + self.delay)
    }

    /// Nanoseconds that a window costs which is too small for so many bytes; it grows by them.
    fn grow(&mut self, size: f64) -> f64 {
        let full = self.rate * self.round_trip;
        let (mut sent, mut waits) = (0.0, 0.0);
        while self.window < full && sent + self.window < size {
            sent += self.window;
            waits += self.round_trip - self.window / self.rate;
            self.window *= 2.0;
        }
        waits
    }
}
