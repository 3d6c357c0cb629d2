//! A stage's side of a session: admits it, keeps positions in order, forwards, signs, frees. Not the
//! computation, which the driver does.

mod admission;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use admission::{Admission, Serving};

use super::{Close, Frame, Open, Step};
use crate::{
    commitment::Chain,
    id::{Digest, PeerKey, PrefixTag, SessionId},
    limits::SESSION_IDLE_MAX,
    policy::Country,
    prefix::{RowDigests, Scope, positions, whole_pages},
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
    /// The shard has reserved KV cache for the session and put into it what it kept of the prefix:
    /// the digests of these positions' rows, whole pages. Or it has no cache to give.
    ShardOpened(Result<Vec<RowDigests>, Refusal>),
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
    /// Reserve KV cache for this many positions, then [`Input::ShardOpened`].
    OpenShard {
        /// Blocks the session runs here, and where to look for its prefix.
        scope: Scope,
        /// Most positions it may reach.
        positions_max: u32,
        /// Pages of the prefix that are of use if held.
        prefix: Vec<PrefixTag>,
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
    /// Set `sequence`, `previous` and `signed_at`, make the record durable, sign, then
    /// [`Input::Signed`].
    Sign {
        /// The receipt but for those fields.
        draft: Box<StageReceipt>,
        /// Whether it is the session's last.
        last: bool,
    },
    /// Keep the first pages of the KV cache for later sessions.
    Keep {
        /// Where they may be found again.
        scope: Scope,
        /// Their names.
        prefix: Vec<PrefixTag>,
        /// Digests of their positions' rows.
        rows: Vec<RowDigests>,
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
    /// Start of the first step: what is before it was not computed for this session.
    begun: Option<u32>,
    /// Positions that home has declared final.
    accepted: u32,
    /// Positions the latest receipt covers.
    signed_positions: u32,
    /// Rows computed for this session, drafts that were taken back included.
    computed: u64,
    /// Partial receipts, ours and those passing by, that the next outgoing step takes along.
    receipts: Vec<Signed>,
    started: Timestamp,
    active: Timestamp,
}

/// What of this stage goes into its receipts.
#[derive(Debug, Clone)]
struct Identity {
    institution: String,
    jurisdiction: Country,
    scope: Scope,
    shard: Digest,
    /// Parameters one row passes through in the blocks run.
    parameters: u64,
    /// Home's institution.
    home_institution: String,
}

#[derive(Debug)]
enum Phase {
    /// KV cache is being reserved.
    Opening,
    Running,
    /// Close came; steps may still be computing.
    Draining(Close),
    /// The last receipt is being signed; the others go on with it.
    Signing(Close),
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
            Input::ShardOpened(result) => result.and_then(|rows| self.opened(&rows, outputs)),
            Input::Upstream(frame, hidden) => self.upstream(now, frame, hidden, outputs),
            Input::Downstream(Frame::Refusal(mut refusal)) => {
                // Who refuses a stream before its first frame does not know its own place. Home,
                // which is after the last stage, says whose fault it is.
                if !self.is_last() {
                    refusal.stage = refusal.stage.max(self.index + 1);
                }
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

    fn opened(&mut self, rows: &[RowDigests], outputs: &mut Vec<Output>) -> Result<(), Refusal> {
        self.input.extend(rows.iter().map(|row| row.input));
        self.output.extend(rows.iter().map(|row| row.output));
        let cached = self.input.positions();
        if cached != positions(whole_pages(cached)) || cached >= self.open.positions_max {
            return Err(self.refuse(Cause::Bug, "holds another prefix than was asked for"));
        }
        self.phase = Phase::Running;
        let frame = if self.is_last() {
            Frame::Opened { session: self.open.session, cached }
        } else {
            Frame::Open { signed: self.signed.clone(), cached }
        };
        outputs.push(Output::Downstream(frame, None));
        Ok(())
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
            (Frame::Close(close), None) => self.close(now, close, outputs),
            _ => Err(self.refuse(Cause::Violation, "frame out of order")),
        }
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
