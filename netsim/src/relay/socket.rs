//! UDP sockets that say when a packet came, and the clock they say it by. Not what is done with it.

use std::{
    io::{self, ErrorKind, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
    time::Duration,
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::{
        socket::{
            AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage,
            bind, recvmsg, setsockopt, socket,
            sockopt::{RcvBuf, ReceiveTimestampns, ReusePort, RxqOvfl, SndBuf},
        },
        time::TimeSpec,
    },
    time::{ClockId, clock_gettime},
};

use crate::clock::Instant;

/// Room for packets that the relay's thread has not come to read, bytes: 150 ms of 200 Mbit/s. The
/// system may give less (`net.core.rmem_max`).
const BUFFER_BYTES: usize = 4 << 20;
/// Longest time a packet may have waited in a buffer; more means that the wall clock was set.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Longest payload of a datagram, bytes.
pub(super) const PAYLOAD_BYTES_MAX: usize = 65_507;

/// Nanoseconds of the machine's monotonic clock.
pub(super) fn now() -> Instant {
    Instant(nanoseconds(ClockId::CLOCK_MONOTONIC))
}

/// Processor time of this thread.
pub(super) fn thread_time() -> Duration {
    Duration::from_nanos(nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID))
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("Linux has had these clocks since 2.6.12");
    u64::try_from(Duration::from(time).as_nanos()).expect("584 years in nanoseconds fit")
}

/// A UDP socket that never blocks. It receives each datagram by itself: GRO stays off, and the
/// system cuts up what a sender handed over in one piece (GSO).
#[derive(Debug)]
pub(super) struct Socket(UdpSocket);

/// Where packets are received into.
#[derive(Debug)]
pub(super) struct Buffer {
    payload: Vec<u8>,
    control: Vec<u8>,
}

/// A datagram that came.
#[derive(Debug)]
pub(super) struct Received<'a> {
    /// Its payload.
    pub(super) payload: &'a [u8],
    /// Who sent it.
    pub(super) from: SocketAddr,
    /// When the system had it, which may be before this thread was woken.
    pub(super) at: Instant,
    /// Datagrams that the system dropped before this one since the socket was opened, modulo 2^32;
    /// `None` if none ever was.
    pub(super) overflowed: Option<u32>,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { payload: vec![0; PAYLOAD_BYTES_MAX], control: cmsg_space!(TimeSpec, u32) }
    }
}

impl Socket {
    /// A socket on `address`.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::prepare(UdpSocket::bind(address)?)
    }

    /// A socket on `address` for what `client` sends there, beside others for other clients.
    pub(super) fn bind_for(address: SocketAddr, client: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, ReusePort, &true)?;
        bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        let socket = UdpSocket::from(socket);
        // The system gives a datagram to the socket that is connected to its sender.
        socket.connect(client)?;
        Self::prepare(socket)
    }

    fn prepare(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        setsockopt(&socket, RcvBuf, &BUFFER_BYTES)?;
        setsockopt(&socket, SndBuf, &BUFFER_BYTES)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        Ok(Self(socket))
    }

    /// A socket that sends to `target` and receives from it alone.
    pub(super) fn connect(target: SocketAddr) -> io::Result<Self> {
        let local: IpAddr = match (target, target.ip().is_loopback()) {
            (SocketAddr::V4(_), true) => Ipv4Addr::LOCALHOST.into(),
            (SocketAddr::V4(_), false) => Ipv4Addr::UNSPECIFIED.into(),
            (SocketAddr::V6(_), true) => Ipv6Addr::LOCALHOST.into(),
            (SocketAddr::V6(_), false) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = Self::bind(SocketAddr::new(local, 0))?;
        socket.0.connect(target)?;
        Ok(socket)
    }

    /// Its own address.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next datagram; `None` if there is none now.
    ///
    /// # Errors
    /// What makes the socket useless. That a peer is not there is none.
    pub(super) fn receive<'a>(&self, buffer: &'a mut Buffer) -> io::Result<Option<Received<'a>>> {
        let Buffer { payload, control } = buffer;
        let (len, from, wall, overflowed) = loop {
            let mut slices = [IoSliceMut::new(payload)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let fd = self.0.as_raw_fd();
            let message = match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(control), flags) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                // Each tells of a packet that did not get through, once.
                Err(
                    Errno::EINTR | Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH,
                ) => continue,
                Err(error) => return Err(error.into()),
            };
            let (mut wall, mut overflowed) = (None, None);
            for control in message.cmsgs()? {
                match control {
                    ControlMessageOwned::ScmTimestampns(at) => wall = Some(Duration::from(at)),
                    ControlMessageOwned::RxqOvfl(count) => overflowed = Some(count),
                    _ => {}
                }
            }
            // A datagram without an address of ours is not UDP over IP.
            let Some(from) = message.address.as_ref().and_then(socket_address) else { continue };
            break (message.bytes, from, wall, overflowed);
        };
        let waited = wall.map_or(Duration::ZERO, |wall| {
            let wall_now = Duration::from_nanos(nanoseconds(ClockId::CLOCK_REALTIME));
            wall_now.checked_sub(wall).filter(|waited| *waited <= WAIT_MAX).unwrap_or_default()
        });
        let waited = u64::try_from(waited.as_nanos()).unwrap_or(0);
        let at = Instant(now().0.saturating_sub(waited));
        Ok(Some(Received { payload: &payload[..len], from, at, overflowed }))
    }

    /// Sends to the address it is connected to.
    pub(super) fn send(&self, payload: &[u8]) -> io::Result<()> {
        let sent = match self.0.send(payload) {
            // An earlier packet found nobody; that error is told once, and is not this packet's.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => self.0.send(payload),
            sent => sent,
        };
        sent.map(drop)
    }

    /// Sends to `client`.
    pub(super) fn send_to(&self, payload: &[u8], client: SocketAddr) -> io::Result<()> {
        self.0.send_to(payload, client).map(drop)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into()))
}
