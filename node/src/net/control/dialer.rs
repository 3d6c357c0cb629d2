//! Whom to call, and when to try again. Not the calls.

use std::time::Duration;

use comity_protocol::id::{Digest, PeerKey};
use libp2p::{
    Multiaddr, PeerId,
    multiaddr::Protocol,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::time::Instant;

use crate::net::tls;

/// Nodes a node keeps connections to beside the configured ones: enough that the mesh of a
/// consortium of thousands hangs together.
pub(super) const NEIGHBOURS_MAX: usize = 64;
/// First wait after a failed call; doubles each time.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A node to be connected to.
#[derive(Debug)]
struct Target {
    /// Unknown for a configured address without one, until it has answered.
    peer: Option<PeerId>,
    addresses: Vec<Multiaddr>,
    configured: bool,
    failures: u32,
    due: Instant,
    /// The call under way.
    calling: Option<ConnectionId>,
}

/// Every node to be connected to.
#[derive(Debug)]
pub(super) struct Dialer {
    me: PeerKey,
    targets: Vec<Target>,
}

impl Dialer {
    /// Calls `configured` addresses; [`Self::set_neighbours`] adds others.
    pub(super) fn new(me: PeerKey, configured: Vec<Multiaddr>, now: Instant) -> Self {
        let targets = configured.into_iter().map(|address| {
            let peer = address.iter().find_map(|part| match part {
                Protocol::P2p(peer) => Some(peer),
                _ => None,
            });
            Target { configured: true, ..Target::new(peer, vec![address], now) }
        });
        Self { me, targets: targets.collect() }
    }

    /// Replaces the nodes known from rosters. Of many, each node picks others, at random but for
    /// good.
    pub(super) fn set_neighbours(&mut self, mut peers: Vec<(PeerKey, Vec<String>)>, now: Instant) {
        peers.retain(|(peer, _)| *peer != self.me);
        peers.sort_by_key(|(peer, _)| Digest::of_parts(&[&self.me.0, &peer.0]));
        peers.truncate(NEIGHBOURS_MAX);
        let mut known: Vec<Target> = self.targets.extract_if(.., |it| !it.configured).collect();
        for (peer, addresses) in peers {
            let Ok(peer) = tls::peer_id(&peer) else { continue };
            let addresses = addresses.iter().filter_map(|address| address.parse().ok()).collect();
            let target = match known.iter().position(|target| target.peer == Some(peer)) {
                Some(index) => Target { addresses, ..known.swap_remove(index) },
                None => Target::new(Some(peer), addresses, now),
            };
            self.targets.push(target);
        }
    }

    /// When a call is due next; `connected` says to whom there is no need to call.
    pub(super) fn next_due(&self, connected: impl Fn(&PeerId) -> bool) -> Option<Instant> {
        self.targets.iter().filter(|target| target.waits(&connected)).map(|it| it.due).min()
    }

    /// The calls to make now.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        connected: impl Fn(&PeerId) -> bool,
    ) -> Vec<DialOpts> {
        let waiting = self.targets.iter_mut().filter(|target| target.waits(&connected));
        waiting.filter(|target| target.due <= now).filter_map(Target::call).collect()
    }

    /// A connection came about.
    pub(super) fn connected(&mut self, connection: ConnectionId, peer: PeerId) {
        for target in self.targets.iter_mut().filter(|it| it.calling == Some(connection)) {
            target.calling = None;
            target.peer = Some(peer);
        }
    }

    /// A peer proved to be a member: calls to it are worth while.
    pub(super) fn admitted(&mut self, peer: PeerId) {
        for target in self.targets.iter_mut().filter(|target| target.peer == Some(peer)) {
            target.failures = 0;
        }
    }

    /// A call failed.
    pub(super) fn failed(&mut self, connection: ConnectionId, now: Instant) {
        for target in self.targets.iter_mut().filter(|it| it.calling == Some(connection)) {
            target.calling = None;
            target.postpone(now);
        }
    }

    /// The last connection with `peer` is gone.
    pub(super) fn disconnected(&mut self, peer: PeerId, now: Instant) {
        for target in self.targets.iter_mut().filter(|target| target.peer == Some(peer)) {
            target.postpone(now);
        }
    }
}

impl Target {
    fn new(peer: Option<PeerId>, addresses: Vec<Multiaddr>, due: Instant) -> Self {
        Self { peer, addresses, configured: false, failures: 0, due, calling: None }
    }

    /// Whether it is neither connected nor being called.
    fn waits(&self, connected: impl Fn(&PeerId) -> bool) -> bool {
        self.calling.is_none() && !self.peer.is_some_and(|peer| connected(&peer))
    }

    fn call(&mut self) -> Option<DialOpts> {
        let call = match self.peer {
            Some(peer) => DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(self.addresses.clone())
                .build(),
            None => DialOpts::unknown_peer_id().address(self.addresses.first()?.clone()).build(),
        };
        self.calling = Some(call.connection_id());
        Some(call)
    }

    fn postpone(&mut self, now: Instant) {
        let wait = BACKOFF_MIN.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.due = now + wait;
    }
}
