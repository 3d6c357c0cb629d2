//! Proof that a log told two stories: two of its checkpoints of one size with different roots.
//!
//! No append-only log can have signed both, so the proof needs no witness and never expires.

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    note::{Key, Note},
};

/// Two checkpoints that contradict each other, each signed by the log's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivocation {
    /// The one seen first.
    pub first: Note,
    /// The one seen later.
    pub second: Note,
}

/// Why two notes prove nothing against a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EquivocationError {
    /// One of them is no checkpoint of the log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Both may be true: a log has one root for each size.
    #[error("checkpoints of sizes {first} and {second} do not contradict each other")]
    Consistent {
        /// Size of the first.
        first: u64,
        /// Size of the second.
        second: u64,
    },
}

impl Equivocation {
    /// Checks that the log of `key` signed both and that they contradict each other; returns the
    /// size they have.
    ///
    /// # Errors
    /// [`EquivocationError`].
    pub fn verify(&self, key: &Key) -> Result<u64, EquivocationError> {
        let first = Checkpoint::open(&self.first, key)?;
        let second = Checkpoint::open(&self.second, key)?;
        if !contradict(&first, &second) {
            let (first, second) = (first.size, second.size);
            return Err(EquivocationError::Consistent { first, second });
        }
        Ok(first.size)
    }
}

/// Whether no log can have both: one size, two roots.
pub(super) fn contradict(first: &Checkpoint, second: &Checkpoint) -> bool {
    first.size == second.size && first.root != second.root
}
