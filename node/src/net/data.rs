//! The data plane: links that carry hidden states between nodes. Not what a session does with them.
//!
//! One QUIC endpoint dials and listens; a connection proves the other side's key in its handshake
//! and is closed the moment that peer leaves the admitted set. Either side of a hop may dial: links
//! open on whichever connection exists. Chunks of prefill go over a second one, so that their window is
//! not that of the tokens.

mod accept;
mod arrivals;
mod clients;
mod congestion;
mod contact;
mod dial;
mod endpoint;
mod lane;
mod link;
mod neighbours;
mod path;
mod repeat;
mod stream;
mod told;

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use comity_protocol::{id::PeerKey, refusal::Cause, signed::NodeKey};
use tokio::sync::{broadcast, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use clients::{ClientLink, ClientPlane, ClientRequest};
pub use contact::Contact;
pub use dial::ConnectError;
pub use endpoint::BindError;
pub use lane::Lane;
pub use link::{FrameReceiver, FrameSender, Link};
pub use path::Path;
pub use stream::StreamError;

use super::{Admission, Plane, tls};
use arrivals::Arrivals;
use contact::CONTACTS_CAPACITY;
use neighbours::Neighbours;
use repeat::Losses;
use stream::Reader;

use crate::telemetry::Telemetry;

/// Links opened by peers and not yet taken. More means the node is overloaded: they are reset.
const INCOMING_CAPACITY: usize = 64;

/// What a data or client plane needs.
#[derive(Debug)]
pub struct DataConfig {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The node's identity.
    pub key: NodeKey,
}

/// A link that a peer opened.
#[derive(Debug)]
pub struct Incoming {
    /// Who opened it, as proved in the handshake.
    pub peer: PeerKey,
    /// The link.
    pub link: Link,
}

/// Handle to the data plane. Cheap to clone; it works until its token is cancelled.
#[derive(Debug, Clone)]
pub struct DataPlane {
    shared: Arc<Shared>,
}

/// What the tasks of connections have in common.
#[derive(Debug)]
struct Shared {
    endpoint: quinn::Endpoint,
    address: SocketAddr,
    key: NodeKey,
    neighbours: Neighbours,
    losses: Arc<Losses>,
    /// Chunks sent so far, which gives each its turn.
    turns: AtomicU32,
    /// The next chunk's number; the first was drawn, so that a node that starts anew repeats none.
    numbers: AtomicU64,
    arrivals: Arc<Arrivals<Reader>>,
    admission: Admission,
    incoming: mpsc::Sender<Incoming>,
    contacts: broadcast::Sender<Contact>,
    /// Who hears what connections carry, if anybody does.
    telemetry: OnceLock<Telemetry>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl DataPlane {
    /// Listens, admits the peers in `admission` and no others, and yields the links they open.
    ///
    /// When `cancel` is cancelled, every connection is closed with [`Cause::Shutdown`].
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(
        config: DataConfig,
        admission: Admission,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), BindError> {
        let tls = tls::server_config(&config.key, &[Lane::Steps.alpn(), Lane::Bulk.alpn()])
            .map_err(BindError::Tls)?;
        let mut first = [0; 8];
        getrandom::fill(&mut first).map_err(BindError::Random)?;
        let server = endpoint::server_config(tls, endpoint::stage_transport())?;
        let losses = Arc::new(Losses::default());
        let repeating = Some(Arc::clone(&losses));
        let (endpoint, address) = endpoint::bind(Plane::Data, config.listen, server, repeating)?;
        let (incoming, links) = mpsc::channel(INCOMING_CAPACITY);
        let shared = Arc::new(Shared {
            endpoint,
            address,
            key: config.key,
            neighbours: Neighbours::default(),
            losses,
            turns: AtomicU32::default(),
            numbers: AtomicU64::new(u64::from_le_bytes(first)),
            arrivals: Arc::default(),
            admission,
            incoming,
            contacts: broadcast::channel(CONTACTS_CAPACITY).0,
            telemetry: OnceLock::new(),
            tasks: tasks.clone(),
            cancel,
        });
        tasks.spawn(accept::run(Arc::clone(&shared)));
        Ok((Self { shared }, links))
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Who is met and who is lost from now on.
    #[must_use]
    pub fn contacts(&self) -> broadcast::Receiver<Contact> {
        self.shared.contacts.subscribe()
    }

    /// Connections there are, with whomever.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.endpoint.open_connections()
    }

    /// What is known of the way to each neighbour, for each lane that there is a connection for.
    #[must_use]
    pub fn paths(&self) -> Vec<(PeerKey, Path)> {
        self.shared.neighbours.paths()
    }

    /// Tells `telemetry` what connections carry, from now on; another one after the first hears
    /// nothing.
    pub fn tell(&self, telemetry: &Telemetry) {
        if self.shared.telemetry.set(telemetry.clone()).is_ok() {
            self.shared.tasks.spawn(told::run(Arc::clone(&self.shared), telemetry.clone()));
        }
    }

    /// Opens a link to `peer` on the connection there is, else dials `addresses` in this order,
    /// each a little later than the one before, and takes the first that answers with that key.
    ///
    /// The peer sees the link with its first frame. Cancel-safe.
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::NotAdmitted`] before anything is sent.
    pub async fn open(
        &self,
        peer: PeerKey,
        addresses: &[SocketAddr],
    ) -> Result<Link, ConnectError> {
        dial::open(&self.shared, peer, addresses).await
    }
}

impl Shared {
    /// A number for a chunk that no other of this node's has had.
    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn tell(&self, contact: Contact) {
        // Nobody may be listening.
        let _ = self.contacts.send(contact);
    }
}

/// The close or reset code of `cause`.
fn code(cause: Cause) -> quinn::VarInt {
    quinn::VarInt::from_u32(u32::from(cause.code()))
}

/// The cause that a peer's close or reset code stands for.
fn cause(code: quinn::VarInt) -> Cause {
    Cause::from_code(code.into_inner()).unwrap_or(Cause::PeerLost)
}

#[cfg(test)]
mod tests;
