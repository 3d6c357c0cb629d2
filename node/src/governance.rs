//! The charters a node keeps in its data folder, so that it never acts on less than it has known.
//! Not what they say.

use std::{
    io,
    path::{Path, PathBuf},
};

use comity_protocol::{
    charter::{Chain, CharterError, SignedChain, Suspensions},
    limits::CHAIN_BYTES_MAX,
    signed::Signed,
    wire::{DecodeError, Wire as _},
};
use tracing::error;

use crate::files;

/// File of every version of the charter, in the data folder.
pub(crate) const CHARTER_FILE: &str = "charter.signed";
/// File with two versions of one number, in the data folder. While it is there, the node works for
/// its own institution alone; people remove it, and the charters beside it, once they have decided.
const FORK_FILE: &str = "charter.fork";

/// Where a node keeps its charters.
#[derive(Debug)]
pub struct Archive {
    folder: PathBuf,
}

/// Why the charters of a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} is no file of charters")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// The charters given do not hold.
    #[error("the charter does not hold")]
    Charter(#[from] CharterError),
    /// The charters kept do not hold, or are another consortium's.
    #[error("{path} does not fit the charter given; is it another consortium's data folder?")]
    Kept {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CharterError,
    },
}

impl Archive {
    /// The archive in `folder`, the newer of the charters `given` and those that were kept, and the
    /// suspensions of both. What is newer is kept from now on.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn open(
        folder: &Path,
        given: &SignedChain,
    ) -> Result<(Self, Chain, Vec<Signed>), ArchiveError> {
        let archive = Self { folder: folder.to_owned() };
        let mut chain = Chain::verify(&given.charters, None)?;
        let (kept, fork) = (archive.path(CHARTER_FILE), archive.path(FORK_FILE));
        let before = load(&kept)?.unwrap_or_default();
        merge(&mut chain, kept.clone(), &before)?;
        if let Some(proof) = load(&fork)? {
            merge(&mut chain, fork, &proof)?;
        }
        let mut suspensions = given.suspensions.clone();
        suspensions.extend(before.suspensions.iter().cloned());
        if before.charters != chain.signed() || chain.fork().is_some() {
            archive
                .write(&chain, before.suspensions)
                .map_err(|source| ArchiveError::Write { path: kept, source })?;
        }
        Ok((archive, chain, suspensions))
    }

    /// Keeps `chain` durably, and the proof of a fork if there is one.
    ///
    /// # Errors
    /// Why it cannot be written; the node must not act on it then.
    pub fn keep(&self, chain: &Chain, suspensions: &Suspensions) -> io::Result<()> {
        self.write(chain, suspensions.signed().cloned().collect())
    }

    fn write(&self, chain: &Chain, suspensions: Vec<Signed>) -> io::Result<()> {
        if let Some(fork) = chain.fork() {
            error!(version = fork.version, "two charters of one version are signed");
            let charters = fork.charters.to_vec();
            let proof = SignedChain { charters, suspensions: Vec::new() };
            files::replace(&self.path(FORK_FILE), &proof.encode())?;
        }
        let charters = chain.signed().to_vec();
        let kept = SignedChain { charters, suspensions };
        files::replace(&self.path(CHARTER_FILE), &kept.encode())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }
}

/// Takes what a file has into `chain`.
fn merge(chain: &mut Chain, path: PathBuf, file: &SignedChain) -> Result<(), ArchiveError> {
    match chain.merge(&file.charters) {
        // The chain keeps the proof of a fork, and says so when it is asked.
        Ok(_) | Err(CharterError::Fork { .. }) => Ok(()),
        Err(source) => Err(ArchiveError::Kept { path, source }),
    }
}

fn load(path: &Path) -> Result<Option<SignedChain>, ArchiveError> {
    let bytes = match files::read(path, CHAIN_BYTES_MAX) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ArchiveError::Read { path: path.to_owned(), source }),
    };
    let decoded = SignedChain::decode(&bytes);
    decoded.map(Some).map_err(|source| ArchiveError::Decode { path: path.to_owned(), source })
}
