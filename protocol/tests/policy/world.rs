//! Random consortia: what is true of them, and a directory that was told that and much else.

use std::{collections::BTreeSet, sync::LazyLock, time::Duration};

use comity_protocol::{
    charter::{Chain, Charter, Institution, InstitutionKeys, Revocation, Revoked},
    directory::Directory,
    id::Digest,
    manifest::Manifest,
    roster::Role,
    signed::NodeKey,
    time::{Timestamp, Validity},
};

use crate::{
    random::{COUNTRIES, Random},
    told::{self, Roster},
};

/// When statements reach the directory.
pub(crate) const TOLD: Timestamp = Timestamp::from_ms(1_800_000_000_000);
/// When routes are asked for: some statements are over by then.
pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_800_000_300_000);
/// Numeric class that is asked for.
pub(crate) const CLASS: &str = "cpu-1";
/// Most institutions, and most nodes, of one consortium.
const INSTITUTIONS: usize = 8;
const NODES: usize = 10;

/// Keys cost time to make.
static KEYS: LazyLock<Vec<NodeKey>> =
    LazyLock::new(|| (0..=255).map(|seed| NodeKey::from_seed(&[seed; 32])).collect());

/// Signs rosters of institution `owner`.
pub(crate) fn roster_key(owner: usize) -> &'static NodeKey {
    &KEYS[owner]
}

/// The key of node `node`.
pub(crate) fn node_key(node: usize) -> &'static NodeKey {
    &KEYS[100 + node]
}

/// A key that nobody knows.
pub(crate) fn stranger() -> &'static NodeKey {
    &KEYS[255]
}

/// What is true of an institution.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) id: String,
    pub(crate) parent: &'static str,
    pub(crate) institution: Institution,
}

/// Blocks that a node serves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) roomy: bool,
}

/// A node as a roster lists it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) node: usize,
    pub(crate) owner: usize,
    pub(crate) jurisdiction: &'static str,
    pub(crate) roles: BTreeSet<Role>,
}

/// A consortium.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) owners: Vec<Owner>,
    pub(crate) charter: Charter,
    /// Hash of its genesis.
    pub(crate) hash: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) nodes: usize,
    /// By owner: its roster and when that ends; none if it never said one that counts.
    pub(crate) rosters: Vec<Option<Roster>>,
    /// By node: what it serves at [`NOW`], if whom to believe were not a question.
    pub(crate) held: Vec<Vec<Held>>,
    /// What was told of all that.
    pub(crate) directory: Directory,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let owners: Vec<_> =
            (0..2 + random.below(INSTITUTIONS - 1)).map(|it| owner(it, &mut random)).collect();
        let institutions = owners.iter().map(|owner| owner.institution.clone()).collect();
        let day = Duration::from_secs(86_400);
        let validity = Validity { from: TOLD, until: TOLD + day };
        let names = ["p0", "p1", "p2"];
        let policies = names[..random.below(4)].iter().map(|name| random.policy(name)).collect();
        let (nodes, manifest) = (3 + random.below(NODES - 2), manifest(1 + random.small(6)));
        let revoked = (0..nodes).filter(|_| random.one_in(20)).collect::<Vec<_>>();
        let revocations = revoked.into_iter().map(|node| {
            let at = random.pick(&[TOLD, NOW, NOW + day]);
            (Revoked::Peer(node_key(node).public()), Revocation { at, reason: "stolen".into() })
        });
        let revocations = revocations.collect();
        let genesis = Charter::genesis("Random", validity, institutions);
        let charter = Charter { policies, revocations, ..genesis };
        let signed = charter.sign_all(&KEYS[20..20 + owners.len()]).unwrap();
        let hash = signed.hash();
        let chain = Chain::verify(&[signed], Some(&hash)).unwrap();
        let directory = Directory::new(chain, stranger().public());
        let (rosters, held) = (vec![None; owners.len()], vec![Vec::new(); nodes]);
        let mut world =
            Self { seed, owners, charter, hash, manifest, nodes, rosters, held, directory };
        told::rosters(&mut world, &mut random);
        told::announcements(&mut world, &mut random);
        world.directory.expire(NOW);
        world
    }

    /// Who `node` is at `time`: what the one roster that lists it says, unless it is revoked.
    pub(crate) fn member(&self, node: usize, time: Timestamp) -> Option<&Listed> {
        let revoked = Revoked::Peer(node_key(node).public());
        if self.charter.revocations.get(&revoked).is_some_and(|it| it.at <= time) {
            return None;
        }
        let live = self.rosters.iter().flatten().filter(|roster| roster.until > time);
        let mut entries = live.flat_map(|it| &it.nodes).filter(|listed| listed.node == node);
        let entry = entries.next()?;
        entries.next().is_none().then_some(entry)
    }

    /// What `node` serves at [`NOW`] as a stage, under one institution all the while.
    pub(crate) fn serves(&self, node: usize) -> &[Held] {
        let owner = |time| self.member(node, time).map(|listed| listed.owner);
        let stage =
            |time| self.member(node, time).is_some_and(|it| it.roles.contains(&Role::Stage));
        let counts = owner(TOLD).is_some() && owner(TOLD) == owner(NOW) && stage(TOLD);
        if counts { &self.held[node] } else { &[] }
    }
}

fn owner(number: usize, random: &mut Random) -> Owner {
    let id = format!("i{number}");
    let country = random.pick(&COUNTRIES);
    let parent = if random.one_in(4) { random.pick(&COUNTRIES) } else { country };
    let keys = InstitutionKeys {
        root: KEYS[20 + number].public(),
        roster: roster_key(number).public(),
        witness: KEYS[40 + number].public(),
    };
    let institution = Institution {
        parent_country: parent.parse().unwrap(),
        data_class_max: random.class(),
        purposes: random.purposes().into_iter().map(String::from).collect(),
        ..Institution::new(&id, "An institution", country.parse().unwrap(), keys)
    };
    Owner { id, parent, institution }
}

fn manifest(block_count: u32) -> Manifest {
    let digest = Digest([7; 32]);
    Manifest {
        name: "toy".into(),
        architecture: "toy".into(),
        block_count,
        hidden_size: 4,
        vocab_size: 16,
        context_length: 1_024,
        embed: digest,
        blocks: vec![digest; block_count as usize],
        head: digest,
        tokenizer: digest,
        chat_template: digest,
        config: digest,
        active_parameters: vec![1; block_count as usize],
    }
}
