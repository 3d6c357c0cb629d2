//! What one stage says it computed, and what home owes for it.

use crate::{
    block::BlockRange,
    id::{Digest, PeerKey, SessionId},
    limits::RECEIPT_INTERVAL,
    policy::Country,
    time::Timestamp,
};

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
    /// Home.
    pub home: PeerKey,
    /// Institution id of home.
    pub home_institution: String,
    /// Rows run for the session so far, drafts that were taken back included.
    pub computed: u64,
    /// SHA-256 of the signer's record before this one, envelope included; zeros for its first.
    pub previous: Digest,
    /// Parameters that one row passes through in the blocks run.
    pub parameters: u64,
}

/// Whether a stage signs a partial receipt when a step that makes `accepted` positions final is
/// computed, the latest receipt covering `signed` positions.
#[must_use]
pub const fn is_due(signed: u32, accepted: u32) -> bool {
    signed / RECEIPT_INTERVAL < accepted / RECEIPT_INTERVAL
}

/// What one stage computed, as home counted it and the stage receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Place in the route, from 0.
    pub stage: u32,
    /// Institution id of the stage.
    pub institution: String,
    /// As in the stage receipt.
    pub computed: u64,
    /// As in the stage receipt.
    pub parameters: u64,
}

impl Work {
    /// The work that `receipt` is for.
    #[must_use]
    pub fn of(receipt: &StageReceipt) -> Self {
        let StageReceipt { stage, institution, computed, parameters, .. } = receipt;
        let institution = institution.clone();
        Self { stage: *stage, institution, computed: *computed, parameters: *parameters }
    }
}
