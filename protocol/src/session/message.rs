//! What flows on a session's streams. Not when.

use crate::{
    commitment::Salt,
    id::{Digest, PrefixTag, SessionId},
    policy::Policy,
    refusal::Refusal,
    route::RouteStage,
    signed::Signed,
    time::Timestamp,
};

/// The opening of a session, signed by home and forwarded unchanged from stage to stage.
#[derive(Debug, Clone)]
pub struct Open {
    /// Session id.
    pub session: SessionId,
    /// Digest of the model's manifest.
    pub manifest: Digest,
    /// Ordered stages; their ranges tile `[0, block_count)`.
    pub stages: Vec<RouteStage>,
    /// Most positions the session may reach, prompt and answer.
    pub positions_max: u32,
    /// The rules this request is under.
    pub policy: Policy,
    /// Key of the salted commitments.
    pub salt: Salt,
    /// When home gives up.
    pub deadline: Timestamp,
    /// Numeric class every stage must answer in.
    pub numeric_class: String,
    /// Pages of the prompt that stages may hold already; see [`crate::prefix`].
    pub prefix: Vec<PrefixTag>,
}

/// What precedes each message on a session stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// First frame from home or a stage to the next stage.
    Open {
        /// A signed [`Open`].
        signed: Signed,
        /// First positions that every node before holds: whole pages of its prefix.
        cached: u32,
    },
    /// First frame from the last stage to home: every stage admitted the session.
    Opened {
        /// The session.
        session: SessionId,
        /// First positions that every stage holds.
        cached: u32,
    },
    /// A step's header; its tensor follows.
    Step(Step),
    /// The session ends well.
    Close(Close),
    /// The session ends badly.
    Refusal(Refusal),
}

/// Header of hidden states of consecutive new positions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Absolute position of the first row.
    pub start: u32,
    /// Rows that follow.
    pub positions: u32,
    /// Trailing rows that must return to home.
    pub returned: u32,
    /// Positions `[0, accepted)` are final: no later step starts before. Rows after them are drafts
    /// that home may take back. At most [`Self::end`], and never less than in an earlier step.
    pub accepted: u32,
    /// Signed partial stage receipts on their way home.
    pub receipts: Vec<Signed>,
}

impl Step {
    /// One past the last position.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.start.saturating_add(self.positions)
    }
}

/// The end of a session that went well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Close {
    /// Positions the session came to; what a stage holds beyond them were drafts.
    pub positions: u32,
    /// Signed stage receipts, in stage order.
    pub receipts: Vec<Signed>,
    /// Pages of the session that stages may keep for later ones; see [`crate::prefix`].
    pub prefix: Vec<PrefixTag>,
}
