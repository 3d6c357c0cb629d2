//! What a node does once, before it serves. Not the parts it wires.

use std::{
    io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use comity_protocol::{
    charter::Charter,
    id::PeerKey,
    limits::QUOTA_WINDOW,
    quota::Quotas,
    receipt::StageReceipt,
    session::stage::Serving,
    signed::{Domain, Signed},
    telemetry::{self, Event},
    time::Timestamp,
    wire::Wire as _,
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::{StartError, contacts};
use crate::{
    directory::Directory,
    executor::Executor,
    log::Log,
    model::{ModelSpec, Models},
    net::data::{BindError, DataConfig, DataPlane, Incoming},
    store::Store,
    succession,
    telemetry::Telemetry,
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

/// Begins the file of telemetry, if there is to be one, and says in it who writes.
pub(super) async fn telemetry(
    path: Option<PathBuf>,
    me: PeerKey,
    institution: &str,
    threads: Option<usize>,
) -> Result<Option<Telemetry>, StartError> {
    let Some(path) = path else { return Ok(None) };
    let file = path.clone();
    let created = tokio::task::spawn_blocking(move || Telemetry::create(&file)).await?;
    let told = created.map_err(|source| StartError::Telemetry { path, source })?;
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let number = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    told.tell(Event::Node(telemetry::Node {
        format: telemetry::FORMAT,
        began_us: told.began_us(),
        peer: me.to_string(),
        institution: institution.to_owned(),
        processors: number(processors),
        threads: number(threads.unwrap_or(processors)),
    }));
    Ok(Some(told))
}

/// Opens the data plane and has the directory and telemetry hear of its connections.
pub(super) fn data(
    config: DataConfig,
    directory: &Directory,
    telemetry: &Option<Telemetry>,
    (tasks, cancel): (&TaskTracker, &CancellationToken),
) -> Result<(DataPlane, mpsc::Receiver<Incoming>), BindError> {
    let (data, links) =
        DataPlane::bind(config, directory.admission(), tasks, cancel.child_token())?;
    telemetry.iter().for_each(|telemetry| data.tell(telemetry));
    tasks.spawn(contacts::run(data.contacts(), directory.clone(), cancel.child_token()));
    Ok((data, links))
}

/// Starts the executor over what was loaded, and has telemetry hear of it.
pub(super) fn executor(models: &mut Models, telemetry: &Option<Telemetry>) -> io::Result<Executor> {
    telemetry.iter().for_each(|telemetry| describe(models, telemetry));
    Executor::spawn(std::mem::take(&mut models.loaded), telemetry.clone())
}

/// Tells telemetry of the shards, in the order of their numbers.
fn describe(models: &Models, telemetry: &Telemetry) {
    for Serving { manifest, digest, blocks, .. } in &models.serving {
        let shard = models.loaded.get(digest).and_then(|model| model.shard.as_ref());
        let kv_positions =
            shard.map_or(0, |shard| shard.kv_budget() / shard.kv_bytes_per_position().max(1));
        telemetry.tell(Event::Shard(telemetry::Shard {
            model: digest.to_string(),
            start: blocks.start(),
            end: blocks.end(),
            hidden_bytes: manifest.hidden_bytes() as u64,
            kv_positions,
        }));
    }
}

/// Loads the models off the async threads and checks that the charter allows them.
pub(super) async fn load(
    specs: Vec<ModelSpec>,
    threads: Option<usize>,
    rules: &Charter,
) -> Result<Models, StartError> {
    let models = tokio::task::spawn_blocking(move || Models::load(&specs, threads)).await??;
    let refused = models.serving.iter().find(|serving| !rules.allows_model(&serving.digest));
    match refused {
        Some(serving) => Err(StartError::ModelNotAllowed {
            name: serving.manifest.name.clone(),
            digest: serving.digest,
        }),
        None => Ok(models),
    }
}
