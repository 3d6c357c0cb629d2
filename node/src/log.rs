//! The node's append-only log: the truth about what it signed. Not an index of it (`store`).
//!
//! One file of framed, checksummed, hash-chained records. An append is acknowledged once `fsync` has
//! succeeded; appends that arrive meanwhile share the next one. After a crash the file is cut at its
//! last whole record; damage before data that was once durable is an error, never cut. A write that
//! fails closes the log; an `fsync` that fails ends the process, because the kernel may have dropped
//! the data and a second `fsync` would not say so.

mod frame;
mod hashes;
mod recover;
mod writer;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use comity_protocol::{id::Digest, limits, log::tree::Frontier};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use hashes::HASHES_FILE;
pub use hashes::{HashFile, ProofError};
pub use recover::{Record, Records};

use hashes::Tree;
use writer::{Append, Message, Progress, Writer};

/// File of the records, in the data folder.
pub(crate) const RECORDS_FILE: &str = "records.log";
/// File whose lock says that a daemon uses the folder.
const LOCK_FILE: &str = "lock";
/// Bytes of one record: a signed statement, envelope included.
pub const RECORD_BYTES_MAX: usize = limits::RECORD_BYTES_MAX;
/// Appends that may wait. At 64 KiB each they take 16 MiB at most; past it, callers wait.
const APPENDS_CAPACITY: usize = 256;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Number of the record, gapless from 1.
    pub sequence: u64,
    /// SHA-256 of the record before it; zeros for the first.
    pub previous: Digest,
    /// SHA-256 of the record.
    pub digest: Digest,
    /// Where its frame begins in the file, bytes.
    pub offset: u64,
}

/// What was found when the log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Whole records.
    pub records: u64,
    /// Bytes of records that a crash left in part, cut off now. None of them was acknowledged.
    pub cut_bytes: u64,
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenLogError {
    /// Another daemon uses the folder.
    #[error("data folder {0} is in use by another daemon; stop it, or set another data_dir")]
    Locked(PathBuf),
    /// The file system refuses.
    #[error("cannot open {path}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no log of this version.
    #[error("{path} is no log of this version")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Records that were acknowledged are damaged.
    #[error(
        "{path} is damaged at byte {offset}, after record {sequence}: acknowledged records follow; \
         restore the file from a mirror"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// Last record before it.
        sequence: u64,
    },
}

/// Why a record was not appended, or not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The record is empty or too long.
    #[error("record of {0} bytes; allowed are 1 to {RECORD_BYTES_MAX}")]
    Length(usize),
    /// This or an earlier write failed; nothing more is taken until the node restarts.
    #[error("the log takes no more records: writing failed: {0}")]
    Failed(io::ErrorKind),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

/// Handle to the log's thread. Cheap to clone; the thread ends when the last one drops.
#[derive(Debug, Clone)]
pub struct Log {
    messages: mpsc::Sender<Message>,
    folder: Arc<Path>,
    durable: Arc<AtomicU64>,
    /// The tree over the durable records.
    tree: watch::Receiver<Frontier>,
}

impl Log {
    /// Opens the log in `folder`, made if it is not there, and takes the folder for this process.
    ///
    /// Reads the whole log once. Blocks; call it before serving.
    ///
    /// # Errors
    /// [`OpenLogError`].
    pub fn open(folder: &Path) -> Result<(Self, Recovered), OpenLogError> {
        let lock = lock(folder)?;
        let path = folder.join(RECORDS_FILE);
        let failed = |source| OpenLogError::Io { path: path.clone(), source };
        let mut file = open_file(&path).map_err(failed)?;
        let mut tree = Tree::open(folder).map_err(failed)?;
        let end = recover::recover(&mut file, &path, &mut tree)?;
        // The file's own name must survive a crash as well.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;

        let durable = Arc::new(AtomicU64::new(end.offset));
        let (messages, inbox) = mpsc::channel(APPENDS_CAPACITY);
        let recovered = Recovered { records: end.sequence, cut_bytes: end.cut_bytes };
        let (grown, seen) = watch::channel(tree.frontier().clone());
        let progress = Progress { durable: Arc::clone(&durable), grown };
        let writer = Writer::new(file, end, tree, progress, lock);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run(inbox))
            .map_err(failed)?;
        Ok((Self { messages, folder: folder.into(), durable, tree: seen }, recovered))
    }

    /// Appends `record` and returns once it is durable.
    ///
    /// Dropping the future abandons only the acknowledgement.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(&self, record: Vec<u8>) -> Result<Position, AppendError> {
        let appended = self.append_with(move |_, _| Some(record)).await?;
        // A record was given, so there is a position.
        appended.ok_or(AppendError::Closed)
    }

    /// Appends the record that `build` makes of its own number and the digest before it, and
    /// returns once it is durable; `None` if `build` made none, and no number is used up then.
    ///
    /// `build` runs on the log's thread, one at a time: it must be quick and not block. Dropping the
    /// future abandons only the acknowledgement.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_with(
        &self,
        build: impl FnOnce(u64, Digest) -> Option<Vec<u8>> + Send + 'static,
    ) -> Result<Option<Position>, AppendError> {
        let (reply, appended) = oneshot::channel();
        let append = Append { build: Box::new(build), reply };
        let sent = self.messages.send(Message::Append(append)).await;
        sent.map_err(|_| AppendError::Closed)?;
        appended.await.map_err(|_| AppendError::Closed)?
    }

    /// Reads the records that are durable now, from the frame at `offset` on; 0 is the first.
    ///
    /// # Errors
    /// Why the file cannot be opened.
    pub fn records(&self, offset: u64) -> io::Result<Records> {
        let path = self.folder.join(RECORDS_FILE);
        Records::open(&path, offset, self.durable.load(Ordering::Acquire))
    }

    /// Number of the durable records, and the root of the tree over them.
    #[must_use]
    pub fn tree(&self) -> (u64, Digest) {
        let tree = self.tree.borrow();
        (tree.size(), tree.root())
    }

    /// Changes whenever records became durable.
    #[must_use]
    pub fn grown(&self) -> watch::Receiver<Frontier> {
        self.tree.clone()
    }

    /// The hashes to prove things from. Reading them blocks.
    ///
    /// # Errors
    /// Why the file cannot be opened.
    pub fn hashes(&self) -> io::Result<HashFile> {
        HashFile::open(&self.folder)
    }

    /// Writes what waits, marks the end and frees the folder. Appends through other handles fail
    /// from now on.
    pub async fn close(self) {
        let (reply, closed) = oneshot::channel();
        if self.messages.send(Message::Close(reply)).await.is_ok() {
            // Ends when the thread has dropped everything, even if it was closing already.
            let _ = closed.await;
        }
    }
}

/// Reads the log in `folder` without taking the folder: a daemon may be writing it. Ends at the last
/// whole record; the last few may be written and not synced yet.
///
/// # Errors
/// Why the file cannot be opened.
pub fn read(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<Record>> + use<>> {
    let path = folder.join(RECORDS_FILE);
    let end = fs::metadata(&path)?.len();
    Records::open_to_last(&path, end)
}

/// Takes the data folder `folder`, made if it is not there, for this process, as long as the file is
/// open.
///
/// # Errors
/// [`OpenLogError`].
pub(crate) fn lock(folder: &Path) -> Result<File, OpenLogError> {
    let path = folder.join(LOCK_FILE);
    let failed = |source| OpenLogError::Io { path: path.clone(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenLogError::Locked(folder.into())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests;
