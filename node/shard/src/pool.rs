//! Threads that share the parts of one computation and sleep between computations.
//!
//! The caller takes parts too and waits only for parts another thread has begun, so a worker that
//! the system has not woken yet, or has put aside for another process, costs nothing. Which thread
//! runs a part never changes a result.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{
            AtomicBool, AtomicPtr, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    thread::JoinHandle,
};

/// Rounds of waiting before a worker sleeps: about 30 us, the time between two computations of one
/// pass, and less than waking takes.
const SPIN_ROUNDS: u32 = 1 << 10;
/// Rounds after which a waiting caller offers its processor to others.
const YIELD_ROUNDS: u32 = 1 << 8;

/// A group of threads.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Arc<State>,
    workers: Vec<JoinHandle<()>>,
    /// One computation at a time; a second caller runs its own alone.
    busy: Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// Number of the computation in the high half, parts not yet taken in the low half.
    queue: AtomicU64,
    job: AtomicPtr<Job<'static>>,
    /// Parts done.
    done: AtomicU32,
    panicked: AtomicBool,
    stop: AtomicBool,
    sleeping: Vec<AtomicBool>,
}

struct Job<'a> {
    part: &'a (dyn Fn(usize) + Sync),
}

/// The process's pool: a thread per processor that affinity and cgroup quota leave it.
pub(crate) fn shared() -> Arc<Pool> {
    static SHARED: LazyLock<Arc<Pool>> = LazyLock::new(|| {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Arc::new(Pool::new(threads))
    });
    Arc::clone(&SHARED)
}

impl Pool {
    /// A pool of `threads` threads, the caller's included. Runs with fewer where the system gives
    /// no more.
    pub(crate) fn new(threads: usize) -> Self {
        let state = Arc::new(State {
            queue: AtomicU64::new(0),
            job: AtomicPtr::new(std::ptr::null_mut()),
            done: AtomicU32::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleeping: (1..threads).map(|_| AtomicBool::new(false)).collect(),
        });
        let start = |index: usize| {
            let state = Arc::clone(&state);
            let builder = std::thread::Builder::new().name(format!("compute-{index}"));
            builder.spawn(move || state.work(index)).ok()
        };
        let workers = (0..threads.saturating_sub(1)).map_while(start).collect();
        Self { state, workers, busy: Mutex::new(()) }
    }

    /// Threads, the caller's included.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `part(0)` to `part(parts - 1)`, each once, on any thread, in any order.
    pub(crate) fn run(&self, parts: usize, part: &(dyn Fn(usize) + Sync)) {
        let guard = self.busy.try_lock();
        let count = u32::try_from(parts).unwrap_or(u32::MAX);
        if guard.is_err() || parts < 2 || self.workers.is_empty() || count == u32::MAX {
            (0..parts).for_each(part);
            return;
        }
        let job = Job { part };
        let state = &*self.state;
        state.done.store(0, Relaxed);
        state.job.store((&raw const job).cast_mut().cast(), Relaxed);
        let number = state.queue.load(Relaxed) >> 32;
        state.queue.store(((number + 1) << 32) | u64::from(count), SeqCst);
        for (worker, sleeping) in self.workers.iter().zip(&state.sleeping).take(parts - 1) {
            if sleeping.load(SeqCst) {
                worker.thread().unpark();
            }
        }
        while state.take_part() {}
        let mut rounds = 0_u32;
        while state.done.load(Acquire) < count {
            rounds += 1;
            if rounds.is_multiple_of(YIELD_ROUNDS) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
        // Before a panic goes on, which would poison the lock and leave every later run to its caller.
        drop(guard);
        if state.panicked.swap(false, Relaxed) {
            resume_unwind(Box::new("a part of a computation panicked"));
        }
    }

    /// Runs `of` over every item, each on any thread.
    pub(crate) fn each<T: Send>(&self, items: impl Iterator<Item = T>, of: impl Fn(T) + Sync) {
        let items: Vec<_> = items.map(|item| Mutex::new(Some(item))).collect();
        self.run(items.len(), &|index| {
            let item = items[index].lock().ok().and_then(|mut item| item.take());
            item.into_iter().for_each(&of);
        });
    }
}

impl State {
    fn work(&self, index: usize) {
        let mut rounds = 0;
        while !self.stop.load(Relaxed) {
            if self.take_part() {
                rounds = 0;
            } else if rounds < SPIN_ROUNDS {
                rounds += 1;
                std::hint::spin_loop();
            } else {
                let sleeping = &self.sleeping[index];
                sleeping.store(true, SeqCst);
                // A caller that published before it could see the flag is seen here.
                if self.queue.load(SeqCst).trailing_half() == 0 && !self.stop.load(SeqCst) {
                    std::thread::park();
                }
                sleeping.store(false, Relaxed);
                rounds = 0;
            }
        }
    }

    /// Takes one part, if any is left, and runs it.
    fn take_part(&self) -> bool {
        let mut queue = self.queue.load(Acquire);
        loop {
            let left = queue.trailing_half();
            if left == 0 {
                return false;
            }
            match self.queue.compare_exchange_weak(queue, queue - 1, Acquire, Acquire) {
                Ok(_) => {
                    self.run_part(left as usize - 1);
                    return true;
                }
                Err(now) => queue = now,
            }
        }
    }

    fn run_part(&self, index: usize) {
        // SAFETY: a part was taken and is not done, so the caller that set this job still waits in
        // `Pool::run` and keeps it alive; the part's number was published after the job.
        #[expect(unsafe_code, reason = "the job lives on the stack of a caller that waits for it")]
        let job = unsafe { &*self.job.load(Relaxed) };
        if catch_unwind(AssertUnwindSafe(|| (job.part)(index))).is_err() {
            self.panicked.store(true, Relaxed);
        }
        self.done.fetch_add(1, Release);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.state.stop.store(true, SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of parts and has none of its own.
            let _ = worker.join();
        }
    }
}

/// A slice whose parts are written by different threads at the same time.
#[derive(Debug)]
pub(crate) struct Shared<'a, T> {
    base: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it hands out nothing without a promise of the caller that parts do not overlap.
#[expect(unsafe_code, reason = "a raw pointer to a slice that is borrowed for as long")]
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) const fn new(slice: &'a mut [T]) -> Self {
        Self { base: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// The `len` elements from `from` on.
    ///
    /// # Safety
    /// No two slices of overlapping ranges may live at the same time.
    #[inline(always)]
    #[expect(unsafe_code, clippy::mut_from_ref, reason = "the caller promises disjoint ranges")]
    pub(crate) unsafe fn slice(&self, from: usize, len: usize) -> &mut [T] {
        assert!(from <= self.len && len <= self.len - from, "a range inside the slice");
        // SAFETY: inside the slice, borrowed for as long, and not overlapping by the promise.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(from), len) }
    }
}

/// The low half of the queue: parts not yet taken.
trait TrailingHalf {
    fn trailing_half(self) -> u32;
}

impl TrailingHalf for u64 {
    fn trailing_half(self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
        let half = self as u32;
        half
    }
}

#[cfg(test)]
mod tests;
