//! One direction of a link, from what is written to what the model takes. Not the file around it.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    link::{MILLION, Path},
    relay::way::HELD_BYTES_MAX,
};

/// Longest delay, jitter or queue, milliseconds: more is no link.
const MS_MAX: f64 = 10_000.0;
/// Rates, Mbit/s: below, a packet takes seconds; above, the relay is the bottleneck.
pub(in crate::relay) const RATE_MBIT: (f64, f64) = (0.01, 10_000.0);
/// Queue of a direction that has a rate and says nothing of its queue, milliseconds.
pub(in crate::relay) const QUEUE_MS: f64 = 50.0;
/// Most bytes in a queue: half of what a direction may hold in all.
pub(in crate::relay) const QUEUE_BYTES_MAX: u64 = HELD_BYTES_MAX / 2;

/// `[link.forward]` and `[link.back]`: one direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "DirectionKeys")]
pub struct Direction {
    /// Delay, rate, queue, jitter and loss.
    pub path: Path,
    /// Whether jitter may change the order.
    pub reorder: bool,
}

impl Default for Direction {
    /// A direction that adds nothing.
    fn default() -> Self {
        let zero = Duration::ZERO;
        let (delay, jitter, retransmission) = (zero, zero, zero);
        let (bandwidth, queue, loss) = (u64::MAX, QUEUE_BYTES_MAX, 0);
        let path = Path { delay, bandwidth, queue, jitter, loss, retransmission };
        Self { path, reorder: false }
    }
}

/// A direction as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DirectionKeys {
    delay_ms: f64,
    rate_mbit: Option<f64>,
    queue_bytes: Option<u64>,
    queue_ms: Option<f64>,
    loss: f64,
    jitter_ms: f64,
    reorder: bool,
}

/// What is wrong with a direction.
#[derive(Debug, thiserror::Error)]
enum DirectionError {
    #[error("{key} = {value} is not between 0 and {MS_MAX}")]
    Milliseconds { key: &'static str, value: f64 },
    #[error("rate_mbit = {0} is not between {low} and {high}", low = RATE_MBIT.0, high = RATE_MBIT.1)]
    Rate(f64),
    #[error("a queue of {0} bytes is more than {QUEUE_BYTES_MAX}")]
    Queue(u64),
    #[error("queue_bytes and queue_ms say the same thing: keep one")]
    TwoQueues,
    #[error("a queue needs rate_mbit: without a rate nothing waits")]
    QueueWithoutRate,
    #[error("loss = {0} is neither 0 nor between 0.000001 and 1")]
    Loss(f64),
}

impl TryFrom<DirectionKeys> for Direction {
    type Error = DirectionError;

    fn try_from(keys: DirectionKeys) -> Result<Self, DirectionError> {
        let Self { mut path, .. } = Self::default();
        path.delay = milliseconds("delay_ms", keys.delay_ms)?;
        path.jitter = milliseconds("jitter_ms", keys.jitter_ms)?;
        // Refused rather than rounded to a path without loss.
        if !(0.0..=1.0).contains(&keys.loss) || (keys.loss > 0.0 && keys.loss < 1e-6) {
            return Err(DirectionError::Loss(keys.loss));
        }
        path.loss = u32::try_from(whole(keys.loss * f64::from(MILLION))).unwrap_or(MILLION);
        if let Some(rate) = keys.rate_mbit {
            if !(RATE_MBIT.0..=RATE_MBIT.1).contains(&rate) {
                return Err(DirectionError::Rate(rate));
            }
            path.bandwidth = whole(rate * 125_000.0);
        }
        path.queue = match (keys.rate_mbit, keys.queue_bytes, keys.queue_ms) {
            (_, Some(_), Some(_)) => return Err(DirectionError::TwoQueues),
            (None, None, None) => path.queue,
            (None, _, _) => return Err(DirectionError::QueueWithoutRate),
            (Some(_), Some(bytes), None) => bytes,
            (Some(rate), None, ms) => {
                let queue = milliseconds("queue_ms", ms.unwrap_or(QUEUE_MS))?;
                whole(rate * 125_000.0 * queue.as_secs_f64())
            }
        };
        if path.queue > QUEUE_BYTES_MAX {
            return Err(DirectionError::Queue(path.queue));
        }
        Ok(Self { path, reorder: keys.reorder })
    }
}

fn milliseconds(key: &'static str, value: f64) -> Result<Duration, DirectionError> {
    if !(0.0..=MS_MAX).contains(&value) {
        return Err(DirectionError::Milliseconds { key, value });
    }
    Ok(Duration::from_secs_f64(value / 1_000.0))
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers bound it from both sides"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
