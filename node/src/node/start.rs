//! What a node does once, before it serves. Not the parts it wires.

use std::{io, path::Path, sync::Arc};

use comity_protocol::{
    charter::Charter,
    id::PeerKey,
    limits::QUOTA_WINDOW,
    quota::Quotas,
    receipt::StageReceipt,
    signed::{Domain, Signed},
    time::Timestamp,
    wire::Wire as _,
};
use tracing::{debug, warn};

use super::StartError;
use crate::{
    directory::Directory,
    log::Log,
    model::{ModelSpec, Models},
    store::Store,
    succession,
};

/// Opens the log in the data folder, and the index over it. This takes the folder's lock: nothing in
/// it is touched before.
pub(super) async fn open(data_dir: &Path) -> Result<(Log, Arc<Store>), StartError> {
    let (log, _recovered) = Log::open(data_dir)?;
    if succession::is_begun(data_dir) {
        return Err(StartError::Succession(data_dir.to_owned()));
    }
    let (folder, source) = (data_dir.to_owned(), log.clone());
    let store = tokio::task::spawn_blocking(move || Store::open(&folder, source)).await??;
    Ok((log, Arc::new(store)))
}

/// What institutions have had of this node within the last day, as its log has it.
pub(super) async fn had_lately(log: Log, now: Timestamp) -> Result<Quotas, StartError> {
    let read = move || -> io::Result<Quotas> {
        let mut quotas = Quotas::default();
        for record in log.records(0)? {
            let Ok(signed) = Signed::decode(&record?.bytes) else { continue };
            if signed.domain != Domain::STAGE_RECEIPT.as_str() {
                continue;
            }
            let Ok(receipt) = StageReceipt::decode(&signed.payload) else { continue };
            if receipt.signed_at + QUOTA_WINDOW > now {
                let work = u128::from(receipt.parameters) * u128::from(receipt.computed);
                let StageReceipt { home_institution, session, signed_at, .. } = receipt;
                quotas.record(signed_at, &home_institution, session, work);
            }
        }
        Ok(quotas)
    };
    tokio::task::spawn_blocking(read).await?.map_err(StartError::Task)
}

/// Takes in the rosters known at the start and checks that this node is on one of them; whose it is.
/// What is over by then leaves the node its own institution's machines.
pub(super) async fn enlist(
    directory: &Directory,
    me: PeerKey,
    rosters: &[Signed],
    institution: Option<String>,
) -> Result<String, StartError> {
    for roster in rosters {
        let inserted = directory.enlist(roster.clone()).await;
        inserted.map_err(|error| StartError::Roster(error.to_string()))?;
    }
    let member = directory.member(me).await.ok_or(StartError::NotListed(me))?;
    if let Some(expected) = institution.filter(|it| *it != member.institution) {
        return Err(StartError::Institution { expected, got: member.institution });
    }
    if let Err(error) = directory.check().await {
        warn!(%error, "started for its own institution alone");
    }
    Ok(member.institution)
}

/// Takes in the suspensions known at the start, as far as they count still.
pub(super) async fn suspend(directory: &Directory, suspensions: Vec<Signed>) {
    for signed in suspensions {
        if let Err(error) = directory.insert_suspension(signed).await {
            debug!(%error, "a suspension that was known is not taken");
        }
    }
}

/// Loads the models off the async threads and checks that the charter allows them.
pub(super) async fn load(specs: Vec<ModelSpec>, rules: &Charter) -> Result<Models, StartError> {
    let models = tokio::task::spawn_blocking(move || Models::load(&specs)).await??;
    let refused = models.serving.iter().find(|serving| !rules.allows_model(&serving.digest));
    match refused {
        Some(serving) => Err(StartError::ModelNotAllowed {
            name: serving.manifest.name.clone(),
            digest: serving.digest,
        }),
        None => Ok(models),
    }
}
