//! Which connections there are to whom. Not how they come about.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
}

#[derive(Debug, Default)]
struct Neighbour {
    /// In the order in which they came about.
    connections: Vec<Connection>,
    /// Held while dialing, so that sessions opened together share one connection.
    dialing: Dialing,
}

impl Neighbours {
    /// The newest connection to `peer` in `lane` that is not closed: after a restart of the peer, older
    /// ones may be dead without a sign.
    pub(super) fn live(&self, peer: PeerKey, lane: Lane) -> Option<Connection> {
        let neighbours = self.lock();
        let connections = &neighbours.get(&(peer, lane))?.connections;
        connections.iter().rev().find(|connection| connection.close_reason().is_none()).cloned()
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

    /// Remembers `connection`; false if there are too many to `peer` already.
    pub(super) fn insert(&self, peer: PeerKey, lane: Lane, connection: &Connection) -> bool {
        let mut neighbours = self.lock();
        let connections = &mut neighbours.entry((peer, lane)).or_default().connections;
        connections.retain(|other| other.close_reason().is_none());
        if connections.len() >= CONNECTIONS_PER_LANE_MAX {
            return false;
        }
        connections.push(connection.clone());
        true
    }

    /// Forgets connections to `peer` that are closed, and the peer if nothing else is left of it.
    pub(super) fn sweep(&self, peer: PeerKey, lane: Lane) {
        let mut neighbours = self.lock();
        let Some(neighbour) = neighbours.get_mut(&(peer, lane)) else { return };
        neighbour.connections.retain(|connection| connection.close_reason().is_none());
        if neighbour.connections.is_empty() && Arc::strong_count(&neighbour.dialing) == 1 {
            neighbours.remove(&(peer, lane));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(PeerKey, Lane), Neighbour>> {
        // Every change is a single step, so a panic elsewhere leaves the map whole.
        self.neighbours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
