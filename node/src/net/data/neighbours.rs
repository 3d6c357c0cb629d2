//! Which connections there are to whom. Not how they come about.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use comity_protocol::id::PeerKey;
use quinn::Connection;

use super::path::Path;

/// Connections with one peer: each side may have dialed at the same moment, for two lanes.
const CONNECTIONS_PER_PEER_MAX: usize = 4;

/// Connections by peer.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// A plain mutex: held for a look-up or an insertion, never over an await.
    peers: Mutex<HashMap<PeerKey, Neighbour>>,
    /// Connections there were so far.
    count: AtomicU32,
}

#[derive(Debug, Default)]
struct Neighbour {
    /// In the order in which they came about, with their numbers.
    connections: Vec<(u32, Connection)>,
    /// Held while dialing, so that sessions opened together share one connection.
    dialing: Arc<tokio::sync::Mutex<()>>,
}

impl Neighbours {
    /// The newest connection to `peer` that is not closed: after a restart of the peer, older ones
    /// may be dead without a sign.
    pub(super) fn live(&self, peer: &PeerKey) -> Option<Connection> {
        let peers = self.lock();
        let connections = &peers.get(peer)?.connections;
        let mut newest = connections.iter().rev().map(|(_, connection)| connection);
        newest.find(|connection| connection.close_reason().is_none()).cloned()
    }

    /// Every connection that is not closed: its number, and to whom it is.
    pub(super) fn all(&self) -> Vec<(u32, PeerKey, Connection)> {
        let peers = self.lock();
        let all = peers.iter().flat_map(|(peer, neighbour)| {
            neighbour.connections.iter().map(|(number, connection)| (*number, *peer, connection))
        });
        let live = all.filter(|(.., connection)| connection.close_reason().is_none());
        let mut live: Vec<_> = live.map(|(number, peer, it)| (number, peer, it.clone())).collect();
        live.sort_unstable_by_key(|(number, ..)| *number);
        live
    }

    /// The way to each peer with a live connection, in order of their keys.
    pub(super) fn paths(&self) -> Vec<(PeerKey, Path)> {
        let peers: Vec<PeerKey> = self.lock().keys().copied().collect();
        let live = |peer| Some((peer, Path::of(&self.live(&peer)?)));
        let mut paths: Vec<_> = peers.into_iter().filter_map(live).collect();
        paths.sort_unstable_by_key(|(peer, _)| *peer);
        paths
    }

    /// The lock to hold while dialing `peer`.
    pub(super) fn dialing(&self, peer: PeerKey) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.lock().entry(peer).or_default().dialing)
    }

    /// Remembers `connection` and gives it a number, from 1; `None` if there are too many to `peer`
    /// already.
    pub(super) fn insert(&self, peer: PeerKey, connection: &Connection) -> Option<u32> {
        let mut peers = self.lock();
        let connections = &mut peers.entry(peer).or_default().connections;
        connections.retain(|(_, other)| other.close_reason().is_none());
        if connections.len() >= CONNECTIONS_PER_PEER_MAX {
            return None;
        }
        let number = self.count.fetch_add(1, Relaxed) + 1;
        connections.push((number, connection.clone()));
        Some(number)
    }

    /// Forgets connections to `peer` that are closed, and the peer if nothing else is left of it.
    pub(super) fn sweep(&self, peer: &PeerKey) {
        let mut peers = self.lock();
        let Some(neighbour) = peers.get_mut(peer) else { return };
        neighbour.connections.retain(|(_, connection)| connection.close_reason().is_none());
        if neighbour.connections.is_empty() && Arc::strong_count(&neighbour.dialing) == 1 {
            peers.remove(peer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerKey, Neighbour>> {
        // Every change is a single step, so a panic elsewhere leaves the map whole.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
