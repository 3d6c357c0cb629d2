//! Erases prompts and answers that have been kept for long enough. Not how (`crate::bodies`).

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{bodies::Bodies, clock::Clock};

/// Between two looks; the first is at the start.
const INTERVAL: Duration = Duration::from_secs(24 * 3_600);

/// Looks once a day until cancelled.
pub(super) async fn run(bodies: Bodies, clock: Clock, cancel: CancellationToken) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        let (bodies, now) = (bodies.clone(), clock.now());
        match tokio::task::spawn_blocking(move || bodies.sweep(now)).await {
            Ok(Ok(swept)) => info!(erased = swept.erased, held = swept.held, "bodies swept"),
            Ok(Err(error)) => error!(%error, "bodies whose time is over were not erased"),
            Err(error) => error!(%error, "bodies whose time is over were not erased"),
        }
    }
}
