//! What telemetry hears of connections. Not what they carry.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use comity_protocol::{
    id::PeerKey,
    telemetry::{self, Event},
};
use quinn::Connection;
use tokio::time::{MissedTickBehavior, interval};

use super::Shared;
use crate::telemetry::{Telemetry, micros};

/// Between two looks at all connections.
const INTERVAL: Duration = Duration::from_secs(1);
/// Bytes within that time below which a connection says no more than that both ends live: a question
/// and an answer each way.
const SILENCE_BYTES_MAX: u64 = 512;

/// Tells of every connection that carries something, until the data plane ends.
pub(super) async fn run(shared: Arc<Shared>, telemetry: Telemetry) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = BTreeMap::new();
    while shared.cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        let mut now = BTreeMap::new();
        for (number, peer, connection) in shared.neighbours.all() {
            let stats = connection.stats();
            let bytes = stats.udp_tx.bytes + stats.udp_rx.bytes;
            if bytes > before.get(&number).map_or(0, |bytes| bytes + SILENCE_BYTES_MAX) {
                telemetry.tell(path(&peer, number, &connection));
            }
            now.insert(number, bytes);
        }
        before = now;
    }
}

/// What a connection has carried so far.
pub(super) fn path(peer: &PeerKey, number: u32, connection: &Connection) -> Event {
    let stats = connection.stats();
    Event::Path(telemetry::Path {
        peer: peer.to_string(),
        connection: number,
        round_trip_us: micros(stats.path.rtt),
        round_trip_least_us: micros(stats.path.min_rtt),
        window_bytes: stats.path.cwnd,
        packet_bytes: stats.path.current_mtu.into(),
        packets_sent: stats.path.sent_packets,
        packets_lost: stats.path.lost_packets,
        bytes_sent: stats.udp_tx.bytes,
        bytes_received: stats.udp_rx.bytes,
    })
}
