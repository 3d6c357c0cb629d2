//! The node's one copy of the consortium's directory, and the clock that ages it. Not its rules,
//! which are `comity_protocol::directory`'s.
//!
//! Everyone asks this actor; whoever must act at once when a peer gains or loses admission watches
//! [`Directory::admission`].

mod actor;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use comity_protocol::{
    announcement::{AnnouncementError, RoundTrip},
    charter::{Chain, CharterError, SignedChain, SignedCharter, SuspensionError},
    control::Hello,
    directory::{Candidate, Change, Directory as Core, GovernanceError, Latencies, Member},
    id::{Digest, PeerKey},
    roster::RosterError,
    signed::Signed,
    time::Timestamp,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, info_span};

use actor::Actor;

use crate::{clock::Clock, governance::Archive, net::Admission};

/// Questions and statements that may wait; past it, who asks waits. One is answered in microseconds,
/// a hello full of signatures in tens of milliseconds.
const INBOX_CAPACITY: usize = 256;

type Question = Box<dyn FnOnce(&Core, Timestamp) + Send>;

enum Message {
    Ask(Question),
    Charters(Vec<SignedCharter>, oneshot::Sender<Result<Change, InsertError<CharterError>>>),
    Suspension(Box<Signed>, oneshot::Sender<Result<Change, InsertError<SuspensionError>>>),
    Roster(Box<Signed>, oneshot::Sender<Result<Change, RosterError>>),
    Enlist(Box<Signed>, oneshot::Sender<Result<Change, RosterError>>),
    Announcement(Box<Signed>, oneshot::Sender<Result<Change, AnnouncementError>>),
    Hear(Box<Hello>, PeerKey, oneshot::Sender<bool>),
    Met(PeerKey),
    Lost(PeerKey, Duration),
    Measured(PeerKey, Duration),
    Distrust(PeerKey),
}

/// Why a statement was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError<E> {
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] E),
    /// It could not be kept, so it is not acted on.
    #[error("cannot be kept in the data folder: {0}")]
    Storage(io::ErrorKind),
    /// The node is stopping.
    #[error("the directory has stopped")]
    Stopped,
}

/// How often the directory changed: compared, never read as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Statements that came or expired, and peers that were lost or came back.
    pub all: u64,
    /// Charters, suspensions and rosters that came: what neighbours are told again.
    pub governance: u64,
}

/// Handle to the directory. Cheap to clone; it answers until its token is cancelled, and then as if
/// it knew nobody.
#[derive(Debug, Clone)]
pub struct Directory {
    genesis: Digest,
    inbox: mpsc::Sender<Message>,
    admission: Admission,
    changes: watch::Receiver<Changes>,
    chain: watch::Receiver<Arc<Chain>>,
}

impl Directory {
    /// The directory of node `me`, empty but for verified charters, which `archive` keeps.
    #[must_use]
    pub fn spawn(
        (archive, chain): (Archive, Chain),
        me: PeerKey,
        clock: Clock,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        let (inbox, messages) = mpsc::channel(INBOX_CAPACITY);
        let (admitted, admission) = watch::channel(Arc::default());
        let (changed, changes) = watch::channel(Changes::default());
        let (newest, chain_seen) = watch::channel(Arc::new(chain.clone()));
        let genesis = chain.genesis();
        let core = Core::new(chain, me);
        let actor = Actor { core, archive, clock, admitted, changed, newest };
        tasks.spawn(actor.run(messages, cancel).instrument(info_span!("directory")));
        Self { genesis, inbox, admission, changes, chain: chain_seen }
    }

    /// Hash of the genesis of the consortium.
    #[must_use]
    pub const fn genesis(&self) -> Digest {
        self.genesis
    }

    /// The charters known now.
    #[must_use]
    pub fn chain(&self) -> Arc<Chain> {
        self.chain.borrow().clone()
    }

    /// Whether this node may work with other institutions.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn check(&self) -> Result<(), GovernanceError> {
        self.ask(|core, now| core.check(now).err()).await.map_or(Ok(()), Err)
    }

    /// Versions of the charter from `from` on, as many as fit a message.
    pub async fn charters(&self, from: u32) -> SignedChain {
        self.ask(move |core, _| core.charters(from)).await
    }

    /// Takes versions of the charter. They are kept before anything follows from them.
    ///
    /// # Errors
    /// [`InsertError`]. Versions before the one at fault are taken.
    pub async fn insert_charters(
        &self,
        charters: Vec<SignedCharter>,
    ) -> Result<Change, InsertError<CharterError>> {
        let (reply, inserted) = oneshot::channel();
        self.send(Message::Charters(charters, reply)).await;
        inserted.await.map_err(|_| InsertError::Stopped)?
    }

    /// Takes one signature under a suspension.
    ///
    /// # Errors
    /// [`InsertError`].
    pub async fn insert_suspension(
        &self,
        signed: Signed,
    ) -> Result<Change, InsertError<SuspensionError>> {
        let (reply, inserted) = oneshot::channel();
        self.send(Message::Suspension(Box::new(signed), reply)).await;
        inserted.await.map_err(|_| InsertError::Stopped)?
    }

    /// The peers that may speak now.
    #[must_use]
    pub fn admission(&self) -> Admission {
        self.admission.clone()
    }

    /// Changes whenever a statement comes or expires, and a peer is lost or comes back.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Changes> {
        self.changes.clone()
    }

    /// Takes a roster.
    ///
    /// # Errors
    /// [`InsertError`].
    pub async fn insert_roster(&self, signed: Signed) -> Result<Change, InsertError<RosterError>> {
        let (reply, inserted) = oneshot::channel();
        self.send(Message::Roster(Box::new(signed), reply)).await;
        Ok(inserted.await.map_err(|_| InsertError::Stopped)??)
    }

    /// Takes a roster that this node's operator gives at the start; see [`Core::enlist`].
    ///
    /// # Errors
    /// [`InsertError`].
    pub async fn enlist(&self, signed: Signed) -> Result<Change, InsertError<RosterError>> {
        let (reply, inserted) = oneshot::channel();
        self.send(Message::Enlist(Box::new(signed), reply)).await;
        Ok(inserted.await.map_err(|_| InsertError::Stopped)??)
    }

    /// Takes an announcement.
    ///
    /// # Errors
    /// [`InsertError`].
    pub async fn insert_announcement(
        &self,
        signed: Signed,
    ) -> Result<Change, InsertError<AnnouncementError>> {
        let (reply, inserted) = oneshot::channel();
        self.send(Message::Announcement(Box::new(signed), reply)).await;
        Ok(inserted.await.map_err(|_| InsertError::Stopped)??)
    }

    /// Takes what `peer` says first, as far as it holds; whether `peer` is admitted after it.
    pub async fn hear(&self, hello: Hello, peer: PeerKey) -> bool {
        let (reply, admitted) = oneshot::channel();
        self.send(Message::Hear(Box::new(hello), peer, reply)).await;
        admitted.await.unwrap_or(false)
    }

    /// `peer` gave a sign of life: what it announced counts again.
    pub async fn met(&self, peer: PeerKey) {
        self.send(Message::Met(peer)).await;
    }

    /// Nothing has been heard of `peer` for `silent`: it is chosen for nothing until it is heard
    /// again.
    pub async fn lost(&self, peer: PeerKey, silent: Duration) {
        self.send(Message::Lost(peer, silent)).await;
    }

    /// A round trip to `peer` took so long.
    pub async fn measured(&self, peer: PeerKey, round_trip: Duration) {
        self.send(Message::Measured(peer, round_trip)).await;
    }

    /// What this node announces of its distances to others that serve one of these models.
    pub async fn round_trips(&self, manifests: Vec<Digest>) -> Vec<RoundTrip> {
        self.ask(move |core, now| core.round_trips(now, &manifests)).await
    }

    /// Latencies between `peers`, and from and to this node; `None` if the node is stopping.
    pub async fn latencies(&self, peers: Vec<PeerKey>) -> Option<Latencies> {
        self.ask(move |core, now| Some(core.latencies(now, &peers))).await
    }

    /// Stops all work with `peer`: there is proof that its log told two stories.
    pub async fn distrust(&self, peer: PeerKey) {
        self.send(Message::Distrust(peer)).await;
    }

    /// What the node `me` tells a neighbour first; `None` if the node is stopping.
    pub async fn hello(&self, me: PeerKey) -> Option<Hello> {
        self.ask(move |core, now| Some(core.hello(now, &me))).await
    }

    /// Who `peer` is, if it is admitted.
    pub async fn member(&self, peer: PeerKey) -> Option<Member> {
        self.ask(move |core, now| core.member(now, &peer)).await
    }

    /// Every admitted peer, in ascending order.
    pub async fn members(&self) -> Vec<(PeerKey, Member)> {
        self.ask(|core, now| core.members(now)).await
    }

    /// The least of the last round trips to `peer`, if it is within reach and answered one.
    pub async fn round_trip(&self, peer: PeerKey) -> Option<Duration> {
        self.ask(move |core, _| core.round_trip(&peer)).await
    }

    /// Nodes that serve blocks of a model in one numeric class.
    pub async fn candidates(&self, manifest: Digest, numeric_class: &str) -> Vec<Candidate> {
        let class = numeric_class.to_owned();
        self.ask(move |core, now| core.candidates(now, &manifest, &class)).await
    }

    /// Where `peer` says its data plane is.
    pub async fn data_addresses(&self, peer: PeerKey) -> Vec<SocketAddr> {
        self.ask(move |core, now| core.data_addresses(now, &peer)).await
    }

    /// Where every admitted peer's control plane is, for those whose roster says so.
    pub async fn control_addresses(&self) -> Vec<(PeerKey, Vec<String>)> {
        self.ask(|core, now| {
            let peers = core.members(now).into_iter();
            let peers = peers.map(|(peer, _)| (peer, core.control_addresses(now, &peer)));
            peers.filter(|(_, addresses)| !addresses.is_empty()).collect()
        })
        .await
    }

    /// The valid rosters as they were signed, in ascending order of institution.
    pub async fn rosters(&self) -> Vec<Signed> {
        self.ask(|core, now| {
            let institutions = core.charter().institutions.iter();
            institutions.filter_map(|it| core.roster(now, &it.id).cloned()).collect()
        })
        .await
    }

    /// The answer to `question`; its type's empty value if the node is stopping.
    async fn ask<T: Default + Send + 'static>(
        &self,
        question: impl FnOnce(&Core, Timestamp) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |core, now| {
            // Whoever asked may be gone.
            let _ = reply.send(question(core, now));
        });
        self.send(Message::Ask(question)).await;
        answer.await.unwrap_or_default()
    }

    async fn send(&self, message: Message) {
        // If the actor is gone, so is the message, and the reply it holds fails.
        let _ = self.inbox.send(message).await;
    }
}

#[cfg(test)]
pub(crate) mod tests;
