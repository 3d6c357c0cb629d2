//! The thread that owns models: every forward pass runs here. Not the order of passes, which the
//! session machines decide.
//!
//! A named thread with a bounded queue, because a pass holds the CPU for milliseconds and must never
//! hold up the tasks that move packets.

use std::{collections::HashMap, sync::Arc, thread::JoinHandle};

use comity_protocol::{
    block::BlockRange,
    id::{Digest, SessionId},
    refusal::Cause,
    tensor::Hidden,
};
use comity_shard::{ForwardError, Home, OpenSessionError, Shard};
use tokio::sync::{mpsc, oneshot, watch};

/// Passes that may wait. Each session has at most a few under way, so this is about a hundred
/// sessions; past it, callers wait in their own tasks.
const QUEUE_CAPACITY: usize = 256;

/// What one model needs on this node.
#[derive(Debug)]
pub struct Model {
    /// Blocks for others' and own sessions, if this node is a stage.
    pub shard: Option<Shard>,
    /// Embedding and head, if this node is home.
    pub home: Option<Home>,
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
    thread: Arc<std::sync::Mutex<Option<JoinHandle<()>>>>,
}

type Reply<T> = oneshot::Sender<Result<T, PassError>>;

enum Pass {
    Open { model: Digest, session: SessionId, blocks: BlockRange, positions: u32, reply: Reply<()> },
    Forward { model: Digest, session: SessionId, start: u32, hidden: Hidden, reply: Reply<Hidden> },
    Close { model: Digest, session: SessionId },
    Embed { model: Digest, tokens: Vec<u32>, reply: Reply<Hidden> },
    Head { model: Digest, hidden: Hidden, reply: Reply<Vec<f32>> },
}

impl Executor {
    /// Starts the thread over `models`, keyed by manifest digest.
    ///
    /// # Errors
    /// The system's error if no thread can be had.
    pub fn spawn(models: HashMap<Digest, Model>) -> std::io::Result<Self> {
        let (queue, passes) = mpsc::channel(QUEUE_CAPACITY);
        let mut worker = Worker { models, block_time_ns: 0 };
        let (usage_sender, usage) = watch::channel(worker.usage());
        let thread = std::thread::Builder::new().name("executor".into()).spawn(move || {
            let mut passes = passes;
            while let Some(pass) = passes.blocking_recv() {
                worker.run(pass);
                usage_sender.send_if_modified(|usage| {
                    let new = worker.usage();
                    std::mem::replace(usage, new) != new
                });
            }
        })?;
        Ok(Self { queue, usage, thread: Arc::new(std::sync::Mutex::new(Some(thread))) })
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

    /// Reserves KV cache for a session. Cancel-safe: a reservation nobody waits for is closed by
    /// the session's [`Self::close`].
    ///
    /// # Errors
    /// [`PassError`] with `overloaded` if the budget is used up.
    pub async fn open(
        &self,
        model: Digest,
        session: SessionId,
        blocks: BlockRange,
        positions: u32,
    ) -> Result<(), PassError> {
        self.ask(|reply| Pass::Open { model, session, blocks, positions, reply }).await
    }

    /// Queues a pass: truncates the session's cache to `start` and runs its blocks over `hidden`.
    /// Passes of one caller run in the order of these calls; the result is awaited apart.
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
        self.queue(move |reply| Pass::Forward { model, session, start, hidden, reply }).await
    }

    /// Frees a session's KV cache, after the passes queued before.
    pub async fn close(&self, model: Digest, session: SessionId) {
        // The thread is gone only at shutdown, and its caches with it.
        let _ = self.queue.send(Pass::Close { model, session }).await;
    }

    /// Queues the embedding of `tokens`: `[tokens, hidden]`. In order, like [`Self::forward`].
    ///
    /// # Errors
    /// [`PassError`] if a token id is out of range or the node is no home.
    pub async fn embed(
        &self,
        model: Digest,
        tokens: Vec<u32>,
    ) -> Result<impl Future<Output = Result<Hidden, PassError>> + use<>, PassError> {
        self.queue(move |reply| Pass::Embed { model, tokens, reply }).await
    }

    /// Final norm and head over one row: one logit per token id.
    ///
    /// # Errors
    /// [`PassError`] if the node is no home.
    pub async fn head(&self, model: Digest, hidden: Hidden) -> Result<Vec<f32>, PassError> {
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

struct Worker {
    models: HashMap<Digest, Model>,
    block_time_ns: u64,
}

impl Worker {
    fn run(&mut self, pass: Pass) {
        // A reply nobody waits for any more is dropped: its session has ended.
        match pass {
            Pass::Open { model, session, blocks, positions, reply } => {
                let result = self.shard(model).and_then(|shard| {
                    shard.open_session_over(session, blocks, positions).map_err(open_error)
                });
                let _ = reply.send(result);
            }
            Pass::Forward { model, session, start, hidden, reply } => {
                let _ = reply.send(self.forward(model, session, start, &hidden));
            }
            Pass::Close { model, session } => {
                if let Ok(shard) = self.shard(model) {
                    shard.close_session(&session);
                }
            }
            Pass::Embed { model, tokens, reply } => {
                let _ = reply.send(self.embed(model, &tokens));
            }
            Pass::Head { model, hidden, reply } => {
                let result = self
                    .home(model)
                    .and_then(|home| home.logits(&hidden.values()).map_err(|error| bug(&error)));
                let _ = reply.send(result);
            }
        }
    }

    fn forward(
        &mut self,
        model: Digest,
        session: SessionId,
        start: u32,
        hidden: &Hidden,
    ) -> Result<Hidden, PassError> {
        let started = std::time::Instant::now();
        let shard = self.shard(model)?;
        let width = hidden.row_bytes() / size_of::<f32>();
        let values = shard.forward(&session, start, &hidden.values()).map_err(forward_error)?;
        let blocks = shard.session_range(&session).map_or(1, BlockRange::len);
        let steps = u64::from(blocks) * u64::from(hidden.positions());
        let elapsed = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let measured = elapsed / steps.max(1);
        // Decode steps only: prefill reads the weights once for many positions.
        if hidden.positions() == 1 {
            self.block_time_ns = match self.block_time_ns {
                0 => measured,
                known => known - known / 8 + measured / 8,
            };
        }
        Hidden::from_values(&values, width).map_err(|error| bug(&error))
    }

    fn embed(&mut self, model: Digest, tokens: &[u32]) -> Result<Hidden, PassError> {
        let home = self.home(model)?;
        let values = home.embed(tokens).map_err(|error| bug(&error))?;
        Hidden::from_values(&values, values.len() / tokens.len().max(1))
            .map_err(|error| bug(&error))
    }

    fn shard(&mut self, model: Digest) -> Result<&mut Shard, PassError> {
        self.models.get_mut(&model).and_then(|model| model.shard.as_mut()).ok_or_else(not_served)
    }

    fn home(&mut self, model: Digest) -> Result<&Home, PassError> {
        self.models.get(&model).and_then(|model| model.home.as_ref()).ok_or_else(not_served)
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage { block_time_ns: self.block_time_ns, ..Usage::default() };
        #[expect(clippy::iter_over_hash_type, reason = "sums do not depend on order")]
        for model in self.models.values() {
            if let Some(shard) = &model.shard {
                usage.weight_bytes += shard.weight_bytes();
                usage.kv_bytes += shard.kv_bytes();
                usage.kv_reserved += shard.kv_reserved();
                usage.sessions += u32::try_from(shard.sessions()).unwrap_or(u32::MAX);
                usage.kv_budget += shard.kv_budget();
                usage.kv_bytes_per_position += shard.kv_bytes_per_position();
            }
            usage.weight_bytes += model.home.as_ref().map_or(0, Home::weight_bytes);
        }
        usage
    }
}

fn not_served() -> PassError {
    PassError { cause: Cause::NotServed, detail: "this node does not hold that part".into() }
}

fn bug(error: &dyn std::fmt::Display) -> PassError {
    PassError { cause: Cause::Bug, detail: error.to_string() }
}

fn open_error(error: OpenSessionError) -> PassError {
    PassError { cause: Cause::Overloaded, detail: error.to_string() }
}

fn forward_error(error: ForwardError) -> PassError {
    let cause = match error {
        ForwardError::InputNotFinite { .. } | ForwardError::OutputNotFinite { .. } => {
            Cause::NotFinite
        }
        ForwardError::PositionMismatch { .. } => Cause::PositionMismatch,
        ForwardError::CacheFull { .. } => Cause::Limit,
        _ => Cause::Bug,
    };
    PassError { cause, detail: error.to_string() }
}
