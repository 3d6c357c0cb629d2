//! What a log says of itself: how many records it has, and their root. Not the signatures on it
//! (`note`), nor whether it agrees with what the log said before (`witness`).
//!
//! Source: C2SP tlog-checkpoint; differs in that further lines are refused. No log of ours writes
//! them, and a witness would sign what nobody checks.

#[cfg(test)]
mod tests;

use std::fmt;

use super::note::{Key, Note, NoteError, Scheme, base64, unbase64};
use crate::{
    id::{Digest, PeerKey},
    limits::ORIGIN_BYTES_MAX,
    signed::NodeKey,
};

/// Size and root of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log; see [`origin`].
    pub origin: String,
    /// Its records.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
}

/// Why a note is no checkpoint of the log asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The text is no checkpoint's.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// Another log's.
    #[error("checkpoint of {got}, expected {expected}")]
    Origin {
        /// The log asked for.
        expected: String,
        /// The log it names.
        got: String,
    },
    /// The log's key has not signed it.
    #[error("checkpoint: {0}")]
    Note(#[from] NoteError),
}

/// The name of the log of `peer` in the consortium with this genesis, and of its key.
#[must_use]
pub fn origin(genesis: &Digest, peer: &PeerKey) -> String {
    format!("comity/log/{genesis}/{peer}")
}

/// The key with which `peer` signs its log's checkpoints.
#[must_use]
pub fn key(genesis: &Digest, peer: &PeerKey) -> Key {
    Key::new(origin(genesis, peer), *peer, Scheme::Note)
}

impl Checkpoint {
    /// Reads the text of a checkpoint. Whoever signed it.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = |problem| move || CheckpointError::Malformed(problem);
        let body = text.strip_suffix('\n').ok_or_else(malformed("no final line feed"))?;
        let mut lines = body.split('\n');
        let mut line = |missing| lines.next().ok_or_else(malformed(missing));
        let origin = line("no origin")?;
        if origin.is_empty() || origin.len() > ORIGIN_BYTES_MAX {
            return Err(CheckpointError::Malformed("origin empty or too long"));
        }
        let size = decimal(line("no size")?).ok_or_else(malformed("size is no plain number"))?;
        let root = unbase64(line("no root")?).and_then(|root| Digest::try_from(&root[..]).ok());
        let root = root.ok_or_else(malformed("root is not 32 bytes of base64"))?;
        if lines.next().is_some() {
            return Err(CheckpointError::Malformed("lines after the root"));
        }
        if size == 0 && root != Digest::of(&[]) {
            return Err(CheckpointError::Malformed("an empty log has the root of nothing"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Signs the checkpoint as the log's node.
    ///
    /// # Errors
    /// [`NoteError`] if no key can have the origin's name.
    pub fn sign(&self, key: &NodeKey) -> Result<Note, NoteError> {
        Note::sign(&self.to_string(), &self.origin, key)
    }

    /// Reads the checkpoint in `note` once `key`, whose name is the log's origin, has signed it.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(note: &Note, key: &Key) -> Result<Self, CheckpointError> {
        note.verify(std::slice::from_ref(key))?;
        Self::of_log(note, key.name())
    }

    /// Reads the checkpoint in `note`, whose signatures are already known to hold.
    pub(super) fn of_log(note: &Note, origin: &str) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != origin {
            let (expected, got) = (origin.to_owned(), checkpoint.origin);
            return Err(CheckpointError::Origin { expected, got });
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    /// Writes the text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, base64(&self.root.0))
    }
}

/// Reads a number as it is written: no sign, no leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
