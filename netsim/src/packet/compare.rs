//! The fluid model beside real QUIC over random links. Not a judgement: tests draw the line.

use std::{fmt, time::Duration};

use super::Oracle;
use crate::{
    clock::Instant,
    fabric::{Fabric, Link, LinkId, Quic, Sent, whole},
    link::MILLION,
    random::Random,
};

/// Purpose of the stream that draws cases.
const CASE_PURPOSE: u64 = 0x6361_7365;
/// Fewest and most such runs.
const PACKET_RUNS: [u64; 2] = [4, 400];
/// Runs of the fluid for each of the packets: they cost less.
const FLUID_RUNS: u64 = 4;
/// Round trips, and time besides, for the handshake and the search for the MTU. A handshake that loses
/// a packet takes seconds.
const SETTLE: (u32, Duration) = (40, Duration::from_secs(12));

/// A message over a fresh connection, and one like it some time after it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What the link is like, each way.
    pub link: Link,
    /// Size of either message, bytes.
    pub bytes: u64,
    /// Time between the first arrival and the second message.
    pub gap: Duration,
    /// What the connection is like.
    pub quic: Quic,
}

/// Both models of one case.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// What was run.
    pub case: Case,
    /// Seconds that the first and the second message took as packets, in the mean.
    pub packet: [f64; 2],
    /// The same as a fluid.
    pub fluid: [f64; 2],
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case: Case { link, bytes, gap, .. }, packet, fluid } = self;
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        write!(f, "{:>6.1} ms {:>7.1} Mbit/s", 2.0 * ms(link.delay), link.rate as f64 / 1e6)?;
        write!(f, " {:>5.3} % {:>8} B", f64::from(link.loss) / 1e4, link.queue)?;
        write!(f, " | {bytes:>8} B, again after {:>6.0} ms |", ms(*gap))?;
        for (n, error) in self.errors().into_iter().enumerate() {
            write!(f, " {:>8.4} s {:>8.4} s {:>+6.1} %", packet[n], fluid[n], error * 100.0)?;
        }
        Ok(())
    }
}

impl Comparison {
    /// Error of the fluid for both messages, as a share of what the packets took.
    #[must_use]
    pub fn errors(&self) -> [f64; 2] {
        [0, 1].map(|n| self.fluid[n] / self.packet[n] - 1.0)
    }
}

impl Case {
    /// A case out of the whole range: round trip 1 to 200 ms, 10 Mbit/s to 10 Gbit/s, loss none or up
    /// to 1 %, 1 KB to `bytes_max`, a gap of 1 ms to 10 s, a queue of half to two round trips (64 KiB at
    /// least). All but the loss are even on a logarithmic scale.
    #[must_use]
    pub fn draw(random: &mut Random, quic: Quic, bytes_max: u64) -> Self {
        let mut between = |least: f64, most: f64| least * (most / least).powf(random.unit());
        let round_trip = between(1e6, 200e6);
        let rate = between(10e6, 10e9);
        let product = rate / 8.0 * round_trip / 1e9;
        let queue = product * between(0.5, 2.0);
        let (bytes, gap) = (whole(between(1e3, bytes_max as f64)), whole(between(1e6, 10e9)));
        let loss = random.unit().mul_add(4.0 / 3.0, -1.0 / 3.0).max(0.0);
        let link = Link {
            rate: whole(rate),
            delay: Duration::from_nanos(whole(round_trip / 2.0)),
            jitter: Duration::ZERO,
            loss: u32::try_from(whole(loss * f64::from(MILLION) / 100.0)).unwrap_or(MILLION),
            queue: whole(queue).max(64 << 10),
        };
        Self { link, bytes, gap: Duration::from_nanos(gap), quic }
    }

    /// Seconds that each message took as packets.
    #[must_use]
    pub fn packets(&self, seed: u64) -> [f64; 2] {
        let mut oracle = Oracle::new(self.link, &self.quic, 1, seed);
        let (round_trips, besides) = SETTLE;
        let mut start = Instant(0) + (self.link.delay * 2 * round_trips + besides);
        oracle.run(Some(start));
        [0, 1].map(|_| {
            oracle.send(start, 0, self.bytes);
            let arrived = oracle.run(None).last().map_or(start, |delivered| delivered.at);
            let took = arrived.0 - start.0;
            start = arrived + self.gap;
            oracle.run(Some(start));
            took as f64 / 1e9
        })
    }

    /// Seconds that each message took as a fluid.
    #[must_use]
    pub fn fluid(&self, seed: u64) -> [f64; 2] {
        let mut fabric = Fabric::new(&[self.link; 2], seed);
        let connection = fabric.connect(&[LinkId(0)], &[LinkId(1)], self.quic);
        let mut start = Instant(1_000_000_000);
        [0, 1].map(|tag| {
            let arrived = match fabric.send(start, connection, self.bytes, tag) {
                Sent::Arrives(at) => at,
                Sent::Flows | Sent::Lost => {
                    let mut delivered = Vec::new();
                    while let (true, Some(at)) = (delivered.is_empty(), fabric.next_at()) {
                        fabric.advance(at, &mut delivered);
                    }
                    delivered.last().map_or(start, |delivered| delivered.at)
                }
            };
            let took = arrived.0 - start.0;
            start = arrived + self.gap;
            fabric.advance(start, &mut Vec::new());
            took as f64 / 1e9
        })
    }
}

/// Error that `share` of all messages do not exceed, either way, as a share of what packets took.
#[must_use]
pub fn quantile(comparisons: &[Comparison], share: f64) -> f64 {
    let mut errors: Vec<f64> =
        comparisons.iter().flat_map(|comparison| comparison.errors().map(f64::abs)).collect();
    errors.sort_by(f64::total_cmp);
    let last = errors.len().saturating_sub(1);
    let place = usize::try_from(whole((last as f64 * share).ceil())).unwrap_or(last);
    errors.get(place).copied().unwrap_or(0.0)
}

/// Runs `count` random cases with quinn's defaults both ways. The same seed gives the same cases.
///
/// Where packets are lost, one run says little of the next: the mean counts, over as many runs as make
/// up `effort` bytes of packets, within `PACKET_RUNS`.
#[must_use]
pub fn compare(seed: u64, count: usize, bytes_max: u64, effort: u64) -> Vec<Comparison> {
    let mut random = Random::new(seed, CASE_PURPOSE);
    let cases =
        (0..count).map(|_| (Case::draw(&mut random, Quic::QUINN, bytes_max), random.next()));
    let compare = |(case, seed): (Case, u64)| {
        let [least, most] = PACKET_RUNS;
        let lossy = case.link.loss > 0;
        let runs = if lossy { (effort / case.bytes).clamp(least, most) } else { 1 };
        let packet = mean(runs, |run| case.packets(seed.wrapping_add(run)));
        let fluid = mean(runs * if lossy { FLUID_RUNS } else { 1 }, |run| {
            case.fluid(seed.wrapping_add(run))
        });
        Comparison { case, packet, fluid }
    };
    cases.map(compare).collect()
}

fn mean(runs: u64, mut run: impl FnMut(u64) -> [f64; 2]) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for n in 0..runs {
        let took = run(n);
        sums = [sums[0] + took[0], sums[1] + took[1]];
    }
    sums.map(|sum| sum / runs as f64)
}
