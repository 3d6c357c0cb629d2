//! The node's configuration file: TOML in, checked values out. Not what is done with them.
//!
//! Every key stands, with its default, in [`Config::example`].

use std::{
    collections::HashSet,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use comity_protocol::{
    block::BlockRange,
    id::PeerKey,
    limits::{ADDRESSES_MAX, NAME_BYTES_MAX, RETENTION_DEFAULT, RETENTION_MAX},
    speculation::DRAFTS_MAX,
};
use comity_shard::Device;
use serde::{Deserialize, Deserializer, de::Error as _};

/// Port of the control plane, UDP and TCP.
pub const CONTROL_PORT: u16 = 4700;
/// Port of the data plane, UDP.
pub const DATA_PORT: u16 = 4701;
/// Port of the client plane, UDP.
pub const CLIENT_PORT: u16 = 4702;
/// Memory for a model's KV cache if nothing is said, MiB: 10,000 positions of a small model.
const KV_BUDGET_MIB: u32 = 512;

/// Most threads that compute: more than any machine's processors.
const THREADS_MAX: u32 = 1_024;
/// Seconds of a day.
const DAY: u64 = 24 * 3_600;

/// What a node is told. Paths are absolute or relative to the working directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Id of the institution the node belongs to.
    pub institution: String,
    /// File of the consortium's signed charter.
    pub charter: PathBuf,
    /// File of the signed roster of the node's institution.
    pub roster: PathBuf,
    /// Folder of key, log and index.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// File of the institution's witness key, if this node witnesses for it.
    #[serde(default)]
    pub witness_key: Option<PathBuf>,
    /// Whether home keeps the proof of each session.
    #[serde(default = "default_keep_bodies")]
    pub keep_bodies: bool,
    /// Days after which prompts and answers are erased from kept proofs; at least 1.
    #[serde(default = "default_retention_days")]
    pub retention_days: u64,
    /// Threads that compute; one for every processor if nothing is said.
    #[serde(default)]
    pub threads: Option<u32>,
    /// File in which the node tells planners of its timing.
    #[serde(default)]
    pub telemetry: Option<PathBuf>,
    /// The control plane.
    #[serde(default)]
    pub control: ControlSection,
    /// The data plane.
    #[serde(default)]
    pub data: DataSection,
    /// The client plane.
    #[serde(default)]
    pub client: ClientSection,
    /// Models and what this node does with them.
    #[serde(default)]
    pub models: Vec<ModelSection>,
}

/// `[control]`: governance and announcements, between nodes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlSection {
    /// Multiaddresses to listen on; at least one.
    pub listen: Vec<String>,
    /// Multiaddresses under which others reach the node; empty: where it listens.
    pub advertise: Vec<String>,
    /// Multiaddresses of nodes to call first.
    pub peers: Vec<String>,
}

impl Default for ControlSection {
    fn default() -> Self {
        let listen = vec![
            format!("/ip4/127.0.0.1/udp/{CONTROL_PORT}/quic-v1"),
            format!("/ip4/127.0.0.1/tcp/{CONTROL_PORT}"),
        ];
        Self { listen, advertise: Vec::new(), peers: Vec::new() }
    }
}

/// `[data]`: hidden states, between nodes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Addresses under which others reach the node; empty: where it listens.
    pub advertise: Vec<SocketAddr>,
}

impl Default for DataSection {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, DATA_PORT).into(), advertise: Vec::new() }
    }
}

/// `[client]`: requests of native clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSection {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Addresses under which clients reach the node; empty: where it listens.
    pub advertise: Vec<SocketAddr>,
    /// Keys of clients that may send prompts.
    #[serde(deserialize_with = "peer_keys")]
    pub keys: HashSet<PeerKey>,
}

impl Default for ClientSection {
    fn default() -> Self {
        let listen = (Ipv4Addr::LOCALHOST, CLIENT_PORT).into();
        Self { listen, advertise: Vec::new(), keys: HashSet::new() }
    }
}

/// `[[models]]`: one model file and what the node does with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSection {
    /// Weights in GGUF.
    pub file: PathBuf,
    /// Name by which requests refer to it.
    pub name: String,
    /// Blocks run as a stage, if any.
    #[serde(default, deserialize_with = "block_range")]
    pub blocks: Option<BlockRange>,
    /// Where those blocks run, and the draft model's.
    #[serde(default, deserialize_with = "device")]
    pub device: Device,
    /// Whether the node takes prompts for it.
    #[serde(default = "default_home")]
    pub home: bool,
    /// Memory for its KV cache, MiB; at least 1.
    #[serde(default = "default_kv_budget_mib")]
    pub kv_budget_mib: u32,
    /// As home: most guesses sent with one token; 0 for none.
    #[serde(default = "default_draft_tokens")]
    pub draft_tokens: u32,
    /// As home: GGUF of a small model of the same vocabulary that guesses too.
    #[serde(default)]
    pub draft_file: Option<PathBuf>,
    /// Whether KV cache of ended sessions is kept for later ones.
    #[serde(default = "default_prefix_cache")]
    pub prefix_cache: bool,
}

impl Config {
    /// How long prompts and answers are kept; `None` if proofs are not kept at all.
    #[must_use]
    pub fn retention(&self) -> Option<Duration> {
        self.keep_bodies.then(|| Duration::from_secs(self.retention_days * DAY))
    }
}

impl ModelSection {
    /// Memory for its KV cache, bytes.
    #[must_use]
    pub fn kv_budget(&self) -> u64 {
        u64::from(self.kv_budget_mib) << 20
    }
}

/// Why there is no configuration. The message begins with the file and, where there is one, the line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read config file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no TOML, or has an unknown key or a value of the wrong kind.
    #[error("{path}:{line}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong, the key named.
        message: String,
    },
    /// A value is not acceptable.
    #[error("{path}: {key}: {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, with its section.
        key: String,
        /// What is wrong with its value.
        problem: &'static str,
    },
}

impl Config {
    /// A commented file with every key and its default.
    #[must_use]
    pub const fn example() -> &'static str {
        include_str!("config/example.toml")
    }

    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        Self::parse(&text, path)
    }

    /// Checks `text`, which was read from `path`: errors name it, relative paths start at its folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            ConfigError::Parse { path: path.into(), line, message: error.message().to_owned() }
        })?;
        config.check().map_err(|(key, problem)| ConfigError::Value {
            path: path.into(),
            key,
            problem,
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let files = config
            .models
            .iter_mut()
            .flat_map(|model| [Some(&mut model.file), model.draft_file.as_mut()])
            .flatten();
        let files = files.chain(config.witness_key.as_mut()).chain(config.telemetry.as_mut());
        for file in files.chain([&mut config.charter, &mut config.roster, &mut config.data_dir]) {
            *file = folder.join(&file);
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), (String, &'static str)> {
        let check = |holds: bool, key: &str, problem| {
            if holds { Ok(()) } else { Err((key.to_owned(), problem)) }
        };
        let name = |name: &str| (1..=NAME_BYTES_MAX).contains(&name.len());
        check(name(&self.institution), "institution", "must have 1 to 64 bytes")?;
        check(!self.control.listen.is_empty(), "control.listen", "must not be empty")?;
        let days = (1..=RETENTION_MAX.as_secs() / DAY).contains(&self.retention_days);
        check(days, "retention_days", "must be 1 to 3653")?;
        let threads = self.threads.is_none_or(|threads| (1..=THREADS_MAX).contains(&threads));
        check(threads, "threads", "must be 1 to 1024")?;
        let reachable = !self.data.listen.ip().is_unspecified() || !self.data.advertise.is_empty();
        check(reachable, "data.advertise", "is needed if data.listen is every address")?;
        for (key, count) in [
            ("control.advertise", self.control.advertise.len()),
            ("data.advertise", self.data.advertise.len()),
            ("client.advertise", self.client.advertise.len()),
        ] {
            check(count <= ADDRESSES_MAX, key, "must have at most 8 entries")?;
        }
        let mut names = HashSet::new();
        for (index, model) in self.models.iter().enumerate() {
            let key = |key: &str| format!("models[{index}].{key}");
            check(name(&model.name), &key("name"), "must have 1 to 64 bytes")?;
            check(names.insert(&model.name), &key("name"), "is another model's already")?;
            let used = model.home || model.blocks.is_some();
            check(used, &key("blocks"), "are needed if home is false")?;
            check(model.kv_budget_mib > 0, &key("kv_budget_mib"), "must be at least 1")?;
            check(model.draft_tokens <= DRAFTS_MAX, &key("draft_tokens"), "must be at most 15")?;
            let drafts = model.home && model.draft_tokens > 0;
            check(drafts || model.draft_file.is_none(), &key("draft_file"), "is of no use here")?;
        }
        Ok(())
    }
}

fn default_data_dir() -> PathBuf {
    "comity-data".into()
}

const fn default_keep_bodies() -> bool {
    true
}

const fn default_retention_days() -> u64 {
    RETENTION_DEFAULT.as_secs() / DAY
}

const fn default_home() -> bool {
    true
}

const fn default_kv_budget_mib() -> u32 {
    KV_BUDGET_MIB
}

const fn default_prefix_cache() -> bool {
    true
}

const fn default_draft_tokens() -> u32 {
    DRAFTS_MAX
}

fn peer_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashSet<PeerKey>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let key = |text: &String| {
        PeerKey::from_str(text).map_err(|error| D::Error::custom(format!("key {text:?}: {error}")))
    };
    texts.iter().map(key).collect()
}

fn block_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BlockRange>, D::Error> {
    let [start, end] = <[u32; 2]>::deserialize(deserializer)?;
    BlockRange::new(start, end).map(Some).map_err(D::Error::custom)
}

fn device<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Device, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests;
