//! A stage's side of a session: admits it, keeps positions in order, forwards, signs, frees. Not the
//! computation, which the driver does.

mod admission;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use admission::{Admission, Serving};

use super::{Frame, Open, Step};
use crate::{
    block::BlockRange,
    commitment::Chain,
    id::{Digest, PeerKey, SessionId},
    limits::{RECEIPT_INTERVAL, SESSION_IDLE_MAX, STAGES_MAX},
    receipt::StageReceipt,
    refusal::{Cause, Refusal},
    signed::Signed,
    tensor::Hidden,
    time::Timestamp,
};

/// Steps received and not yet computed. The driver stops reading the upstream link at this many, so
/// that a fast sender waits in QUIC's flow control and not in our memory.
pub const PENDING_STEPS_MAX: usize = 4;

/// What happened at this stage.
#[derive(Debug)]
pub enum Input {
    /// The shard has reserved KV cache for the session, or has none.
    ShardOpened(Result<(), Refusal>),
    /// A frame from the previous stage, or from home.
    Upstream(Frame, Option<Hidden>),
    /// A frame back from the next stage, or from home.
    Downstream(Frame),
    /// The oldest step handed to [`Output::Compute`] is done: its result, as many rows as given.
    Computed(Result<Hidden, Refusal>),
    /// A receipt drafted by [`Output::Sign`] is signed and durable, or storage failed.
    Signed {
        /// The signed receipt.
        receipt: Result<Signed, Refusal>,
        /// As drafted.
        last: bool,
    },
    /// The link to the previous stage, or to home, is gone.
    UpstreamLost,
    /// The link to the next stage, or to home, is gone.
    DownstreamLost,
    /// The node gives the session up.
    End(Refusal),
    /// The time [`Stage::poll_timeout`] named has come.
    Timeout,
}

/// What the driver must do.
#[derive(Debug)]
pub enum Output {
    /// Reserve KV cache for this many positions of these blocks, then [`Input::ShardOpened`].
    OpenShard {
        /// Blocks the session runs here.
        blocks: BlockRange,
        /// Most positions it may reach.
        positions_max: u32,
    },
    /// Send to the next stage (from the last one: to home), in order.
    Downstream(Frame, Option<Hidden>),
    /// Send back to the previous stage (from the first one: to home).
    Upstream(Frame),
    /// Truncate the KV cache to `start`, run the blocks, then [`Input::Computed`], in order.
    Compute {
        /// Absolute position of the first row.
        start: u32,
        /// Hidden states received.
        hidden: Hidden,
    },
    /// Set `sequence` and `signed_at`, make the record durable, sign, then [`Input::Signed`].
    Sign {
        /// The receipt but for those two fields.
        draft: Box<StageReceipt>,
        /// Whether it is the session's last.
        last: bool,
    },
    /// Free the KV cache and drop the session; nothing follows.
    Ended(Option<Refusal>),
}

/// One session at one stage.
#[derive(Debug)]
pub struct Stage {
    open: Open,
    signed: Signed,
    index: u32,
    identity: Identity,
    row_bytes: usize,
    phase: Phase,
    pending: VecDeque<Step>,
    input: Chain,
    output: Chain,
    /// Partial receipts, ours and those passing by, that the next outgoing step takes along.
    receipts: Vec<Signed>,
    started: Timestamp,
    active: Timestamp,
}

/// What of this stage goes into its receipts.
#[derive(Debug, Clone)]
struct Identity {
    institution: String,
    jurisdiction: crate::policy::Country,
    blocks: BlockRange,
    shard: Digest,
}

#[derive(Debug)]
enum Phase {
    /// KV cache is being reserved.
    Opening,
    Running,
    /// Close came with these receipts; steps may still be computing.
    Draining(Vec<Signed>),
    /// The last receipt is being signed.
    Signing(Vec<Signed>),
    Ended,
}

impl Stage {
    /// The session this serves.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.open.session
    }

    /// Digest of the model's manifest.
    #[must_use]
    pub const fn model(&self) -> Digest {
        self.open.manifest
    }

    /// The node whose prompt this is.
    #[must_use]
    pub const fn home(&self) -> PeerKey {
        self.signed.signer
    }

    /// Place in the route, from 0.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// The peer the next link goes to: the next stage, or home from the last one.
    #[must_use]
    pub fn downstream(&self) -> PeerKey {
        let next = self.open.stages.get(self.index as usize + 1);
        next.map_or_else(|| self.home(), |stage| stage.peer)
    }

    /// Bytes of one row of this session's hidden states.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Whether the driver may read the upstream link now.
    #[must_use]
    pub fn wants_upstream(&self) -> bool {
        matches!(self.phase, Phase::Running) && self.pending.len() < PENDING_STEPS_MAX
    }

    /// When to deliver [`Input::Timeout`] next; re-read after every `handle`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if matches!(self.phase, Phase::Ended) {
            return None;
        }
        Some((self.active + SESSION_IDLE_MAX).min(self.open.deadline))
    }

    /// Advances on one input and appends what the driver must do. Never blocks, never fails.
    pub fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        let result = match input {
            Input::ShardOpened(result) => result.map(|()| self.opened(outputs)),
            Input::Upstream(frame, hidden) => self.upstream(now, frame, hidden, outputs),
            Input::Downstream(Frame::Refusal(refusal)) => {
                return self.end(Direction::Up, refusal, outputs);
            }
            Input::Downstream(_) => Err(self.refuse(Cause::Violation, "frame against the flow")),
            Input::Computed(result) => {
                result.and_then(|hidden| self.computed(now, hidden, outputs))
            }
            Input::Signed { receipt, last } => {
                receipt.and_then(|receipt| self.receipt_signed(receipt, last, outputs))
            }
            // Whoever sent Close has nothing more to say.
            Input::UpstreamLost if self.is_closing() => Ok(()),
            Input::UpstreamLost => {
                let refusal = self.lost(self.upstream_peer());
                return self.end(Direction::Down, refusal, outputs);
            }
            Input::DownstreamLost => {
                let refusal = self.lost(self.downstream());
                return self.end(Direction::Up, refusal, outputs);
            }
            Input::End(refusal) => Err(refusal),
            Input::Timeout => self.timeout(now),
        };
        match result {
            Ok(()) => {}
            Err(refusal) => self.end(Direction::Both, refusal, outputs),
        }
    }

    fn opened(&mut self, outputs: &mut Vec<Output>) {
        self.phase = Phase::Running;
        let frame = if self.is_last() {
            Frame::Opened(self.open.session)
        } else {
            Frame::Open(self.signed.clone())
        };
        outputs.push(Output::Downstream(frame, None));
    }

    fn upstream(
        &mut self,
        now: Timestamp,
        frame: Frame,
        hidden: Option<Hidden>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        self.active = now;
        match (frame, hidden) {
            (Frame::Refusal(refusal), None) => {
                self.end(Direction::Down, refusal, outputs);
                Ok(())
            }
            (Frame::Step(step), Some(hidden)) => self.step(now, step, hidden, outputs),
            (Frame::Close(receipts), None) if matches!(self.phase, Phase::Running) => {
                if receipts.len() != self.index as usize {
                    return Err(self.refuse(Cause::Violation, "close lacks a stage's receipt"));
                }
                self.phase = Phase::Draining(receipts);
                self.drained(now, outputs);
                Ok(())
            }
            _ => Err(self.refuse(Cause::Violation, "frame out of order")),
        }
    }

    fn step(
        &mut self,
        now: Timestamp,
        mut step: Step,
        hidden: Hidden,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Running) || self.pending.len() >= PENDING_STEPS_MAX {
            return Err(self.refuse(Cause::Violation, "step out of order"));
        }
        if hidden.row_bytes() != self.row_bytes || hidden.positions() != step.positions {
            return Err(self.refuse(Cause::Violation, "tensor does not have the step's shape"));
        }
        if step.end() > self.open.positions_max {
            let detail = format!("step ends at {}, past {}", step.end(), self.open.positions_max);
            return Err(self.refuse(Cause::Limit, detail));
        }
        if step.start > self.input.positions() {
            let detail = format!("step at {}, held {}", step.start, self.input.positions());
            return Err(self.refuse(Cause::PositionMismatch, detail));
        }
        if !hidden.is_finite() {
            return Err(self.refuse(Cause::NotFinite, "received values"));
        }
        if self.receipts.len() + step.receipts.len() > STAGES_MAX {
            return Err(self.refuse(Cause::Violation, "too many receipts"));
        }
        if self.input.positions() == 0 {
            self.started = now;
        }
        self.input.append(step.start, hidden.bytes(), self.row_bytes);
        self.receipts.append(&mut step.receipts);
        outputs.push(Output::Compute { start: step.start, hidden });
        self.pending.push_back(step);
        Ok(())
    }

    fn computed(
        &mut self,
        now: Timestamp,
        hidden: Hidden,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        self.active = now;
        let Some(step) = self.pending.pop_front() else {
            return Err(self.refuse(Cause::Bug, "computed without a step"));
        };
        if hidden.row_bytes() != self.row_bytes || hidden.positions() != step.positions {
            return Err(self.refuse(Cause::Bug, "computed another shape"));
        }
        if !hidden.is_finite() {
            return Err(self.refuse(Cause::NotFinite, "computed values"));
        }
        self.output.append(step.start, hidden.bytes(), self.row_bytes);
        if step.start / RECEIPT_INTERVAL < step.end() / RECEIPT_INTERVAL {
            outputs.push(self.sign(now, false));
        }
        self.forward(&step, hidden, outputs);
        self.drained(now, outputs);
        Ok(())
    }

    /// Sends a computed step on: all rows to the next stage, the rows asked for to home.
    fn forward(&mut self, step: &Step, hidden: Hidden, outputs: &mut Vec<Output>) {
        let first = if self.is_last() { step.positions - step.returned } else { 0 };
        let Some(rows) = hidden.rows(first..step.positions) else { return };
        let receipts = std::mem::take(&mut self.receipts);
        let positions = step.positions - first;
        let step = Step { start: step.start + first, positions, returned: step.returned, receipts };
        outputs.push(Output::Downstream(Frame::Step(step), Some(rows)));
    }

    fn drained(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        if !self.pending.is_empty() {
            return;
        }
        if let Phase::Draining(receipts) = &mut self.phase {
            self.phase = Phase::Signing(std::mem::take(receipts));
            outputs.push(self.sign(now, true));
        }
    }

    fn sign(&self, now: Timestamp, last: bool) -> Output {
        let draft = StageReceipt {
            session: self.open.session,
            institution: self.identity.institution.clone(),
            jurisdiction: self.identity.jurisdiction,
            stage: self.index,
            blocks: self.identity.blocks,
            manifest: self.open.manifest,
            shard: self.identity.shard,
            numeric_class: self.open.numeric_class.clone(),
            positions: self.output.positions(),
            input: self.input.head_at(self.output.positions()),
            output: self.output.head(),
            sequence: 0,
            started_at: self.started,
            signed_at: now,
        };
        Output::Sign { draft: Box::new(draft), last }
    }

    fn receipt_signed(
        &mut self,
        receipt: Signed,
        last: bool,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !last {
            if self.receipts.len() < STAGES_MAX {
                self.receipts.push(receipt);
            }
            return Ok(());
        }
        let Phase::Signing(receipts) = &mut self.phase else {
            return Err(self.refuse(Cause::Bug, "signed without a close"));
        };
        let mut receipts = std::mem::take(receipts);
        receipts.push(receipt);
        outputs.push(Output::Downstream(Frame::Close(receipts), None));
        self.phase = Phase::Ended;
        outputs.push(Output::Ended(None));
        Ok(())
    }

    fn timeout(&self, now: Timestamp) -> Result<(), Refusal> {
        if now >= self.open.deadline {
            return Err(self.refuse(Cause::Timeout, "the session's deadline passed"));
        }
        if now >= self.active + SESSION_IDLE_MAX {
            return Err(self.refuse(Cause::Timeout, "nothing moved in the session"));
        }
        Ok(())
    }

    fn end(&mut self, direction: Direction, refusal: Refusal, outputs: &mut Vec<Output>) {
        if direction != Direction::Down {
            outputs.push(Output::Upstream(Frame::Refusal(refusal.clone())));
        }
        // A stage whose shard never opened has no downstream link yet.
        if direction != Direction::Up && !matches!(self.phase, Phase::Opening) {
            outputs.push(Output::Downstream(Frame::Refusal(refusal.clone()), None));
        }
        self.phase = Phase::Ended;
        outputs.push(Output::Ended(Some(refusal)));
    }

    /// The previous stage, or home for the first one.
    fn upstream_peer(&self) -> PeerKey {
        let previous = (self.index as usize).checked_sub(1);
        previous.map_or(self.signed.signer, |index| self.open.stages[index].peer)
    }

    const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Draining(_) | Phase::Signing(_))
    }

    fn is_last(&self) -> bool {
        self.index as usize + 1 == self.open.stages.len()
    }

    fn refuse(&self, cause: Cause, detail: impl std::fmt::Display) -> Refusal {
        Refusal::new(cause, self.index, detail)
    }

    fn lost(&self, peer: PeerKey) -> Refusal {
        self.refuse(Cause::PeerLost, format!("the link with {peer} is gone"))
    }
}

/// Where a refusal travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
    Both,
}
