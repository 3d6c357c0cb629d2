//! Repeats small bursts to neighbours whose path loses packets. Not what repairs a loss, which QUIC
//! does.
//!
//! A frame of a decode step is a few packets with nothing behind them, so a lost one is found missing
//! only by a timeout of more than a round trip, and every token of the session waits for it. A copy
//! costs a few kilobytes. QUIC drops whichever copy comes second by its packet number.

use std::{
    collections::HashMap,
    fmt,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};

/// Bytes of a burst that is repeated; QUIC hands over bulk in bursts of ten packets.
const BURST_MAX: usize = 8 << 10;
/// Packets sent to a neighbour since the last lost one after which its path counts as sound: while
/// copies arrive in place of what is lost, one loss in a hundred packets shows as one in 10,000, so
/// that one loss in some thousand packets is felt.
const SOUND_AFTER: u64 = 4_000;
/// Bytes per second of copies to one neighbour: 2 Mbit/s, so that loss by overload is not made much
/// worse.
const RATE: u64 = 256 << 10;
/// Bytes of copies that may go out at once.
const BUCKET: u64 = 64 << 10;
/// Paths that are remembered; more are not helped. As many as an endpoint has connections.
const PATHS_MAX: usize = 512;

/// Whose path loses packets, as far as their connections have told.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// How many paths are lossy, so that a sound one costs no lock.
    lossy: AtomicUsize,
    /// A plain mutex: held for a look-up or an insertion.
    paths: Mutex<HashMap<SocketAddr, Path>>,
}

/// The way to one neighbour.
#[derive(Debug)]
struct Path {
    lost: u64,
    /// Packets sent at which it counts as sound again, if no more are lost.
    sound_at: u64,
    lossy: bool,
    /// Bytes that may be repeated at once, and when they were counted.
    bytes: u64,
    filled: Instant,
}

impl Losses {
    /// Notes that the connection with `peer` has sent so many packets by `now`, and lost so many of
    /// them.
    pub(super) fn note(&self, now: Instant, peer: SocketAddr, sent: u64, lost: u64) {
        let mut paths = self.lock();
        // A path that never lost a packet needs no place here.
        if !paths.contains_key(&peer) && (lost == 0 || paths.len() >= PATHS_MAX) {
            return;
        }
        let path = paths.entry(peer).or_insert_with(|| Path::new(now));
        if lost != path.lost {
            path.lost = lost;
            path.sound_at = sent.saturating_add(SOUND_AFTER);
        }
        path.lossy = sent < path.sound_at;
        self.count(&paths);
    }

    /// Forgets a connection that ended.
    pub(super) fn forget(&self, peer: SocketAddr) {
        let mut paths = self.lock();
        paths.remove(&peer);
        self.count(&paths);
    }

    /// Whether a burst of `bytes` to `peer` is to be repeated now.
    fn take(&self, now: Instant, peer: SocketAddr, bytes: usize) -> bool {
        if bytes > BURST_MAX || self.lossy.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut paths = self.lock();
        paths.get_mut(&peer).is_some_and(|path| path.lossy && path.take(now, bytes as u64))
    }

    fn count(&self, paths: &HashMap<SocketAddr, Path>) {
        let lossy = paths.values().filter(|path| path.lossy).count();
        self.lossy.store(lossy, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Path>> {
        // Every change is a single step, so a panic elsewhere leaves the map whole.
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Path {
    const fn new(now: Instant) -> Self {
        Self { lost: 0, sound_at: 0, lossy: false, bytes: BUCKET, filled: now }
    }

    fn take(&mut self, now: Instant, bytes: u64) -> bool {
        let since = now.saturating_duration_since(self.filled).as_millis();
        let fresh = u64::try_from(since).unwrap_or(u64::MAX).saturating_mul(RATE) / 1_000;
        if fresh > 0 {
            self.bytes = self.bytes.saturating_add(fresh).min(BUCKET);
            self.filled = now;
        }
        let rest = self.bytes.checked_sub(bytes);
        self.bytes = rest.unwrap_or(self.bytes);
        rest.is_some()
    }
}

/// A socket that repeats bursts to lossy neighbours.
pub(super) struct RepeatingSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    losses: Arc<Losses>,
}

impl RepeatingSocket {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, losses: Arc<Losses>) -> Self {
        Self { socket, losses }
    }
}

impl fmt::Debug for RepeatingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepeatingSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for RepeatingSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)?;
        if self.losses.take(Instant::now(), transmit.destination, transmit.contents.len()) {
            // A copy that does not go out is no loss.
            let _ = self.socket.try_send(transmit);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

#[cfg(test)]
mod tests;
