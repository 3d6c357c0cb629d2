//! The two connections with a neighbour: one for what must not wait, one for what is long. Not which
//! frames go where.

use quinn::{Connection, crypto::rustls::HandshakeData};

use crate::net::tls;

/// Which of the connections with a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Openings, steps and all else: never so much that its congestion window fills.
    Steps,
    /// Chunks of prefill. A full window, or one that losses made small, holds up no token here.
    Bulk,
}

impl Lane {
    /// The protocol name that its connections agree on.
    pub(super) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Steps => tls::STAGE_ALPN,
            Self::Bulk => tls::BULK_ALPN,
        }
    }

    /// What `connection` is for; `None` if no protocol name was agreed on.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let data = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
        let agreed = data.protocol?;
        [Self::Steps, Self::Bulk].into_iter().find(|lane| lane.alpn() == agreed)
    }

    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Bulk => "bulk",
        }
    }
}
