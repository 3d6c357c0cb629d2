//! How links to peers are opened and connections dialed. Not what comes in.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use comity_protocol::{id::PeerKey, limits::ADDRESSES_MAX, refusal::Cause};
use futures::future::select_ok;
use quinn::{ClientConfig, Connection, ConnectionError, crypto::rustls::NoInitialCipherSuite};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::{
    Shared, accept,
    contact::{self, Contact},
    endpoint,
    lane::Lane,
    link::Link,
};
use crate::net::tls::{self, TlsError};

/// How long all addresses of a peer together may take to answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How much later the next address is dialed. Source: RFC 8305, §5.
const STAGGER: Duration = Duration::from_millis(250);
/// How long to wait for the peer to allow one more stream.
const STREAM_TIMEOUT: Duration = Duration::from_secs(5);
/// Sent as server name, and ignored: certificates carry keys, not names.
const SERVER_NAME: &str = "comity";

/// Why there is no link to a peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer is on no valid roster.
    #[error("peer {0} is not admitted")]
    NotAdmitted(PeerKey),
    /// Nobody said where the peer listens.
    #[error("no data address of peer {0} is known")]
    NoAddress(PeerKey),
    /// No address answered in time.
    #[error("no address of peer {peer} answered within {} s", DIAL_TIMEOUT.as_secs())]
    Timeout {
        /// Who was dialed.
        peer: PeerKey,
    },
    /// The last address that answered did so in vain, for example with another key.
    #[error("cannot connect to peer {peer} at {address}")]
    Handshake {
        /// Who was dialed.
        peer: PeerKey,
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: ConnectionError,
    },
    /// An address cannot be dialed from here.
    #[error("cannot dial {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: quinn::ConnectError,
    },
    /// The peer, or this node, has too many connections already.
    #[error("too many connections with peer {0}")]
    TooMany(PeerKey),
    /// The peer allows no further stream.
    #[error("peer {0} allows no further stream")]
    NoStream(PeerKey),
    /// The connection was lost while the stream was opened.
    #[error("connection to peer {peer} lost")]
    Lost {
        /// The peer.
        peer: PeerKey,
        /// Why.
        #[source]
        source: ConnectionError,
    },
    /// There is no TLS configuration.
    #[error("no TLS configuration")]
    Tls(#[source] TlsError),
    /// The provider of cryptography lacks what QUIC needs.
    #[error("the TLS provider lacks the cipher suite QUIC starts with")]
    Suite(#[source] NoInitialCipherSuite),
}

impl ConnectError {
    /// How long the peer has been silent if `waited` was in vain; `None` if it may well be alive.
    fn silence(&self, waited: Duration) -> Option<Duration> {
        match self {
            Self::Timeout { .. } | Self::Address { .. } => Some(waited),
            Self::Handshake { source, .. } => match source {
                // Whoever answered there, it was not this peer.
                ConnectionError::TimedOut
                | ConnectionError::TransportError(_)
                | ConnectionError::VersionMismatch => Some(waited),
                other => contact::silence(other),
            },
            _ => None,
        }
    }
}

pub(super) async fn open(
    shared: &Arc<Shared>,
    peer: PeerKey,
    addresses: &[SocketAddr],
) -> Result<Link, ConnectError> {
    if !shared.admission.borrow().contains(&peer) {
        return Err(ConnectError::NotAdmitted(peer));
    }
    let connection = connection(shared, peer, addresses, Lane::Steps).await?;
    match timeout(STREAM_TIMEOUT, connection.open_bi()).await {
        Ok(Ok(streams)) => Ok(Link::new(shared, peer, connection, streams)),
        Ok(Err(source)) => Err(ConnectError::Lost { peer, source }),
        Err(_) => Err(ConnectError::NoStream(peer)),
    }
}

/// Dials `peer` for chunks in a task, unless somebody does already. Until there is a connection,
/// chunks go the way of all other frames, and for good if the peer cannot be dialed from here.
pub(super) fn dial_for_chunks(shared: &Arc<Shared>, peer: PeerKey, address: SocketAddr) {
    if shared.neighbours.dialing(peer, Lane::Bulk).try_lock().is_err() {
        return;
    }
    let (tasks, shared) = (&shared.tasks, Arc::clone(shared));
    tasks.spawn(async move {
        let addresses = [address];
        let dialed = tokio::select! { biased;
            () = shared.cancel.cancelled() => return,
            dialed = connection(&shared, peer, &addresses, Lane::Bulk) => dialed,
        };
        if let Err(error) = dialed {
            debug!(peer = %peer.short(), %error, "no connection for chunks");
        }
    });
}

/// The connection to `peer` for `lane`, dialed unless there is one.
async fn connection(
    shared: &Arc<Shared>,
    peer: PeerKey,
    addresses: &[SocketAddr],
    lane: Lane,
) -> Result<Connection, ConnectError> {
    if let Some(connection) = shared.neighbours.live(peer, lane) {
        return Ok(connection);
    }
    let (started, dialing) = (Instant::now(), shared.neighbours.dialing(peer, lane));
    let dialed = timeout(DIAL_TIMEOUT, async {
        let _held = dialing.lock().await;
        match shared.neighbours.live(peer, lane) {
            Some(connection) => Ok(connection),
            None => dial(shared, peer, addresses, lane).await,
        }
    });
    let dialed = dialed.await.unwrap_or(Err(ConnectError::Timeout { peer }));
    drop(dialing);
    shared.neighbours.sweep(peer, lane);
    if lane == Lane::Steps
        && let Err(error) = &dialed
        && let Some(silent) = error.silence(started.elapsed())
    {
        shared.tell(Contact::Lost { peer, silent });
    }
    dialed
}

async fn dial(
    shared: &Arc<Shared>,
    peer: PeerKey,
    addresses: &[SocketAddr],
    lane: Lane,
) -> Result<Connection, ConnectError> {
    if addresses.is_empty() {
        return Err(ConnectError::NoAddress(peer));
    }
    let tls = tls::client_config(&shared.key, lane.alpn(), &peer).map_err(ConnectError::Tls)?;
    let config = endpoint::client_config(tls).map_err(ConnectError::Suite)?;
    let attempts = addresses.iter().take(ADDRESSES_MAX).zip(0..).map(|(&address, turn)| {
        Box::pin(attempt(shared, peer, address, config.clone(), STAGGER * turn))
    });
    let (connection, _) = select_ok(attempts).await?;
    match accept::adopt(shared, peer, &connection, lane) {
        Ok(()) => Ok(connection),
        Err(Cause::NotAdmitted) => Err(ConnectError::NotAdmitted(peer)),
        Err(_) => Err(ConnectError::TooMany(peer)),
    }
}

async fn attempt(
    shared: &Shared,
    peer: PeerKey,
    address: SocketAddr,
    config: ClientConfig,
    delay: Duration,
) -> Result<Connection, ConnectError> {
    sleep(delay).await;
    shared
        .endpoint
        .connect_with(config, address, SERVER_NAME)
        .map_err(|source| ConnectError::Address { address, source })?
        .await
        .map_err(|source| ConnectError::Handshake { peer, address, source })
}
