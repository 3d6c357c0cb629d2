//! What is checked before a node signs anything: that its log is not an old copy. Not what is signed
//! later.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};

use comity_protocol::log::{checkpoint::Checkpoint, tree::Frontier};
use tokio::time::{Instant, interval, timeout_at};
use tracing::warn;

use super::{CheckpointsError, Institution, Parts, UNPROVEN};

/// How long a node that starts waits for witnesses to say what they have seen.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two questions to a witness that may not be connected yet.
const TICK: Duration = Duration::from_millis(100);

impl Parts {
    /// Checks that the log grew from `signed`, a checkpoint that its key signed and that `who` has.
    pub(super) async fn check(
        &self,
        signed: &Checkpoint,
        who: &str,
    ) -> Result<(), CheckpointsError> {
        let (size, who) = (self.log.tree().0, who.to_owned());
        if signed.size > size {
            return Err(self.behind(size, who, signed.size));
        }
        let (log, size) = (self.log.clone(), signed.size);
        let read = move || Ok(Frontier::open(size, &log.hashes()?).map(|tree| tree.root()));
        let root = tokio::task::spawn_blocking(read).await.map_err(io::Error::from)?;
        match root.and_then(|root| root.map_err(CheckpointsError::Hashes))? == signed.root {
            true => Ok(()),
            false => Err(CheckpointsError::Rewritten { size, who }),
        }
    }

    /// Waits a moment for as many witnesses as the charter asks for to say what they have seen. A
    /// log without records has nothing to be behind with that its first checkpoint would not show.
    pub(super) async fn ask_at_start(&self) -> Result<BTreeMap<String, u64>, CheckpointsError> {
        let (mut said, mut ignored) = (BTreeMap::new(), BTreeSet::new());
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
                    let seen = match timeout_at(deadline, self.seen(peer)).await {
                        Ok(Some(Ok(seen))) => seen,
                        Ok(Some(Err(error))) if ignored.insert(peer) => {
                            warn!(%error, peer = %peer.short(), institution = id, "{UNPROVEN}");
                            continue;
                        }
                        _ => continue,
                    };
                    if let Some(seen) = &seen {
                        self.check(seen, &format!("the witness of {id}")).await?;
                    }
                    said.insert(id.clone(), seen.map_or(0, |seen| seen.size));
                }
            }
        }
        Ok(said)
    }
}
