//! What the data plane notices about who is within reach. Not what follows from it, which the
//! directory decides.

use std::time::Duration;

use comity_protocol::{id::PeerKey, refusal::Cause};
use quinn::ConnectionError;

use super::{cause, endpoint};

/// Contacts that may wait: a listener that falls further behind misses the oldest. Each takes
/// microseconds to deal with, and a connection brings two in its whole life.
pub(super) const CONTACTS_CAPACITY: usize = 1 << 10;

/// A sign of life of a peer, or the lack of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// A connection came about.
    Met(PeerKey),
    /// The last connection broke, or a call was not answered.
    Lost {
        /// Who.
        peer: PeerKey,
        /// How long nothing has been heard of it; zero if it said goodbye.
        silent: Duration,
    },
}

/// How long a peer has been silent whose connection ended so; `None` if it may well be alive.
///
/// Refusals from ICMP do not come this far: the socket is not connected, as it serves all peers.
pub(super) fn silence(error: &ConnectionError) -> Option<Duration> {
    match error {
        ConnectionError::TimedOut => Some(endpoint::NEIGHBOUR_IDLE),
        ConnectionError::Reset => Some(Duration::ZERO),
        ConnectionError::ApplicationClosed(close) if cause(close.error_code) == Cause::Shutdown => {
            Some(Duration::ZERO)
        }
        _ => None,
    }
}
