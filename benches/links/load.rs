//! Who used the processors meanwhile: a figure taken while others worked here is none. Not a clock.

use std::{fs, time::Instant};

use crate::harness::say;

/// Processors that others may use during a measurement: the system's own work, and the counters'
/// resolution of a hundredth of a second.
const OTHERS_MAX: f64 = 0.15;
/// How often one measurement is tried.
const TRIES: u32 = 4;

/// Processor time since some moment.
pub(crate) struct Load {
    begun: Instant,
    own: f64,
    all: f64,
}

impl Load {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), own: own(), all: all() }
    }

    /// Processors this process kept busy.
    pub(crate) fn own(&self) -> f64 {
        (own() - self.own) / self.begun.elapsed().as_secs_f64()
    }

    /// Processors that others kept busy, the host's other guests included.
    fn others(&self) -> f64 {
        (all() - self.all) / self.begun.elapsed().as_secs_f64() - self.own()
    }
}

/// Measures until others leave the machine alone meanwhile; says so if they do not.
pub(crate) async fn undisturbed<T>(mut measure: impl AsyncFnMut() -> T) -> T {
    let mut tries = 0;
    loop {
        let load = Load::begin();
        let value = measure().await;
        let others = load.others();
        tries += 1;
        if others <= OTHERS_MAX {
            return value;
        }
        if tries == TRIES {
            say(&format!("  disturbed: others used {others:.2} processors meanwhile"));
            return value;
        }
    }
}

/// Seconds this process used.
fn own() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux says");
    // The name, which may hold anything, ends with the last parenthesis.
    let rest = stat.rsplit(')').next().expect("there is a last part");
    seconds(rest.split_whitespace().skip(11).take(2))
}

/// Seconds all used: user, nice, system, interrupts and what the host gave to other guests.
fn all() -> f64 {
    let stat = fs::read_to_string("/proc/stat").expect("Linux says");
    let line = stat.lines().next().expect("the first line sums up all processors");
    let fields: Vec<&str> = line.split_whitespace().collect();
    seconds([1, 2, 3, 6, 7, 8].into_iter().filter_map(|field| fields.get(field).copied()))
}

/// Linux counts in hundredths of a second.
fn seconds<'a>(ticks: impl Iterator<Item = &'a str>) -> f64 {
    ticks.map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}
