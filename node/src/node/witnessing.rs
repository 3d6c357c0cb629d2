//! Starts what holds a node to its records: its witness, its checkpoints, its ledger. In this order,
//! so that nothing is signed before the log is known to be no old copy. Not those parts.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use comity_protocol::signed::NodeKey;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use super::{StartError, retention};
use crate::{
    bodies::Bodies,
    checkpoints::{Parts, Progress},
    clock::Clock,
    directory::Directory,
    keys,
    ledger::Ledger,
    log::Log,
    net::control::Control,
    store::Store,
    witness::{OpenWitnessError, Witness, WitnessSetup},
};

/// What these parts share.
pub(super) struct Records {
    data_dir: PathBuf,
    institution: String,
    key: NodeKey,
    log: Log,
    directory: Directory,
    clock: Clock,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Records {
    pub(super) fn new(
        data_dir: &Path,
        institution: String,
        key: &NodeKey,
        (log, directory, clock): (Log, Directory, Clock),
        (tasks, cancel): (&TaskTracker, &CancellationToken),
    ) -> Self {
        let (data_dir, key) = (data_dir.to_owned(), key.clone());
        let (tasks, cancel) = (tasks.clone(), cancel.clone());
        Self { data_dir, institution, key, log, directory, clock, tasks, cancel }
    }

    /// The witness of the institution with the key in the file given, if one is.
    pub(super) fn witness(
        &self,
        key_file: Option<PathBuf>,
    ) -> Result<Option<Witness>, OpenWitnessError> {
        let Some(key_file) = key_file else { return Ok(None) };
        let key = keys::load(&key_file)?;
        let (chain, got) = (self.directory.chain(), key.public());
        let institution = self.institution.to_owned();
        // Who is no member any more witnesses for nobody.
        let Some(member) = chain.current().institution(&institution) else { return Ok(None) };
        let expected = member.witness_key;
        if expected != got {
            return Err(OpenWitnessError::Charter { institution, expected, got });
        }
        let setup = WitnessSetup {
            data_dir: self.data_dir.to_owned(),
            genesis: self.directory.genesis(),
            institution,
            key,
        };
        let (directory, cancel) = (self.directory.clone(), self.cancel.child_token());
        Ok(Some(Witness::spawn(setup, directory, self.clock, &self.tasks, cancel)?))
    }

    /// The checkpoints of the log, once it is known to be no old copy as far as can be told.
    pub(super) async fn checkpoints(
        &self,
        control: &Control,
    ) -> Result<watch::Receiver<Progress>, StartError> {
        let parts = Parts {
            folder: self.data_dir.to_owned(),
            genesis: self.directory.genesis(),
            institution: self.institution.to_owned(),
            signer: self.key.clone(),
            log: self.log.clone(),
            directory: self.directory.clone(),
            control: control.clone(),
            clock: self.clock,
        };
        Ok(parts.spawn(&self.tasks, self.cancel.child_token()).await?)
    }

    /// The ledger, which has given up what was left open, and where proofs are kept, if they are.
    pub(super) async fn ledger(
        &self,
        store: &Arc<Store>,
        retention: Option<Duration>,
    ) -> Result<(Ledger, Option<Bodies>), StartError> {
        let genesis = self.directory.genesis();
        let kept = retention.unwrap_or_default();
        let ledger = Ledger::new(self.key.clone(), genesis, self.log.clone(), self.clock, kept);
        let aborted = ledger.abort_left_open(store).await?;
        info!(aborted, "requests that the last run left open");
        let bodies = Bodies::new(&self.data_dir);
        // Also of what was kept before nothing was to be kept any more.
        self.tasks.spawn(retention::run(bodies.clone(), self.clock, self.cancel.child_token()));
        Ok((ledger, retention.map(|_| bodies)))
    }
}
