//! Sockets and transport parameters of the QUIC planes. Not their connections.
//!
//! Source: quinn's defaults suit requests on the open internet; a ring sends bursts of up to 32 MiB
//! between few known peers and then single packets that must not wait.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use quinn::{
    AckFrequencyConfig, Endpoint, EndpointConfig, IdleTimeout, Runtime as _, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
    crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig},
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    congestion::CongestionConfig,
    repeat::{Losses, RepeatingSocket},
};
use crate::net::{Plane, tls::TlsError};

/// Bytes a stream may have in flight: two prefill chunks of a wide model.
const STREAM_WINDOW: u32 = 16 << 20;
/// Bytes a connection may have in flight, each way.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Bytes sent before the first acknowledgement. The default of 12,000 would take seven round trips
/// to reach the size of a prefill chunk.
const INITIAL_WINDOW: u64 = 256 << 10;
/// Round trip assumed before it is measured: retransmits a lost first packet after 0.3 s, not 1 s.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// How long a neighbour may keep an acknowledgement back. A lost packet with nothing behind it is sent
/// again that much later than the round trip alone demands; the default is 25 ms.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// Silence after which a node asks for a sign of life, and so how late a death may start to be
/// noticed. One small packet a second for each neighbour.
const NEIGHBOUR_KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Silence after which a neighbour is dead: time for the question and, at a round trip of 100 ms,
/// three repetitions (RFC 9002, §6.2: each wait twice the last), asked from both sides. At 1 % loss
/// that fails once in more than 10¹⁰ questions. Where round trips are longer QUIC itself waits for
/// three probe timeouts (RFC 9000, §10.1). Only silence counts, not load: passes run on threads of
/// their own, so that a node answers while it computes.
pub(super) const NEIGHBOUR_IDLE: Duration = Duration::from_secs(4);
/// The same question to clients, who may sleep: it keeps address translations open.
const CLIENT_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Silence after which a client is gone.
const CLIENT_IDLE: Duration = Duration::from_secs(30);
/// Links a peer may have open to us: its sessions' hops.
const STAGE_STREAMS_MAX: u32 = 128;
/// Chunks of prefill a peer may have under way to us. More than a line carries at a time; the next goes
/// the way of all other frames.
const CHUNKS_MAX: u32 = 32;
/// Requests a client may have open on one connection; the next waits until some have ended, for QUIC
/// gives places back an eighth at a time. A client may be a server for many people.
const CLIENT_STREAMS_MAX: u32 = 128;
/// Bytes a client may send ahead of our reading, per stream and per connection.
const CLIENT_WINDOW: u32 = 1 << 20;
/// Socket buffers, bytes: a burst arrives whole while the thread is at work elsewhere. The kernel
/// grants less if its own bound is lower.
const SOCKET_BUFFER: usize = 4 << 20;
/// Bytes kept of connections that are not accepted yet, in all.
const PENDING_BYTES_MAX: u64 = 4 << 20;
/// Connections that may wait to be accepted.
const PENDING_MAX: usize = 256;

/// Why a plane does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Something listens there already.
    #[error(
        "the {plane} plane cannot listen on {address}: the port is in use; stop what listens \
        there, or set another [{plane}] listen"
    )]
    InUse {
        /// The plane.
        plane: Plane,
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refuses the address.
    #[error("the {plane} plane cannot listen on {address}")]
    Address {
        /// The plane.
        plane: Plane,
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no TLS configuration.
    #[error("no TLS configuration")]
    Tls(#[source] TlsError),
    /// The provider of cryptography lacks what QUIC needs.
    #[error("the TLS provider lacks the cipher suite QUIC starts with")]
    Suite(#[source] NoInitialCipherSuite),
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    Random(#[source] getrandom::Error),
}

/// Transport parameters between nodes.
pub(super) fn stage_transport() -> TransportConfig {
    let mut transport = common(STAGE_STREAMS_MAX, STREAM_WINDOW, CONNECTION_WINDOW);
    let mut acknowledging = AckFrequencyConfig::default();
    acknowledging.max_ack_delay(Some(ACK_DELAY));
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(CHUNKS_MAX))
        .congestion_controller_factory(Arc::new(CongestionConfig::new(INITIAL_WINDOW)))
        .ack_frequency_config(Some(acknowledging))
        .initial_rtt(INITIAL_RTT)
        .keep_alive_interval(Some(NEIGHBOUR_KEEP_ALIVE))
        .max_idle_timeout(Some(idle(NEIGHBOUR_IDLE)))
        .send_window(u64::from(CONNECTION_WINDOW))
        // Without it a stream that has begun is sent to its end whatever has a higher priority;
        // what keeps chunks from sharing is that each has a priority of its own.
        .send_fairness(true);
    transport
}

/// Transport parameters towards clients, who are strangers until their request is read.
pub(super) fn client_transport() -> TransportConfig {
    let mut transport = common(CLIENT_STREAMS_MAX, CLIENT_WINDOW, CLIENT_WINDOW);
    transport
        .keep_alive_interval(Some(CLIENT_KEEP_ALIVE))
        .max_idle_timeout(Some(idle(CLIENT_IDLE)));
    transport
}

fn idle(silence: Duration) -> IdleTimeout {
    silence.try_into().expect("half a minute fits in a QUIC integer")
}

fn common(streams: u32, stream_window: u32, connection_window: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(stream_window))
        .receive_window(VarInt::from_u32(connection_window));
    transport
}

/// The listening side of a plane.
pub(super) fn server_config(
    tls: rustls::ServerConfig,
    transport: TransportConfig,
) -> Result<ServerConfig, BindError> {
    let quic = QuicServerConfig::try_from(tls).map_err(BindError::Suite)?;
    let mut config = ServerConfig::with_crypto(Arc::new(quic));
    config
        .transport_config(Arc::new(transport))
        .migration(false)
        .max_incoming(PENDING_MAX)
        .incoming_buffer_size_total(PENDING_BYTES_MAX);
    Ok(config)
}

/// The dialing side of the data plane.
pub(super) fn client_config(
    tls: rustls::ClientConfig,
) -> Result<quinn::ClientConfig, NoInitialCipherSuite> {
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(Arc::new(stage_transport()));
    Ok(config)
}

/// Binds the socket of `plane`, which repeats small bursts to neighbours of whom `losses` tells that
/// their path loses packets; returns where it listens too.
pub(super) fn bind(
    plane: Plane,
    address: SocketAddr,
    config: ServerConfig,
    losses: Option<Arc<Losses>>,
) -> Result<(Endpoint, SocketAddr), BindError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { plane, address },
        _ => BindError::Address { plane, address, source },
    };
    let socket = socket(address).map_err(failed)?;
    let mut socket = TokioRuntime.wrap_udp_socket(socket).map_err(failed)?;
    if let Some(losses) = losses {
        socket = Arc::new(RepeatingSocket::new(socket, losses));
    }
    let (defaults, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
    let endpoint = Endpoint::new_with_abstract_socket(defaults, Some(config), socket, runtime)
        .map_err(failed)?;
    let local = endpoint.local_addr().map_err(failed)?;
    Ok((endpoint, local))
}

fn socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // What the kernel does not grant costs throughput, not correctness.
    for granted in
        [socket.set_recv_buffer_size(SOCKET_BUFFER), socket.set_send_buffer_size(SOCKET_BUFFER)]
    {
        if let Err(error) = granted {
            tracing::debug!(%error, "socket buffer stays at the system's default");
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}
