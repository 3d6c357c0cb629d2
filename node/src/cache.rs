//! The user's cache folder: models that were fetched once. Not where they come from (`commands::pull`).
//!
//! A file under `models/` is whole or absent: it is written elsewhere and renamed into place. What
//! is cached is still checked against its digest before each use.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use comity_protocol::id::Digest;
use sha2::{Digest as _, Sha256};

/// Bytes read at once while a file is digested: a few pages, to notice a cancellation soon.
const CHUNK_BYTES: usize = 1 << 18;

/// The cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// Holds one model's place in the cache until dropped.
#[derive(Debug)]
pub struct CacheLock {
    _file: File,
}

/// A folder that is removed when dropped.
#[derive(Debug)]
pub struct TempFolder {
    path: PathBuf,
}

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// There is no place for one.
    #[error("no cache folder: set COMITY_CACHE, XDG_CACHE_HOME or HOME")]
    NoFolder,
    /// The disk is full.
    #[error("the disk is full at {path}: {needed} bytes are needed")]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// Bytes the whole file takes.
        needed: u64,
    },
    /// A file or folder cannot be used.
    #[error("{path} cannot be used")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CacheError {
    /// Tells a full disk from other failures.
    #[must_use]
    pub fn write(path: &Path, needed: u64, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, needed }
            }
            _ => Self::Io { path, source },
        }
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::write(path, 0, source)
    }
}

impl Cache {
    /// `COMITY_CACHE`, else `comity` in `XDG_CACHE_HOME`, else `.cache/comity` in the home folder.
    ///
    /// # Errors
    /// [`CacheError::NoFolder`] if none of the variables is set.
    pub fn user() -> Result<Self, CacheError> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = set("COMITY_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|path| path.join("comity")))
            .or_else(|| set("HOME").map(|path| path.join(".cache/comity")))
            .ok_or(CacheError::NoFolder)?;
        Ok(Self::at(root))
    }

    /// The cache in `root`, which need not exist yet.
    #[must_use]
    pub const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where the model `name` stands once it is whole.
    #[must_use]
    pub fn model(&self, name: &str) -> PathBuf {
        self.root.join("models").join(format!("{name}.gguf"))
    }

    /// Where the model `name` grows while it is fetched piece by piece.
    #[must_use]
    pub fn partial(&self, name: &str) -> PathBuf {
        self.root.join("models").join(format!("{name}.gguf.part"))
    }

    /// Where the proof of the session `session` is kept, unless the user names a place.
    #[must_use]
    pub fn receipt(&self, session: &str) -> PathBuf {
        self.root.join("receipts").join(format!("{session}.bundle"))
    }

    /// Takes the model's place for this process; `None` while another holds it.
    ///
    /// # Errors
    /// [`CacheError`] if the folder cannot be made or locked.
    pub fn try_lock(&self, name: &str) -> Result<Option<CacheLock>, CacheError> {
        let folder = self.root.join("models");
        fs::create_dir_all(&folder).map_err(CacheError::io(&folder))?;
        let path = folder.join(format!("{name}.lock"));
        let file =
            File::options().create(true).append(true).open(&path).map_err(CacheError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(CacheLock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(CacheError::io(&path)(source)),
        }
    }

    /// An empty folder for the holder of the model's lock. What a killed process left is cleared.
    ///
    /// # Errors
    /// [`CacheError`] if it cannot be made.
    pub fn temp(&self, name: &str, _lock: &CacheLock) -> Result<TempFolder, CacheError> {
        let path = self.root.join("temp").join(name);
        remove_folder(&path).map_err(CacheError::io(&path))?;
        fs::create_dir_all(&path).map_err(CacheError::io(&path))?;
        Ok(TempFolder { path })
    }
}

impl TempFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "temporary folder remains");
        }
    }
}

/// SHA-256 of a file; `None` if `cancelled` said so before its end.
///
/// # Errors
/// Whatever reading the file brings.
pub fn digest_file(path: &Path, cancelled: &dyn Fn() -> bool) -> io::Result<Option<Digest>> {
    let mut file = File::open(path)?;
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        if cancelled() {
            return Ok(None);
        }
        match file.read(&mut chunk)? {
            0 => return Ok(Some(Digest(hasher.finalize().into()))),
            read => hasher.update(&chunk[..read]),
        }
    }
}

/// Removes a file that may not be there.
///
/// # Errors
/// [`CacheError::Io`] if it is there and stays.
pub fn remove_file(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CacheError::io(path)(error)),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
