//! The proofs of home's sessions with what they commit to, beside the log and erasable. Not the log,
//! which keeps its records whatever is erased here.
//!
//! Each session has one file, a bundle. To erase it is to take out the opening: salt, prompt and
//! answer; without the salt nobody can try whether a guess was the prompt. A file beside it marks a
//! legal hold, under which nothing is erased. What the disk keeps of files that were replaced is
//! beyond this program: encrypt the disk.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use comity_protocol::{
    bundle::{Bundle, BundleError},
    id::SessionId,
    limits::BUNDLE_BYTES_MAX,
    receipt::Receipt,
    time::Timestamp,
    wire::{DecodeError, Wire as _},
};

use crate::files;

/// Folder of the bundles, in the data folder.
pub(crate) const BODIES_FOLDER: &str = "bodies";
/// How a bundle's file ends.
const BUNDLE_SUFFIX: &str = ".bundle";
/// How the mark of a legal hold ends.
const HOLD_SUFFIX: &str = ".hold";

/// What a node keeps of its sessions. It blocks: use it off the runtime's threads.
#[derive(Debug, Clone)]
pub struct Bodies {
    folder: PathBuf,
}

/// Why a kept bundle cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Nothing is kept.
    #[error("nothing is kept of session {0}: it was another home's, or keep_bodies was false")]
    Unknown(SessionId),
    /// A file.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path} is no bundle")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
}

/// Why a session was not erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EraseError {
    /// A legal hold forbids it.
    #[error("session {0} is under legal hold: release it first, if you may")]
    Held(SessionId),
    /// Its bundle.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// What is left makes no bundle.
    #[error("what is left of session {session} makes no bundle")]
    Bundle {
        /// The session.
        session: SessionId,
        /// Why.
        #[source]
        source: BundleError,
    },
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Sessions erased.
    pub erased: u64,
    /// Sessions left because of a legal hold.
    pub held: u64,
}

impl Bodies {
    /// What is kept in the data folder `data_dir`.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join(BODIES_FOLDER) }
    }

    /// Keeps the bundle of `session`, durably.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn keep(&self, session: &SessionId, bundle: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        files::replace_private(&self.path(session, BUNDLE_SUFFIX), bundle)
    }

    /// The bundle kept of `session`.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn load(&self, session: &SessionId) -> Result<Bundle, BodyError> {
        let path = self.path(session, BUNDLE_SUFFIX);
        let bytes = match files::read(&path, BUNDLE_BYTES_MAX) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BodyError::Unknown(*session));
            }
            Err(source) => return Err(BodyError::Io { path, source }),
        };
        Bundle::decode(&bytes).map_err(|source| BodyError::Decode { path, source })
    }

    /// Takes salt, prompt and answer of `session` out of its bundle; false if they were gone.
    ///
    /// # Errors
    /// [`EraseError`]; nothing is erased then.
    pub fn erase(&self, session: &SessionId) -> Result<bool, EraseError> {
        let bundle = self.load(session)?;
        if self.held(session)? {
            return Err(EraseError::Held(*session));
        }
        if bundle.opening.is_none() {
            return Ok(false);
        }
        let rest = Bundle { opening: None, ..bundle };
        let bytes =
            rest.seal().map_err(|source| EraseError::Bundle { session: *session, source })?;
        self.keep(session, &bytes).map_err(|source| self.failed(source))?;
        Ok(true)
    }

    /// Forbids or allows to erase `session`.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn hold(&self, session: &SessionId, held: bool) -> Result<(), BodyError> {
        self.load(session)?;
        let path = self.path(session, HOLD_SUFFIX);
        let done = match held {
            true => files::replace_private(&path, &[]),
            false => match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            },
        };
        done.map_err(|source| BodyError::Io { path, source })
    }

    /// Whether a legal hold forbids to erase `session`.
    ///
    /// # Errors
    /// [`BodyError::Io`] if that cannot be told.
    pub fn held(&self, session: &SessionId) -> Result<bool, BodyError> {
        let path = self.path(session, HOLD_SUFFIX);
        path.try_exists().map_err(|source| BodyError::Io { path, source })
    }

    /// Erases every session that was to be kept until before `now`, as its receipt says, and that is
    /// not held.
    ///
    /// # Errors
    /// The first [`EraseError`]; the others are erased all the same.
    pub fn sweep(&self, now: Timestamp) -> Result<Swept, EraseError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swept::default()),
            other => other.map_err(|source| self.failed(source))?,
        };
        let (mut swept, mut first) = (Swept::default(), None);
        for entry in entries {
            let entry = entry.map_err(|source| self.failed(source))?;
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(BUNDLE_SUFFIX));
            let Some(session) = name.and_then(|name| name.parse().ok()) else { continue };
            match self.erase_if_over(&session, now) {
                Ok(erased) => swept.erased += u64::from(erased),
                Err(EraseError::Held(_)) => swept.held += 1,
                Err(error) => first = first.or(Some(error)),
            }
        }
        first.map_or(Ok(swept), Err)
    }

    fn erase_if_over(&self, session: &SessionId, now: Timestamp) -> Result<bool, EraseError> {
        let bundle = self.load(session)?;
        let receipt = Receipt::decode(&bundle.receipt.payload);
        let receipt = receipt.map_err(|source| BodyError::Decode {
            path: self.path(session, BUNDLE_SUFFIX),
            source,
        })?;
        let over = bundle.opening.is_some() && receipt.retained_until <= now;
        if over { self.erase(session) } else { Ok(false) }
    }

    fn path(&self, session: &SessionId, suffix: &str) -> PathBuf {
        self.folder.join(format!("{session}{suffix}"))
    }

    fn failed(&self, source: io::Error) -> BodyError {
        BodyError::Io { path: self.folder.clone(), source }
    }
}

#[cfg(test)]
mod tests;
