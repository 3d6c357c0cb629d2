//! Bundles with a proof of home's log: who saw the receipt there, and who was revoked when.

use std::{collections::BTreeMap, convert::Infallible};

use comity_protocol::{
    bundle::Bundle,
    charter::{Charter, Revocation, Revoked},
    id::Digest,
    log::{
        checkpoint::{Checkpoint, origin},
        cosignature,
        note::Note,
        proof::LogProof,
        tree::{Frontier, Hashes, inclusion, leaf_hash},
    },
    signed::NodeKey,
    time::Timestamp,
    wire::Wire as _,
};

use super::{
    Case,
    charters::{next, sign, taken_under},
};
use crate::story::{Story, key, later, node};

/// Records of home's log when it is witnessed.
const SIZE: u64 = 13;

struct Kept(Vec<Digest>);

impl Hashes for Kept {
    type Error = Infallible;

    fn hash(&self, index: u64) -> Result<Digest, Infallible> {
        Ok(self.0[usize::try_from(index).unwrap()])
    }
}

/// Home's log of `size` records, with the receipt in `bundle` as its ninth.
fn proof_of(story: &Story, bundle: &Bundle, size: u64) -> LogProof {
    let (mut frontier, mut kept) = (Frontier::default(), Vec::new());
    for number in 0..size {
        let record = match number {
            8 => bundle.receipt.encode(),
            _ => format!("record {number}").into_bytes(),
        };
        frontier.append(leaf_hash(&record), &mut kept);
    }
    let origin = origin(&story.genesis(), &node(0).public());
    let checkpoint = Checkpoint { origin, size, root: frontier.root() };
    let hashes = inclusion(8, size, &Kept(kept)).unwrap();
    LogProof { index: 8, hashes, checkpoint: checkpoint.sign(&node(0)).unwrap() }
}

fn cosign_by(story: &Story, note: &mut Note, owner: usize, secret: &NodeKey, at: Timestamp) {
    let institution = &story.charter.institutions[owner].id;
    let witness = cosignature::key(&story.genesis(), institution, secret.public());
    note.add(cosignature::sign(note, &witness, secret, at)).unwrap();
}

/// Who saw a receipt, and when: institutions by number, and seconds as [`later`] counts them.
type Seen = &'static [(usize, u64)];

/// The bundle with a proof that the witnesses of these institutions saw, each at its time.
fn seen(story: &Story, mut bundle: Bundle, by: Seen) -> Bundle {
    let mut proof = proof_of(story, &bundle, SIZE);
    for (owner, at) in by {
        cosign_by(story, &mut proof.checkpoint, *owner, &key("witness", *owner), later(*at));
    }
    bundle.proof = Some(proof);
    bundle
}

type Change = fn(&mut LogProof);

/// Proofs seen by two witnesses, changed.
const PROOFS: [(&str, Change, &str, &str); 11] = [
    ("another place", |p| p.index = 7, "E_SEQUENCE", "proof.index"),
    ("the last place there is", |p| p.index = u64::MAX, "E_SEQUENCE", "proof.index"),
    ("another hash", |p| p.hashes[1] = Digest::ZERO, "E_INCLUSION", "proof"),
    ("a hash too few", |p| p.hashes.truncate(3), "E_INCLUSION", "proof"),
    ("a hash too many", |p| p.hashes.push(Digest::ZERO), "E_INCLUSION", "proof"),
    ("64 hashes", |p| p.hashes.resize(64, Digest::ZERO), "E_INCLUSION", "proof"),
    ("65 hashes", |p| p.hashes.resize(65, Digest::ZERO), "E_FORMAT", "log_proof.hashes"),
    ("another root", |p| rewrite(p, "\n13\n", "\n14\n"), "E_CHECKPOINT", "proof"),
    ("another log", |p| rewrite(p, "comity/log/", "comity/lag/"), "E_CHECKPOINT", "proof"),
    (
        "without the log's signature",
        |p| rewrite(p, "— comity/log/", "— x"),
        "E_CHECKPOINT",
        "proof",
    ),
    ("nobody's signatures", |p| rewrite(p, "— comity/", "— x/"), "E_CHECKPOINT", "proof"),
];

/// Exchanges text of the note, signatures' lines included.
fn rewrite(proof: &mut LogProof, from: &str, to: &str) {
    let note = proof.checkpoint.to_string().replace(from, to);
    proof.checkpoint = Note::parse(&note).unwrap();
}

fn proofs() -> Vec<Case> {
    let story = Story::new();
    let honest = story.bundle();
    let mut cases = Vec::new();
    for (name, change, code, field) in PROOFS {
        let mut bundle = seen(&story, honest.clone(), &[(2, 200), (3, 300)]);
        change(bundle.proof.as_mut().unwrap());
        cases.push(Case::new(format!("proof: {name}"), &story, &bundle).fails(code, field));
    }
    let mut small = honest.clone();
    small.proof = Some(LogProof { hashes: Vec::new(), ..proof_of(&story, &honest, 9) });
    let checkpoint = Checkpoint {
        origin: origin(&story.genesis(), &node(0).public()),
        size: 8,
        root: Digest::ZERO,
    };
    small.proof.as_mut().unwrap().checkpoint = checkpoint.sign(&node(0)).unwrap();
    cases.push(Case::new("proof: past the end", &story, &small).fails("E_INCLUSION", "proof"));
    let mut changed = seen(&story, honest, &[(3, 300)]);
    let proof = changed.proof.as_mut().unwrap();
    // A cosignature over one second is none over another.
    let (first, second) = (proof.checkpoint.clone(), later(301));
    cosign_by(&story, &mut proof.checkpoint, 3, &key("witness", 3), second);
    let line = |note: &Note| note.to_string().lines().last().unwrap().to_owned();
    let (old, new) = (line(&first), line(&proof.checkpoint));
    let head = old.len() - 88;
    let forged = format!("{}{}", &new[..head], &old[head..]);
    rewrite(proof, &new, &forged);
    cases.push(
        Case::new("proof: a false cosignature", &story, &changed).fails("E_CHECKPOINT", "proof"),
    );
    cases
}

/// Who saw it and when, how many must have, and whether that is enough.
fn witnesses() -> Vec<Case> {
    let table: [(&str, u32, Seen, bool); 9] = [
        ("by nobody", 0, &[], false),
        ("by one", 0, &[(3, 200)], true),
        ("by home's own", 0, &[(0, 200)], false),
        ("by one of two", 2, &[(3, 200)], false),
        ("by one and home's own of two", 2, &[(0, 200), (3, 200)], false),
        ("by two of two", 2, &[(1, 200), (3, 300)], true),
        ("by three of two", 2, &[(1, 200), (2, 150), (3, 300)], true),
        ("by two of three", 3, &[(1, 200), (3, 300)], false),
        ("a little before it was", 0, &[(3, 0)], true),
    ];
    let case = |(name, needed, by, enough): (&str, u32, Seen, bool)| {
        let mut story = Story::new();
        story.charter.witnesses = needed;
        let charter = story.charter.clone();
        let bundle = seen(&story, taken_under(&story, &charter), by);
        let case = Case::new(format!("seen {name}"), &story, &bundle);
        if enough { case.witnessed() } else { case }
    };
    let mut cases: Vec<_> = table.into_iter().map(case).collect();
    let story = Story::new();
    let mut early = seen(&story, story.bundle(), &[]);
    let proof = early.proof.as_mut().unwrap();
    let long_before = Timestamp::from_ms(later(0).as_ms() - 17_000);
    cosign_by(&story, &mut proof.checkpoint, 3, &key("witness", 3), long_before);
    cases.push(Case::new("seen before it was", &story, &early).fails("E_TIME", "proof.checkpoint"));
    let bundle = seen(&story, story.bundle(), &[(3, 1_000)]);
    let late = Case::new("seen in the future", &story, &bundle);
    cases.push(Case { now: later(1_000 - 121), ..late.clone() }.fails("E_WITNESS_TIME", "proof"));
    let soon = Case { name: "seen by a clock ahead".into(), now: later(1_000 - 120), ..late };
    cases.push(soon.witnessed());
    cases.extend(rotated());
    cases.extend(twins());
    cases
}

/// A witness with two keys, one after the other.
fn rotated() -> [Case; 2] {
    let mut story = Story::new();
    let new = key("new", 3);
    let charter = next(&story.charter, |c| {
        c.institutions[3].witness_key = key("new", 3).public();
    });
    let second = sign(&charter, &[0, 1, 2]);
    let mut old = seen(&story, story.bundle(), &[(3, 200)]);
    old.charters.push(second);
    let case = Case::new("seen with a key of old", &story, &old).witnessed();
    // Both keys together are still one witness.
    story.charter.witnesses = 2;
    let first = story.charter.clone();
    let charter = next(&first, |c| c.institutions[3].witness_key = key("new", 3).public());
    let mut both = seen(&story, taken_under(&story, &first), &[(3, 200)]);
    cosign_by(&story, &mut both.proof.as_mut().unwrap().checkpoint, 3, &new, later(300));
    both.charters.push(sign(&charter, &[0, 1, 2]));
    [case, Case::new("seen with two keys of one", &story, &both)]
}

/// Owners of two witness keys that have one id in the name of the fourth institution.
const TWINS: [usize; 2] = [27_320, 37_465];

/// [`TWINS`], as long as the genesis is what it was when they were found.
fn twin_keys(story: &Story) -> [NodeKey; 2] {
    let (genesis, institution) = (story.genesis(), &story.charter.institutions[3].id);
    let id = |owner| cosignature::key(&genesis, institution, key("witness", owner).public()).id();
    if id(TWINS[0]) != id(TWINS[1]) {
        let mut ids = BTreeMap::new();
        let again = (0..).find_map(|owner| Some([ids.insert(id(owner), owner)?, owner]));
        panic!("the genesis has changed: set TWINS to {:?}", again.unwrap());
    }
    TWINS.map(|owner| key("witness", owner))
}

/// An institution whose witness had two keys with one id: that harms no proof, whoever saw it.
fn twins() -> Vec<Case> {
    let story = Story::new();
    let keys = twin_keys(&story);
    let second = next(&story.charter, |c| {
        c.institutions[3].witness_key = key("witness", TWINS[0]).public();
    });
    let third =
        next(&second, |c| c.institutions[3].witness_key = key("witness", TWINS[1]).public());
    let later_charters = [sign(&second, &[0, 1, 2]), sign(&third, &[0, 1, 2])];
    let known = |name: &str, bundle: &Bundle| {
        Case::new(format!("seen by {name}"), &story, bundle).knowing(&later_charters)
    };
    let mut cases =
        vec![known("another than the twins", &seen(&story, story.bundle(), &[(1, 200)]))];
    cases[0] = cases[0].clone().witnessed();
    for (name, secret) in [("the first twin", &keys[0]), ("the second twin", &keys[1])] {
        let mut bundle = seen(&story, story.bundle(), &[]);
        cosign_by(&story, &mut bundle.proof.as_mut().unwrap().checkpoint, 3, secret, later(200));
        cases.push(known(name, &bundle).witnessed());
        // Its line under another text holds under neither.
        let proof = bundle.proof.as_mut().unwrap();
        rewrite(proof, "\n13\n", "\n14\n");
        let text = proof.checkpoint.text().to_owned();
        let own = Checkpoint::parse(&text).unwrap().sign(&node(0)).unwrap().to_string();
        let line = proof.checkpoint.to_string().lines().last().unwrap().to_owned();
        proof.checkpoint = Note::parse(&format!("{own}{line}\n")).unwrap();
        let name = format!("{name} in another log");
        cases.push(known(&name, &bundle).fails("E_CHECKPOINT", "proof"));
    }
    cases
}

fn revoke(charter: &mut Charter, revoked: Revoked, at: u64) {
    let revocation = Revocation { at: later(at), reason: "stolen".into() };
    charter.revocations.insert(revoked, revocation);
}

fn leave(charter: &mut Charter, institution: &str, at: u64) {
    charter.institutions.retain(|member| member.id != institution);
    revoke(charter, Revoked::Institution(institution.into()), at);
}

type Ruled = fn(&mut Charter);

/// What a second charter revokes, who saw the receipt when, and where that is too late.
fn revocations() -> Vec<Case> {
    let table: [(&str, Ruled, Seen, &str); 10] = [
        ("a node, seen before", |c| peer(c, 1, 1_000), &[(3, 999)], ""),
        ("a node, seen at once", |c| peer(c, 1, 1_000), &[(3, 1_000)], "receipt.stages[1]"),
        ("a node, seen after", |c| peer(c, 1, 1_000), &[(3, 1_001)], "receipt.stages[1]"),
        ("a node, never seen", |c| peer(c, 2, 1_000), &[], "receipt.stages[2]"),
        ("home, seen after", |c| peer(c, 0, 150), &[(3, 200)], "receipt.signer"),
        ("another node", |c| peer(c, 3, 0), &[(2, 200)], ""),
        ("home's institution", |c| leave(c, "alba", 50), &[(3, 200)], "receipt.signer"),
        ("a stage's institution", |c| leave(c, "costa", 500), &[(3, 600)], "receipt.stages[2]"),
        ("a stage's institution, seen before", |c| leave(c, "costa", 500), &[(3, 400)], ""),
        (
            "the only witness with it",
            |c| {
                leave(c, "delta", 5_000);
                peer(c, 2, 1_000);
            },
            &[(3, 400)],
            "receipt.stages[2]",
        ),
    ];
    let story = Story::new();
    let mut cases = Vec::new();
    for (name, change, by, field) in table {
        let second = sign(&next(&story.charter, change), &[0, 1, 2, 3]);
        let bundle = match by {
            [] => story.bundle(),
            by => seen(&story, story.bundle(), by),
        };
        let mut carrying = bundle.clone();
        carrying.charters.push(second.clone());
        let known = Case::new(format!("revoked, as known: {name}"), &story, &bundle);
        let carried = Case::new(format!("revoked, as carried: {name}"), &story, &carrying);
        for case in [known.knowing(&[second]), carried] {
            let fails = !field.is_empty();
            cases.push(if fails { case.fails("E_REVOKED", field) } else { case.witnessed() });
        }
    }
    cases
}

fn peer(charter: &mut Charter, owner: usize, at: u64) {
    revoke(charter, Revoked::Peer(node(owner).public()), at);
}

pub(super) fn cases() -> Vec<Case> {
    [proofs(), witnesses(), revocations()].concat()
}
