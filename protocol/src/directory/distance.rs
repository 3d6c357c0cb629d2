//! How far nodes are from each other: what this one measured, and what others announce. Not how that is
//! measured.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use super::Directory;
use crate::{
    announcement::RoundTrip,
    id::{Digest, PeerKey, ShortPeer},
    limits::{ROUND_TRIP_US_MAX, ROUND_TRIPS_MAX},
    time::Timestamp,
};

/// Round trips that are kept of a peer. The least of them is the way; the others waited somewhere.
const KEPT: usize = 8;

/// The last round trips to a peer, microseconds.
#[derive(Debug, Default)]
pub(super) struct Measured(VecDeque<u32>);

impl Measured {
    fn add(&mut self, round_trip: Duration) {
        self.0.truncate(KEPT - 1);
        let us = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
        self.0.push_front(us.min(ROUND_TRIP_US_MAX));
    }

    fn least_us(&self) -> Option<u32> {
        self.0.iter().min().copied()
    }
}

/// Latencies between nodes that a route is chosen among, and their home.
///
/// Between home and others count home's own round trips alone. Of two others that both say how far they
/// are from each other, who says more is believed: nobody looks nearer than the other one measured it.
/// What neither tells is taken as the way over home, and where home has no round trip either, as its
/// longest: pessimistic, but nobody is left out.
#[derive(Debug)]
pub struct Latencies {
    home: ShortPeer,
    /// Round trips, microseconds; the lower peer first.
    told: HashMap<(ShortPeer, ShortPeer), u32>,
    /// The longest of home's own.
    longest_us: u32,
}

impl Latencies {
    fn new(home: &PeerKey) -> Self {
        Self { home: home.beginning(), told: HashMap::new(), longest_us: 0 }
    }

    fn tell(&mut self, from: ShortPeer, to: ShortPeer, us: u32) {
        let known = self.told.entry(pair(from, to)).or_default();
        *known = us.min(ROUND_TRIP_US_MAX).max(*known);
    }

    /// From one node to another, one way.
    #[must_use]
    pub fn one_way(&self, from: &PeerKey, to: &PeerKey) -> Duration {
        let (from, to) = (from.beginning(), to.beginning());
        let told = |one, other| self.told.get(&pair(one, other)).copied().map(u64::from);
        let longest = u64::from(self.longest_us);
        let round_trip = match told(from, to) {
            Some(us) => us,
            None if from == to => 0,
            None if from == self.home || to == self.home => longest,
            None => match (told(from, self.home), told(self.home, to)) {
                (Some(there), Some(on)) => there + on,
                _ => longest,
            },
        };
        Duration::from_nanos(round_trip * 500)
    }
}

fn pair(one: ShortPeer, other: ShortPeer) -> (ShortPeer, ShortPeer) {
    (one.min(other), one.max(other))
}

impl Directory {
    /// A round trip to `peer` took so long.
    pub fn measured(&mut self, now: Timestamp, peer: &PeerKey, round_trip: Duration) {
        if self.admits(now, peer) {
            self.measured.entry(*peer).or_default().add(round_trip);
        }
    }

    /// The least of the last round trips to `peer`, if there was one.
    #[must_use]
    pub fn round_trip(&self, peer: &PeerKey) -> Option<Duration> {
        let least_us = self.measured.get(peer)?.least_us()?;
        Some(Duration::from_micros(least_us.into()))
    }

    /// What this node announces of its distances: to the nearest that serve one of these models.
    #[must_use]
    pub fn round_trips(&self, now: Timestamp, manifests: &[Digest]) -> Vec<RoundTrip> {
        let serving = self.announcements_within_reach(now).filter(|(_, _, (announcement, _))| {
            announcement.offers.iter().any(|offer| manifests.contains(&offer.manifest))
        });
        let mut nearest: Vec<RoundTrip> = serving
            .filter_map(|(peer, ..)| {
                let least_us = self.measured.get(peer)?.least_us()?;
                Some(RoundTrip { peer: peer.beginning(), least_us })
            })
            .collect();
        nearest.sort_by_key(|it| (it.least_us, it.peer));
        nearest.truncate(ROUND_TRIPS_MAX);
        nearest.sort_by_key(|it| it.peer);
        nearest.dedup_by_key(|it| it.peer);
        nearest
    }

    /// Latencies between `peers`, of which this node is or may become home.
    #[must_use]
    pub fn latencies(&self, now: Timestamp, peers: &[PeerKey]) -> Latencies {
        let mut latencies = Latencies::new(&self.me);
        let home = latencies.home;
        let mut ends: HashSet<ShortPeer> = peers.iter().map(PeerKey::beginning).collect();
        ends.remove(&home);
        for peer in peers {
            let from = peer.beginning();
            if let Some(us) = self.measured.get(peer).and_then(Measured::least_us) {
                latencies.tell(home, from, us);
                latencies.longest_us = latencies.longest_us.max(us);
            }
            // What home announced itself is about others as its own round trips are.
            let others = self.live_announcement(now, peer).filter(|_| from != home);
            let Some(announcement) = others else { continue };
            for RoundTrip { peer: to, least_us } in &announcement.round_trips {
                if ends.contains(to) {
                    latencies.tell(from, *to, *least_us);
                }
            }
        }
        latencies
    }
}

#[cfg(test)]
mod tests;
