//! A throw-away consortium on this machine: real nodes, sockets, keys and signatures in one process.
//! Not a simulation.

use std::{
    collections::{BTreeSet, HashSet},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use comity_protocol::{
    block::{BlockRange, BlockRangeError},
    charter::{Charter, CharterError, Institution, InstitutionKeys, SignedChain, SignedCharter},
    id::{Digest, PeerKey},
    policy::{Country, Policy},
    roster::{Role, Roster, RosterNode},
    signed::{Domain, NodeKey, Signed, SignedError},
    time::Validity,
};
use comity_shard::Device;
use tokio::time::timeout;

use crate::{
    clock::Clock,
    keys::{self, KeyError},
    model::ModelSpec,
    node::{KEY_FILE, Node, Setup, StartError},
};

/// Most nodes of a demonstration: they share one machine.
pub const NODES_MAX: u32 = 16;
/// How long the throw-away charter and rosters hold.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How long the nodes may take to find each other on one machine.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// File of an institution's witness key in its node's folder.
const WITNESS_KEY_FILE: &str = "witness.key";
/// KV cache of each node: enough for the default model's whole context, twice.
const KV_BUDGET: u64 = 1 << 30;
/// Invented members: id, legal name, country.
const MEMBERS: [(&str, &str, &str); 5] = [
    ("uni-north", "Northern University", "NL"),
    ("clinic-east", "Eastern University Hospital", "DE"),
    ("agency-south", "Southern Statistics Agency", "FR"),
    ("college-west", "Western College", "IE"),
    ("institute-centre", "Central Research Institute", "AT"),
];

/// What to run.
#[derive(Debug, Clone)]
pub struct DemoSpec {
    /// Folder for the nodes' folders; its owner removes it.
    pub folder: PathBuf,
    /// GGUF file.
    pub model: PathBuf,
    /// Name by which requests refer to it.
    pub name: String,
    /// Decoder blocks of the model.
    pub block_count: u32,
    /// Nodes, each of an institution of its own; the first is also home.
    pub nodes: u32,
    /// Named policies of the charter.
    pub policies: Vec<Policy>,
    /// Most guesses sent with one token; 0 for none.
    pub draft_tokens: u32,
    /// GGUF file of home's draft model, if any.
    pub draft_file: Option<PathBuf>,
    /// Whether KV cache of ended sessions is kept for later ones.
    pub prefix_cache: bool,
    /// Where the nodes' data planes are, in their order; a node without an entry listens on any port
    /// of loopback and says so to the others.
    pub data: Vec<DataPlace>,
}

/// Where one node's data plane is, if others are to reach it by another address than its own.
#[derive(Debug, Clone)]
pub struct DataPlace {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it says it is; empty stands for where it listens.
    pub advertise: Vec<SocketAddr>,
}

/// Nodes that have found each other.
#[derive(Debug)]
pub struct Demo {
    /// The nodes; the first is home.
    pub nodes: Vec<Node>,
    /// Genesis hash of the throw-away charter.
    pub genesis: Digest,
}

/// Why the demonstration did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// Too few or too many nodes.
    #[error("--nodes: {nodes} nodes cannot split {block_count} blocks; give 1 to {max}")]
    Nodes {
        /// Nodes asked for.
        nodes: u32,
        /// Blocks of the model.
        block_count: u32,
        /// Most nodes possible.
        max: u32,
    },
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The charter could not be made.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// A roster could not be signed.
    #[error(transparent)]
    Sign(#[from] SignedError),
    /// A block range is none.
    #[error(transparent)]
    Range(#[from] BlockRangeError),
    /// A node did not start.
    #[error("node {index} did not start")]
    Start {
        /// Counted from 0.
        index: u32,
        /// Why.
        source: Box<StartError>,
    },
    /// The nodes did not find each other.
    #[error("the nodes did not find each other within {} s", READY_TIMEOUT.as_secs())]
    NotReady,
}

/// One invented member's keys.
struct Member {
    institution: Institution,
    root: NodeKey,
    roster: NodeKey,
    folder: PathBuf,
    node: PeerKey,
}

impl Demo {
    /// Starts the nodes and waits until home knows a route.
    ///
    /// # Errors
    /// [`DemoError`]; nodes already started are stopped.
    pub async fn start(spec: &DemoSpec) -> Result<Self, DemoError> {
        let max = NODES_MAX.min(spec.block_count);
        if spec.nodes == 0 || spec.nodes > max {
            let (nodes, block_count) = (spec.nodes, spec.block_count);
            return Err(DemoError::Nodes { nodes, block_count, max });
        }
        let members: Vec<Member> =
            (0..spec.nodes).map(|index| member(&spec.folder, index)).collect::<Result<_, _>>()?;
        let charter = charter(&members, spec.policies.clone())?;
        let genesis = charter.hash();
        let rosters: Vec<Signed> =
            members.iter().map(|member| roster(member, &genesis)).collect::<Result<_, _>>()?;
        let mut demo = Self { nodes: Vec::new(), genesis };
        for (index, member) in (0u32..).zip(&members) {
            let roster = rosters[index as usize].clone();
            match demo.add(spec, index, member, &charter, roster).await {
                Ok(node) => demo.nodes.push(node),
                Err(error) => {
                    demo.shutdown().await;
                    return Err(error);
                }
            }
        }
        if timeout(READY_TIMEOUT, demo.ready(&spec.name)).await.is_err() {
            demo.shutdown().await;
            return Err(DemoError::NotReady);
        }
        Ok(demo)
    }

    /// Waits until all nodes admit each other and home knows a route.
    async fn ready(&self, model: &str) {
        let peers: Vec<_> = self.nodes.iter().map(Node::peer).collect();
        for node in &self.nodes {
            node.met(&peers).await;
        }
        self.nodes[0].ready(model).await;
    }

    /// Stops every node.
    pub async fn shutdown(self) {
        for node in self.nodes {
            node.shutdown().await;
        }
    }

    async fn add(
        &self,
        spec: &DemoSpec,
        index: u32,
        member: &Member,
        charter: &SignedCharter,
        roster: Signed,
    ) -> Result<Node, DemoError> {
        let cut = |index: u32| index * spec.block_count / spec.nodes;
        let blocks = BlockRange::new(cut(index), cut(index + 1))?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let place = spec.data.get(index as usize).cloned();
        let place = place.unwrap_or(DataPlace { listen: any, advertise: Vec::new() });
        let setup = Setup {
            institution: Some(member.institution.id.clone()),
            data_dir: member.folder.clone(),
            charter: SignedChain { charters: vec![charter.clone()], suspensions: Vec::new() },
            watch: None,
            rosters: vec![roster],
            control_listen: vec![crate::net::control::loopback()],
            control_advertise: Vec::new(),
            control_peers: self.nodes.iter().flat_map(Node::control_addresses).collect(),
            data_listen: place.listen,
            data_advertise: place.advertise,
            client_listen: any,
            client_keys: HashSet::new(),
            models: vec![ModelSpec {
                file: spec.model.clone(),
                name: spec.name.clone(),
                blocks: Some(blocks),
                device: Device::Cpu,
                home: index == 0,
                kv_budget: KV_BUDGET,
                draft_tokens: spec.draft_tokens,
                draft_file: spec.draft_file.clone(),
                prefix_cache: spec.prefix_cache,
            }],
            witness_key: Some(member.folder.join(WITNESS_KEY_FILE)),
            retention: Some(LIFE),
            threads: None,
            telemetry: None,
        };
        Node::spawn(setup)
            .await
            .map_err(|source| DemoError::Start { index, source: Box::new(source) })
    }
}

fn member(folder: &Path, index: u32) -> Result<Member, DemoError> {
    let folder = folder.join(format!("node-{index}"));
    let place = index as usize;
    let (id, legal_name, country) = match MEMBERS.get(place) {
        Some((id, name, country)) => ((*id).to_owned(), (*name).to_owned(), *country),
        None => (format!("member-{index:02}"), format!("Member {index}"), "LU"),
    };
    let country: Country = country.parse().expect("the table above holds country codes");
    let root = keys::load_or_create(&folder.join("root.key"))?;
    let roster = keys::load_or_create(&folder.join("roster.key"))?;
    let node = keys::load_or_create(&folder.join(KEY_FILE))?.public();
    let witness = keys::load_or_create(&folder.join(WITNESS_KEY_FILE))?;
    let keys =
        InstitutionKeys { root: root.public(), roster: roster.public(), witness: witness.public() };
    let institution = Institution::new(id, legal_name, country, keys);
    Ok(Member { institution, root, roster, folder, node })
}

fn charter(members: &[Member], policies: Vec<Policy>) -> Result<SignedCharter, CharterError> {
    let now = Clock::start().now();
    let institutions = members.iter().map(|member| member.institution.clone()).collect();
    let validity = Validity { from: now, until: now + LIFE };
    let charter = Charter {
        policies,
        // As many as there can be in the smallest consortium that has witnesses at all.
        witnesses: u32::from(members.len() > 1),
        ..Charter::genesis("Demonstration consortium", validity, institutions)
    };
    let roots: Vec<_> = members.iter().map(|member| member.root.clone()).collect();
    charter.sign_all(&roots)
}

fn roster(member: &Member, charter: &Digest) -> Result<Signed, SignedError> {
    let now = Clock::start().now();
    let node = RosterNode {
        peer: member.node,
        jurisdiction: member.institution.country,
        roles: BTreeSet::from([Role::Home, Role::Stage, Role::Witness]),
        control_addresses: Vec::new(),
    };
    let roster = Roster {
        institution: member.institution.id.clone(),
        sequence: now.as_ms(),
        issued_at: now,
        expires_at: now + LIFE,
        nodes: vec![node],
    };
    member.roster.sign(Domain::ROSTER, charter, &roster)
}
