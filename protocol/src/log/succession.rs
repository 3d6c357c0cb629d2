//! That a node's log is over and another node's goes on for it. Not how its files are put away.
//!
//! A log that is an old copy must not grow again, for others have seen more of it. Its institution
//! then gives the node another key, which has a log of its own: the first record there is the
//! institution's word on what it knows of the log before.

use crate::{
    charter::Chain,
    id::{Digest, PeerKey},
    log::{
        checkpoint::{self, Checkpoint, CheckpointError},
        note::Note,
    },
    signed::{Domain, Signed, SignedError},
    time::Timestamp,
};

/// Why a log has a successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SuccessionReason {
    /// What is left of it is an old copy.
    Restored,
    /// The node ran twice, from two copies of its folder.
    Cloned,
    /// The node's key is lost, or others may have it.
    KeyLost,
}

impl SuccessionReason {
    /// The stable name for people and scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Cloned => "cloned",
            Self::KeyLost => "key-lost",
        }
    }
}

/// An institution's word that one node's log is over and another's goes on; signed by its roster key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// Institution id of both nodes.
    pub institution: String,
    /// The node whose log is over.
    pub from: PeerKey,
    /// The node whose log goes on.
    pub to: PeerKey,
    /// Why.
    pub reason: SuccessionReason,
    /// Whole records of the log before that were there still.
    pub records: u64,
    /// SHA-256 of the last of them, envelope included; zeros if there was none.
    pub last: Digest,
    /// The newest checkpoint of that log that was kept, with the node's signature alone; empty if
    /// there was none.
    pub checkpoint: String,
    /// Most records that anyone is known to have seen of that log; 0 if nobody said.
    pub seen: u64,
    /// When it was signed.
    pub at: Timestamp,
}

/// The first record of a log that succeeds another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccessionRecord {
    /// Number of this record among its signer's: 1.
    pub sequence: u64,
    /// Zeros: no record stands before it.
    pub previous: Digest,
    /// The institution's signed [`Succession`].
    pub succession: Signed,
}

/// Why a succession is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuccessionError {
    /// It is no first record.
    #[error("a succession stands at record {0}, not at the beginning")]
    NotFirst(u64),
    /// The statement is not what it should be.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// Another node's log goes on.
    #[error("the succession is for node {got}, not {expected}")]
    Node {
        /// Whose log it is in.
        expected: PeerKey,
        /// As it says.
        got: PeerKey,
    },
    /// A node cannot succeed itself: its log is the same.
    #[error("node {0} would succeed itself")]
    Itself(PeerKey),
    /// No charter's roster key of that institution signed it.
    #[error("key {got} never signed rosters of {institution}")]
    Key {
        /// The institution.
        institution: String,
        /// Who signed.
        got: PeerKey,
    },
    /// The checkpoint is not one of the log before.
    #[error("the checkpoint is none of the log of {from}")]
    Checkpoint {
        /// Whose log it should be.
        from: PeerKey,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
}

impl Succession {
    /// The succession in `signed`, if the institution that it names signed it, as some version of
    /// `chain` has its key.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub fn open(signed: &Signed, chain: &Chain) -> Result<Self, SuccessionError> {
        let genesis = chain.genesis();
        let said: Self = signed.open(Domain::SUCCESSION, &genesis)?;
        let versions = chain.signed().iter().filter_map(|version| chain.by_hash(&version.hash()));
        let mut members = versions.filter_map(|charter| charter.institution(&said.institution));
        if !members.any(|member| member.roster_key == signed.signer) {
            let (institution, got) = (said.institution, signed.signer);
            return Err(SuccessionError::Key { institution, got });
        }
        if said.from == said.to {
            return Err(SuccessionError::Itself(said.to));
        }
        if !said.checkpoint.is_empty() {
            let key = checkpoint::key(&genesis, &said.from);
            Note::parse(&said.checkpoint)
                .map_err(CheckpointError::Note)
                .and_then(|note| Checkpoint::open(&note, &key))
                .map_err(|source| SuccessionError::Checkpoint { from: said.from, source })?;
        }
        Ok(said)
    }
}

impl SuccessionRecord {
    /// The record with which the log of `node` may begin, or why it may not.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub fn check(&self, chain: &Chain, node: &PeerKey) -> Result<Succession, SuccessionError> {
        if self.sequence != 1 || self.previous != Digest::ZERO {
            return Err(SuccessionError::NotFirst(self.sequence));
        }
        let said = Succession::open(&self.succession, chain)?;
        if said.to != *node {
            return Err(SuccessionError::Node { expected: *node, got: said.to });
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests;
