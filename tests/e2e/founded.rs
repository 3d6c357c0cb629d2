//! A consortium of a test's own making, for what the demonstration's charter and rosters never say.

use std::{collections::HashSet, net::SocketAddr, path::PathBuf, time::Duration};

use comity_node::{
    keys,
    model::ModelSpec,
    node::{KEY_FILE, Setup},
};
use comity_protocol::{
    block::BlockRange,
    charter::{Charter, Institution, InstitutionKeys, SignedChain, SignedCharter},
    roster::{Role, Roster, RosterNode},
    signed::{Domain, NodeKey, Signed},
    time::{Timestamp, Validity},
};
use comity_shard::{Device, fixture};

use crate::swarm::MODEL;

/// How long charter and rosters hold.
const LIFE: Duration = Duration::from_secs(3_600);

/// Institutions with one node each, none of them running.
pub(crate) struct Founded {
    folder: tempfile::TempDir,
    pub(crate) charter: SignedCharter,
    members: u8,
    from: Timestamp,
}

fn key(purpose: u8, member: u8) -> NodeKey {
    let mut seed = [purpose; 32];
    seed[0] = member;
    NodeKey::from_seed(&seed)
}

fn name(member: u8) -> String {
    format!("member-{member}")
}

impl Founded {
    /// As many institutions, under a charter that `change` has the last word on. It and the rosters
    /// hold for an hour from `from` on.
    pub(crate) fn new(members: u8, from: Timestamp, change: impl FnOnce(&mut Charter)) -> Self {
        let institution = |member| {
            let keys = InstitutionKeys {
                root: key(1, member).public(),
                roster: key(2, member).public(),
                witness: key(3, member).public(),
            };
            Institution::new(name(member), "A member", "NL".parse().unwrap(), keys)
        };
        let institutions = (0..members).map(institution).collect();
        let validity = Validity { from, until: from + LIFE };
        let mut charter = Charter::genesis("Founded", validity, institutions);
        change(&mut charter);
        let roots: Vec<_> = (0..members).map(|member| key(1, member)).collect();
        let charter = charter.sign_all(&roots).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fixture::write_llama(&folder.path().join("model.gguf"), 1).unwrap();
        Self { folder, charter, members, from }
    }

    /// Data folder of the member's node.
    pub(crate) fn folder(&self, member: u8) -> PathBuf {
        self.folder.path().join(name(member))
    }

    /// Key of the member's node.
    pub(crate) fn node_key(&self, member: u8) -> NodeKey {
        keys::load_or_create(&self.folder(member).join(KEY_FILE)).unwrap()
    }

    fn roster(&self, member: u8) -> Signed {
        let node = RosterNode {
            peer: self.node_key(member).public(),
            jurisdiction: "NL".parse().unwrap(),
            roles: [Role::Home, Role::Stage].into(),
            control_addresses: Vec::new(),
        };
        let roster = Roster {
            institution: name(member),
            sequence: 1,
            issued_at: self.from,
            expires_at: self.from + LIFE,
            nodes: vec![node],
        };
        key(2, member).sign(Domain::ROSTER, &self.charter.hash(), &roster).unwrap()
    }

    /// The member's node, which holds its part of the model's blocks and calls `peers` first.
    pub(crate) fn setup(&self, member: u8, peers: Vec<String>) -> Setup {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let cut = |member: u8| u32::from(member) * fixture::BLOCKS / u32::from(self.members);
        Setup {
            institution: Some(name(member)),
            data_dir: self.folder(member),
            charter: SignedChain { charters: vec![self.charter.clone()], suspensions: Vec::new() },
            watch: None,
            rosters: vec![self.roster(member)],
            control_listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".to_owned()],
            control_advertise: Vec::new(),
            control_peers: peers,
            data_listen: any,
            data_advertise: Vec::new(),
            client_listen: any,
            client_keys: HashSet::new(),
            models: vec![ModelSpec {
                file: self.folder.path().join("model.gguf"),
                name: MODEL.to_owned(),
                blocks: Some(BlockRange::new(cut(member), cut(member + 1)).unwrap()),
                device: Device::Cpu,
                home: true,
                kv_budget: 64 << 20,
                draft_tokens: 0,
                draft_file: None,
                prefix_cache: true,
            }],
            witness_key: None,
            retention: None,
            threads: None,
            telemetry: None,
        }
    }
}
