//! What is checked before a node signs anything: that its log is not an old copy. Not what is signed
//! later.

use std::{collections::BTreeMap, time::Duration};

use comity_protocol::log::{checkpoint::Checkpoint, tree::Frontier};
use tokio::time::{Instant, interval, timeout_at};
use tracing::warn;

use super::{CheckpointsError, Institution, Parts, SIGNED_FILE};

/// How long a node that starts waits for witnesses to say what they have seen.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two questions to a witness that may not be connected yet.
const TICK: Duration = Duration::from_millis(100);

impl Parts {
    /// Checks that the log grew from what `kept` says.
    pub(super) fn check(&self, kept: &Checkpoint) -> Result<(), CheckpointsError> {
        let (size, _) = self.log.tree();
        if kept.size > size {
            let who = format!("the file {SIGNED_FILE}");
            return Err(CheckpointsError::Behind { size, who, seen: kept.size });
        }
        let tree =
            Frontier::open(kept.size, &self.log.hashes()?).map_err(CheckpointsError::Hashes)?;
        match tree.root() == kept.root {
            true => Ok(()),
            false => Err(CheckpointsError::Rewritten { size: kept.size }),
        }
    }

    /// Waits a moment for as many witnesses as the charter asks for to say what they have seen. A
    /// log without records has nothing to be behind with that its first checkpoint would not show.
    pub(super) async fn ask_at_start(&self) -> Result<BTreeMap<String, u64>, CheckpointsError> {
        let mut said = BTreeMap::new();
        let (size, _) = self.log.tree();
        let wanted = self.directory.chain().current().witnesses as usize;
        let deadline = Instant::now() + PATIENCE;
        let mut ticks = interval(TICK);
        while size > 0 && said.len() < wanted {
            if timeout_at(deadline, ticks.tick()).await.is_err() {
                warn!(said = said.len(), wanted, "not enough witnesses say what they have seen");
                break;
            }
            for Institution { id, peers, .. } in self.witnesses().await {
                for peer in peers {
                    let Ok(Some(seen)) = timeout_at(deadline, self.seen(peer)).await else {
                        continue;
                    };
                    if seen > size {
                        let who = format!("the witness of {id}");
                        return Err(CheckpointsError::Behind { size, who, seen });
                    }
                    said.insert(id.clone(), seen);
                }
            }
        }
        Ok(said)
    }
}
