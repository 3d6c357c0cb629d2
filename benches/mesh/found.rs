//! Charter, rosters and configurations of a scenario's members and nodes. Not their running.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use comity_netsim::{relay::planned::Place, world::World};
use comity_node::{clock::Clock, keys, node::KEY_FILE};
use comity_protocol::{
    charter::{Charter, Institution, InstitutionKeys, SignedChain},
    id::Digest,
    roster::{Role, Roster, RosterNode},
    signed::{Domain, NodeKey},
    time::Validity,
    wire::Wire as _,
};

use crate::harness::Bench;

/// How long charter and rosters hold.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Name of the model in the consortium.
pub(crate) const MODEL: &str = "model";
/// File of the charter.
const CHARTER: &str = "charter.signed";
/// KV cache of each node, MiB: far more than a bench's sessions take.
const KV_MIB: u32 = 512;

/// The members of a scenario, founded in a folder.
pub(crate) struct Founded<'a> {
    world: &'a World,
    folder: &'a Path,
    genesis: Digest,
}

/// Keys of a consortium that lives for one run: of a purpose, for a member.
fn key(purpose: u8, member: usize) -> NodeKey {
    let mut seed = [purpose; 32];
    seed[..8].copy_from_slice(&(member as u64).to_le_bytes());
    NodeKey::from_seed(&seed)
}

impl<'a> Founded<'a> {
    /// Writes the charter and each member's roster.
    pub(crate) fn new(world: &'a World, folder: &'a Path) -> Self {
        let now = Clock::start().now();
        let institutions = world.institutions.iter().enumerate().map(|(member, it)| {
            let [root, roster, witness] = [1, 2, 3].map(|purpose| key(purpose, member).public());
            let keys = InstitutionKeys { root, roster, witness };
            let mut nodes = world.nodes.iter().filter(|node| node.institution == member);
            let country = nodes.next().map_or(0, |node| node.site);
            let country = world.sites[country].country;
            Institution::new(it.name.clone(), it.name.clone(), country, keys)
        });
        let validity = Validity { from: now, until: now + LIFE };
        let charter = Charter::genesis("Measured mesh", validity, institutions.collect());
        let roots: Vec<_> = (0..world.institutions.len()).map(|member| key(1, member)).collect();
        let charter = charter.sign_all(&roots).expect("a charter of the scenario's members");
        let genesis = charter.hash();
        let chain = SignedChain { charters: vec![charter], suspensions: Vec::new() };
        fs::write(folder.join(CHARTER), chain.encode()).expect("the folder is writable");
        let founded = Self { world, folder, genesis };
        (0..world.institutions.len()).for_each(|member| founded.list(member));
        founded
    }

    fn data(&self, node: usize) -> PathBuf {
        self.folder.join(format!("node-{node}"))
    }

    fn roster(&self, member: usize) -> PathBuf {
        self.folder.join(format!("roster-{member}.signed"))
    }

    /// Signs a member's roster of all its nodes.
    fn list(&self, member: usize) {
        let now = Clock::start().now();
        let nodes = self.world.nodes.iter().enumerate();
        let nodes = nodes.filter(|(_, node)| node.institution == member).map(|(index, node)| {
            let key = self.data(index).join(KEY_FILE);
            RosterNode {
                peer: keys::load_or_create(&key).expect("the folder is writable").public(),
                jurisdiction: self.world.sites[node.site].country,
                roles: BTreeSet::from([Role::Home, Role::Stage]),
                control_addresses: Vec::new(),
            }
        });
        let roster = Roster {
            institution: self.world.institutions[member].name.clone(),
            sequence: 1,
            issued_at: now,
            expires_at: now + LIFE,
            nodes: nodes.collect(),
        };
        let signed = key(2, member).sign(Domain::ROSTER, &self.genesis, &roster);
        let signed = signed.expect("a roster can be signed");
        fs::write(self.roster(member), signed.encode()).expect("the folder is writable");
    }

    /// The configuration of a node that calls `peers` first and tells of its timing in `telemetry`.
    pub(crate) fn configure(
        &self,
        bench: &Bench,
        node: usize,
        (place, peers): (Place, &[String]),
        telemetry: &Path,
    ) -> PathBuf {
        let it = &self.world.nodes[node];
        let home = self.world.workloads.iter().any(|workload| workload.home == node);
        let blocks = it.blocks.map_or_else(String::new, |blocks| {
            format!("blocks = [{}, {}]\n", blocks.start(), blocks.end())
        });
        let threads = it.machine.map_or(1, |(_, threads)| threads);
        let text = format!(
            "institution = {institution:?}\ncharter = {CHARTER:?}\nroster = {roster:?}\n\
             data_dir = {data:?}\nkeep_bodies = false\nthreads = {threads}\n\
             telemetry = {telemetry:?}\n\
             [control]\nlisten = [\"/ip4/127.0.0.1/udp/0/quic-v1\"]\npeers = {peers:?}\n\
             [data]\nlisten = \"{listen}\"\nadvertise = [\"{advertise}\"]\n\
             [client]\nlisten = \"127.0.0.1:0\"\n\
             [[models]]\nfile = {model:?}\nname = {MODEL:?}\nhome = {home}\n{blocks}\
             kv_budget_mib = {KV_MIB}\ndraft_tokens = 0\nprefix_cache = false\n",
            institution = self.world.institutions[it.institution].name,
            roster = self.roster(it.institution),
            data = self.data(node),
            listen = place.listen,
            advertise = place.advertise,
            model = fs::canonicalize(&bench.path).expect("the model is there"),
        );
        let config = self.folder.join(format!("node-{node}.toml"));
        fs::write(&config, text).expect("the folder is writable");
        config
    }
}
