//! Bundles under charters that were changed, by those who may and by others.

use std::time::Duration;

use comity_protocol::{
    bundle::Bundle,
    charter::{Charter, Institution, InstitutionKeys, Revocation, Revoked, SignedCharter},
    id::Digest,
    signed::Domain,
    time::Timestamp,
    wire::Wire as _,
};

use super::Case;
use crate::story::{Story, country, key, later, stranger};

type Change = fn(&mut Charter);

/// Every founder of the story.
const ALL: &[usize] = &[0, 1, 2, 3];
/// Before the genesis was written.
const EARLY: Timestamp = Timestamp::from_ms(1_799_999_999_999);

/// Signs a charter with these institutions' root keys, whatever it says.
pub(super) fn sign(charter: &Charter, owners: &[usize]) -> SignedCharter {
    sign_payload(charter.encode(), owners)
}

fn sign_payload(payload: Vec<u8>, owners: &[usize]) -> SignedCharter {
    let signature = |owner: &usize| {
        let key = key("root", *owner);
        (key.public(), key.sign_bytes(Domain::CHARTER, &Digest::ZERO, &payload))
    };
    let mut signatures: Vec<_> = owners.iter().map(signature).collect();
    signatures.sort_unstable();
    SignedCharter { payload: payload.into(), signatures }
}

/// The version after `before`, a minute later, changed.
pub(super) fn next(before: &Charter, change: Change) -> Charter {
    let mut charter = before.clone();
    charter.version += 1;
    charter.previous = Some(Digest::of(&before.encode()));
    charter.created_at = before.created_at + Duration::from_secs(60);
    change(&mut charter);
    charter
}

/// A node that no request knows is revoked: a change of membership.
fn membership(charter: &mut Charter) {
    let revocation = Revocation { at: later(0), reason: "lost".into() };
    charter.revocations.insert(Revoked::Peer(stranger()), revocation);
}

/// A change of rules.
fn rules(charter: &mut Charter) {
    charter.audit_rate_millionths = 20_000;
}

fn newcomer() -> Institution {
    let keys = InstitutionKeys {
        root: key("root", 4).public(),
        roster: key("roster", 4).public(),
        witness: key("witness", 4).public(),
    };
    Institution::new("ever", "ever foundation", country("BE"), keys)
}

/// A request taken under `charter`, which follows that of `story` or is it.
pub(super) fn taken_under(story: &Story, charter: &Charter) -> Bundle {
    let mut story = story.clone();
    story.receipt.charter = Digest::of(&charter.encode());
    story.open.charter = story.receipt.charter;
    story.bundle()
}

/// Second versions, who signs them, and what a bundle under the first one is worth with them.
const SECOND: [(&str, Change, &[usize], &str); 20] = [
    ("membership, by three", membership, &[0, 1, 2], ""),
    ("membership, by two", membership, &[0, 1], "E_CHARTER_THRESHOLD"),
    ("rules, by three", rules, &[1, 2, 3], ""),
    ("rules, by two", rules, &[2, 3], "E_CHARTER_THRESHOLD"),
    ("rules, by nobody", rules, &[], "E_CHARTER_THRESHOLD"),
    ("a newcomer who agrees", |c| c.institutions.push(newcomer()), &[0, 1, 2, 4], ""),
    (
        "a newcomer who is not asked",
        |c| c.institutions.push(newcomer()),
        ALL,
        "E_CHARTER_THRESHOLD",
    ),
    ("a new root key that agrees", |c| new_root(c), &[0, 1, 2, 5], ""),
    ("a new root key that is not asked", |c| new_root(c), ALL, "E_CHARTER_THRESHOLD"),
    ("somebody else signs too", rules, &[0, 1, 2, 9], "E_CHARTER"),
    ("the third version", |c| c.version = 3, ALL, "E_CHARTER"),
    ("the first version again", |c| (c.version, c.previous) = (1, None), ALL, "E_CHARTER"),
    ("a second version of others", |c| c.previous = Some(Digest::ZERO), ALL, "E_CHARTER"),
    ("a second version of none", |c| c.previous = None, ALL, "E_CHARTER"),
    (
        "an earlier second version",
        |c| (c.created_at, c.expires_at) = (EARLY, later(86_400)),
        ALL,
        "E_CHARTER",
    ),
    ("too long a life", |c| c.expires_at = later(400 * 86_400), ALL, "E_CHARTER"),
    ("more witnesses than others", |c| c.witnesses = 4, ALL, "E_CHARTER"),
    ("a member gone without a word", |c| c.institutions.truncate(3), ALL, "E_CHARTER"),
    ("a member revoked", |c| revoke(c, "delta"), ALL, "E_CHARTER"),
    (
        "a key for another purpose",
        |c| {
            let keys = &mut c.institutions[3];
            (keys.roster_key, keys.witness_key) = (keys.witness_key, keys.roster_key);
        },
        ALL,
        "E_CHARTER",
    ),
];

fn new_root(charter: &mut Charter) {
    charter.institutions[3].root_key = key("root", 5).public();
}

fn new_witness(charter: &mut Charter) {
    charter.institutions[3].witness_key = key("new", 3).public();
}

/// What was a witness key of one member before becomes another's.
fn taken_witness(charter: &mut Charter) {
    charter.institutions[3].witness_key = key("newer", 3).public();
    charter.institutions[2].witness_key = key("new", 3).public();
}

fn revoke(charter: &mut Charter, institution: &str) {
    let revocation = Revocation { at: later(0), reason: String::new() };
    charter.revocations.insert(Revoked::Institution(institution.into()), revocation);
}

fn seconds() -> Vec<Case> {
    let story = Story::new();
    let honest = story.bundle();
    let mut cases = Vec::new();
    for (name, change, owners, code) in SECOND {
        let second = sign(&next(&story.charter, change), owners);
        let mut bundle = honest.clone();
        bundle.charters.push(second.clone());
        let carried = Case::new(format!("second charter: {name}"), &story, &bundle);
        let known = Case::new(format!("known charter: {name}"), &story, &honest).knowing(&[second]);
        if code.is_empty() {
            cases.extend([carried, known]);
        } else {
            cases.extend([carried.fails(code, "charters[1]"), known.fails(code, "charters")]);
        }
    }
    cases
}

/// Genesis charters that found nothing.
fn geneses() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, story: &Story, genesis: SignedCharter, code: &str| {
        let bundle = Bundle { charters: vec![genesis], ..story.bundle() };
        let case = Case::new(format!("genesis: {name}"), story, &bundle);
        let case = Case { genesis: bundle.charters[0].hash(), ..case };
        cases.push(case.fails(code, "charters[0]"));
    };
    let story = Story::new();
    add("one founder missing", &story, sign(&story.charter, &[0, 1, 2]), "E_CHARTER_THRESHOLD");
    add("a stranger too", &story, sign(&story.charter, &[0, 1, 2, 3, 9]), "E_CHARTER");
    let mut broken = story.signed_charter();
    broken.signatures[2].1[40] ^= 1;
    add("a signature changed", &story, broken, "E_CHARTER");
    let mut continued = story.charter.encode();
    continued.extend([0xF8, 0x01, 0x01]);
    add("an unknown field", &story, sign_payload(continued, ALL), "E_CHARTER");
    let changes: [(&str, Change); 5] = [
        ("a second version", |c| c.version = 2),
        ("one key for two purposes", |c| c.institutions[1].roster_key = key("root", 1).public()),
        ("one key for two members", |c| c.institutions[1].root_key = key("root", 2).public()),
        ("over before it begins", |c| c.expires_at = c.created_at),
        ("not the first version", |c| (c.version, c.previous) = (2, Some(Digest::ZERO))),
    ];
    for (name, change) in changes {
        let mut charter = story.charter.clone();
        change(&mut charter);
        add(name, &story, sign(&charter, ALL), "E_CHARTER");
    }
    cases
}

/// Five institutions: four must agree to rules, three to members.
fn five() -> Vec<Case> {
    let mut story = Story::new();
    story.charter.institutions.push(newcomer());
    let charter = story.charter.clone();
    let changes: [(&str, Change, &[usize], &str); 3] = [
        ("members, by three", membership, &[0, 1, 4], ""),
        ("rules, by three", rules, &[0, 1, 4], "E_CHARTER_THRESHOLD"),
        ("rules, by four", rules, &[0, 1, 2, 4], ""),
    ];
    let case = |(name, change, owners, code): (&str, Change, &[usize], &str)| {
        let second = sign(&next(&charter, change), owners);
        let mut bundle = taken_under(&story, &charter);
        bundle.charters = vec![sign(&charter, &[0, 1, 2, 3, 4]), second];
        let case = Case::new(format!("five institutions: {name}"), &story, &bundle);
        if code.is_empty() { case } else { case.fails(code, "charters[1]") }
    };
    changes.map(case).to_vec()
}

pub(super) fn cases() -> Vec<Case> {
    [&many()[..], &chains(), &seconds(), &geneses(), &five()].concat()
}

/// As many charters as are read, of which the second is none; and one more.
fn many() -> [Case; 2] {
    let story = Story::new();
    let honest = story.bundle();
    let none = SignedCharter { payload: b"none".to_vec().into(), signatures: Vec::new() };
    let case = |name: &str, count: usize| {
        let mut bundle = honest.clone();
        bundle.charters.resize(count, none.clone());
        Case::new(name, &story, &bundle)
    };
    [
        case("1,024 charters", 1_024).fails("E_CHARTER", "charters[1]"),
        case("1,025 charters", 1_025).fails("E_FORMAT", "charters"),
    ]
}

/// Charters in a row, in the bundle and known to its reader.
fn chains() -> Vec<Case> {
    let story = Story::new();
    let honest = story.bundle();
    let new = |name: &str, bundle: &Bundle| Case::new(name, &story, bundle);
    let only =
        |charters: &[SignedCharter]| Bundle { charters: charters.to_vec(), ..honest.clone() };
    let with = |more: &[SignedCharter]| only(&[&honest.charters[..], more].concat());
    let charter = next(&story.charter, membership);
    let (second, other) = (sign(&charter, &[0, 1, 2]), sign(&next(&story.charter, rules), ALL));
    let third = sign(&next(&charter, rules), ALL);
    let forgetful = sign(&next(&charter, |c| c.revocations.clear()), ALL);
    let lenient = next(&charter, |c| c.revocations.values_mut().for_each(|it| it.at = later(1)));
    let rotated = next(&story.charter, new_witness);
    let taken = sign(&next(&rotated, taken_witness), ALL);
    let other_third = sign(&next(&charter, new_witness), ALL);
    let few = sign(&next(&story.charter, rules), &[0, 1]);
    let mut acted = taken_under(&story, &charter);
    acted.charters.push(second.clone());
    let late = next(&story.charter, |c| c.created_at = later(300));
    let mut before = taken_under(&story, &late);
    before.charters.push(sign(&late, ALL));
    vec![
        Case { genesis: Digest::of(b"another"), ..new("another consortium", &honest) }
            .fails("E_GENESIS", "charters[0]"),
        new("no charter", &only(&[])).fails("E_GENESIS", "charters[0]"),
        Case { genesis: Digest::ZERO, ..new("no charter, as expected", &only(&[])) }
            .fails("E_GENESIS", "charters[0]"),
        new("the second charter first", &only(std::slice::from_ref(&second)))
            .fails("E_GENESIS", "charters[0]"),
        new("three charters", &with(&[second.clone(), third.clone()])),
        new("a charter left out", &with(std::slice::from_ref(&third)))
            .fails("E_CHARTER", "charters[1]"),
        new("a charter twice", &with(&[second.clone(), second.clone()]))
            .fails("E_CHARTER", "charters[2]"),
        new("a revocation forgotten", &with(&[second.clone(), forgetful.clone()]))
            .fails("E_CHARTER", "charters[2]"),
        new("a revocation put off", &with(&[second.clone(), sign(&lenient, ALL)]))
            .fails("E_CHARTER", "charters[2]"),
        new("a key that was another's", &with(&[sign(&rotated, ALL), taken]))
            .fails("E_CHARTER", "charters[2]"),
        new("two third charters", &with(&[second.clone(), third.clone(), other_third]))
            .fails("E_CHARTER_FORK", "charters[3]"),
        new("a third charter that is none", &with(&[second.clone(), third.clone(), forgetful]))
            .fails("E_CHARTER", "charters[3]"),
        new("two second charters, one by two", &with(&[second.clone(), few]))
            .fails("E_CHARTER_THRESHOLD", "charters[2]"),
        new("two second charters", &with(&[second.clone(), other.clone()]))
            .fails("E_CHARTER_FORK", "charters[2]"),
        new("another second charter known", &with(std::slice::from_ref(&second)))
            .knowing(&[other])
            .fails("E_CHARTER_FORK", "charters"),
        new("as much known", &with(std::slice::from_ref(&second))).knowing(&[
            story.signed_charter(),
            second.clone(),
            third,
        ]),
        new("a request under the second charter", &acted),
        new("a request under a charter to come", &before)
            .fails("E_CHARTER_TIME", "receipt.opened_at"),
        new("a request under an unknown charter", &taken_under(&story, &charter))
            .fails("E_CHARTER_VERSION", "receipt.charter"),
        new("the charter known to the reader alone", &taken_under(&story, &charter))
            .knowing(&[second]),
    ]
}
