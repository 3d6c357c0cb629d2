//! One request of a consortium of four, three of them involved, from seeded keys: nothing here is
//! random.

use std::time::Duration;

use comity_protocol::{
    block::BlockRange,
    bundle::Bundle,
    charter::{Charter, Institution, InstitutionKeys, SignedCharter},
    commitment::{Chain, Salt},
    id::{Digest, PeerKey, SessionId},
    limits::RETENTION_DEFAULT,
    manifest::Manifest,
    policy::{Country, Policy},
    receipt::{
        Acknowledgement, FinishReason, OpenRecord, Opening, Receipt, StageReceipt, SystemPrompt,
        Work,
    },
    roster::{Role, Roster, RosterNode},
    route::RouteStage,
    sampler::{self, Sampling},
    signed::{Domain, NodeKey, Signed},
    time::{Timestamp, Validity},
    wire::Wire as _,
};

/// When the charter was written; the request follows a day later.
const WRITTEN: Timestamp = Timestamp::from_ms(1_800_000_000_000);
const HIDDEN: usize = 2;

/// What the parties of the story know before anything is signed.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) charter: Charter,
    pub(crate) rosters: Vec<Roster>,
    pub(crate) manifest: Manifest,
    pub(crate) open: OpenRecord,
    pub(crate) stages: Vec<StageReceipt>,
    pub(crate) receipt: Receipt,
    pub(crate) opening: Opening,
}

pub(crate) fn key(purpose: &str, owner: usize) -> NodeKey {
    NodeKey::from_seed(&Digest::of(format!("{purpose} {owner}").as_bytes()).0)
}

/// The node of institution `owner`. Node 0 is home and the first stage.
pub(crate) fn node(owner: usize) -> NodeKey {
    key("node", owner)
}

pub(crate) fn country(code: &str) -> Country {
    code.parse().unwrap()
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    WRITTEN + Duration::from_secs(86_400 + seconds)
}

pub(crate) fn policy() -> Policy {
    Policy {
        allowed_jurisdictions: ["DE", "FR", "NL"].map(country).into(),
        forbidden_jurisdictions: [country("US")].into(),
        allowed_institutions: ["alba", "brava", "costa"].map(String::from).into(),
        pinned_first: 2,
        ..Policy::open("europe")
    }
}

pub(crate) fn manifest() -> Manifest {
    let digest = |name: &str| Digest::of(name.as_bytes());
    Manifest {
        name: "tiny".into(),
        architecture: "llama".into(),
        block_count: 6,
        hidden_size: u32::try_from(HIDDEN).unwrap(),
        vocab_size: 300,
        context_length: 2_048,
        embed: digest("embed"),
        blocks: (0..6).map(|block| digest(&format!("block {block}"))).collect(),
        head: digest("head"),
        tokenizer: digest("tokenizer"),
        chat_template: digest("chat_template"),
        config: digest("config"),
        active_parameters: (1..=6).map(|block| 1_000 * block).collect(),
    }
}

fn charter() -> Charter {
    let members = [("alba", "FR"), ("brava", "DE"), ("costa", "NL"), ("delta", "PT")];
    let institution = |(owner, (id, at)): (usize, (&str, &str))| {
        let keys = InstitutionKeys {
            root: key("root", owner).public(),
            roster: key("roster", owner).public(),
            witness: key("witness", owner).public(),
        };
        Institution {
            contacts: vec![format!("ops@{id}.example")],
            ..Institution::new(id, format!("{id} foundation"), country(at), keys)
        }
    };
    let institutions = members.into_iter().enumerate().map(institution).collect();
    let validity = Validity { from: WRITTEN, until: WRITTEN + Duration::from_secs(400 * 86_400) };
    Charter {
        policies: vec![policy()],
        models: vec![manifest().digest()],
        ..Charter::genesis("Conformance", validity, institutions)
    }
}

pub(crate) fn roster(owner: usize, institution: &Institution) -> Roster {
    let roles: &[Role] = if owner == 0 { &[Role::Home, Role::Stage] } else { &[Role::Stage] };
    Roster {
        institution: institution.id.clone(),
        sequence: 3,
        issued_at: later(0),
        expires_at: later(72 * 3_600),
        nodes: vec![RosterNode {
            peer: node(owner).public(),
            jurisdiction: institution.country,
            roles: roles.iter().copied().collect(),
            control_addresses: vec![format!("/ip4/192.0.2.{owner}/udp/4700/quic-v1")],
        }],
    }
}

/// The head over `positions` rows at a boundary, made up but for being a function of both.
fn head(salt: &Salt, boundary: usize, positions: u32) -> Digest {
    let mut chain = Chain::new(salt.clone());
    for position in 0..positions {
        let row = Digest::of(format!("{boundary} {position}").as_bytes());
        chain.append(position, &row.0[..HIDDEN * 4], HIDDEN * 4);
    }
    chain.head()
}

fn opening() -> Opening {
    Opening {
        salt: Salt::new([0x5A; 32]),
        prompt: vec![1, 200, 17, 4, 299],
        output: vec![42, 7, 130],
        text: "Paris it is".into(),
        sampling: Sampling { temperature: 800_000, seed: 7, max_tokens: 3, ..Sampling::default() },
        system_prompt: "Be brief.".into(),
        client: Some(key("client", 0).public()),
    }
}

fn receipt(manifest: &Manifest, opening: &Opening) -> Receipt {
    let stage = |owner: usize, start: u32| RouteStage {
        peer: node(owner).public(),
        blocks: BlockRange::new(start, start + 2).unwrap(),
    };
    Receipt {
        session: SessionId([0xC0; 16]),
        institution: "alba".into(),
        jurisdiction: country("FR"),
        manifest: manifest.digest(),
        open_record: Digest::ZERO,
        sequence: 9,
        previous: Digest::ZERO,
        opened_at: later(100),
        closed_at: later(104),
        policy: policy(),
        stages: vec![stage(0, 0), stage(1, 2), stage(2, 4)],
        sampler: sampler::NAME.into(),
        commitments: opening.commitments(),
        prompt_tokens: 5,
        output_tokens: 3,
        finish_reason: FinishReason::Length,
        cause: None,
        filters: Vec::new(),
        stage_receipts: Vec::new(),
        client_nonce: b"nonce".to_vec().into(),
        numeric_class: "cpu-1/q4_1/f32/f32".into(),
        unsigned_stages: Vec::new(),
        charter: Digest::ZERO,
        software: "comity/0.1.0".into(),
        system_prompt_by: SystemPrompt::Client,
        template: Some(manifest.chat_template),
        retained_until: later(104) + RETENTION_DEFAULT,
        first_token_ms: 1_500,
        migrations: Vec::new(),
        work: Vec::new(),
    }
}

fn sign_charter(charter: &Charter) -> SignedCharter {
    charter.sign_all(&[0, 1, 2, 3].map(|owner| key("root", owner))).unwrap()
}

impl Story {
    /// A request that went well: 5 tokens in, 3 out, 7 positions through three stages.
    pub(crate) fn new() -> Self {
        let (charter, manifest, opening) = (charter(), manifest(), opening());
        let mut receipt = receipt(&manifest, &opening);
        receipt.charter = sign_charter(&charter).hash();
        let rosters = charter.institutions.iter().enumerate().take(3);
        let rosters = rosters.map(|(owner, member)| roster(owner, member));
        let open = OpenRecord {
            session: receipt.session,
            institution: "alba".into(),
            manifest: receipt.manifest,
            policy: receipt.policy.digest(),
            sequence: 7,
            previous: Digest::of(b"the record before"),
            opened_at: receipt.opened_at,
            charter: receipt.charter,
        };
        let stage = |(index, route): (usize, &RouteStage)| StageReceipt {
            session: receipt.session,
            institution: charter.institutions[index].id.clone(),
            jurisdiction: charter.institutions[index].country,
            stage: u32::try_from(index).unwrap(),
            blocks: route.blocks,
            manifest: receipt.manifest,
            shard: manifest.shard_digest(route.blocks).unwrap(),
            numeric_class: receipt.numeric_class.clone(),
            positions: 7,
            input: head(&opening.salt, index, 7),
            output: head(&opening.salt, index + 1, 7),
            sequence: 8,
            started_at: later(101),
            signed_at: later(103),
            cached: 4,
            home: node(0).public(),
            home_institution: "alba".into(),
            computed: 5,
            previous: Digest::of(b"the stage's record before"),
            parameters: manifest.parameters(route.blocks).unwrap(),
        };
        let stages = receipt.stages.iter().enumerate().map(stage).collect();
        let rosters = rosters.collect();
        Self { charter, rosters, manifest, open, stages, receipt, opening }
    }

    pub(crate) fn signed_charter(&self) -> SignedCharter {
        sign_charter(&self.charter)
    }

    pub(crate) fn genesis(&self) -> Digest {
        self.signed_charter().hash()
    }

    /// Signs `statement` under this story's charter.
    pub(crate) fn sign<T: comity_protocol::wire::Wire>(
        &self,
        by: &NodeKey,
        domain: Domain,
        statement: &T,
    ) -> Signed {
        by.sign(domain, &self.genesis(), statement).unwrap()
    }

    /// A stage's receipt, linked to `open` if it is home's own.
    pub(crate) fn sign_stage(&self, receipt: &StageReceipt, open: &Signed) -> Signed {
        let mut receipt = receipt.clone();
        if receipt.stage == 0 {
            receipt.previous = Digest::of(&open.encode());
        }
        self.sign(&node(receipt.stage as usize), Domain::STAGE_RECEIPT, &receipt)
    }

    /// Home's receipt with the links that follow from `open` and `stages`.
    pub(crate) fn linked(&self, open: &Signed, stages: &[Signed]) -> Receipt {
        let home = stages.iter().rfind(|signed| signed.signer == node(0).public());
        Receipt {
            open_record: open.payload_digest(),
            previous: Digest::of(&home.unwrap_or(open).encode()),
            stage_receipts: stages.iter().map(Signed::payload_digest).collect(),
            work: self.stages.iter().map(Work::of).collect(),
            ..self.receipt.clone()
        }
    }

    /// Everything signed by those whose word it is.
    pub(crate) fn bundle(&self) -> Bundle {
        let open_record = self.sign(&node(0), Domain::OPEN_RECORD, &self.open);
        let stage_receipts: Vec<_> =
            self.stages.iter().map(|s| self.sign_stage(s, &open_record)).collect();
        let linked = self.linked(&open_record, &stage_receipts);
        let receipt = self.sign(&node(0), Domain::RECEIPT, &linked);
        let acknowledgement = self.acknowledge(&receipt);
        let rosters = self
            .rosters
            .iter()
            .enumerate()
            .map(|(owner, roster)| self.sign(&key("roster", owner), Domain::ROSTER, roster));
        Bundle {
            charters: vec![self.signed_charter()],
            rosters: rosters.collect(),
            manifest: self.manifest.encode().into(),
            open_record,
            receipt,
            stage_receipts,
            opening: Some(self.opening.clone()),
            acknowledgement: Some(acknowledgement),
            proof: None,
        }
    }

    pub(crate) fn acknowledge(&self, receipt: &Signed) -> Signed {
        let said = Acknowledgement { receipt: receipt.payload_digest(), received_at: later(105) };
        self.sign(&key("client", 0), Domain::ACKNOWLEDGEMENT, &said)
    }
}

pub(crate) fn stranger() -> PeerKey {
    key("stranger", 0).public()
}
