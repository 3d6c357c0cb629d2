//! What both machines' tests share: a consortium of three, a model of four blocks, an opening.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Open, stage::Serving};
use crate::{
    block::BlockRange,
    commitment::Salt,
    directory::Member,
    id::{Digest, PeerKey, SessionId},
    manifest::Manifest,
    policy::Policy,
    roster::Role,
    route::RouteStage,
    signed::{Domain, NodeKey, Signed},
    tensor::Hidden,
    time::Timestamp,
};

pub(super) const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
pub(super) const CHARTER: Digest = Digest([9; 32]);
pub(super) const CLASS: &str = "test";
/// Elements of a row.
pub(super) const HIDDEN: u32 = 4;

pub(super) fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

/// Node `seed` belongs to institution `inst-<seed>` in country "DE".
pub(super) fn member(peer: &PeerKey) -> Option<Member> {
    let seed = (0..4).find(|seed| key(*seed).public() == *peer)?;
    Some(Member {
        institution: format!("inst-{seed}"),
        jurisdiction: "DE".parse().unwrap(),
        parent_country: if seed == 3 { "US" } else { "DE" }.parse().unwrap(),
        data_class_max: None,
        purposes: BTreeSet::new(),
        roles: BTreeSet::from([Role::Home, Role::Stage]),
    })
}

pub(super) fn manifest() -> Manifest {
    Manifest {
        name: "toy".into(),
        architecture: "toy".into(),
        block_count: 4,
        hidden_size: HIDDEN,
        vocab_size: 16,
        context_length: 64,
        embed: Digest([1; 32]),
        blocks: vec![Digest([2; 32]); 4],
        head: Digest([3; 32]),
        tokenizer: Digest([4; 32]),
        chat_template: Digest([5; 32]),
        config: Digest([6; 32]),
        active_parameters: vec![100; 4],
    }
}

pub(super) fn serving(start: u32, end: u32) -> Serving {
    let manifest = manifest();
    Serving {
        digest: manifest.digest(),
        manifest,
        blocks: BlockRange::new(start, end).unwrap(),
        numeric_class: CLASS.into(),
    }
}

pub(super) fn stage(seed: u8, start: u32, end: u32) -> RouteStage {
    RouteStage { peer: key(seed).public(), blocks: BlockRange::new(start, end).unwrap() }
}

/// An opening by home 0 over stages 1 and 2.
pub(super) fn open() -> Open {
    Open {
        session: SessionId([7; 16]),
        manifest: manifest().digest(),
        stages: vec![stage(1, 0, 2), stage(2, 2, 4)],
        positions_max: 64,
        policy: Policy::open(Policy::OPEN),
        salt: Salt::new([8; 32]),
        deadline: NOW + std::time::Duration::from_secs(60),
        numeric_class: CLASS.into(),
        prefix: Vec::new(),
    }
}

pub(super) fn sign(open: &Open) -> Signed {
    key(0).sign(Domain::OPEN, &CHARTER, open).unwrap()
}

/// `positions` rows of the value `value`.
pub(super) fn rows(positions: u32, value: f32) -> Hidden {
    let row = HIDDEN as usize * size_of::<f32>();
    let bytes: Vec<u8> = (0..positions * HIDDEN).flat_map(|_| value.to_le_bytes()).collect();
    Hidden::new(Bytes::from(bytes), row).unwrap()
}
