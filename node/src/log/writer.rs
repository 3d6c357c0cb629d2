//! The thread that writes the log: one batch, one `fsync`, then the acknowledgements.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use comity_protocol::{id::Digest, log::tree::Frontier};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;

use super::{AppendError, Position, RECORD_BYTES_MAX, frame::Header, hashes::Tree, recover::End};

/// Appends that share one `fsync`, so that the first of them does not wait for too many others.
const BATCH_MAX: usize = 256;

pub(super) enum Message {
    Append(Append),
    Close(oneshot::Sender<()>),
}

type Build = Box<dyn FnOnce(u64, Digest) -> Option<Vec<u8>> + Send>;

pub(super) struct Append {
    pub(super) build: Build,
    pub(super) reply: oneshot::Sender<Result<Option<Position>, AppendError>>,
}

/// A record that is written and waits to be durable.
struct Waiting {
    reply: oneshot::Sender<Result<Option<Position>, AppendError>>,
    position: Position,
}

/// What is written to: a file, or in tests one that fails.
pub(super) trait Storage: io::Write + Send {
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl Storage for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// What others see of the log: only what is durable.
pub(super) struct Progress {
    /// Bytes of the file.
    pub(super) durable: Arc<AtomicU64>,
    /// The tree over the records in them.
    pub(super) grown: watch::Sender<Frontier>,
}

pub(super) struct Writer<S> {
    storage: S,
    /// Number and digest of the last record, and bytes of the file.
    end: End,
    tree: Tree,
    progress: Progress,
    /// Frames of the batch being made.
    batch: Vec<u8>,
    waiting: Vec<Waiting>,
    failed: Option<io::ErrorKind>,
    /// Held as long as the file is written.
    lock: File,
}

impl<S: Storage> Writer<S> {
    pub(super) fn new(storage: S, end: End, tree: Tree, progress: Progress, lock: File) -> Self {
        let (batch, waiting) = (Vec::new(), Vec::new());
        Self { storage, end, tree, progress, batch, waiting, failed: None, lock }
    }

    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut closing = None;
        while closing.is_none() {
            let Some(message) = inbox.blocking_recv() else { break };
            let mut next = Some(message);
            let mut taken = 0;
            while let Some(message) = next {
                match message {
                    Message::Append(append) => self.take(append),
                    Message::Close(reply) => {
                        closing = Some(reply);
                        break;
                    }
                }
                taken += 1;
                // Nothing is received that this batch does not take: it would be lost.
                next = if taken < BATCH_MAX { inbox.try_recv().ok() } else { None };
            }
            self.commit();
        }
        self.seal();
        // The folder is free before `close` returns, through whichever handle; whoever still
        // appends is refused.
        let Self { storage, lock, .. } = self;
        drop((storage, lock));
        drop((inbox, closing));
    }

    /// Makes a record and its frame.
    fn take(&mut self, append: Append) {
        if let Some(kind) = self.failed {
            // The caller may be gone; so everywhere below.
            let _ = append.reply.send(Err(AppendError::Failed(kind)));
            return;
        }
        let (sequence, previous) = (self.end.sequence + 1, self.end.digest);
        let Some(record) = (append.build)(sequence, previous) else {
            let _ = append.reply.send(Ok(None));
            return;
        };
        if record.is_empty() || record.len() > RECORD_BYTES_MAX {
            let _ = append.reply.send(Err(AppendError::Length(record.len())));
            return;
        }
        let offset = self.end.offset + self.batch.len() as u64;
        self.header(sequence, previous).encode(&record, &mut self.batch);
        let digest = Digest::of(&record);
        self.tree.append(&record);
        (self.end.sequence, self.end.digest) = (sequence, digest);
        let position = Position { sequence, previous, digest, offset };
        self.waiting.push(Waiting { reply: append.reply, position });
    }

    /// Writes the batch, makes it durable, and only then acknowledges it.
    fn commit(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if let Err(error) = self.storage.write_all(&self.batch) {
            error!(%error, "writing the log failed; it takes no more records");
            self.failed = Some(error.kind());
        } else {
            self.sync();
            self.end.offset += self.batch.len() as u64;
            self.progress.durable.store(self.end.offset, Ordering::Release);
        }
        self.batch.clear();
        let failed = self.failed;
        for Waiting { reply, position } in self.waiting.drain(..) {
            let result = failed.map_or(Ok(Some(position)), |kind| Err(AppendError::Failed(kind)));
            let _ = reply.send(result);
        }
        if failed.is_none() {
            self.grow();
        }
    }

    /// Keeps the hashes of what is durable, off the way of who waits for an acknowledgement.
    fn grow(&mut self) {
        if let Err(error) = self.tree.write() {
            // The records stand, and their hashes come back with the next start.
            error!(%error, "writing the log's hashes failed; it takes no more records");
            self.failed = Some(error.kind());
        } else {
            self.progress.grown.send_replace(self.tree.frontier().clone());
        }
    }

    /// Writes the frame that proves every record before it durable.
    fn seal(&mut self) {
        if self.failed.is_none() && self.end.sequence > 0 {
            let mut batch = std::mem::take(&mut self.batch);
            self.header(self.end.sequence + 1, self.end.digest).encode(&[], &mut batch);
            self.batch = batch;
            self.commit();
        }
    }

    fn header(&self, sequence: u64, previous: Digest) -> Header {
        Header { sequence, durable: self.end.offset, previous }
    }

    /// Nothing after a failed `fsync` can tell what reached the disk: pages that failed are marked
    /// clean and lost. Going on would acknowledge records that are gone (promise P1).
    fn sync(&mut self) {
        if let Err(error) = self.storage.sync() {
            error!(%error, "fsync of the log failed; ending the process");
            std::process::abort();
        }
    }
}
