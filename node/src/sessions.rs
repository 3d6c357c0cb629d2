//! The sessions of this node, at home and at its stages: one task each. Not what they decide, which
//! the machines of `comity_protocol::session` do.

pub mod answer;
mod bundle;
mod home;
mod link;
mod outbox;
mod stage;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use comity_protocol::{
    id::{Digest, PeerKey, SessionId},
    quota::{QuotaError, Quotas},
    refusal::{Cause, Refusal},
    session::{Frame, stage::Serving},
};
pub use home::{GenerateError, Generation, Planning, Prefixes};
use link::{Link, LinkError};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, debug, info_span};

use crate::{
    bodies::Bodies,
    checkpoints::Progress,
    clock::Clock,
    directory::Directory,
    executor::Executor,
    ledger::Ledger,
    model::HomeModel,
    net::data::{ConnectError, DataPlane, Incoming},
    telemetry::Telemetry,
};

/// Events a session's task may have waiting: a few from each of its two links.
const EVENT_CAPACITY: usize = 8;
/// Longest wait for a neighbour to take a frame before its link counts as lost.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the first frame of a stream.
const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(5);
/// Sessions a node serves at once, as home and as stage together.
pub const SESSIONS_MAX: usize = 512;
/// Requests that wait at once, for some seconds each, for another try at a session: as many as may
/// have had one.
pub const WAITING_MAX: usize = SESSIONS_MAX;

/// What every session of a node needs.
#[derive(Debug)]
pub struct Context {
    /// This node.
    pub me: PeerKey,
    /// Id of its institution.
    pub institution: String,
    /// Genesis hash of the charter.
    pub charter: Digest,
    /// Time.
    pub clock: Clock,
    /// Who is who, and serves what.
    pub directory: Directory,
    /// Links to other nodes.
    pub data: DataPlane,
    /// Passes.
    pub executor: Executor,
    /// Durable signed records.
    pub ledger: Ledger,
    /// Where proofs of sessions are kept, if they are.
    pub bodies: Option<Bodies>,
    /// How far the checkpoints of its log are.
    pub checkpoints: watch::Receiver<Progress>,
    /// Block ranges this node serves.
    pub serving: Vec<Serving>,
    /// Models this node can be home for, by manifest digest.
    pub homes: HashMap<Digest, HomeModel>,
    /// What it needs to plan routes as a home.
    pub planning: Planning,
    /// What stages may hold of prompts this node is home for.
    pub prefixes: Prefixes,
    /// Ends every session when cancelled.
    pub cancel: CancellationToken,
    /// Owns every session's task.
    pub tasks: TaskTracker,
    /// Sessions that may still start.
    pub slots: Arc<Semaphore>,
    /// Requests that may still wait, without a slot, for another try at a session.
    pub waiting: Arc<Semaphore>,
    /// Sessions at home whose ring is not closed yet: where the last stage's link is to go. Held
    /// only for single map operations.
    pub returns: Mutex<HashMap<SessionId, Return>>,
    /// Sessions this node is a stage of, each once: whoever knows a session's id could else open it
    /// again and have its KV cache freed with the second. Held only for single set operations.
    pub stages: Mutex<HashSet<SessionId>>,
    /// What institutions have had of this node lately. Held only for single additions and checks.
    pub quotas: Mutex<Quotas>,
    /// Who hears of requests that ended, if anybody does.
    pub telemetry: Option<Telemetry>,
}

/// A session at home that waits for its last stage.
#[derive(Debug)]
pub struct Return {
    peer: PeerKey,
    /// Takes the link and how many positions every stage holds.
    link: oneshot::Sender<(Link, u32)>,
}

/// Why no link to a neighbour could be had.
#[derive(Debug, thiserror::Error)]
enum OpenLinkError {
    /// No announcement or roster gives an address.
    #[error("no data address of {0} is known")]
    NoAddress(PeerKey),
    /// Dialling failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It took too long.
    #[error("{0} could not be reached in time")]
    Timeout(PeerKey),
}

impl Context {
    /// Whether `institution` may have another session here; one's own always may.
    fn check_quota(&self, institution: &str) -> Result<(), QuotaError> {
        let (chain, now) = (self.directory.chain(), self.clock.now());
        let quota = chain.current().institution(institution).map_or(0, |it| it.quota);
        let own = self.institution == institution;
        match self.quotas.lock() {
            Ok(mut quotas) if !own => quotas.check(now, institution, quota),
            _ => Ok(()),
        }
    }

    /// Weight of `institution` where several share a stage of this node, as the charter has it.
    #[must_use]
    pub fn share(&self, institution: &str) -> u32 {
        self.directory.chain().current().institution(institution).map_or(1, |it| it.share)
    }

    /// Counts what a session has had in all.
    fn count(&self, institution: &str, session: SessionId, work: u128) {
        if let Ok(mut quotas) = self.quotas.lock() {
            quotas.record(self.clock.now(), institution, session, work);
        }
    }

    /// Opens a link to `peer`: in memory to this node itself, else over QUIC.
    async fn open_link(self: &Arc<Self>, peer: PeerKey) -> Result<Link, OpenLinkError> {
        if peer == self.me {
            let (mine, theirs) = Link::local(peer);
            self.clone().take(theirs);
            return Ok(mine);
        }
        let addresses = self.directory.data_addresses(peer).await;
        if addresses.is_empty() {
            return Err(OpenLinkError::NoAddress(peer));
        }
        Ok(Link::remote(self.data.open(peer, &addresses).await?))
    }

    /// Serves streams that neighbours open, until cancelled.
    pub async fn serve(self: Arc<Self>, mut incoming: mpsc::Receiver<Incoming>) {
        // The data plane, which this context holds, keeps the channel open for ever.
        while let Some(Some(stream)) = self.cancel.run_until_cancelled(incoming.recv()).await {
            self.clone().take(Link::remote(stream.link));
        }
    }

    /// Gives a new link to the session it belongs to, in a task of its own.
    fn take(self: Arc<Self>, link: Link) {
        let (tasks, span) = (self.tasks.clone(), info_span!("link", peer = %link.peer.short()));
        tasks.spawn(self.begin(link).instrument(span));
    }

    /// Serves what begins with the link's first frame, or refuses it.
    async fn begin(self: Arc<Self>, mut link: Link) {
        // The first frame has no tensor, so no shape is needed yet.
        let first = timeout(FIRST_FRAME_TIMEOUT, link.receiver.receive(0)).await;
        let refusal = match first {
            Ok(Ok((Frame::Open { signed, cached }, _))) => {
                match self.slots.clone().try_acquire_owned() {
                    Ok(_slot) => return stage::serve(self, link, signed, cached).await,
                    Err(_) => Refusal::new(Cause::Overloaded, 0, "no session slot is free"),
                }
            }
            Ok(Ok((Frame::Opened { session, cached }, _))) => {
                match self.awaiting(session, &link) {
                    // A session that has just ended takes no link; dropping it tells the peer.
                    Ok(entry) => return drop(entry.link.send((link, cached))),
                    Err(refusal) => refusal,
                }
            }
            Ok(Ok(_)) => Refusal::new(Cause::Violation, 0, "a stream starts with open"),
            Ok(Err(LinkError::Violation(detail))) => Refusal::new(Cause::Violation, 0, detail),
            Ok(Err(error)) => return debug!(%error, "stream without a session"),
            Err(_) => return debug!("stream without a first frame"),
        };
        debug!(%refusal, "refused a stream");
        stage::refuse(&self, link, refusal).await;
    }

    /// The session at home whose ring `link` closes.
    fn awaiting(&self, session: SessionId, link: &Link) -> Result<Return, Refusal> {
        let over = || Refusal::new(Cause::Cancelled, 0, "opened: no such session waits here");
        let mut returns = self.returns.lock().map_err(|_| over())?;
        // Only the route's last stage may close the ring; anyone else leaves the entry in place.
        match returns.get(&session) {
            Some(entry) if entry.peer != link.peer => {
                let detail = "opened: came from another peer than the last stage";
                Err(Refusal::new(Cause::Violation, 0, detail))
            }
            _ => returns.remove(&session).ok_or_else(over),
        }
    }
}
