//! An index over the log, to find records without reading it all. Never the truth: it is rebuilt
//! from the log whenever it may not match.
//!
//! sled may panic on a damaged folder and says nothing of one that an unclean end left behind the
//! log, so the index is used again only if the last end was clean, and opened where a panic is
//! caught.

mod keys;

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use comity_protocol::{
    id::{Digest, SessionId},
    signed::Signed,
    wire::Wire as _,
};
use tracing::{info, warn};

use crate::log::{Log, Record};

/// Folder of the index, in the data folder.
pub(crate) const INDEX_FOLDER: &str = "index";
/// File in the index's folder that a clean end leaves and the next start takes away. Its number is that of the index's keys: what an older program left is built anew.
const CLEAN_FILE: &str = "comity-clean-2";
/// Memory for sled's cache, bytes; its own default is 1 GiB.
const CACHE_BYTES: u64 = 32 << 20;
/// Key under which the end of what is indexed is kept.
const END_KEY: &[u8] = b"end";

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The index failed; deleting its folder mends it.
    #[error("the index {path} failed; delete the folder, it is rebuilt from the log")]
    Index {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: sled::Error,
    },
    /// The index panicked even when it was new.
    #[error("the index {0} cannot be opened; delete the folder, it is rebuilt from the log")]
    Panicked(PathBuf),
    /// A file or the log could not be read or written.
    #[error("cannot index the log")]
    Io(#[from] io::Error),
}

/// The index. It blocks: use it off the runtime's threads.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    index: sled::Db,
    log: Log,
}

impl Store {
    /// Opens the index in `folder` and brings it up to the end of `log`, from scratch if need be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(folder: &Path, log: Log) -> Result<Self, StoreError> {
        let path = folder.join(INDEX_FOLDER);
        let clean = fs::remove_file(path.join(CLEAN_FILE)).is_ok();
        let opened = if clean { open_index(&path) } else { Ok(None) };
        let index = match opened {
            Ok(Some(index)) => index,
            other => {
                if let Err(error) = other {
                    warn!(%error, "the index is rebuilt");
                }
                wipe(&path)?;
                let failed = |source| StoreError::Index { path: path.clone(), source };
                open_index(&path)
                    .map_err(failed)?
                    .ok_or_else(|| StoreError::Panicked(path.clone()))?
            }
        };
        let store = Self { path, index, log };
        let indexed = store.catch_up()?;
        info!(indexed, "index is up to date");
        Ok(store)
    }

    /// Indexes the durable records that are not indexed yet; how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn catch_up(&self) -> Result<u64, StoreError> {
        let end = self.index.get(END_KEY).map_err(|source| self.failed(source))?;
        let start = end.as_deref().and_then(offset).unwrap_or(0);
        let mut indexed = 0;
        for record in self.log.records(start)? {
            let record = record?;
            let mut batch = keys::changes(&record, |payload| self.statement(payload))?;
            batch.insert(END_KEY, &record.next_offset.to_be_bytes());
            self.index.apply_batch(batch).map_err(|source| self.failed(source))?;
            indexed += 1;
        }
        Ok(indexed)
    }

    /// The records about `session`, in the log's order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn session(&self, session: &SessionId) -> Result<Vec<Record>, StoreError> {
        self.scan(&keys::session(session))
    }

    /// The open records of requests that were neither closed nor given up, as far as indexed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn left_open(&self) -> Result<Vec<Signed>, StoreError> {
        self.statements(keys::LEFT_OPEN)
    }

    /// This node's stage receipts of other institutions' sessions that home has not countersigned:
    /// the last of each session, as far as indexed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn uncountersigned(&self) -> Result<Vec<Signed>, StoreError> {
        self.statements(keys::UNCOUNTERSIGNED)
    }

    /// The record whose payload has this digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn statement(&self, payload: &Digest) -> Result<Option<Record>, StoreError> {
        let place =
            self.index.get(keys::statement(payload)).map_err(|source| self.failed(source))?;
        place.map_or(Ok(None), |place| self.read(&place))
    }

    /// Writes what is in memory and notes that the index is whole.
    ///
    /// # Errors
    /// [`StoreError`]; the index is rebuilt at the next start then.
    pub fn close(self) -> Result<(), StoreError> {
        self.index.flush().map_err(|source| self.failed(source))?;
        let Self { path, index, .. } = self;
        drop(index);
        fs::write(path.join(CLEAN_FILE), [])?;
        Ok(())
    }

    fn statements(&self, prefix: &[u8]) -> Result<Vec<Signed>, StoreError> {
        let records = self.scan(prefix)?;
        // What is indexed as a statement was decoded once.
        Ok(records.iter().filter_map(|record| Signed::decode(&record.bytes).ok()).collect())
    }

    /// The records under keys that begin so, in the order of the keys.
    fn scan(&self, prefix: &[u8]) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        for place in self.index.scan_prefix(prefix).values() {
            let place = place.map_err(|source| self.failed(source))?;
            records.extend(self.read(&place)?);
        }
        Ok(records)
    }

    fn read(&self, place: &[u8]) -> Result<Option<Record>, StoreError> {
        let Some(place) = offset(place) else { return Ok(None) };
        Ok(self.log.records(place)?.next().transpose()?)
    }

    fn failed(&self, source: sled::Error) -> StoreError {
        StoreError::Index { path: self.path.clone(), source }
    }
}

/// Opens the index at `path`; `None` if sled panicked.
fn open_index(path: &Path) -> Result<Option<sled::Db>, sled::Error> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
    // Nothing is shared with the closure but its own configuration.
    catch_unwind(AssertUnwindSafe(|| config.open())).ok().transpose()
}

fn wipe(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn offset(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests;
