//! What a proof that home kept adds to its log: where the stages stood, and whether the text is there
//! still. Not the proof's verification (`bundle`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    bundle::Bundle,
    charter::Chain,
    id::{Digest, PeerKey},
    manifest::Manifest,
    policy::Country,
    receipt::Receipt,
    roster::Roster,
    signed::Domain,
    wire::Wire as _,
};

/// What the kept proof of one request adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Digest of the receipt it is the proof of.
    pub(super) receipt: Digest,
    /// Whose the nodes of its rosters are, and where they stand.
    pub(super) nodes: BTreeMap<PeerKey, (String, Country)>,
    /// Name of the model, if the manifest is the receipt's.
    pub(super) model: Option<String>,
    /// Whether prompt and answer are there still.
    pub(super) text: bool,
    /// Whether a legal hold forbids to erase them.
    pub(super) held: bool,
}

/// What became of prompts and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Texts {
    /// Requests whose text is kept with its proof.
    pub kept: u64,
    /// Requests whose text was erased; the records and the proof stay.
    pub erased: u64,
    /// Requests whose text a legal hold keeps from being erased; among the two above.
    pub held: u64,
    /// Ended requests without a kept proof: their text was never stored, or the file is gone.
    pub without_proof: u64,
}

impl Kept {
    /// What `bundle` adds. A roster that its institution did not sign, as some version of `chain` has
    /// its key, says nothing.
    #[must_use]
    pub fn of(bundle: &Bundle, held: bool, chain: &Chain) -> Self {
        let mut nodes = BTreeMap::new();
        for signed in &bundle.rosters {
            let Ok(roster) = signed.open::<Roster>(Domain::ROSTER, &chain.genesis()) else {
                continue;
            };
            if !signs_rosters(chain, &roster.institution, &signed.signer) {
                continue;
            }
            for node in roster.nodes {
                nodes.insert(node.peer, (roster.institution.clone(), node.jurisdiction));
            }
        }
        let manifest = Manifest::decode(&bundle.manifest).ok();
        let receipt = Receipt::decode(&bundle.receipt.payload).ok();
        let fits = |manifest: &Manifest| receipt.is_some_and(|it| it.manifest == manifest.digest());
        Self {
            receipt: bundle.receipt.payload_digest(),
            nodes,
            model: manifest.filter(fits).map(|manifest| manifest.name),
            text: bundle.opening.is_some(),
            held,
        }
    }
}

/// Whether `key` signs, or signed, the rosters of `institution`.
fn signs_rosters(chain: &Chain, institution: &str, key: &PeerKey) -> bool {
    chain.signed().iter().filter_map(|signed| chain.by_hash(&signed.hash())).any(|charter| {
        charter.institution(institution).is_some_and(|member| member.roster_key == *key)
    })
}
