//! The control plane: governance and announcements between nodes, over libp2p. Not what they mean,
//! which the directory decides.
//!
//! Two nodes that meet exchange a hello: charter hash, signed rosters, signed announcements. A peer
//! on no valid roster has one hello and five seconds to prove that it is on one, and is heard in
//! nothing else until then. News spreads by gossip, rosters by another hello.

mod actor;
mod ask;
mod behaviour;
mod dialer;

use std::{
    io,
    net::{IpAddr, TcpListener, UdpSocket},
    sync::Arc,
    time::Duration,
};

use comity_protocol::{
    control::{ControlReply, ControlRequest},
    id::PeerKey,
    signed::{NodeKey, Signed},
};
use libp2p::{
    Multiaddr, PeerId, Swarm, TransportError, core::transport::ListenerId, futures::StreamExt as _,
    gossipsub, multiaddr::Protocol, swarm::SwarmEvent,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, info_span};

use super::{Plane, tls};
use crate::{directory::Directory, witness::Witness};
use actor::{Actor, Message};
use behaviour::Behaviour;

/// Announcements and questions that may wait to be sent; a node has some now and then.
const MESSAGES_CAPACITY: usize = 16;
/// How long a listener may take to say where it listens.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a control plane needs.
#[derive(Debug)]
pub struct ControlConfig {
    /// Multiaddresses it listens on; port 0 lets the system choose.
    pub listen: Vec<String>,
    /// Multiaddresses given to others instead; empty: where it listens.
    pub advertise: Vec<String>,
    /// Multiaddresses of nodes to call first, with or without their peer id.
    pub peers: Vec<String>,
    /// The node's identity.
    pub key: NodeKey,
    /// Who cosigns others' checkpoints on this node, if anyone.
    pub witness: Option<Witness>,
    /// Takes stage receipts that their signers want countersigned.
    pub countersign: mpsc::Sender<Countersign>,
}

/// A stage receipt to be countersigned, if this node was its home.
#[derive(Debug)]
pub struct Countersign {
    /// The signed stage receipt.
    pub receipt: Signed,
    /// Takes home's countersignature, if it gives one.
    pub reply: oneshot::Sender<Option<Signed>>,
}

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A configured address is no multiaddress.
    #[error("{address} is no multiaddress; an example is /ip4/127.0.0.1/udp/4700/quic-v1")]
    Address {
        /// The text given.
        address: String,
        /// What is wrong with it.
        #[source]
        source: libp2p::multiaddr::Error,
    },
    /// Something listens there already.
    #[error("the {plane} plane cannot listen on {address}: the port is in use; stop what listens \
        there, or set another [{plane}] listen", plane = Plane::Control)]
    InUse {
        /// The address asked for.
        address: Multiaddr,
    },
    /// The system refuses the address.
    #[error("the {plane} plane cannot listen on {address}", plane = Plane::Control)]
    Listen {
        /// The address asked for.
        address: Multiaddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No transport serves the address.
    #[error("the {plane} plane cannot listen on {0}: only QUIC and TCP are served",
        plane = Plane::Control)]
    Transport(Multiaddr),
    /// A part of libp2p could not be set up.
    #[error("the control plane cannot be set up: {0}")]
    Setup(String),
}

/// Handle to the control plane. Cheap to clone; it works until its token is cancelled.
#[derive(Debug, Clone)]
pub struct Control {
    messages: mpsc::Sender<Message>,
    addresses: Arc<[String]>,
}

impl Control {
    /// Listens, calls the configured peers and every node whose roster says where it is, and feeds
    /// `directory`.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn spawn(
        config: ControlConfig,
        directory: Directory,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, ControlError> {
        let listen = parse(&config.listen)?;
        let advertise = parse(&config.advertise)?;
        let peers = parse(&config.peers)?;
        let topic =
            gossipsub::IdentTopic::new(format!("comity/announcements/1/{}", directory.genesis()));
        let mut swarm = behaviour::swarm(&config.key, &topic).map_err(ControlError::Setup)?;
        let mut addresses = Vec::new();
        for address in listen {
            addresses.extend(listen_on(&mut swarm, address).await?);
        }
        for address in &advertise {
            swarm.add_external_address(address.clone());
        }
        let shown = if advertise.is_empty() { addresses } else { advertise };
        let me = *swarm.local_peer_id();
        let shown = shown.into_iter().map(|address| with_peer(address, me).to_string()).collect();

        let (messages, inbox) = mpsc::channel(MESSAGES_CAPACITY);
        let me = config.key.public();
        let actor =
            Actor::new(swarm, topic, directory, me, peers, config.witness, config.countersign);
        tasks.spawn(actor.run(inbox, cancel).instrument(info_span!("control")));
        Ok(Self { messages, addresses: shown })
    }

    /// Sends this node's announcement to the consortium. It is not put into the own directory.
    ///
    /// Dropping the future may leave it unsent.
    pub async fn announce(&self, signed: Signed) {
        // If the actor is gone, the node is stopping.
        let _ = self.messages.send(Message::Announce(signed)).await;
    }

    /// Asks `peer`; `None` if it is not connected, does not answer in time or answers nonsense.
    ///
    /// Dropping the future abandons only the answer.
    pub async fn ask(&self, peer: PeerKey, request: ControlRequest) -> Option<ControlReply> {
        let (reply, answered) = oneshot::channel();
        // If the actor is gone, so is the reply's sender.
        let _ = self.messages.send(Message::Ask { peer, request, reply }).await;
        answered.await.ok()
    }

    /// Where others call this node, its peer id included.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.addresses.to_vec()
    }
}

/// An address on this machine alone, with a port that the system chooses.
#[must_use]
pub fn loopback() -> String {
    "/ip4/127.0.0.1/udp/0/quic-v1".to_owned()
}

/// `addresses` with the peer id of the node they belong to.
///
/// # Errors
/// [`ControlError`] if one is no multiaddress.
pub fn with_identity(addresses: &[String], peer: &PeerKey) -> Result<Vec<String>, ControlError> {
    let id = tls::peer_id(peer).map_err(|error| ControlError::Setup(error.to_string()))?;
    let addresses = parse(addresses)?.into_iter();
    Ok(addresses.map(|address| with_peer(address, id).to_string()).collect())
}

fn parse(addresses: &[String]) -> Result<Vec<Multiaddr>, ControlError> {
    let parse = |address: &String| {
        let parsed = address.parse();
        parsed.map_err(|source| ControlError::Address { address: address.clone(), source })
    };
    addresses.iter().map(parse).collect()
}

fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    if address.iter().any(|part| matches!(part, Protocol::P2p(_))) {
        return address;
    }
    address.with(Protocol::P2p(peer))
}

/// Listens on `address` and returns where that is in full.
async fn listen_on(
    swarm: &mut Swarm<Behaviour>,
    address: Multiaddr,
) -> Result<Vec<Multiaddr>, ControlError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ControlError::InUse { address: address.clone() },
        _ => ControlError::Listen { address: address.clone(), source },
    };
    // libp2p shares TCP ports between sockets of one user and hides why UDP is refused: try first.
    try_listen(&address).map_err(failed)?;
    let id = swarm.listen_on(address.clone()).map_err(|error| match error {
        TransportError::Other(source) => failed(source),
        TransportError::MultiaddrNotSupported(address) => ControlError::Transport(address),
    })?;
    match timeout(LISTEN_TIMEOUT, listening(swarm, id)).await {
        Ok(listening) => listening.map_err(failed),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

/// The addresses of listener `id`, at least one.
async fn listening(swarm: &mut Swarm<Behaviour>, id: ListenerId) -> io::Result<Vec<Multiaddr>> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } if listener_id == id => {
                return Ok(vec![address]);
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } if listener_id == id => {
                return Err(reason.err().unwrap_or_else(|| io::ErrorKind::NotConnected.into()));
            }
            _ => {}
        }
    }
}

/// Binds the port of `address` for a moment, to learn why it cannot be bound.
fn try_listen(address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) => TcpListener::bind((ip, port)).map(drop),
        Some(Protocol::Udp(port)) => UdpSocket::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
