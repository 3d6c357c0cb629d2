//! What was computed, by whom, on which weights, where. Not its verification (`bundle`).
//!
//! Every statement here is signed as its canonical bytes; fractions are integers, so no float is
//! ever signed. Digests of statements are SHA-256 over the signed payload, never over the envelope:
//! a signer who signs the same words twice makes no second statement.

mod any;
mod countersign;
mod opening;
mod record;
mod stage;

use bytes::Bytes;

pub(crate) use self::opening::NO_CLIENT;
pub use self::{
    any::Record,
    countersign::{CountersignError, check_countersignature, countersignature},
    opening::{Commitments, Opening},
    record::{AbortRecord, Countersignature, CountersignedRecord, OpenRecord},
    stage::{StageReceipt, Work, is_due},
};
pub use crate::sampler::Sampling;
use crate::{
    id::{Digest, PeerKey, SessionId},
    policy::{Country, Policy},
    refusal::Cause,
    route::RouteStage,
    time::Timestamp,
};

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// The model ended its turn, or a stop string was met.
    Stop,
    /// The bound on new tokens was reached.
    Length,
    /// The request ended badly; the cause says why.
    Error,
    /// The holder asked for the end.
    Cancelled,
}

impl FinishReason {
    /// The stable name for people and scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the answer is as long as it was meant to be.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Stop | Self::Length)
    }
}

impl std::fmt::Display for FinishReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Home's statement about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Session it speaks of.
    pub session: SessionId,
    /// Institution id of home.
    pub institution: String,
    /// Where home stands, as its roster says.
    pub jurisdiction: Country,
    /// Digest of the model's manifest.
    pub manifest: Digest,
    /// Payload digest of the signed [`OpenRecord`].
    pub open_record: Digest,
    /// Number of this record among its signer's, gapless from 1.
    pub sequence: u64,
    /// SHA-256 of the signer's record before this one, envelope included.
    pub previous: Digest,
    /// When the request was taken, as in the open record.
    pub opened_at: Timestamp,
    /// When the request ended.
    pub closed_at: Timestamp,
    /// The rules the request was under, in full.
    pub policy: Policy,
    /// Ordered stages as routed.
    pub stages: Vec<RouteStage>,
    /// Name of the sampler's specification: [`crate::sampler::NAME`].
    pub sampler: String,
    /// The salted commitments.
    pub commitments: Commitments,
    /// Number of prompt tokens.
    pub prompt_tokens: u32,
    /// Number of answer tokens.
    pub output_tokens: u32,
    /// Why the answer ended.
    pub finish_reason: FinishReason,
    /// The cause: there if the reason is error; absent, or cancelled, if it is cancelled.
    pub cause: Option<Cause>,
    /// Filters applied by home or a stage. Empty is a signed claim: none.
    pub filters: Vec<String>,
    /// Payload digests of the stage receipts this receipt countersigns, in stage order.
    pub stage_receipts: Vec<Digest>,
    /// Chosen by the client; at most 32 bytes.
    pub client_nonce: Bytes,
    /// Numeric class of the results.
    pub numeric_class: String,
    /// Stages, from 0 and ascending, whose last span no receipt covers.
    pub unsigned_stages: Vec<u32>,
    /// Hash of the charter in force, as in the open record.
    pub charter: Digest,
    /// Name and version of home's program.
    pub software: String,
    /// Who put a system prompt before the conversation.
    pub system_prompt_by: SystemPrompt,
    /// Digest of the chat template that was rendered; none if and only if the prompt is raw text.
    pub template: Option<Digest>,
    /// Until when home keeps this record.
    pub retained_until: Timestamp,
    /// From `opened_at` to the first token of the answer, milliseconds, 1 or more; 0 if and only if
    /// there is none.
    pub first_token_ms: u64,
    /// Stages whose blocks another node took over. Empty is a signed claim: none.
    pub migrations: Vec<Migration>,
    /// What home owes for each of `stage_receipts`, in their order.
    pub work: Vec<Work>,
}

/// Who put a system prompt before the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemPrompt {
    /// Nobody: the prompt is raw text, without template.
    None,
    /// The client, as messages of role "system".
    Client,
    /// Nobody but the template: what stands there is what it adds by itself, if anything.
    Template,
}

impl SystemPrompt {
    /// The stable name for people and scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Client => "client",
            Self::Template => "template",
        }
    }
}

/// Blocks that another node took over amid a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// First position the new node computed.
    pub position: u32,
    /// Place in the route, from 0.
    pub stage: u32,
    /// The node that ran the blocks before.
    pub from: PeerKey,
    /// The node that ran them from there on.
    pub to: PeerKey,
    /// Why.
    pub cause: Cause,
}

/// The client's statement that it received what a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Payload digest of the signed receipt.
    pub receipt: Digest,
    /// When it came.
    pub received_at: Timestamp,
}

#[cfg(test)]
pub(crate) mod tests;
