//! One connection to a node. Not the requests on it (`session`).

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use comity_protocol::{
    id::PeerKey,
    limits::{EVENT_BYTES_MAX, REQUEST_BYTES_MAX},
    refusal::Cause,
    request::{ClientEvent, ClientRequest, Generate, RequestKind},
    wire::Wire as _,
};

use crate::{
    credentials::Credentials,
    session::{Events, GenerateError, Generation},
    tls::{self, TlsError},
};

/// Name and version of the client plane in the TLS handshake.
pub const ALPN: &[u8] = b"comity/client/1";
/// How long a node may take to answer the handshake: several round trips round the earth.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a node may be silent below the level of requests before it counts as gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Probes a quiet connection, several times within [`IDLE_TIMEOUT`].
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Bytes of a nonce drawn for a request that brings none: no two collide.
const NONCE_BYTES: usize = 16;

/// A connection to one node. Cheap to clone; it closes when the last clone and request are dropped.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: quinn::Endpoint,
    connection: quinn::Connection,
    token: String,
    peer: PeerKey,
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A loopback token would leave the machine.
    #[error("{addr} is not this machine, and a loopback token must not leave it; use a key")]
    TokenLeaves {
        /// Where it would have gone.
        addr: SocketAddr,
    },
    /// No socket could be opened.
    #[error("no UDP socket could be opened")]
    Socket(#[source] io::Error),
    /// No TLS configuration could be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address is none to connect to.
    #[error("{addr} is no address to connect to")]
    Address {
        /// The address.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: quinn::ConnectError,
    },
    /// Nobody answers there.
    #[error("no node answers at {addr} within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout {
        /// Where.
        addr: SocketAddr,
    },
    /// The handshake failed.
    #[error("handshake with {addr} failed")]
    Handshake {
        /// With whom.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: quinn::ConnectionError,
    },
    /// The node showed no Ed25519 key.
    #[error("{addr} proved no Ed25519 key")]
    Identity {
        /// Which node.
        addr: SocketAddr,
    },
}

impl Client {
    /// Connects to the client plane of the node at `addr`.
    ///
    /// Cancel-safe: dropping the future abandons the connection.
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::Handshake`] also if the node is not the pinned one.
    pub async fn connect(addr: SocketAddr, credentials: Credentials) -> Result<Self, ConnectError> {
        let Credentials { key, token, peer } = credentials;
        if !token.is_empty() && !addr.ip().to_canonical().is_loopback() {
            return Err(ConnectError::TokenLeaves { addr });
        }
        let mut config = tls::client_config(&key, peer, ALPN)?;
        config.transport_config(Arc::new(transport()));
        let any = if addr.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        };
        let endpoint = quinn::Endpoint::client(any).map_err(ConnectError::Socket)?;
        // The name is not checked: the certificate proves a key, not a name.
        let connecting = endpoint
            .connect_with(config, addr, "comity")
            .map_err(|source| ConnectError::Address { addr, source })?;
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| ConnectError::Timeout { addr })?
            .map_err(|source| ConnectError::Handshake { addr, source })?;
        let peer = tls::peer_of(&connection).ok_or(ConnectError::Identity { addr })?;
        Ok(Self { endpoint, connection, token, peer })
    }

    /// The node at the other end.
    #[must_use]
    pub const fn peer(&self) -> PeerKey {
        self.peer
    }

    /// Submits a prompt. An empty nonce is replaced by a random one.
    ///
    /// Cancel-safe: dropping the future withdraws the request, if it was sent.
    ///
    /// # Errors
    /// [`GenerateError`] if the request cannot be sent; refusals come from the [`Generation`].
    pub async fn generate(&self, mut request: Generate) -> Result<Generation, GenerateError> {
        if request.nonce.is_empty() {
            let mut nonce = [0; NONCE_BYTES];
            getrandom::fill(&mut nonce).map_err(GenerateError::Random)?;
            request.nonce = nonce.to_vec().into();
        }
        let max_tokens = request.sampling.max_tokens;
        let events = self.request(RequestKind::Generate(request)).await?;
        Ok(Generation::new(events, max_tokens))
    }

    /// Asks for the mesh as the node sees it: a JSON object.
    ///
    /// Cancel-safe: dropping the future abandons only the reply.
    ///
    /// # Errors
    /// [`GenerateError`] if the node refuses or does not answer.
    pub async fn status(&self) -> Result<String, GenerateError> {
        match self.request(RequestKind::Status).await?.only().await? {
            ClientEvent::Status(json) => Ok(json),
            ClientEvent::Refused(refused) => Err(GenerateError::Refused(refused)),
            _ => Err(GenerateError::Violation("no status in answer to a status request")),
        }
    }

    /// Ends the connection and waits until the node knows.
    pub async fn close(self) {
        self.connection.close(quinn::VarInt::from_u32(Cause::Cancelled.code().into()), b"");
        self.endpoint.wait_idle().await;
    }

    /// Sends one request on a stream of its own. The sending side stays open: its reset cancels.
    async fn request(&self, kind: RequestKind) -> Result<Events, GenerateError> {
        let bytes = ClientRequest { kind, token: self.token.clone() }.encode();
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|_| bytes.len() <= REQUEST_BYTES_MAX)
            .ok_or(GenerateError::TooLong { got: bytes.len(), max: REQUEST_BYTES_MAX })?;
        let (send, recv) =
            self.connection.open_bi().await.map_err(GenerateError::from_connection)?;
        let mut events = Events::new(self.connection.clone(), send, recv);
        events.send(&length.to_le_bytes()).await?;
        events.send(&bytes).await?;
        Ok(events)
    }
}

/// Few streams, small events: only the bundle at the end is of size.
fn transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    let window = u32::try_from(2 * EVENT_BYTES_MAX).expect("two events are a few MiB");
    transport
        .max_idle_timeout(Some(IDLE_TIMEOUT.try_into().expect("20 s fit in a QUIC integer")))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .stream_receive_window(window.into())
        .max_concurrent_bidi_streams(0_u32.into())
        .max_concurrent_uni_streams(0_u32.into());
    transport
}

#[cfg(test)]
mod tests;
