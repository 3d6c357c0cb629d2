//! The smaller records of a signer: what is opened, what is given up, what is countersigned.

use crate::{
    id::{Digest, SessionId},
    signed::Signed,
    time::Timestamp,
};

/// What home records, durably, before a prompt-derived byte leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRecord {
    /// Session it opens.
    pub session: SessionId,
    /// Institution id of home.
    pub institution: String,
    /// Digest of the model's manifest.
    pub manifest: Digest,
    /// Digest of the policy the request is under: [`crate::policy::Policy::digest`].
    pub policy: Digest,
    /// Number of this record among its signer's, gapless from 1.
    pub sequence: u64,
    /// SHA-256 of the signer's record before this one, envelope included; zeros for its first.
    pub previous: Digest,
    /// When the request was taken.
    pub opened_at: Timestamp,
    /// Hash of the charter in force.
    pub charter: Digest,
}

/// Home's record that a request it opened will never be closed: the node ended amid it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbortRecord {
    /// Session given up.
    pub session: SessionId,
    /// Institution id of home, as in the open record.
    pub institution: String,
    /// Payload digest of the signed [`OpenRecord`].
    pub open_record: Digest,
    /// Number of this record among its signer's, gapless from 1.
    pub sequence: u64,
    /// SHA-256 of the signer's record before this one, envelope included.
    pub previous: Digest,
    /// When the node came back.
    pub aborted_at: Timestamp,
}

/// Home's word to a stage that its receipt is the one home's own receipt lists. It is no record: the
/// receipt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countersignature {
    /// Payload digest of the signed [`super::StageReceipt`].
    pub stage_receipt: Digest,
    /// Session it speaks of.
    pub session: SessionId,
    /// Institution id of home.
    pub institution: String,
    /// When it was signed.
    pub signed_at: Timestamp,
}

/// A stage's record of a countersignature it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountersignedRecord {
    /// Number of this record among its signer's, gapless from 1.
    pub sequence: u64,
    /// SHA-256 of the signer's record before this one, envelope included.
    pub previous: Digest,
    /// Home's signed [`Countersignature`].
    pub countersignature: Signed,
}
