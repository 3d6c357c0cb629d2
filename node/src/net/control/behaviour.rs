//! The libp2p protocols of the control plane and their bounds. Not what is done with their events.

use std::{io, marker::PhantomData, time::Duration};

use comity_protocol::{
    control::{ControlReply, ControlRequest, Hello},
    id::Digest,
    limits::{ANNOUNCEMENT_BYTES_MAX, CONTROL_BYTES_MAX},
    signed::NodeKey,
    wire::Wire,
};
use libp2p::{
    PeerId, StreamProtocol, Swarm, SwarmBuilder,
    connection_limits::{self, ConnectionLimits},
    futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    gossipsub, identify, noise, ping,
    request_response::{self, ProtocolSupport},
    swarm::NetworkBehaviour,
    tcp, yamux,
};

use crate::net::tls;

/// Name of the exchange of hellos.
const HELLO_PROTOCOL: StreamProtocol = StreamProtocol::new("/comity/hello/1");
/// Name of other questions and answers.
const ASK_PROTOCOL: StreamProtocol = StreamProtocol::new("/comity/ask/1");
/// How long a question and its answer may take.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Questions of one kind under way on one connection.
const EXCHANGE_STREAMS_MAX: usize = 4;
/// Bytes of a gossip message beside the announcement: source, signature, topic.
const GOSSIP_FRAMING_BYTES: usize = 1 << 10;
/// Connections being made, each way.
const PENDING_MAX: u32 = 64;
/// Connections.
const ESTABLISHED_MAX: u32 = 512;
/// Connections with one peer: both may dial at once, over QUIC and TCP.
const PER_PEER_MAX: u32 = 4;
/// Silence after which a neighbour is asked for a sign of life. As on the data plane: who hears first
/// that a node is dead plans without it.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Silence after which a QUIC connection is dead, milliseconds; reasons as on the data plane.
const IDLE_MS: u32 = 4_000;
/// Score of a peer that is not admitted: below every threshold, so that it gets and gives nothing.
const STRANGER_SCORE: f64 = -100.0;

/// One kind of question and its answer.
type Exchange<Q, R> = request_response::Behaviour<WireCodec<Q, R>>;

/// Everything a node speaks on the control plane.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    /// First, so that it refuses before anything else takes memory.
    limits: connection_limits::Behaviour,
    pub(super) gossip: gossipsub::Behaviour,
    pub(super) hello: Exchange<Hello, Hello>,
    pub(super) ask: Exchange<ControlRequest, ControlReply>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

impl Behaviour {
    fn new(key: &NodeKey, topic: &gossipsub::IdentTopic) -> Result<Self, String> {
        let keypair = tls::keypair(key);
        let limits = ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_MAX))
            .with_max_pending_outgoing(Some(PENDING_MAX))
            .with_max_established(Some(ESTABLISHED_MAX))
            .with_max_established_per_peer(Some(PER_PEER_MAX));
        let identify = identify::Config::new("comity/1".to_owned(), keypair.public())
            .with_hide_listen_addrs(true);
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits),
            gossip: gossip(keypair, topic)?,
            hello: exchange(HELLO_PROTOCOL),
            ask: exchange(ASK_PROTOCOL),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
        })
    }

    /// Lets `peer` take part in gossip, or not.
    pub(super) fn admit(&mut self, peer: &PeerId, admitted: bool) {
        let score = if admitted { 0.0 } else { STRANGER_SCORE };
        self.gossip.set_application_score(peer, score);
    }
}

fn exchange<Q: Wire + Send + 'static, R: Wire + Send + 'static>(
    protocol: StreamProtocol,
) -> Exchange<Q, R> {
    let config = request_response::Config::default()
        .with_request_timeout(EXCHANGE_TIMEOUT)
        .with_max_concurrent_streams(EXCHANGE_STREAMS_MAX);
    let protocols = [(protocol, ProtocolSupport::Full)];
    request_response::Behaviour::with_codec(WireCodec(PhantomData), protocols, config)
}

fn gossip(
    keypair: libp2p::identity::Keypair,
    topic: &gossipsub::IdentTopic,
) -> Result<gossipsub::Behaviour, String> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(ANNOUNCEMENT_BYTES_MAX + GOSSIP_FRAMING_BYTES)
        // The same announcement from two peers is one message.
        .message_id_fn(|message| gossipsub::MessageId::from(Digest::of(&message.data).0.to_vec()))
        .heartbeat_initial_delay(Duration::from_millis(100))
        .build()
        .map_err(|error| error.to_string())?;
    let authenticity = gossipsub::MessageAuthenticity::Signed(keypair);
    let mut gossip = gossipsub::Behaviour::new(authenticity, config)?;
    let score = gossipsub::PeerScoreParams {
        app_specific_weight: 1.0,
        // Nodes of an institution, and all of a demonstration, share an address.
        ip_colocation_factor_weight: 0.0,
        ..gossipsub::PeerScoreParams::default()
    };
    gossip.with_peer_score(score, gossipsub::PeerScoreThresholds::default())?;
    gossip.subscribe(topic).map_err(|error| error.to_string())?;
    Ok(gossip)
}

/// A swarm that listens nowhere yet.
pub(super) fn swarm(
    key: &NodeKey,
    topic: &gossipsub::IdentTopic,
) -> Result<Swarm<Behaviour>, String> {
    let behaviour = Behaviour::new(key, topic)?;
    let swarm = SwarmBuilder::with_existing_identity(tls::keypair(key))
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| error.to_string())?
        .with_quic_config(|mut config| {
            config.keep_alive_interval = KEEP_ALIVE;
            config.max_idle_timeout = IDLE_MS;
            config
        })
        .with_dns()
        .map_err(|error| format!("the system's name servers cannot be read: {error}"))?
        .with_behaviour(|_| behaviour)
        .map_err(|error| error.to_string())?
        // Members stay connected; strangers are closed by deadline.
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::MAX))
        .build();
    Ok(swarm)
}

/// Requests and replies on the wire: their canonical bytes until the end of the stream.
pub(super) struct WireCodec<Q, R>(PhantomData<fn() -> (Q, R)>);

impl<Q, R> Clone for WireCodec<Q, R> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<Q: Wire + Send, R: Wire + Send> request_response::Codec for WireCodec<Q, R> {
    type Protocol = StreamProtocol;
    type Request = Q;
    type Response = R;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Q>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<R>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, it: Q) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&it.encode()).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, it: R) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&it.encode()).await
    }
}

pub(super) async fn read<M: Wire, T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<M> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a longer message is seen to be one.
    io.take(CONTROL_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    M::decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
