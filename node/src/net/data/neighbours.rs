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

use super::{lane::Lane, path::Path};

/// Connections with one peer in one lane: each side may have dialed at the same moment, and others may
/// be dead and not known to be.
const CONNECTIONS_PER_LANE_MAX: usize = 4;

/// Held by whoever dials.
pub(super) type Dialing = Arc<tokio::sync::Mutex<()>>;

/// Connections by peer and lane.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// A plain mutex: held for a look-up or an insertion, never over an await.
    neighbours: Mutex<HashMap<(PeerKey, Lane), Neighbour>>,
    /// Connections there were so far.
    count: AtomicU32,
}

#[derive(Debug, Default)]
struct Neighbour {
    /// In the order in which they came about, with their numbers.
    connections: Vec<(u32, Connection)>,
    /// Held while dialing, so that sessions opened together share one connection.
    dialing: Dialing,
}

impl Neighbours {
    /// The newest connection to `peer` in `lane` that is not closed: after a restart of the peer, older
    /// ones may be dead without a sign.
    pub(super) fn live(&self, peer: PeerKey, lane: Lane) -> Option<Connection> {
        let neighbours = self.lock();
        let connections = &neighbours.get(&(peer, lane))?.connections;
        let mut newest = connections.iter().rev().map(|(_, connection)| connection);
        newest.find(|connection| connection.close_reason().is_none()).cloned()
    }

    /// Every connection that is not closed: its number, and to whom it is.
    pub(super) fn all(&self) -> Vec<(u32, PeerKey, Connection)> {
        let neighbours = self.lock();
        let all = neighbours.iter().flat_map(|((peer, _), neighbour)| {
            neighbour.connections.iter().map(|(number, connection)| (*number, *peer, connection))
        });
        let live = all.filter(|(.., connection)| connection.close_reason().is_none());
        let mut live: Vec<_> = live.map(|(number, peer, it)| (number, peer, it.clone())).collect();
        live.sort_unstable_by_key(|(number, ..)| *number);
        live
    }

    /// The way to each peer with a live connection, in order of their keys and lanes.
    pub(super) fn paths(&self) -> Vec<(PeerKey, Path)> {
        let mut keys: Vec<(PeerKey, Lane)> = self.lock().keys().copied().collect();
        keys.sort_unstable();
        let live = |(peer, lane)| Some((peer, Path::of(lane, &self.live(peer, lane)?)));
        keys.into_iter().filter_map(live).collect()
    }

    /// The lock to hold while dialing `peer` for `lane`.
    pub(super) fn dialing(&self, peer: PeerKey, lane: Lane) -> Dialing {
        Arc::clone(&self.lock().entry((peer, lane)).or_default().dialing)
    }

    /// Remembers `connection` and gives it a number, from 1; `None` if there are too many to `peer`
    /// already.
    pub(super) fn insert(&self, peer: PeerKey, lane: Lane, connection: &Connection) -> Option<u32> {
        let mut neighbours = self.lock();
        let connections = &mut neighbours.entry((peer, lane)).or_default().connections;
        connections.retain(|(_, other)| other.close_reason().is_none());
        if connections.len() >= CONNECTIONS_PER_LANE_MAX {
            return None;
        }
        let number = self.count.fetch_add(1, Relaxed) + 1;
        connections.push((number, connection.clone()));
        Some(number)
    }

    /// Forgets connections to `peer` that are closed, and the peer if nothing else is left of it.
    pub(super) fn sweep(&self, peer: PeerKey, lane: Lane) {
        let mut neighbours = self.lock();
        let Some(neighbour) = neighbours.get_mut(&(peer, lane)) else { return };
        neighbour.connections.retain(|(_, connection)| connection.close_reason().is_none());
        if neighbour.connections.is_empty() && Arc::strong_count(&neighbour.dialing) == 1 {
            neighbours.remove(&(peer, lane));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(PeerKey, Lane), Neighbour>> {
        // Every change is a single step, so a panic elsewhere leaves the map whole.
        self.neighbours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
