//! Takes in the charter and the roster again whenever an operator replaces their files. Not how they
//! spread from there.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use comity_protocol::{charter::SignedChain, limits::CHAIN_BYTES_MAX, signed::Signed, wire::Wire};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{directory::Directory, files};

/// How often the files are looked at: what is revoked loses its connections within five seconds.
const INTERVAL: Duration = Duration::from_secs(1);

/// Files that an operator replaces while the node runs.
#[derive(Debug, Clone)]
pub struct WatchedFiles {
    /// Every version of the charter.
    pub charter: PathBuf,
    /// The roster of the node's institution.
    pub roster: PathBuf,
}

/// Looks at the files until cancelled.
pub(super) async fn run(files: WatchedFiles, directory: Directory, cancel: CancellationToken) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut charter, mut roster) = (seen(&files.charter), seen(&files.roster));
    while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        if changed(&files.charter, &mut charter) {
            take_charter(&files.charter, &directory).await;
        }
        if changed(&files.roster, &mut roster) {
            take_roster(&files.roster, &directory).await;
        }
    }
}

/// When the file was last written, and its length: what a replaced file differs in.
fn seen(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn changed(path: &Path, last: &mut Option<(SystemTime, u64)>) -> bool {
    let now = seen(path);
    now.is_some() && std::mem::replace(last, now) != now
}

async fn take_charter(path: &Path, directory: &Directory) {
    let Some(chain) = load::<SignedChain>(path, CHAIN_BYTES_MAX) else { return };
    match directory.insert_charters(chain.charters).await {
        Ok(change) => info!(path = %path.display(), ?change, "charter read again"),
        Err(error) => warn!(path = %path.display(), %error, "charter not taken"),
    }
    for signed in chain.suspensions {
        if let Err(error) = directory.insert_suspension(signed).await {
            warn!(path = %path.display(), %error, "suspension not taken");
        }
    }
}

async fn take_roster(path: &Path, directory: &Directory) {
    let Some(signed) = load::<Signed>(path, Signed::BYTES_MAX) else { return };
    match directory.insert_roster(signed).await {
        Ok(change) => info!(path = %path.display(), ?change, "roster read again"),
        Err(error) => warn!(path = %path.display(), %error, "roster not taken"),
    }
}

fn load<T: Wire>(path: &Path, max: usize) -> Option<T> {
    let bytes = match files::read(path, max) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => {
            warn!(path = %path.display(), %error, "cannot be read");
            return None;
        }
    };
    T::decode(&bytes).inspect_err(|error| warn!(path = %path.display(), %error, "ignored")).ok()
}
