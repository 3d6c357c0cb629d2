//! A running node: every part wired together, and their orderly end. Not the parts.

mod announcer;
mod contacts;
mod countersigning;
mod expiry;
mod retention;
mod start;
mod watch;
mod witnessing;

use std::{
    collections::{HashMap, HashSet},
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use comity_protocol::{
    block::BlockRange,
    charter::SignedChain,
    id::{Digest, PeerKey, SessionId},
    request::Generate,
    signed::Signed,
};
use tokio::{
    sync::{Semaphore, mpsc, watch as watched},
    task::JoinError,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    checkpoints::{CheckpointsError, Progress},
    clock::Clock,
    directory::Directory,
    gateway::client::{self, Access, Token},
    governance::{Archive, ArchiveError},
    keys::{self, KeyError},
    ledger::AbortError,
    log::{Log, OpenLogError, Record},
    model::{LoadModelError, ModelSpec, NUMERIC_CLASSES},
    net::{
        control::{Control, ControlConfig, ControlError},
        data::{BindError, ClientPlane, DataConfig},
    },
    sessions::{Context, GenerateError, Generation, Planning, Prefixes, SESSIONS_MAX, WAITING_MAX},
    status,
    store::{Store, StoreError},
    witness::OpenWitnessError,
};

/// File of the node's key in its data folder.
pub const KEY_FILE: &str = "node.key";
/// File of the token that admits clients of this machine, in the data folder.
pub const TOKEN_FILE: &str = "client.token";

use countersigning::Books;
pub use watch::WatchedFiles;

use witnessing::Records;

/// Everything a node starts from.
#[derive(Debug)]
pub struct Setup {
    /// Institution the node must belong to; unchecked if `None`.
    pub institution: Option<String>,
    /// Folder of keys, log and index; made if it is not there.
    pub data_dir: PathBuf,
    /// The consortium's charter: every version known.
    pub charter: SignedChain,
    /// Files that are read again whenever they change, if any.
    pub watch: Option<WatchedFiles>,
    /// Signed rosters known at the start, its own institution's among them.
    pub rosters: Vec<Signed>,
    /// Multiaddresses the control plane listens on.
    pub control_listen: Vec<String>,
    /// Control addresses given to others; empty: where it listens.
    pub control_advertise: Vec<String>,
    /// Control addresses called first.
    pub control_peers: Vec<String>,
    /// Where the data plane listens.
    pub data_listen: SocketAddr,
    /// Data addresses given to others; empty: where it listens.
    pub data_advertise: Vec<SocketAddr>,
    /// Where the client port listens.
    pub client_listen: SocketAddr,
    /// Keys of native clients.
    pub client_keys: HashSet<PeerKey>,
    /// Models and what this node does with them.
    pub models: Vec<ModelSpec>,
    /// File of the institution's witness key, if this node witnesses for it.
    pub witness_key: Option<PathBuf>,
    /// How long prompts and answers are kept with their proofs; `None` if no proof is kept.
    pub retention: Option<Duration>,
    /// Threads that compute; `None` for one on every processor.
    pub threads: Option<usize>,
    /// File in which the node tells of its timing, if it does.
    pub telemetry: Option<PathBuf>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The node's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The charter does not hold.
    #[error(transparent)]
    Charter(#[from] ArchiveError),
    /// A roster does not hold.
    #[error("roster: {0}")]
    Roster(String),
    /// No roster given lists this node.
    #[error("no roster lists this node, {0}; sign one that does and name it in the config")]
    NotListed(PeerKey),
    /// The roster that lists this node is another institution's than the one configured.
    #[error("the node belongs to institution {got}, not {expected}")]
    Institution {
        /// As configured.
        expected: String,
        /// As listed.
        got: String,
    },
    /// The log in the data folder.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// The index over the log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The records of requests that were left open.
    #[error(transparent)]
    Abort(#[from] AbortError),
    /// A model.
    #[error(transparent)]
    Model(#[from] LoadModelError),
    /// The charter does not allow a model.
    #[error("the charter's list of models lacks {name} ({digest})")]
    ModelNotAllowed {
        /// Its name.
        name: String,
        /// Its manifest digest.
        digest: Digest,
    },
    /// A port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The control plane.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The node cannot witness.
    #[error(transparent)]
    Witness(#[from] OpenWitnessError),
    /// The log is not what was signed or witnessed.
    #[error(transparent)]
    Checkpoints(#[from] CheckpointsError),
    /// A succession of the log was begun and is not done.
    #[error("a succession of the log in {0} was begun and broke off: run comity log succeed again")]
    Succession(PathBuf),
    /// The file of telemetry.
    #[error("telemetry cannot be written to {path}")]
    Telemetry {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A thread could not be started, or a start-up task failed.
    #[error("a start-up task failed")]
    Task(#[source] io::Error),
}

impl From<JoinError> for StartError {
    fn from(error: JoinError) -> Self {
        Self::Task(error.into())
    }
}

/// A running node. Dropping it cancels everything; [`Node::shutdown`] also waits.
#[derive(Debug)]
pub struct Node {
    context: Arc<Context>,
    control_addresses: Vec<String>,
    client_address: SocketAddr,
    token_file: PathBuf,
    log: Log,
    store: Arc<Store>,
    cancel: CancellationToken,
}

impl Node {
    /// Starts a node: checks governance, loads its blocks, opens its ports, announces itself.
    ///
    /// # Errors
    /// [`StartError`]; whatever had started is stopped.
    pub async fn spawn(setup: Setup) -> Result<Self, StartError> {
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let guard = cancel.clone().drop_guard();
        let node = Self::start(setup, cancel, tasks).await?;
        guard.disarm();
        Ok(node)
    }

    async fn start(
        setup: Setup,
        cancel: CancellationToken,
        tasks: TaskTracker,
    ) -> Result<Self, StartError> {
        let (log, store) = start::open(&setup.data_dir).await?;
        let key = keys::load_or_create(&setup.data_dir.join(KEY_FILE))?;
        let (archive, chain, known) = Archive::open(&setup.data_dir, &setup.charter)?;
        let (charter, rules) = (chain.genesis(), chain.current().clone());
        let token_file = setup.data_dir.join(TOKEN_FILE);
        let token = Some(Token::new(&keys::load_or_create(&token_file)?.seed()));
        let (me, clock) = (key.public(), Clock::start());

        let directory = Directory::spawn((archive, chain), me, clock, &tasks, cancel.child_token());
        let institution = start::enlist(&directory, me, &setup.rosters, setup.institution).await?;
        let telemetry = start::telemetry(setup.telemetry, me, &institution, setup.threads).await?;
        let quotas = start::had_lately(log.clone(), clock.now()).await?;
        start::suspend(&directory, known).await;
        let mut models = start::load(setup.models, setup.threads, &rules).await?;
        let executor = start::executor(&mut models, &telemetry).map_err(StartError::Task)?;

        let at = |listen| DataConfig { listen, key: key.clone() };
        let life = (&tasks, &cancel);
        let (data, links) = start::data(at(setup.data_listen), &directory, &telemetry, life)?;
        let (clients, streams) =
            ClientPlane::bind(&at(setup.client_listen), &tasks, cancel.child_token())?;
        let shared = (log.clone(), directory.clone(), clock);
        let records = Records::new(&setup.data_dir, institution.clone(), &key, shared, life);
        let (countersign, asked) = mpsc::channel(countersigning::WAITING_MAX);
        let control_config = ControlConfig {
            listen: setup.control_listen,
            advertise: setup.control_advertise,
            peers: setup.control_peers,
            key: key.clone(),
            witness: records.witness(setup.witness_key)?,
            countersign,
        };
        let control =
            Control::spawn(control_config, directory.clone(), &tasks, cancel.child_token()).await?;
        let checkpoints = records.checkpoints(&control).await?;
        let (ledger, bodies) = records.ledger(&store, setup.retention).await?;
        let books = Books { ledger: ledger.clone(), store: store.clone() };
        tasks.spawn(books.clone().give(asked, cancel.child_token()));
        tasks.spawn(books.ask(control.clone(), cancel.child_token()));

        let context = Arc::new(Context {
            me,
            institution,
            charter,
            clock,
            directory,
            data: data.clone(),
            executor,
            ledger,
            bodies,
            checkpoints,
            serving: models.serving,
            homes: models.homes,
            planning: Planning::default(),
            prefixes: Prefixes::new().map_err(|error| StartError::Task(error.into()))?,
            cancel: cancel.child_token(),
            tasks: tasks.clone(),
            slots: Arc::new(Semaphore::new(SESSIONS_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            returns: Mutex::new(HashMap::new()),
            stages: Mutex::new(HashSet::new()),
            quotas: Mutex::new(quotas),
            telemetry,
        });
        let access = Arc::new(Access { keys: setup.client_keys, token });
        tasks.spawn(context.clone().serve(links));
        tasks.spawn(client::serve(context.clone(), access, streams));
        let (control_addresses, client_address) = (control.addresses(), clients.local_address());
        attend(&context, control, setup.data_advertise, setup.watch, &cancel);
        info!(peer = %me.short(), client = %client_address, "node started");
        Ok(Self { context, control_addresses, client_address, token_file, log, store, cancel })
    }

    /// Who this node is.
    #[must_use]
    pub fn peer(&self) -> PeerKey {
        self.context.me
    }

    /// Genesis hash of its consortium.
    #[must_use]
    pub fn genesis(&self) -> Digest {
        self.context.charter
    }

    /// The records this node signed about `session`, in order, as far as they are durable.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn records(&self, session: SessionId) -> Result<Vec<Record>, StoreError> {
        let store = self.store.clone();
        let read = move || store.catch_up().and_then(|_| store.session(&session));
        tokio::task::spawn_blocking(read).await.map_err(io::Error::from)?
    }

    /// How far the checkpoints of its log are; ends when the node stops.
    #[must_use]
    pub fn checkpoints(&self) -> watched::Receiver<Progress> {
        self.context.checkpoints.clone()
    }

    /// Where its control plane listens, peer id included, as others are to call it.
    #[must_use]
    pub fn control_addresses(&self) -> Vec<String> {
        self.control_addresses.clone()
    }

    /// Where its data plane listens.
    #[must_use]
    pub fn data_address(&self) -> SocketAddr {
        self.context.data.local_address()
    }

    /// Where clients call it.
    #[must_use]
    pub const fn client_address(&self) -> SocketAddr {
        self.client_address
    }

    /// The file with the token that admits clients of this machine.
    #[must_use]
    pub fn token_file(&self) -> &std::path::Path {
        &self.token_file
    }

    /// What sessions share; for what the node offers besides the planes.
    #[must_use]
    pub const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Takes a prompt without the client plane.
    ///
    /// # Errors
    /// [`GenerateError`].
    pub async fn generate(&self, generate: Generate) -> Result<Generation, GenerateError> {
        self.context.generate(generate, None).await
    }

    /// The mesh as this node sees it.
    pub async fn status(&self) -> serde_json::Value {
        status::status(&self.context).await
    }

    /// Waits until announcements cover every block of the model `name` this node is home for. For
    /// ever if it is home for none of that name.
    pub async fn ready(&self, name: &str) {
        let mut changes = self.context.directory.changes();
        loop {
            changes.mark_unchanged();
            let mut homes = self.context.homes.iter();
            if let Some((digest, model)) = homes.find(|(_, model)| model.name == name)
                && self.covers(*digest, model.manifest.block_count).await
            {
                return;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this node admits all of `peers` and knows where their data planes are.
    pub async fn met(&self, peers: &[PeerKey]) {
        let directory = &self.context.directory;
        let mut changes = directory.changes();
        loop {
            changes.mark_unchanged();
            let members = directory.members().await;
            let mut known = 0;
            for peer in peers {
                let admitted = members.iter().any(|(member, _)| member == peer);
                let placed = !directory.data_addresses(*peer).await.is_empty();
                known += usize::from(admitted && placed);
            }
            if known == peers.len() {
                return;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn covers(&self, model: Digest, block_count: u32) -> bool {
        for class in NUMERIC_CLASSES {
            let candidates = self.context.directory.candidates(model, class).await;
            let all = (0..block_count).all(|block| {
                let holds = |range: BlockRange| range.iter().contains(&block);
                candidates.iter().any(|candidate| holds(candidate.blocks))
            });
            if all {
                return true;
            }
        }
        false
    }

    /// Stops: running sessions end with a cause, records reach the disk, ports close.
    pub async fn shutdown(self) {
        self.cancel.cancel();
        let Self { context, log, store, .. } = self;
        let telemetry = context.telemetry.clone();
        context.tasks.close();
        context.tasks.wait().await;
        match Arc::try_unwrap(context) {
            Ok(context) => context.executor.join().await,
            // Someone outside kept the context; the thread ends with it.
            Err(_) => warn!("the node's context outlives it"),
        }
        if let Some(telemetry) = telemetry {
            telemetry.close().await;
        }
        let closed = tokio::task::spawn_blocking(move || {
            store.catch_up()?;
            Arc::into_inner(store).map_or(Ok(()), Store::close)
        });
        if let Ok(Err(error)) = closed.await {
            warn!(%error, "the index is rebuilt at the next start");
        }
        log.close().await;
    }
}

/// Starts what the node does now and then, until it stops.
fn attend(
    context: &Arc<Context>,
    control: Control,
    advertise: Vec<SocketAddr>,
    watch: Option<WatchedFiles>,
    cancel: &CancellationToken,
) {
    let addresses = match advertise {
        advertise if advertise.is_empty() => vec![context.data.local_address()],
        advertise => advertise,
    };
    let tasks = &context.tasks;
    tasks.spawn(announcer::run(context.clone(), control, addresses, cancel.child_token()));
    tasks.spawn(expiry::run(context.clone(), cancel.child_token()));
    if let Some(files) = watch {
        tasks.spawn(watch::run(files, context.directory.clone(), cancel.child_token()));
    }
}
