//! Checkpoints in the data folder, and who cosigned them. Not when they are made.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use comity_protocol::{
    charter::Charter,
    id::Digest,
    limits::NOTE_BYTES_MAX,
    log::{
        checkpoint::{Checkpoint, CheckpointError},
        cosignature,
        note::{Key, Note, NoteError},
    },
};

use crate::files;

/// File of the newest checkpoint that the node signed, in the data folder.
pub const SIGNED_FILE: &str = "checkpoint";
/// File of the newest one that as many witnesses cosigned as the charter asks for.
pub const WITNESSED_FILE: &str = "checkpoint.witnessed";

/// A checkpoint in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// As it is signed.
    pub note: Note,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// Why a checkpoint of the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// The file.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path} is no checkpoint of this node's log")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
}

impl Kept {
    /// The checkpoint in `file` of `folder` that the log's `key` signed; `None` if there is none.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn load(folder: &Path, file: &str, key: &Key) -> Result<Option<Self>, KeptError> {
        let path = folder.join(file);
        let bytes = match files::read(&path, NOTE_BYTES_MAX) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeptError::Read { path, source }),
        };
        let opened = Note::parse(&String::from_utf8_lossy(&bytes))
            .map_err(CheckpointError::Note)
            .and_then(|note| Ok((Checkpoint::open(&note, key)?, note)));
        match opened {
            Ok((checkpoint, note)) => Ok(Some(Self { note, checkpoint })),
            Err(source) => Err(KeptError::Foreign { path, source }),
        }
    }

    /// Puts it into `file` of `folder`, durably.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn save(&self, folder: &Path, file: &str) -> io::Result<()> {
        files::replace(&folder.join(file), self.note.to_string().as_bytes())
    }

    /// The institutions other than `own` whose witnesses cosigned it.
    ///
    /// # Errors
    /// [`NoteError`] if a cosignature does not hold.
    pub fn cosigned(
        &self,
        genesis: &Digest,
        charter: &Charter,
        own: &str,
    ) -> Result<BTreeSet<String>, NoteError> {
        let others: Vec<_> = charter.institutions.iter().filter(|it| it.id != own).collect();
        let key = |it: &&comity_protocol::charter::Institution| {
            cosignature::key(genesis, &it.id, it.witness_key)
        };
        let keys: Vec<_> = others.iter().map(key).collect();
        match self.note.verify(&keys) {
            Ok(valid) => Ok(valid.iter().map(|valid| others[valid.key].id.clone()).collect()),
            Err(NoteError::Unsigned) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }
}
