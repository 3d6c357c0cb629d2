//! Every part runs once, whoever runs it, and nothing outlives its caller.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{Pool, Shared};

#[test]
fn every_part_runs_once() {
    for threads in 1..5 {
        let pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads);
        for parts in [0, 1, 2, 7, 100] {
            for _ in 0..200 {
                let runs: Vec<_> = (0..parts).map(|_| AtomicU32::new(0)).collect();
                pool.run(parts, &|part| {
                    runs[part].fetch_add(1, Relaxed);
                });
                assert!(runs.iter().all(|runs| runs.load(Relaxed) == 1), "{threads} {parts}");
            }
        }
    }
}

#[test]
fn callers_at_the_same_time_get_their_own_results() {
    let pool = Arc::new(Pool::new(3));
    std::thread::scope(|scope| {
        for caller in 0..4_usize {
            let pool = Arc::clone(&pool);
            scope.spawn(move || {
                for round in 0..500 {
                    let mut out = [0; 33];
                    let shared = Shared::new(&mut out);
                    pool.run(33, &|part| {
                        // SAFETY: each part writes its own element.
                        #[expect(unsafe_code, reason = "parts write disjoint elements")]
                        let out = unsafe { shared.slice(part, 1) };
                        out[0] = caller * 1_000 + round + part;
                    });
                    let expected: Vec<_> =
                        (0..33).map(|part| caller * 1_000 + round + part).collect();
                    assert_eq!(out.as_slice(), expected);
                }
            });
        }
    });
}

#[test]
fn items_are_handed_out_whole() {
    let pool = Pool::new(2);
    let mut values = vec![1_u64; 1_000];
    pool.each(values.chunks_mut(13), |chunk| chunk.iter_mut().for_each(|value| *value += 1));
    assert!(values.iter().all(|&value| value == 2));
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
    let pool = Pool::new(2);
    let panicking = || {
        pool.run(8, &|part| assert!(part != 5, "the part that fails"));
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
    assert!(!pool.busy.is_poisoned(), "workers still help");
    let ran = AtomicU32::new(0);
    pool.run(8, &|_| {
        ran.fetch_add(1, Relaxed);
    });
    assert_eq!(ran.load(Relaxed), 8);
}

#[test]
fn a_range_past_the_end_is_refused() {
    let mut values = [0; 4];
    let shared = Shared::new(&mut values);
    let past_the_end = || {
        // SAFETY: nothing else is borrowed.
        #[expect(unsafe_code, reason = "the bounds check is under test")]
        let _ = unsafe { shared.slice(3, 2) };
    };
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(past_the_end)).unwrap_err();
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    assert!(message.unwrap().contains("a range inside the slice"));
}
