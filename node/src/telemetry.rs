//! Writes what the node tells of its own timing to a file, for planners. Not what is told:
//! [`comity_protocol::telemetry`] has the lines, and who does the work tells of it.
//!
//! Telling takes no longer than putting a line into a queue: it wakes nobody. A thread of its own
//! empties the queue now and then; what does not fit into it is dropped and counted.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use comity_protocol::telemetry::{Event, Line};
use tracing::{error, warn};

/// Lines that may wait for the writer: 20,000 a second, of some 100 bytes each.
const QUEUE_CAPACITY: usize = 1 << 12;
/// Between two looks of the writer at the queue, each followed by a write to the system.
const INTERVAL: Duration = Duration::from_millis(200);
/// Whoever has the file learns who worked when.
const MODE: u32 = 0o600;

/// Handle to the writer. Cheap to clone; the writer ends with the last one.
#[derive(Debug, Clone)]
pub struct Telemetry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    began_us: u64,
    queue: SyncSender<Line>,
    dropped: AtomicU64,
    closing: Arc<AtomicBool>,
    /// Held only to take the handle out.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Telemetry {
    /// Begins the file at `path`, in place of what is there.
    ///
    /// # Errors
    /// The system's error if it cannot be written or no thread can be had.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(MODE).open(path)?;
        // A file that was there keeps the mode it had.
        file.set_permissions(Permissions::from_mode(MODE))?;
        Self::over(file, QUEUE_CAPACITY)
    }

    fn over(file: File, capacity: usize) -> io::Result<Self> {
        let (queue, lines) = sync_channel(capacity);
        let closing = Arc::new(AtomicBool::new(false));
        let closes = Arc::clone(&closing);
        let write = move || {
            if let Err(error) = write(BufWriter::new(file), &lines, &closes) {
                error!(%error, "telemetry cannot be written any more");
            }
        };
        let thread = thread::Builder::new().name("telemetry".into()).spawn(write)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            shared: Arc::new(Shared {
                began: Instant::now(),
                began_us: micros(since),
                queue,
                dropped: AtomicU64::new(0),
                closing,
                thread: Mutex::new(Some(thread)),
            }),
        })
    }

    /// When the file began, microseconds since 1970.
    #[must_use]
    pub fn began_us(&self) -> u64 {
        self.shared.began_us
    }

    /// Tells of what has just ended.
    pub fn tell(&self, event: Event) {
        let line = Line { at_us: micros(self.shared.began.elapsed()), event };
        // A writer that is gone said why.
        if let Err(TrySendError::Full(_)) = self.shared.queue.try_send(line)
            && self.shared.dropped.fetch_add(1, Relaxed) == 0
        {
            warn!("telemetry comes faster than it is written: lines are dropped");
        }
    }

    /// Lines that were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    /// Waits until all that was told is in the file. What is told later may not be.
    pub async fn close(self) {
        self.shared.closing.store(true, Release);
        let thread = self.shared.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            thread.thread().unpark();
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        if self.dropped() > 0 {
            warn!(lines = self.dropped(), "telemetry is not whole: lines were dropped");
        }
    }
}

/// Writes lines until told to close, or nobody is left to tell any.
fn write(
    mut file: BufWriter<File>,
    lines: &Receiver<Line>,
    closing: &AtomicBool,
) -> io::Result<()> {
    loop {
        // Read first: what was told before is in the queue by now.
        let mut over = closing.load(Acquire);
        loop {
            match lines.try_recv() {
                Ok(line) => {
                    serde_json::to_writer(&mut file, &line)?;
                    file.write_all(b"\n")?;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    over = true;
                    break;
                }
            }
        }
        file.flush()?;
        if over {
            return Ok(());
        }
        thread::park_timeout(INTERVAL);
    }
}

/// Whole microseconds.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
