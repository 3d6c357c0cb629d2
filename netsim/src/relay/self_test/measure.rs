//! A load through one link, and what came out at its other end. Not what should.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt::RcvBuf};

use super::{PAUSE, SelfTestError, whole};
use crate::{
    clock::Instant,
    link::datagram::HEADER_BYTES,
    relay::{
        Relay, Statistics,
        scenario::{Direction, LinkSection, Scenario},
        socket::{PAYLOAD_BYTES_MAX, now},
    },
};

/// Silence after which the receiver takes the load for over: ten times what any link here holds
/// packets for.
const SILENCE: Duration = Duration::from_millis(500);
/// What a receiver's buffer holds, bytes.
const BUFFER_BYTES: usize = 4 << 20;
/// How long an idle relay is watched: with a client, and as long again when it is forgotten.
const IDLE: Duration = Duration::from_secs(2);
/// Seconds after which an idle relay forgets its client.
const FORGET_S: u32 = 1;
/// Seconds after which a relay at work does: never, while anything is measured.
const KEEP_S: u32 = 60;

/// Packets in bursts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// How many.
    pub(super) packets: u64,
    /// Bytes of each, at least eight.
    pub(super) payload: usize,
    /// How many at once.
    pub(super) burst: u64,
    /// From one burst to the next.
    pub(super) pause: Duration,
}

impl Load {
    /// `mbit` megabit per second on the line, in bursts.
    pub(super) fn of_rate(mbit: u64, payload: usize, seconds: u64) -> Self {
        let bits = (payload as u64 + HEADER_BYTES) * 8;
        // Megabits per second are thousands of bits per pause.
        let burst = (mbit * 1_000).div_ceil(bits);
        Self { packets: mbit * 1_000_000 * seconds / bits, payload, burst, pause: PAUSE }
    }
}

/// What came out.
#[derive(Debug)]
pub(super) struct Measurement {
    /// Delay of each packet, nanoseconds, ascending.
    delays: Vec<u64>,
    payload: usize,
    first: Instant,
    last: Instant,
    statistics: Statistics,
}

impl Measurement {
    /// Packets that came.
    pub(super) fn received(&self) -> u64 {
        self.delays.len() as u64
    }

    /// Delay that a share of the packets did not exceed, milliseconds.
    pub(super) fn delay_ms(&self, share: f64) -> Result<f64, SelfTestError> {
        let rank = Duration::from_secs(self.received()).mul_f64(share).as_secs();
        let rank =
            usize::try_from(rank).unwrap_or(usize::MAX).min(self.delays.len().wrapping_sub(1));
        let delay = self.delays.get(rank).ok_or(SelfTestError::Silence)?;
        Ok(Duration::from_nanos(*delay).as_secs_f64() * 1_000.0)
    }

    /// Rate on the line from the first to the last packet, Mbit/s.
    pub(super) fn mbit(&self) -> Result<f64, SelfTestError> {
        let after_first = self.received().checked_sub(1).ok_or(SelfTestError::Silence)?;
        let bits = after_first * (self.payload as u64 + HEADER_BYTES) * 8;
        Ok(whole(bits) / self.busy().as_secs_f64() / 1e6)
    }

    /// Share of one core that the relay took between the first and the last packet.
    pub(super) fn cpu_share(&self) -> f64 {
        self.statistics.cpu.as_secs_f64() / self.busy().as_secs_f64()
    }

    fn busy(&self) -> Duration {
        Duration::from_nanos((self.last.0 - self.first.0).max(1))
    }
}

/// Sends `load` through a link that has `direction` on the way, forward or back, and nothing on the
/// other.
pub(super) fn measure(
    direction: Direction,
    is_back: bool,
    load: Load,
) -> Result<Measurement, SelfTestError> {
    let ends = Ends::open(direction, is_back, KEEP_S)?;
    let (from, to, address) = match is_back {
        false => (&ends.client, &ends.target, ends.relay.addresses()[0]),
        true => (&ends.target, &ends.client, ends.upstream),
    };
    let (sent, received) = thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(to));
        let sent = send(from, address, load);
        (sent, receiver.join().expect("the receiver does not panic"))
    });
    sent?;
    let arrivals = received?;
    let (Some((first, _)), Some((last, _))) = (arrivals.first(), arrivals.last()) else {
        return Err(SelfTestError::Silence);
    };
    let (first, last) = (*first, *last);
    let mut delays: Vec<u64> =
        arrivals.into_iter().map(|(at, sent)| at.0.saturating_sub(sent)).collect();
    delays.sort_unstable();
    let statistics = ends.relay.stop()?;
    Ok(Measurement { delays, payload: load.payload, first, last, statistics })
}

/// Share of one core that a relay takes which has a client, and then none, and no packets.
pub(super) fn idle() -> Result<f64, SelfTestError> {
    let ends = Ends::open(Direction::default(), false, FORGET_S)?;
    thread::sleep(IDLE);
    Ok(ends.relay.stop()?.cpu_share())
}

/// A relay with a client on one side and a target on the other.
struct Ends {
    relay: Relay,
    client: UdpSocket,
    target: UdpSocket,
    /// Where the target sees the client.
    upstream: SocketAddr,
}

impl Ends {
    fn open(direction: Direction, is_back: bool, idle_s: u32) -> Result<Self, SelfTestError> {
        let (client, target) = (socket()?, socket()?);
        let nothing = Direction::default();
        let (forward, back) = if is_back { (nothing, direction) } else { (direction, nothing) };
        let link = LinkSection {
            name: "measured".into(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            from: None,
            target: target.local_addr()?,
            flows_max: 1,
            idle_s,
            forward,
            back,
        };
        let relay = Relay::start(&Scenario { seed: 1, links: vec![link] })?;
        // Repeated, for the link may lose it.
        let upstream = loop {
            client.send_to(&[], relay.addresses()[0])?;
            match target.recv_from(&mut []) {
                Ok((_, upstream)) => break upstream,
                Err(error) if is_silence(&error) => {}
                Err(error) => return Err(error.into()),
            }
        };
        Ok(Self { relay, client, target, upstream })
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    setsockopt(&socket, RcvBuf, &BUFFER_BYTES)?;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(socket)
}

/// Sends packets that begin with the time.
fn send(from: &UdpSocket, to: SocketAddr, load: Load) -> io::Result<()> {
    let mut payload = vec![0; load.payload];
    let (start, mut sent) = (now(), 0);
    while sent < load.packets {
        // Bursts keep to the clock: one that is late does not put off those after it.
        let due = start + load.pause * u32::try_from(sent / load.burst).unwrap_or(u32::MAX);
        thread::sleep(Duration::from_nanos(due.0.saturating_sub(now().0)));
        for _ in 0..load.burst.min(load.packets - sent) {
            payload[..8].copy_from_slice(&now().0.to_le_bytes());
            from.send_to(&payload, to)?;
            sent += 1;
        }
    }
    Ok(())
}

/// When packets came and when they had been sent, until none comes.
fn receive(to: &UdpSocket) -> io::Result<Vec<(Instant, u64)>> {
    let mut payload = vec![0; PAYLOAD_BYTES_MAX];
    let mut arrivals = Vec::new();
    loop {
        match to.recv(&mut payload) {
            // The greeting that opened the flow may come twice.
            Ok(len) if len < 8 => {}
            Ok(_) => {
                let sent = payload.first_chunk().copied().map_or(0, u64::from_le_bytes);
                arrivals.push((now(), sent));
            }
            Err(error) if is_silence(&error) => return Ok(arrivals),
            Err(error) => return Err(error),
        }
    }
}

/// Whether an error says that nothing came in time.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
