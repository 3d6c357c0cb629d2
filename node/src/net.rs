//! The planes of a node: control, data, client. Not what is said on them.

pub mod control;
pub mod data;
pub mod tls;

use std::{collections::HashSet, fmt, sync::Arc};

use comity_protocol::id::PeerKey;
use tokio::sync::watch;

/// The peers that may speak on the control and data planes, republished whenever they change.
pub type Admission = watch::Receiver<Arc<HashSet<PeerKey>>>;

/// One of the planes, as errors and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Announcements and governance, between nodes.
    Control,
    /// Hidden states, between nodes.
    Data,
    /// Requests, from clients.
    Client,
}

impl fmt::Display for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "control",
            Self::Data => "data",
            Self::Client => "client",
        })
    }
}
