//! The relay's thread: waits, receives, delivers. What becomes of a packet is decided in `way`.
//!
//! It sleeps until a socket has a packet or the next one is due, by a timer that is exact to
//! microseconds, and never spins. A packet's time counts from when the system received it, so that
//! being woken late delays only what should arrive sooner than that.

use std::{
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
};

use super::{
    flows::FlowId,
    link::{Incoming, RelayedLink},
    socket::{Buffer, now, thread_time},
    statistics::Statistics,
};
use crate::clock::Instant;

/// Packets due within this are delivered with those that are due: it halves the wake-ups of a busy
/// link, and is about what waking up takes, so that the median delay stays right.
const EARLY: Duration = Duration::from_micros(50);
/// Packets read from one socket before those that are due are delivered.
const BATCH: usize = 64;
/// Packets read from one socket when the relay stops: what a full buffer of small ones holds.
const DRAIN: usize = 16_384;
/// Sockets told of by one wake-up; the others are told of by the next.
const EVENTS: usize = 64;
/// Marks of what is no socket of a link.
const STOP: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// All links of a relay.
#[derive(Debug)]
pub(super) struct Worker {
    epoll: Epoll,
    timer: TimerFd,
    /// What the timer is set to; `None` once it has gone off.
    armed: Option<Instant>,
    /// Readable once the handle wants the end or is gone.
    stop: UnixStream,
    links: Vec<RelayedLink>,
    buffer: Buffer,
}

impl Worker {
    /// Registers what the thread waits for.
    pub(super) fn new(links: Vec<RelayedLink>, stop: UnixStream) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        // Told of once each time it goes off, so that it need not be read.
        let once = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(timer.as_fd(), EpollEvent::new(once, TIMER))?;
        epoll.add(stop.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
        for (index, link) in links.iter().enumerate() {
            epoll.add(link.listen(), EpollEvent::new(EpollFlags::EPOLLIN, token(index, 0)))?;
        }
        Ok(Self { epoll, timer, armed: None, stop, links, buffer: Buffer::new() })
    }

    /// Relays until it is told to stop.
    ///
    /// # Errors
    /// The system refuses what every relay needs.
    pub(super) fn run(mut self) -> io::Result<Statistics> {
        let (started, mut is_stopping) = (now(), false);
        let mut events = [EpollEvent::empty(); EVENTS];
        while !is_stopping {
            let time = now();
            self.links.iter_mut().for_each(|link| link.deliver(time, time + EARLY));
            self.arm()?;
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            for event in &events[..count] {
                match event.data() {
                    STOP => is_stopping = true,
                    TIMER => self.expire()?,
                    token => self.receive(token, BATCH)?,
                }
            }
        }
        self.finish(started)
    }

    /// Sets the timer to what happens next.
    fn arm(&mut self) -> io::Result<()> {
        let next = self.links.iter_mut().filter_map(RelayedLink::next_at).min();
        if next == self.armed {
            return Ok(());
        }
        self.armed = next;
        match next {
            Some(at) => {
                let at = TimeSpec::from_duration(Duration::from_nanos(at.0.max(1)));
                let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
                Ok(self.timer.set(Expiration::OneShot(at), flags)?)
            }
            None => Ok(self.timer.unset()?),
        }
    }

    /// Notes that the timer has gone off, and forgets idle clients.
    fn expire(&mut self) -> io::Result<()> {
        self.armed = None;
        let time = now();
        for link in &mut self.links {
            for upstream in link.expire(time) {
                self.epoll.delete(&*upstream)?;
            }
        }
        Ok(())
    }

    /// Reads up to `count` packets of one socket.
    fn receive(&mut self, token: u64, count: usize) -> io::Result<()> {
        let (index, flow) = parts(token);
        let Some(link) = self.links.get_mut(index) else { return Ok(()) };
        for _ in 0..count {
            if flow == 0 {
                match link.receive_forward(&mut self.buffer)? {
                    Incoming::Nothing => break,
                    Incoming::Packet => {}
                    Incoming::Client(id, upstream) => {
                        let event = EpollEvent::new(EpollFlags::EPOLLIN, self::token(index, id));
                        self.epoll.add(&*upstream, event)?;
                    }
                }
            } else if !link.receive_back(flow, &mut self.buffer)? {
                break;
            }
        }
        Ok(())
    }

    /// Reads what came before the stop, so that every packet is counted.
    fn finish(mut self, started: Instant) -> io::Result<Statistics> {
        for index in 0..self.links.len() {
            self.receive(token(index, 0), DRAIN)?;
            for flow in self.links[index].flow_ids() {
                self.receive(token(index, flow), DRAIN)?;
            }
        }
        let wall = Duration::from_nanos(now().0 - started.0);
        let links = self.links.into_iter().map(RelayedLink::finish).collect();
        // The handle waits for this end to close.
        drop(self.stop);
        Ok(Statistics { links, wall, cpu: thread_time() })
    }
}

fn token(index: usize, flow: FlowId) -> u64 {
    (index as u64) << 32 | u64::from(flow)
}

fn parts(token: u64) -> (usize, FlowId) {
    let (index, flow) = (token >> 32, token & u64::from(u32::MAX));
    (usize::try_from(index).unwrap_or(usize::MAX), FlowId::try_from(flow).unwrap_or(0))
}
