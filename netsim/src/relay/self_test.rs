//! What the relay does to packets, measured through real sockets and held to the scenario. Not a
//! test of the model, which needs no clock.

mod measure;

use std::{fmt::Write as _, io, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};

use self::measure::{Load, Measurement, idle, measure};
use super::{RelayError, StartError, scenario::Direction};
use crate::link::{MILLION, Path};

/// Greatest difference of a median delay, milliseconds: what a bench needs to tell links apart.
const DELAY_MS: f64 = 0.3;
/// Greatest difference of a rate, as a share of it.
const RATE_SHARE: f64 = 0.02;
/// Greatest difference of a count of losses, standard deviations: chance exceeds it once in 15,000.
const LOSS_SIGMAS: f64 = 4.0;
/// Greatest share of a core that a relay may take while nothing happens.
const IDLE_SHARE: f64 = 0.005;
/// Payload of QUIC's longest packets as quinn sends them, bytes.
const QUIC_BYTES: usize = 1_452;
/// Payload of the shortest that QUIC may be sure of, bytes.
const QUIC_LEAST_BYTES: usize = 1_200;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfTestError {
    /// A relay did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A relay stopped.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The ends of the link have no sockets.
    #[error("the ends of the measured link cannot use their sockets")]
    Ends(#[from] io::Error),
    /// Nothing came through a link that loses nothing.
    #[error("no packet came through the link that is measured")]
    Silence,
}

/// One quantity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What was measured.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// What the link was told.
    pub configured: f64,
    /// What it did.
    pub measured: f64,
    /// Greatest difference between the two.
    pub tolerance: f64,
    /// Whether they differ by no more.
    pub passed: bool,
    /// Share of one core that the relay's thread took while packets came.
    pub cpu_share: f64,
    /// 99th percentile of the delay beyond the median, milliseconds; `None` where the link adds some.
    pub jitter_p99_ms: Option<f64>,
}

/// All quantities.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// In the order they were measured.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether every check passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// One object for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "passed": self.passed(), "checks": self.checks })
    }

    /// A table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<34}{:>12}{:>12}{:>12}{:>10}{:>10}\n",
            "", "configured", "measured", "allowed +-", "p99 +ms", "CPU %"
        );
        for check in &self.checks {
            let name = format!("{} ({})", check.name, check.unit);
            let p99 = check.jitter_p99_ms.map_or_else(String::new, |ms| format!("{ms:.3}"));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{name:<34}{:>12.3}{:>12.3}{:>12.3}{p99:>10}{:>10.2}  {}",
                check.configured,
                check.measured,
                check.tolerance,
                check.cpu_share * 100.0,
                if check.passed { "ok" } else { "OUTSIDE" },
            );
        }
        text
    }
}

/// Measures everything, one link after another: about 25 s.
///
/// # Errors
/// [`SelfTestError`].
pub fn run() -> Result<Report, SelfTestError> {
    let checks = vec![
        delay("delay, forward", 0, false)?,
        delay("delay, forward", 5, false)?,
        delay("delay, back", 40, true)?,
        rate("rate, forward", 20, false, QUIC_LEAST_BYTES)?,
        rate("rate, back", 100, true, QUIC_BYTES)?,
        rate("rate, forward", 200, false, QUIC_LEAST_BYTES)?,
        rate("rate, back", 200, true, QUIC_BYTES)?,
        queue(50, 30)?,
        loss(1_000)?,
        loss(50_000)?,
        check("idle, share of a core", "%", (0.0, idle()? * 100.0, IDLE_SHARE * 100.0), None),
    ];
    Ok(Report { checks })
}

/// Packets at the pace of decoding, far apart.
fn delay(name: &str, ms: u64, is_back: bool) -> Result<Check, SelfTestError> {
    let direction = direction(|path| path.delay = Duration::from_millis(ms));
    let load = Load { packets: 400, payload: QUIC_LEAST_BYTES, burst: 1, pause: PAUSE * 4 };
    let measured = measure(direction, is_back, load)?;
    let delay = measured.delay_ms(0.5)?;
    let mut check = check(name, "ms", (whole(ms), delay, DELAY_MS), Some(&measured));
    check.jitter_p99_ms = Some(measured.delay_ms(0.99)? - delay);
    Ok(check)
}

/// A quarter more than the link carries, for two seconds.
fn rate(name: &str, mbit: u64, is_back: bool, payload: usize) -> Result<Check, SelfTestError> {
    let direction = direction(|path| {
        path.bandwidth = mbit * 125_000;
        path.queue = path.bandwidth / 50;
    });
    let measured = measure(direction, is_back, Load::of_rate(mbit * 5 / 4, payload, 2))?;
    let values = (whole(mbit), measured.mbit()?, whole(mbit) * RATE_SHARE);
    Ok(check(name, "Mbit/s", values, Some(&measured)))
}

/// More than the link carries: what gets through has waited for a full queue, less the packet for
/// which there was no room, less half of what leaves from one burst to the next.
fn queue(mbit: u64, ms: u64) -> Result<Check, SelfTestError> {
    let direction = direction(|path| {
        path.bandwidth = mbit * 125_000;
        path.queue = path.bandwidth * ms / 1_000;
    });
    let measured = measure(direction, false, Load::of_rate(mbit * 3 / 2, QUIC_BYTES, 2))?;
    let delay = measured.delay_ms(0.5)?;
    let packet_ms = whole(QUIC_BYTES as u64 * 8) / (whole(mbit) * 1_000.0);
    let burst_ms = PAUSE.as_secs_f64() * 1_000.0 / 2.0;
    let values = (whole(ms), delay, DELAY_MS + packet_ms + burst_ms);
    Ok(check("delay of a full queue, 50 Mbit/s", "ms", values, Some(&measured)))
}

/// Many packets over a link that only loses.
fn loss(ppm: u32) -> Result<Check, SelfTestError> {
    let load = Load { packets: 20_000, payload: QUIC_LEAST_BYTES, burst: 10, pause: PAUSE };
    let measured = measure(direction(|path| path.loss = ppm), false, load)?;
    let (sent, share) = (whole(load.packets), f64::from(ppm) / f64::from(MILLION));
    let sigma = (share * (1.0 - share) / sent).sqrt();
    let lost = 1.0 - whole(measured.received()) / sent;
    let values = (share * 100.0, lost * 100.0, LOSS_SIGMAS * sigma * 100.0);
    Ok(check("loss, forward", "%", values, Some(&measured)))
}

/// Pause between bursts: the least that a sleeping sender keeps well.
const PAUSE: Duration = Duration::from_millis(1);

fn direction(change: impl FnOnce(&mut Path)) -> Direction {
    let mut direction = Direction::default();
    change(&mut direction.path);
    direction
}

fn check(
    name: &str,
    unit: &'static str,
    (configured, measured, tolerance): (f64, f64, f64),
    measurement: Option<&Measurement>,
) -> Check {
    Check {
        name: name.to_owned(),
        unit,
        configured,
        measured,
        tolerance,
        passed: (measured - configured).abs() <= tolerance,
        cpu_share: measurement.map_or(measured / 100.0, Measurement::cpu_share),
        jitter_p99_ms: None,
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts of a self-test stay below 2^53")]
const fn whole(count: u64) -> f64 {
    count as f64
}
