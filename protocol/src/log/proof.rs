//! Proof, to be checked offline, that a record is in a log which others have witnessed. Not what
//! the record says, nor how many witnesses are enough: the charter and its reader decide that.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    checkpoint::{self, Checkpoint, CheckpointError},
    cosignature::{self, CosignatureError},
    note::Note,
    tree::{ProofError, check_inclusion, leaf_hash},
};
use crate::{
    id::{Digest, PeerKey},
    time::Timestamp,
};

/// Shows that a record is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// Number of the record, counted from 0.
    pub index: u64,
    /// Hashes from its leaf to the checkpoint's root; at most 64.
    pub hashes: Vec<Digest>,
    /// The log's checkpoint with its witnesses' cosignatures.
    pub checkpoint: Note,
}

/// Whom the reader of a proof believes.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Hash of the consortium's genesis.
    pub genesis: &'a Digest,
    /// The node whose log it is.
    pub log: &'a PeerKey,
    /// Institutions with their witnesses' keys, each once.
    pub witnesses: &'a [(String, PeerKey)],
    /// The reader's time.
    pub now: Timestamp,
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Records of the log at the checkpoint.
    pub size: u64,
    /// Institutions whose witnesses saw the log at that size, ascending, and when each did first.
    pub cosigned: Vec<(String, Timestamp)>,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogProofError {
    /// It names a checkpoint that the log has not signed, or one with a false cosignature.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log itself has not signed it, whoever else has.
    #[error("the log has not signed the checkpoint")]
    Unsigned,
    /// A witness cosigned in the future.
    #[error("witness of {institution}: {source}")]
    Witness {
        /// Its institution.
        institution: String,
        /// What is wrong.
        source: CosignatureError,
    },
    /// The record is not at its place under the checkpoint's root.
    #[error("record {index}: {source}")]
    Inclusion {
        /// Its number.
        index: u64,
        /// What is wrong.
        source: ProofError,
    },
}

impl LogProof {
    /// Checks that `record` is in the log and who has witnessed it.
    ///
    /// # Errors
    /// [`LogProofError`]. That nobody has witnessed it is none.
    pub fn verify(&self, record: &[u8], trust: Trust<'_>) -> Result<Logged, LogProofError> {
        let log = checkpoint::key(trust.genesis, trust.log);
        let witness = |(institution, key): &(String, PeerKey)| {
            cosignature::key(trust.genesis, institution, *key)
        };
        let keys: Vec<_> =
            std::iter::once(log.clone()).chain(trust.witnesses.iter().map(witness)).collect();
        let valid = self.checkpoint.verify(&keys).map_err(CheckpointError::Note)?;
        if !valid.iter().any(|valid| valid.key == 0) {
            return Err(LogProofError::Unsigned);
        }
        let checkpoint = Checkpoint::of_log(&self.checkpoint, log.name())?;
        let mut cosigned = BTreeMap::new();
        for valid in valid {
            let Some(seconds) = valid.seconds else { continue };
            let (institution, _) = &trust.witnesses[valid.key - 1];
            let at = cosignature::time(seconds);
            cosignature::check_time(at, trust.now).map_err(|source| LogProofError::Witness {
                institution: institution.clone(),
                source,
            })?;
            let first = cosigned.entry(institution.clone()).or_insert(at);
            *first = at.min(*first);
        }
        let (index, size) = (self.index, checkpoint.size);
        check_inclusion(&leaf_hash(record), index, size, &checkpoint.root, &self.hashes)
            .map_err(|source| LogProofError::Inclusion { index, source })?;
        Ok(Logged { size, cosigned: cosigned.into_iter().collect() })
    }
}
