//! What a connection may do at once: windows and timers of QUIC. Not its state.

use std::time::Duration;

/// Parameters of both sides of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quic {
    /// Congestion window at first, bytes.
    pub initial_window: u64,
    /// Bytes of one stream that the receiver lets be under way.
    pub stream_window: u64,
    /// The same of all streams of the connection.
    pub connection_window: u64,
    /// Bytes that the sender keeps for retransmission; no more are under way.
    pub send_window: u64,
    /// Longest time that the receiver keeps an acknowledgement back.
    pub ack_delay: Duration,
    /// Whether a loss leaves the congestion window as it is where less than half of it is used.
    pub lenient: bool,
    /// Bytes of a message up to which it is sent twice on a path with losses; 0 for never.
    pub repeats: u64,
    /// Whether messages arrive in the order in which they were sent, as on one stream; without, each
    /// has a stream of its own.
    pub ordered: bool,
}

impl Quic {
    /// The defaults of quinn 0.11.
    pub const QUINN: Self = Self {
        initial_window: 12_000,
        stream_window: 1_250_000,
        connection_window: u64::MAX,
        send_window: 10_000_000,
        ack_delay: Duration::from_millis(25),
        lenient: false,
        repeats: 0,
        ordered: true,
    };

    /// What the data plane of a node sets between neighbours.
    pub const NEIGHBOUR: Self = Self {
        initial_window: 256 << 10,
        stream_window: 16 << 20,
        connection_window: 64 << 20,
        send_window: 64 << 20,
        ack_delay: Duration::from_millis(5),
        lenient: true,
        repeats: 8 << 10,
        ordered: false,
    };

    /// Bytes that may be under way whatever the congestion window.
    pub(crate) fn flow_window(&self) -> u64 {
        self.stream_window.min(self.connection_window).min(self.send_window)
    }
}
