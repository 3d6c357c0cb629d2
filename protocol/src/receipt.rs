//! What was computed, by whom, on which weights, where. Not its verification (`bundle`).
//!
//! Every statement here is signed as its canonical bytes; fractions are integers, so no float is
//! ever signed. Digests of statements are SHA-256 over the signed payload, never over the envelope:
//! a signer who signs the same words twice makes no second statement.

use bytes::Bytes;

pub use crate::sampler::Sampling;
use crate::{
    block::BlockRange,
    commitment::Salt,
    id::{Digest, SessionId},
    policy::{Country, Policy},
    refusal::Cause,
    route::RouteStage,
    time::Timestamp,
    wire::Wire as _,
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

/// One stage's statement about a span of positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageReceipt {
    /// Session it speaks of.
    pub session: SessionId,
    /// Institution id of the signer.
    pub institution: String,
    /// Where the node stands, as its roster says.
    pub jurisdiction: Country,
    /// Place in the route, from 0.
    pub stage: u32,
    /// Blocks run.
    pub blocks: BlockRange,
    /// Digest of the model's manifest.
    pub manifest: Digest,
    /// Digest over the digests of the blocks run: [`crate::manifest::Manifest::shard_digest`].
    pub shard: Digest,
    /// Numeric class of the results.
    pub numeric_class: String,
    /// One past the last position covered; the receipt covers `[0, positions)`.
    pub positions: u32,
    /// Head of the [`crate::commitment::Chain`] over the hidden states received.
    pub input: Digest,
    /// Head of the [`crate::commitment::Chain`] over the hidden states sent.
    pub output: Digest,
    /// Number of this record among its signer's, gapless from 1.
    pub sequence: u64,
    /// When the first step came.
    pub started_at: Timestamp,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// First positions that were not computed for this session but taken from what an earlier one
    /// of the same home left; at most `positions`.
    pub cached: u32,
}

/// What home records, durably, before a prompt-derived byte leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRecord {
    /// Session it opens.
    pub session: SessionId,
    /// Institution id of home.
    pub institution: String,
    /// Digest of the model's manifest.
    pub manifest: Digest,
    /// Digest of the policy the request is under: [`Policy::digest`].
    pub policy: Digest,
    /// Number of this record among its signer's, gapless from 1.
    pub sequence: u64,
    /// SHA-256 of the signer's record before this one, envelope included; zeros for its first.
    pub previous: Digest,
    /// When the request was taken.
    pub opened_at: Timestamp,
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
    /// The four salted commitments.
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
}

/// What a receipt says about a request's body without showing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitments {
    /// To the canonical bytes of the sampling parameters.
    pub sampling: Digest,
    /// To the prompt's token ids.
    pub prompt: Digest,
    /// To the answer's token ids.
    pub output: Digest,
    /// To the answer's text.
    pub text: Digest,
}

/// What only the holder of a receipt has: the openings of its commitments.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// Key of the commitments.
    pub salt: Salt,
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    /// Token ids of the answer.
    pub output: Vec<u32>,
    /// Text of the answer.
    pub text: String,
    /// Parameters it was sampled with.
    pub sampling: Sampling,
}

impl Opening {
    /// What a receipt says about this body.
    #[must_use]
    pub fn commitments(&self) -> Commitments {
        let tokens = |ids: &[u32]| ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
        Commitments {
            sampling: self.salt.commit("sampling", &self.sampling.encode()),
            prompt: self.salt.commit("prompt", &tokens(&self.prompt)),
            output: self.salt.commit("output", &tokens(&self.output)),
            text: self.salt.commit("text", self.text.as_bytes()),
        }
    }
}

impl std::fmt::Debug for Opening {
    /// Shows sizes only: the rest is the prompt and its answer.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opening({} + {} tokens)", self.prompt.len(), self.output.len())
    }
}

/// The client's statement that it received what a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Payload digest of the signed receipt.
    pub receipt: Digest,
    /// When it came.
    pub received_at: Timestamp,
}
