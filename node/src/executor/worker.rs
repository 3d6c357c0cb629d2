//! The executor's loop: takes what is queued, runs heads, then one microbatch, and again.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Instant,
};

use comity_protocol::{
    block::BlockRange,
    id::{Digest, SessionId},
    microbatch::{Microbatcher, Piece, Ticket},
    prefix::RowDigests,
    refusal::Cause,
    tensor::Hidden,
};
use comity_shard::{ForwardError, Home, OpenSessionError, Shard, Step};
use tokio::sync::{mpsc, watch};

use super::{
    Forward, Model, Opening, Pass, PassError, Prefix, QUEUE_CAPACITY, Reply, Usage,
    told::{self, Told},
};
use crate::telemetry::Telemetry;

/// Rows of one run of the head.
const HEAD_ROWS_MAX: usize = 32;

/// One model, and what waits for it.
struct Served {
    model: Model,
    /// Home's institution of every open session.
    institutions: HashMap<SessionId, String>,
    batcher: Microbatcher,
    steps: BTreeMap<Ticket, Waiting>,
    heads: VecDeque<(Hidden, Reply<Vec<Vec<f32>>>)>,
    telemetry: Option<Telemetry>,
}

/// A step until all of its rows are made.
pub(super) struct Waiting {
    session: SessionId,
    pub(super) start: u32,
    /// Values of one row.
    width: usize,
    /// `[positions, width]`.
    hidden: Vec<f32>,
    /// Rows made so far.
    made: Vec<f32>,
    /// When it came, or its last piece ended, if telemetry is to know.
    pub(super) since: Option<Instant>,
    reply: Reply<Hidden>,
}

pub(super) struct Worker {
    models: BTreeMap<Digest, Served>,
    /// The model whose turn was last.
    last: Digest,
    block_time_ns: u64,
}

impl Worker {
    pub(super) fn new(models: HashMap<Digest, Model>, telemetry: Option<Telemetry>) -> Self {
        let served = |model: Model| {
            let telemetry = telemetry.clone().filter(|_| model.told.is_some());
            Served::new(model, telemetry)
        };
        let models = models.into_iter().map(|(digest, model)| (digest, served(model)));
        Self { models: models.collect(), last: Digest([0; 32]), block_time_ns: 0 }
    }

    /// Runs passes until the queue closes and nothing waits any more.
    pub(super) fn run(mut self, mut passes: mpsc::Receiver<Pass>, usage: &watch::Sender<Usage>) {
        loop {
            if self.waiting() == 0 {
                let Some(pass) = passes.blocking_recv() else { return };
                self.accept(pass);
            }
            while self.waiting() < QUEUE_CAPACITY
                && let Ok(pass) = passes.try_recv()
            {
                self.accept(pass);
            }
            self.turn();
            let new = self.usage();
            usage.send_if_modified(|usage| std::mem::replace(usage, new) != new);
        }
    }

    /// Passes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.models.values().map(|served| served.steps.len() + served.heads.len()).sum()
    }

    /// Does what takes no time; the rest waits for its turn.
    pub(super) fn accept(&mut self, pass: Pass) {
        // A reply nobody waits for any more is dropped: its session has ended.
        match pass {
            Pass::Open { model, opening, reply } => {
                let _ = reply.send(self.served(model).and_then(|served| served.open(opening)));
            }
            Pass::Forward { model, forward } => match self.served(model) {
                Ok(served) => served.push(forward),
                Err(error) => drop(forward.reply.send(Err(error))),
            },
            Pass::Keep { model, session, prefix: Prefix { scope, tags, now }, rows } => {
                let served = self.served(model).ok().filter(|served| served.model.prefix_cache);
                if let Some(Ok(shard)) = served.map(Served::shard) {
                    shard.keep(now, &session, &scope, &tags, &rows);
                }
            }
            Pass::Expire { now } => {
                for shard in self.models.values_mut().filter_map(|served| served.shard().ok()) {
                    shard.expire_prefixes(now);
                }
            }
            Pass::Close { model, session } => {
                if let Ok(served) = self.served(model) {
                    served.close(&session);
                }
            }
            Pass::Head { model, hidden, reply } => match self.served(model) {
                Ok(served) => served.heads.push_back((hidden, reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
        }
    }

    /// Runs the waiting heads and one microbatch of the model whose turn it is.
    pub(super) fn turn(&mut self) {
        self.models.values_mut().for_each(Served::run_heads);
        let busy = |(digest, served): (&Digest, &Served)| {
            (served.batcher.waiting() > 0).then_some(*digest)
        };
        let after = self.models.iter().filter(|(digest, _)| **digest > self.last).find_map(busy);
        let Some(digest) = after.or_else(|| self.models.iter().find_map(busy)) else { return };
        self.last = digest;
        let measured = self.models.get_mut(&digest).and_then(Served::run_microbatch);
        if let Some(measured) = measured {
            self.block_time_ns = match self.block_time_ns {
                0 => measured,
                known => known - known / 8 + measured / 8,
            };
        }
    }

    fn served(&mut self, model: Digest) -> Result<&mut Served, PassError> {
        self.models.get_mut(&model).ok_or_else(not_served)
    }

    pub(super) fn usage(&self) -> Usage {
        let mut usage = Usage { block_time_ns: self.block_time_ns, ..Usage::default() };
        for Served { model, .. } in self.models.values() {
            if let Some(shard) = &model.shard {
                usage.weight_bytes += shard.weight_bytes();
                usage.kv_bytes += shard.kv_bytes();
                usage.prefix_bytes += shard.prefix_bytes();
                usage.kv_reserved += shard.kv_reserved();
                usage.sessions += u32::try_from(shard.sessions()).unwrap_or(u32::MAX);
                usage.kv_budget += shard.kv_budget();
                usage.kv_bytes_per_position += shard.kv_bytes_per_position();
            }
            usage.weight_bytes += model.home.as_deref().map_or(0, Home::weight_bytes);
        }
        usage
    }
}

impl Served {
    fn new(model: Model, telemetry: Option<Telemetry>) -> Self {
        Self {
            model,
            telemetry,
            institutions: HashMap::new(),
            batcher: Microbatcher::default(),
            steps: BTreeMap::new(),
            heads: VecDeque::new(),
        }
    }

    fn shard(&mut self) -> Result<&mut Shard, PassError> {
        self.model.shard.as_mut().ok_or_else(not_served)
    }

    fn home(&self) -> Result<&Home, PassError> {
        self.model.home.as_deref().ok_or_else(not_served)
    }

    fn open(&mut self, opening: Opening) -> Result<Vec<RowDigests>, PassError> {
        let Opening { session, institution, share, blocks, positions_max, prefix } = opening;
        let shard = self.shard()?;
        shard.open_session_over(session, blocks, positions_max).map_err(open_error)?;
        let rows =
            prefix.map(|Prefix { scope, tags, now }| shard.take_over(now, &session, &scope, &tags));
        let rows = rows.unwrap_or_default();
        self.batcher.set_share(&institution, share);
        self.institutions.insert(session, institution);
        Ok(rows)
    }

    fn close(&mut self, session: &SessionId) {
        if let Ok(shard) = self.shard() {
            shard.close_session(session);
        }
        self.institutions.remove(session);
        for ticket in self.batcher.close(session) {
            self.steps.remove(&ticket);
        }
    }

    fn push(&mut self, forward: Forward) {
        let Forward { session, start, hidden, came: since, reply } = forward;
        let Some(institution) = self.institutions.get(&session) else {
            let error = ForwardError::UnknownSession { id: session };
            let _ = reply.send(Err(forward_error(&error)));
            return;
        };
        let ticket = self.batcher.push(institution, session, hidden.positions());
        let (width, hidden) = (hidden.row_bytes() / size_of::<f32>(), hidden.values());
        let made = Vec::with_capacity(hidden.len());
        self.steps.insert(ticket, Waiting { session, start, width, hidden, made, since, reply });
    }

    /// Runs the head over the rows of all who wait, some at a time: they are read once for all.
    fn run_heads(&mut self) {
        while let Some((hidden, _)) = self.heads.front() {
            let mut rows = hidden.positions() as usize;
            let mut taken = 1;
            while let Some((hidden, _)) = self.heads.get(taken)
                && rows + hidden.positions() as usize <= HEAD_ROWS_MAX
            {
                rows += hidden.positions() as usize;
                taken += 1;
            }
            let (asked, replies): (Vec<_>, Vec<_>) = self.heads.drain(..taken).unzip();
            let values: Vec<_> = asked.iter().map(Hidden::values).collect();
            let width = |hidden: &Hidden| hidden.row_bytes() / size_of::<f32>();
            let begun = self.telemetry.as_ref().map(|_| Instant::now());
            let rows = asked.iter().zip(&values);
            let rows: Vec<_> =
                rows.flat_map(|(hidden, values)| values.chunks_exact(width(hidden))).collect();
            let mut made = match self.home() {
                Ok(home) => home.logits_all(&rows).into_iter(),
                Err(error) => {
                    replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone()))));
                    continue;
                }
            };
            for (hidden, reply) in asked.iter().zip(replies) {
                let made = made.by_ref().take(hidden.positions() as usize);
                let logits: Result<_, _> = made.collect();
                let _ = reply.send(logits.map_err(|error| bug(&error)));
            }
            if let (Some(telemetry), Some(begun)) = (&self.telemetry, begun) {
                telemetry.tell(told::head(asked.iter().map(Hidden::positions).sum(), begun));
            }
        }
    }

    /// Returns nanoseconds per block if the microbatch was of decode steps only: prefill reads the
    /// weights once for many positions.
    fn run_microbatch(&mut self) -> Option<u64> {
        let begun = Instant::now();
        let pieces = self.batcher.take();
        let told = self.telemetry.as_ref().map(|_| Told::of(&pieces, &self.steps, begun));
        let shard = self.model.shard.as_mut()?;
        let waiting = |piece: &Piece| Some((*piece, self.steps.get(&piece.ticket)?.piece(piece)));
        let (pieces, steps): (Vec<_>, Vec<_>) = pieces.iter().filter_map(waiting).unzip();
        let started = Instant::now();
        let results = shard.forward_all(&steps);
        let elapsed = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let ranges = steps.iter().filter_map(|step| shard.session_range(&step.session));
        let blocks = ranges.map(BlockRange::len).max().map_or(1, u64::from);
        let decode = pieces.iter().all(|piece| piece.last && piece.from == 0)
            && pieces.iter().all(|piece| piece.positions == 1);
        for (piece, result) in pieces.iter().zip(results) {
            self.finish(piece, result);
        }
        if let (Some(telemetry), Some(told)) = (&self.telemetry, told) {
            let (shard, blocks) = (self.model.told, u32::try_from(blocks));
            telemetry.tell(told.ended(shard.unwrap_or_default(), blocks.unwrap_or(u32::MAX)));
        }
        decode.then_some(elapsed / blocks.max(1))
    }

    /// Keeps a piece's rows; answers if the step is complete or failed.
    fn finish(&mut self, piece: &Piece, result: Result<Vec<f32>, ForwardError>) {
        let result = match (result, self.steps.get_mut(&piece.ticket)) {
            (Ok(rows), Some(step)) => {
                step.made.extend(rows);
                step.since = step.since.map(|_| Instant::now());
                Ok(())
            }
            (Ok(_), None) => return,
            (Err(error), _) => Err(forward_error(&error)),
        };
        if result.is_ok() && !piece.last {
            return;
        }
        self.batcher.cancel(piece.ticket);
        let Some(Waiting { width, made, reply, .. }) = self.steps.remove(&piece.ticket) else {
            return;
        };
        let made = || Hidden::from_values(&made, width).map_err(|error| bug(&error));
        let _ = reply.send(result.and_then(|()| made()));
    }
}

impl Waiting {
    /// Positions of the whole step.
    pub(super) fn positions(&self) -> u32 {
        u32::try_from(self.hidden.len() / self.width.max(1)).unwrap_or(u32::MAX)
    }

    /// The rows of `piece`; none, which the shard refuses, if the step has no such rows.
    fn piece(&self, piece: &Piece) -> Step<'_> {
        let (from, positions) = (piece.from as usize, piece.positions as usize);
        let hidden = self.hidden.get(from * self.width..(from + positions) * self.width);
        Step {
            session: self.session,
            start: self.start.saturating_add(piece.from),
            hidden: hidden.unwrap_or_default(),
        }
    }
}

fn not_served() -> PassError {
    PassError { cause: Cause::NotServed, detail: "this node does not hold that part".into() }
}

fn bug(error: &dyn std::fmt::Display) -> PassError {
    PassError { cause: Cause::Bug, detail: error.to_string() }
}

fn open_error(error: OpenSessionError) -> PassError {
    let cause = match error {
        OpenSessionError::Range { .. } => Cause::NotServed,
        OpenSessionError::Exists { .. } => Cause::Violation,
        OpenSessionError::Positions { .. } => Cause::Limit,
        OpenSessionError::Budget { .. } => Cause::Overloaded,
        _ => Cause::Bug,
    };
    PassError { cause, detail: error.to_string() }
}

fn forward_error(error: &ForwardError) -> PassError {
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
