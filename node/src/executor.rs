//! The thread that owns models: every forward pass runs here. Not which steps run together, which
//! [`comity_protocol::microbatch`] decides.
//!
//! A named thread with a bounded queue, because a pass holds the CPU for milliseconds and must never
//! hold up the tasks that move packets.

mod told;
mod worker;

use std::{collections::HashMap, sync::Arc, thread::JoinHandle, time::Instant};

use comity_protocol::{
    block::BlockRange,
    id::{Digest, PrefixTag, SessionId},
    prefix::{RowDigests, Scope},
    refusal::Cause,
    tensor::Hidden,
    time::Timestamp,
};
use comity_shard::{Home, Shard};
use tokio::sync::{mpsc, oneshot, watch};
use worker::Worker;

use crate::telemetry::Telemetry;

/// Passes that may wait in the queue, and as many again with the worker. Each session has at most a
/// few under way, so this is about a hundred sessions; past it, callers wait in their own tasks.
const QUEUE_CAPACITY: usize = 256;

/// What one model needs on this node.
#[derive(Debug)]
pub struct Model {
    /// Blocks for others' and own sessions, if this node is a stage.
    pub shard: Option<Shard>,
    /// Embedding and head, if this node is home.
    pub home: Option<Arc<Home>>,
    /// Whether the shard keeps KV cache for later sessions.
    pub prefix_cache: bool,
    /// Which shard it is to telemetry, if telemetry hears of it at all.
    pub told: Option<u32>,
}

/// Why a pass gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {detail}")]
pub struct PassError {
    /// For the session's peers.
    pub cause: Cause,
    /// For people; never prompt-derived.
    pub detail: String,
}

/// Memory in use, for status and announcements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Bytes of KV cache in use.
    pub kv_bytes: u64,
    /// Bytes of KV cache kept for later sessions; they give way to sessions.
    pub prefix_bytes: u64,
    /// Bytes of KV cache promised to sessions.
    pub kv_reserved: u64,
    /// Bytes of KV cache allowed.
    pub kv_budget: u64,
    /// Bytes of KV cache one position takes, over all models.
    pub kv_bytes_per_position: u64,
    /// Sessions with KV cache.
    pub sessions: u32,
    /// Measured time of one position through one block, nanoseconds; 0 until measured.
    pub block_time_ns: u64,
}

/// Handle to the executor. The queue closes when the last clone drops; [`Executor::join`] waits.
#[derive(Debug, Clone)]
pub struct Executor {
    queue: mpsc::Sender<Pass>,
    usage: watch::Receiver<Usage>,
    /// Whether telemetry wants to know how long passes waited.
    is_told: bool,
    thread: Arc<std::sync::Mutex<Option<JoinHandle<()>>>>,
}

/// A session whose steps are to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The session.
    pub session: SessionId,
    /// Home's institution, whose share of the executor its steps count to.
    pub institution: String,
    /// The institution's weight among others.
    pub share: u32,
    /// Blocks it runs.
    pub blocks: BlockRange,
    /// Positions it may come to.
    pub positions_max: u32,
    /// What is of use to it if the shard kept it.
    pub prefix: Option<Prefix>,
}

/// First pages of a session's KV cache, as later sessions find them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// Where they may be found.
    pub scope: Scope,
    /// Their names.
    pub tags: Vec<PrefixTag>,
    /// When they are asked for, or kept.
    pub now: Timestamp,
}

type Reply<T> = oneshot::Sender<Result<T, PassError>>;

enum Pass {
    Open { model: Digest, opening: Opening, reply: Reply<Vec<RowDigests>> },
    Forward { model: Digest, forward: Forward },
    Keep { model: Digest, session: SessionId, prefix: Prefix, rows: Vec<RowDigests> },
    Close { model: Digest, session: SessionId },
    Expire { now: Timestamp },
    Head { model: Digest, hidden: Hidden, reply: Reply<Vec<Vec<f32>>> },
}

/// Rows of a session to be run through its blocks.
struct Forward {
    session: SessionId,
    start: u32,
    hidden: Hidden,
    /// When it came, if telemetry is to know.
    came: Option<Instant>,
    reply: Reply<Hidden>,
}

impl Executor {
    /// Starts the thread over `models`, keyed by manifest digest, and has it tell `telemetry`.
    ///
    /// # Errors
    /// The system's error if no thread can be had.
    pub fn spawn(
        models: HashMap<Digest, Model>,
        telemetry: Option<Telemetry>,
    ) -> std::io::Result<Self> {
        let (queue, passes) = mpsc::channel(QUEUE_CAPACITY);
        let is_told = telemetry.is_some();
        let worker = Worker::new(models, telemetry);
        let (usage_sender, usage) = watch::channel(worker.usage());
        let thread = std::thread::Builder::new()
            .name("executor".into())
            .spawn(move || worker.run(passes, &usage_sender))?;
        let thread = Arc::new(std::sync::Mutex::new(Some(thread)));
        Ok(Self { queue, usage, is_told, thread })
    }

    /// Memory in use now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        *self.usage.borrow()
    }

    /// Memory in use, as it changes.
    #[must_use]
    pub fn usage_changes(&self) -> watch::Receiver<Usage> {
        self.usage.clone()
    }

    /// Reserves KV cache for a session and puts into it what the shard kept of its prefix: returns
    /// the digests of these positions' rows. Cancel-safe: a reservation nobody waits for is closed
    /// by the session's [`Self::close`].
    ///
    /// # Errors
    /// [`PassError`] with `overloaded` if the budget is used up.
    pub async fn open(
        &self,
        model: Digest,
        opening: Opening,
    ) -> Result<Vec<RowDigests>, PassError> {
        self.ask(|reply| Pass::Open { model, opening, reply }).await
    }

    /// Queues a pass: truncates the session's cache to `start` and runs its blocks over `hidden`.
    /// Passes of one session run in the order of these calls, in pieces and together with those of
    /// others as suits; the result is awaited apart.
    ///
    /// # Errors
    /// [`PassError`] if the executor stopped; the awaited result has those of the pass itself.
    pub async fn forward(
        &self,
        model: Digest,
        session: SessionId,
        start: u32,
        hidden: Hidden,
    ) -> Result<impl Future<Output = Result<Hidden, PassError>> + use<>, PassError> {
        let came = self.is_told.then(Instant::now);
        self.queue(move |reply| {
            let forward = Forward { session, start, hidden, came, reply };
            Pass::Forward { model, forward }
        })
        .await
    }

    /// Keeps the first pages of a session's KV cache for later sessions; the session goes on.
    /// `rows`: digests of their positions' rows.
    pub async fn keep(
        &self,
        model: Digest,
        session: SessionId,
        prefix: Prefix,
        rows: Vec<RowDigests>,
    ) {
        // As with closing: the thread is gone only at shutdown.
        let _ = self.queue.send(Pass::Keep { model, session, prefix, rows }).await;
    }

    /// Drops what was kept and not used for long.
    pub async fn expire(&self, now: Timestamp) {
        let _ = self.queue.send(Pass::Expire { now }).await;
    }

    /// Frees a session's KV cache; what it still has queued is dropped.
    pub async fn close(&self, model: Digest, session: SessionId) {
        // The thread is gone only at shutdown, and its caches with it.
        let _ = self.queue.send(Pass::Close { model, session }).await;
    }

    /// Final norm and head over each row: one logit per token id.
    ///
    /// # Errors
    /// [`PassError`] if the node is no home.
    pub async fn head(&self, model: Digest, hidden: Hidden) -> Result<Vec<Vec<f32>>, PassError> {
        self.ask(|reply| Pass::Head { model, hidden, reply }).await
    }

    /// Waits for the thread to end. Call it once every other clone is about to drop.
    pub async fn join(self) {
        let Self { queue, thread, .. } = self;
        drop(queue);
        // A short critical section without await: taking the handle out.
        let handle = thread.lock().ok().and_then(|mut handle| handle.take());
        if let Some(handle) = handle {
            let _ = tokio::task::spawn_blocking(move || handle.join()).await;
        }
    }

    async fn ask<T>(&self, pass: impl FnOnce(Reply<T>) -> Pass) -> Result<T, PassError> {
        self.queue(pass).await?.await
    }

    async fn queue<T, P: FnOnce(Reply<T>) -> Pass>(
        &self,
        pass: P,
    ) -> Result<impl Future<Output = Result<T, PassError>> + use<T, P>, PassError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(pass(reply)).await.map_err(|_| gone())?;
        Ok(async { answer.await.map_err(|_| gone())? })
    }
}

fn gone() -> PassError {
    PassError { cause: Cause::Shutdown, detail: "the executor stopped".into() }
}

#[cfg(test)]
mod tests;
