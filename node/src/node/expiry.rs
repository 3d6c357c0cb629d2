//! Has what was kept of ended sessions dropped in time. Not how long it may be kept.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::sessions::Context;

/// Between two looks: a tenth of the time that is allowed.
const INTERVAL: Duration = Duration::from_secs(60);

/// Looks now and then until cancelled.
pub(super) async fn run(context: Arc<Context>, cancel: CancellationToken) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        context.executor.expire(context.clock.now()).await;
    }
}
