//! What the benches share: the model, interleaved rounds, medians. Not what is measured.
//!
//! On a machine that others use too, single figures drift; what is compared is therefore measured
//! alternately, round by round, and given as median with least and most.
#![allow(dead_code, reason = "each bench uses its part")]

use std::{
    fs,
    hint::black_box,
    path::PathBuf,
    time::{Duration, Instant},
};

use comity_node::{
    cache::Cache,
    commands::pull::{self, for_people},
};
use comity_shard::{ModelFile, fixture};
use tempfile::TempDir;

/// Names the model: a GGUF file, a known model, or `fixture`.
const MODEL_VARIABLE: &str = "COMITY_BENCH_MODEL";
/// Rounds over all that is compared: enough for a median that one disturbed round does not move.
pub(crate) const ROUNDS: usize = 7;
/// Least duration of one sample: far above the clock's resolution and a scheduler's tick.
const SAMPLE: Duration = Duration::from_millis(25);
/// Most calls in one sample.
const CALLS_MAX: u32 = 1 << 20;

/// Median and extremes of some rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of one or more values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
            panic!("a spread is of one or more values");
        };
        Self { median: values[values.len() / 2], least, most }
    }

    /// For a table.
    pub(crate) fn show(self, digits: usize) -> String {
        let Self { median, least, most } = self;
        format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

/// One operation to be timed.
pub(crate) struct Op<'a> {
    pub(crate) name: String,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Op<'a> {
    /// Times `run`; what it returns is not optimised away.
    pub(crate) fn new<T>(name: impl Into<String>, mut run: impl FnMut() -> T + 'a) -> Self {
        let run = Box::new(move || {
            black_box(run());
        });
        Self { name: name.into(), run }
    }
}

/// Seconds per call of each operation, over [`ROUNDS`] interleaved rounds.
pub(crate) fn time(ops: &mut [Op<'_>]) -> Vec<Spread> {
    let calls: Vec<u32> = ops.iter_mut().map(calls_per_sample).collect();
    let mut samples = vec![Vec::new(); ops.len()];
    for _ in 0..ROUNDS {
        for ((op, &calls), samples) in ops.iter_mut().zip(&calls).zip(&mut samples) {
            samples.push(sample(op, calls).as_secs_f64() / f64::from(calls));
        }
    }
    samples.into_iter().map(Spread::of).collect()
}

fn calls_per_sample(op: &mut Op<'_>) -> u32 {
    let mut calls = 1;
    while calls < CALLS_MAX && sample(op, calls) < SAMPLE {
        calls *= 2;
    }
    calls
}

fn sample(op: &mut Op<'_>, calls: u32) -> Duration {
    let begin = Instant::now();
    for _ in 0..calls {
        (op.run)();
    }
    begin.elapsed()
}

/// The model that is measured.
pub(crate) struct Bench {
    pub(crate) path: PathBuf,
    pub(crate) file: ModelFile,
    /// Keeps the fixture's file.
    _folder: Option<TempDir>,
}

impl Bench {
    /// The model the environment names; else the default one if the cache has it; else the seeded
    /// tiny one.
    pub(crate) async fn model() -> Self {
        let named = std::env::var(MODEL_VARIABLE).ok().filter(|name| !name.is_empty());
        let cached = || Cache::user().is_ok_and(|cache| cache.model(pull::DEFAULT).exists());
        let name = named.or_else(|| cached().then(|| pull::DEFAULT.to_owned()));
        let (path, folder) = match name.as_deref() {
            None | Some("fixture") => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let path = folder.path().join("fixture.gguf");
                fixture::write_llama(&path, 1).expect("the fixture can be written");
                (path, Some(folder))
            }
            Some(name) => {
                let path = pull::ensure_model(name, for_people(false)).await;
                (path.unwrap_or_else(|error| panic!("{MODEL_VARIABLE}: {error}")), None)
            }
        };
        let file = ModelFile::open(&path).unwrap_or_else(|error| panic!("model: {error}"));
        let config = file.config();
        say(&format!(
            "model: {}, {} blocks, hidden size {}, {} bytes",
            config.name,
            config.block_count,
            config.hidden_size,
            file.file_bytes()
        ));
        if folder.is_some() {
            say(&format!(
                "THIS IS THE TINY FIXTURE: rates say little. `comity pull` fetches the default \
                 model, {MODEL_VARIABLE} names another."
            ));
        }
        Self { path, file, _folder: folder }
    }
}

/// Prints the machine; `false` unless run by `cargo bench`: a test run only compiles benches.
pub(crate) fn begin(bench: &str) -> bool {
    if !std::env::args().any(|argument| argument == "--bench") {
        say(&format!("{bench}: skipped; run it with `cargo bench --bench {bench}`"));
        return false;
    }
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    say(&format!(
        "machine: {}, {cores} logical processors, load {load} before the run",
        name.unwrap_or("unknown processor")
    ));
    true
}

/// Prints a line of the report.
#[expect(clippy::print_stdout, reason = "a bench reports to whoever runs it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
