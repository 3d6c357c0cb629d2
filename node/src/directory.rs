//! The node's one copy of the consortium's directory, and the clock that ages it. Not its rules,
//! which are `comity_protocol::directory`'s.
//!
//! Everyone asks this actor; whoever must act at once when a peer gains or loses admission watches
//! [`Directory::admission`].

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use comity_protocol::{
    announcement::AnnouncementError,
    charter::Charter,
    directory::{Candidate, Change, Directory as Core, Hello, Member},
    id::{Digest, PeerKey},
    roster::RosterError,
    signed::Signed,
    time::Timestamp,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::{clock::Clock, net::Admission};

/// Questions and statements that may wait; past it, who asks waits. One is answered in microseconds,
/// a hello full of signatures in tens of milliseconds.
const INBOX_CAPACITY: usize = 256;

type Question = Box<dyn FnOnce(&Core, Timestamp) + Send>;

enum Message {
    Ask(Question),
    Roster(Box<Signed>, oneshot::Sender<Result<Change, RosterError>>),
    Announcement(Box<Signed>, oneshot::Sender<Result<Change, AnnouncementError>>),
    Hear(Box<Hello>, PeerKey, oneshot::Sender<bool>),
    Met(PeerKey),
    Lost(PeerKey, Duration),
}

/// Why a statement was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError<E> {
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] E),
    /// The node is stopping.
    #[error("the directory has stopped")]
    Stopped,
}

/// How often the directory changed: compared, never read as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Statements that came or expired, and peers that were lost or came back.
    pub all: u64,
    /// Rosters that came.
    pub rosters: u64,
}

/// Handle to the directory. Cheap to clone; it answers until its token is cancelled, and then as if
/// it knew nobody.
#[derive(Debug, Clone)]
pub struct Directory {
    charter: Digest,
    inbox: mpsc::Sender<Message>,
    admission: Admission,
    changes: watch::Receiver<Changes>,
}

impl Directory {
    /// An empty directory under a verified charter and its hash.
    #[must_use]
    pub fn spawn(
        charter: Charter,
        hash: Digest,
        clock: Clock,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        let (inbox, messages) = mpsc::channel(INBOX_CAPACITY);
        let (admitted, admission) = watch::channel(Arc::default());
        let (changed, changes) = watch::channel(Changes::default());
        let actor = Actor { core: Core::new(charter, hash), clock, admitted, changed };
        tasks.spawn(actor.run(messages, cancel).instrument(info_span!("directory")));
        Self { charter: hash, inbox, admission, changes }
    }

    /// Hash of the charter it stands under.
    #[must_use]
    pub const fn charter(&self) -> Digest {
        self.charter
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

struct Actor {
    core: Core,
    clock: Clock,
    admitted: watch::Sender<Arc<HashSet<PeerKey>>>,
    changed: watch::Sender<Changes>,
}

impl Actor {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>, cancel: CancellationToken) {
        loop {
            let due = self.core.poll_timeout().map(|time| self.clock.instant(time));
            tokio::select! { biased;
                () = cancel.cancelled() => break,
                () = until(due) => self.expire(),
                message = messages.recv() => match message {
                    Some(message) => self.handle(message),
                    None => break,
                },
            }
        }
        // Nobody decides any more who may speak.
        self.admitted.send_replace(Arc::default());
    }

    fn handle(&mut self, message: Message) {
        let now = self.clock.now();
        // Whoever waits for a reply may be gone; so everywhere below.
        match message {
            Message::Ask(question) => question(&self.core, now),
            Message::Roster(signed, reply) => {
                let inserted = self.roster(now, &signed);
                self.publish(now);
                let _ = reply.send(inserted);
            }
            Message::Announcement(signed, reply) => {
                let _ = reply.send(self.announcement(now, &signed));
            }
            Message::Hear(hello, peer, reply) => {
                for signed in &hello.rosters {
                    if let Err(error) = self.roster(now, signed) {
                        debug!(from = %peer.short(), %error, "roster refused");
                    }
                }
                self.publish(now);
                let admitted = self.core.admits(now, &peer);
                let announcements = if admitted { &hello.announcements[..] } else { &[] };
                for signed in announcements {
                    if let Err(error) = self.announcement(now, signed) {
                        debug!(from = %peer.short(), %error, "announcement refused");
                    }
                }
                if admitted {
                    self.met(now, &peer);
                }
                let _ = reply.send(admitted);
            }
            Message::Met(peer) => self.met(now, &peer),
            Message::Lost(peer, silent) => self.lost(now, &peer, silent),
        }
    }

    fn met(&mut self, now: Timestamp, peer: &PeerKey) {
        if self.core.met(now, peer) {
            info!(peer = %peer.short(), "peer is within reach again");
            self.changed.send_modify(|changes| changes.all += 1);
        }
    }

    fn lost(&mut self, now: Timestamp, peer: &PeerKey, silent: Duration) {
        let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
        let since = Timestamp::from_ms(now.as_ms().saturating_sub(silent_ms));
        if self.core.lost(peer, since) {
            info!(peer = %peer.short(), silent_ms, "peer is out of reach");
            self.changed.send_modify(|changes| changes.all += 1);
        }
    }

    fn roster(&mut self, now: Timestamp, signed: &Signed) -> Result<Change, RosterError> {
        let inserted = self.core.insert_roster(now, signed);
        match &inserted {
            Ok(Change::Updated) => self.changed.send_modify(|changes| {
                changes.all += 1;
                changes.rosters += 1;
            }),
            Err(error @ RosterError::Contradiction { .. }) => {
                warn!(%error, "its nodes lose admission until it signs a higher sequence");
            }
            _ => {}
        }
        inserted
    }

    fn announcement(
        &mut self,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Change, AnnouncementError> {
        let inserted = self.core.insert_announcement(now, signed);
        if inserted == Ok(Change::Updated) {
            self.changed.send_modify(|changes| changes.all += 1);
        }
        inserted
    }

    fn expire(&mut self) {
        self.publish(self.clock.now());
        self.changed.send_modify(|changes| changes.all += 1);
    }

    /// Forgets what is over and publishes who may speak, if that changed.
    fn publish(&mut self, now: Timestamp) {
        for peer in self.core.expire(now) {
            warn!(peer = %peer.short(), "peer is no longer admitted");
        }
        let admitted: HashSet<_> = self.core.members(now).into_iter().map(|(it, _)| it).collect();
        self.admitted.send_if_modified(|current| {
            let changed = **current != admitted;
            if changed {
                *current = Arc::new(admitted);
            }
            changed
        });
    }
}

/// Resolves at `time`; never if there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
pub(crate) mod tests;
