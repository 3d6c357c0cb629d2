//! What QUIC knows of the way to a neighbour. Not what follows from it.

use std::time::Duration;

use quinn::Connection;

use super::lane::Lane;

/// The way to one neighbour, as this side of the connection sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// What the connection carries.
    pub lane: Lane,
    /// Smoothed round trip, as QUIC measures it.
    pub round_trip: Duration,
    /// Bytes that may be under way unacknowledged now.
    pub window: u64,
    /// Packets sent since the connection came about.
    pub sent: u64,
    /// Packets of them that were given up as lost.
    pub lost: u64,
}

impl Path {
    pub(super) fn of(lane: Lane, connection: &Connection) -> Self {
        let path = connection.stats().path;
        Self {
            lane,
            round_trip: path.rtt,
            window: path.cwnd,
            sent: path.sent_packets,
            lost: path.lost_packets,
        }
    }
}
