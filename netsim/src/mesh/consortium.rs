//! The consortium every simulation runs in: keys, members, manifest. Not its faults.

use std::collections::BTreeSet;

use comity_protocol::{
    commitment::Salt,
    directory::Member,
    id::{Digest, PeerKey},
    manifest::Manifest,
    policy::Policy,
    prefix::PrefixKey,
    roster::Role,
    signed::NodeKey,
};

use crate::model::{HIDDEN, VOCAB};

pub(super) const CHARTER: Digest = Digest([9; 32]);
pub(super) const CLASS: &str = "toy";
/// Most nodes: home and four stages.
const NODES: u8 = 5;
/// Blocks of the toy model.
pub(super) const BLOCKS: u32 = 8;

/// Node 0 is home, node `i + 1` stage `i`.
pub(super) fn key(node: usize) -> NodeKey {
    NodeKey::from_seed(&[u8::try_from(node).unwrap_or(u8::MAX); 32])
}

/// Institution of a node.
pub(super) fn institution(node: usize) -> String {
    format!("inst-{node}")
}

pub(super) fn member(peer: &PeerKey) -> Option<Member> {
    let node = (0..NODES).find(|node| key(usize::from(*node)).public() == *peer)?;
    let country = "DE".parse().ok()?;
    Some(Member {
        institution: institution(node.into()),
        jurisdiction: country,
        parent_country: country,
        data_class_max: None,
        purposes: BTreeSet::new(),
        roles: BTreeSet::from([Role::Home, Role::Stage]),
    })
}

pub(super) fn manifest() -> Manifest {
    Manifest {
        name: "toy".into(),
        architecture: "toy".into(),
        block_count: BLOCKS,
        hidden_size: u32::try_from(HIDDEN).unwrap_or(0),
        vocab_size: VOCAB,
        context_length: 1_024,
        embed: Digest([1; 32]),
        blocks: vec![Digest([2; 32]); BLOCKS as usize],
        head: Digest([3; 32]),
        tokenizer: Digest([4; 32]),
        chat_template: Digest([5; 32]),
        config: Digest([6; 32]),
        active_parameters: vec![100; BLOCKS as usize],
    }
}

/// Home's names for pages of prompts.
pub(super) fn prefix_key() -> PrefixKey {
    PrefixKey::new(&Salt::new([9; 32]), &manifest().digest(), &Policy::open(Policy::OPEN))
}
