//! Chunks that arrive on a connection of their own, until the link that they belong to asks for
//! them, and links that wait for theirs. Not how either is read.
//!
//! The link tells the chunk's number in its place among the frames; the chunk's stream begins with it.
//! Either may come first.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use comity_protocol::id::PeerKey;
use tokio::sync::oneshot;

/// How long a chunk waits for its link. The link's word left first and is short; what is older belongs
/// to a link that has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names a chunk: who sends it, and the number it chose.
pub(super) type ChunkKey = (PeerKey, u64);

/// Chunks without a link and links without a chunk. No more chunks wait than peers may have streams
/// open, no more links than there are.
#[derive(Debug)]
pub(super) struct Arrivals<S> {
    /// A plain mutex: held for a look-up or an insertion.
    places: Mutex<BTreeMap<ChunkKey, Place<S>>>,
}

#[derive(Debug)]
enum Place<S> {
    Arrived(S, Instant),
    Awaited(oneshot::Sender<S>),
}

/// Waits for one chunk. Dropped, it waits no more.
#[derive(Debug)]
pub(super) struct Ticket<S> {
    arrivals: Arc<Arrivals<S>>,
    key: ChunkKey,
    arrived: oneshot::Receiver<S>,
}

impl<S> Default for Arrivals<S> {
    fn default() -> Self {
        Self { places: Mutex::default() }
    }
}

impl<S> Arrivals<S> {
    /// The chunk `key` has arrived by `now`; `stream` comes back if one of this name did before.
    pub(super) fn arrive(&self, key: ChunkKey, stream: S, now: Instant) -> Result<(), S> {
        let mut places = self.lock();
        match places.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Place::Arrived(stream, now));
                Ok(())
            }
            Entry::Occupied(entry) => match entry.remove() {
                // A link that stopped waiting in this moment has no use for it.
                Place::Awaited(link) => link.send(stream),
                arrived @ Place::Arrived(..) => {
                    places.insert(key, arrived);
                    Err(stream)
                }
            },
        }
    }

    /// Waits for the chunk `key` from now on; `None` if somebody does already.
    pub(super) fn expect(self: &Arc<Self>, key: ChunkKey) -> Option<Ticket<S>> {
        let (link, arrived) = oneshot::channel();
        let mut places = self.lock();
        match places.remove(&key) {
            None => {
                places.insert(key, Place::Awaited(link));
            }
            // The other half is in this hand: it takes it.
            Some(Place::Arrived(stream, _)) => drop(link.send(stream)),
            Some(awaited @ Place::Awaited(_)) => {
                places.insert(key, awaited);
                return None;
            }
        }
        drop(places);
        Some(Ticket { arrivals: Arc::clone(self), key, arrived })
    }

    /// Drops what of `peer`'s has waited too long by `now`.
    pub(super) fn expire(&self, peer: PeerKey, now: Instant) {
        let waits = |at: Instant| now.saturating_duration_since(at) < PATIENCE;
        self.lock().retain(|(owner, _), place| {
            *owner != peer || !matches!(place, Place::Arrived(_, at) if !waits(*at))
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ChunkKey, Place<S>>> {
        // Every change is a single step, so a panic elsewhere leaves the map whole.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Ticket<S> {
    /// The chunk's stream, once it is there. Cancel-safe; to be called until it gave one.
    pub(super) async fn stream(&mut self) -> S {
        match (&mut self.arrived).await {
            Ok(stream) => stream,
            // Whoever expires chunks does not touch links that wait.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<S> Drop for Ticket<S> {
    fn drop(&mut self) {
        self.arrived.close();
        let mut places = self.arrivals.lock();
        if let Entry::Occupied(entry) = places.entry(self.key)
            && matches!(entry.get(), Place::Awaited(link) if link.is_closed())
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests;
