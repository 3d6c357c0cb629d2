//! `comity up`: runs a node until it is told to stop. Not the node itself (`crate::node`).

use std::path::PathBuf;

use comity_protocol::{signed::Signed, wire::Wire as _};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    FileError, Outcome,
    charter::{CharterCommandError, CharterFile},
    note, print_json, read,
};
use crate::{
    config::{Config, ConfigError},
    model::ModelSpec,
    node::{Node, Setup, StartError, WatchedFiles},
};

/// What `comity up` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comity up --config comity.toml\n  comity up --example > comity.toml"
)]
pub struct Args {
    /// The node's configuration.
    #[arg(long, default_value = "comity.toml")]
    config: PathBuf,
    /// Tell of the node's timing in this file, whatever the configuration says.
    #[arg(long, value_name = "FILE")]
    telemetry: Option<PathBuf>,
    /// Print a configuration that explains every key, and leave.
    #[arg(long)]
    example: bool,
    /// Print one JSON object once the node answers, and nothing else.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// As a program runs a node: by this configuration, with `--json`.
    #[must_use]
    pub const fn of(config: PathBuf) -> Self {
        Self { config, telemetry: None, example: false, json: true }
    }
}

/// Why the node did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The charter's file.
    #[error(transparent)]
    Charter(#[from] CharterCommandError),
    /// The roster's file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The roster's file holds no signed roster.
    #[error("{path} holds no signed roster")]
    Roster {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: comity_protocol::wire::DecodeError,
    },
    /// The node did not start.
    #[error("the node did not start")]
    Start(#[source] Box<StartError>),
    /// No signal could be waited for.
    #[error("the system lets the node wait for no signal")]
    Signal(#[source] std::io::Error),
}

/// Runs a node until SIGINT or SIGTERM, then ends its sessions with a cause.
///
/// # Errors
/// [`UpError`].
pub async fn run(args: Args) -> Result<Outcome, UpError> {
    if args.example {
        super::print(Config::example());
        return Ok(Outcome::Done);
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(UpError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(UpError::Signal)?;
    let mut config = Config::load(&args.config)?;
    config.telemetry = args.telemetry.clone().or(config.telemetry);
    let node = tokio::select! {
        node = Node::spawn(setup(config)?) => node.map_err(|error| UpError::Start(error.into()))?,
        _ = terminate.recv() => return Ok(Outcome::Incomplete),
        _ = interrupt.recv() => return Ok(Outcome::Incomplete),
    };
    report(&args, &node);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    if !args.json {
        note("stopping ...");
    }
    node.shutdown().await;
    Ok(Outcome::Done)
}

/// Reads the files a configuration names.
fn setup(config: Config) -> Result<Setup, UpError> {
    let charter = CharterFile::open(&config.charter)?;
    charter.complete()?;
    let watch = WatchedFiles { charter: config.charter.clone(), roster: config.roster.clone() };
    let bytes = read(&config.roster, Signed::BYTES_MAX)?;
    let roster = Signed::decode(&bytes)
        .map_err(|source| UpError::Roster { path: config.roster.clone(), source })?;
    let model = |model: crate::config::ModelSection| ModelSpec {
        kv_budget: model.kv_budget(),
        file: model.file,
        name: model.name,
        blocks: model.blocks,
        device: model.device,
        home: model.home,
        draft_tokens: model.draft_tokens,
        draft_file: model.draft_file,
        prefix_cache: model.prefix_cache,
    };
    let retention = config.retention();
    Ok(Setup {
        institution: Some(config.institution),
        data_dir: config.data_dir,
        charter: charter.signed(),
        watch: Some(watch),
        rosters: vec![roster],
        control_listen: config.control.listen,
        control_advertise: config.control.advertise,
        control_peers: config.control.peers,
        data_listen: config.data.listen,
        data_advertise: config.data.advertise,
        client_listen: config.client.listen,
        client_keys: config.client.keys,
        models: config.models.into_iter().map(model).collect(),
        witness_key: config.witness_key,
        retention,
        threads: config.threads.map(|threads| threads as usize),
        telemetry: config.telemetry,
    })
}

fn report(args: &Args, node: &Node) {
    let (peer, client) = (node.peer(), node.client_address());
    let (control, data, token) =
        (node.control_addresses(), node.data_address(), node.token_file().display());
    if args.json {
        print_json(&json!({
            "peer": peer.to_string(),
            "control": control,
            "data": data.to_string(),
            "client": client.to_string(),
            "token_file": token.to_string(),
            "genesis": node.genesis().to_string(),
        }));
        return;
    }
    note(&format!("node {peer} of consortium {}", node.genesis()));
    for address in control {
        note(&format!("  control {address}"));
    }
    note(&format!("  data    {data}\n  client  {client}"));
    note(&format!("ask it: comity generate --node {client} --token {token} \"...\""));
}
