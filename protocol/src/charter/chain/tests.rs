//! Which version may follow which, and with whose agreement.

use std::time::Duration;

use super::*;
use crate::{
    charter::{
        Revocation,
        tests::{NOW, consortium, country, key, member, root, signed},
    },
    id::Digest,
    policy::Policy,
    signed::{Domain, NodeKey},
    wire::Wire as _,
};

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn genesis() -> Chain {
    Chain::verify(&[signed()], None).unwrap()
}

/// The next version of `chain`, changed by `change`.
pub(crate) fn next(chain: &Chain, change: impl FnOnce(&mut Charter)) -> Charter {
    let mut charter = Charter {
        version: chain.current().version + 1,
        previous: Some(chain.hash()),
        created_at: chain.current().created_at + DAY,
        ..chain.current().clone()
    };
    change(&mut charter);
    charter
}

/// `chain` with a version 2, changed by `change` and signed by everyone.
pub(crate) fn amended(change: impl FnOnce(&mut Charter)) -> Chain {
    let mut chain = genesis();
    let charter = next(&chain, |charter| {
        charter.created_at = NOW;
        change(charter);
    });
    let signed = with_signatures(&chain, &charter, &[root(0), root(1), root(2)]);
    chain.merge(&[signed]).unwrap();
    chain
}

pub(crate) fn with_signatures(chain: &Chain, charter: &Charter, keys: &[NodeKey]) -> SignedCharter {
    let mut signed = SignedCharter { payload: charter.encode().into(), signatures: Vec::new() };
    for key in keys {
        signed.sign(key, Some(chain.current())).unwrap();
    }
    signed
}

fn try_extend(
    chain: &Chain,
    charter: &Charter,
    signers: &[NodeKey],
) -> Result<Chain, CharterError> {
    let mut chain = chain.clone();
    let signed = with_signatures(&chain, charter, signers);
    chain.merge(&[signed]).map(|_| chain)
}

fn join(charter: &mut Charter, owner: u8) {
    charter.institutions.push(member(owner, country("AT")));
    charter.institutions.sort_by(|a, b| a.id.cmp(&b.id));
}

pub(crate) fn remove(charter: &mut Charter, owner: u8) {
    let id = format!("inst-{owner}");
    charter.institutions.retain(|institution| institution.id != id);
    let reason = "left".to_owned();
    let at = charter.created_at;
    charter.revocations.insert(Revoked::Institution(id), Revocation { at, reason });
}

fn rename(charter: &mut Charter) {
    charter.name = "Another name".into();
}

/// A consortium of `count` institutions.
fn consortium_of(count: u8) -> Chain {
    let mut charter = consortium();
    charter.institutions = (0..count).map(|owner| member(owner, country("FR"))).collect();
    let roots: Vec<_> = (0..count).map(root).collect();
    Chain::verify(&[charter.sign_all(&roots).unwrap()], None).unwrap()
}

#[test]
fn a_majority_admits_a_member_that_signs_too() {
    let chain = genesis();
    let charter = next(&chain, |charter| join(charter, 3));
    // Four members then: three of them must agree, and two of the three before.
    let extended = try_extend(&chain, &charter, &[root(0), root(1), root(3)]).unwrap();
    assert_eq!(extended.current(), &charter);
    assert_eq!(extended.genesis(), chain.genesis());
    assert_eq!(extended.by_hash(&chain.hash()), Some(chain.current()));
    assert_eq!(Chain::verify(extended.signed(), Some(&chain.genesis())), Ok(extended));

    let missing = CharterError::Missing { institution: "inst-3".into() };
    let without = try_extend(&chain, &charter, &[root(0), root(1), root(2)]);
    assert_eq!(without, Err(missing));
    let few = try_extend(&chain, &charter, &[root(0), root(3)]).unwrap_err();
    assert!(few.is_incomplete(), "{few}");
    assert!(matches!(few, CharterError::Threshold { version: 1, needed: 2, got: 1, .. }), "{few}");
}

/// Governance attack 1: the new members alone cannot take over.
#[test]
fn signatures_of_the_new_version_alone_are_not_enough() {
    let chain = genesis();
    let takeover = next(&chain, |charter| {
        for owner in 0..3 {
            remove(charter, owner);
        }
        for owner in 3..6 {
            join(charter, owner);
        }
    });
    let theirs = [root(3), root(4), root(5)];
    let error = try_extend(&chain, &takeover, &theirs).unwrap_err();
    assert!(matches!(error, CharterError::Threshold { version: 1, got: 0, .. }), "{error}");
    // Nor those of the old version alone, if the new members outvote them.
    let crowd = next(&chain, |charter| (3..9).for_each(|owner| join(charter, owner)));
    let mut all: Vec<_> = (3..9).map(root).collect();
    let error = try_extend(&chain, &crowd, &all).unwrap_err();
    assert!(matches!(error, CharterError::Threshold { version: 1, .. }), "{error}");
    all.extend([root(0), root(1)]);
    try_extend(&chain, &crowd, &all).unwrap();
}

#[test]
fn both_versions_are_counted_by_their_own_members() {
    // Removing three of five: the old members' majority may be people who are gone in the new one.
    let chain = consortium_of(5);
    let charter = next(&chain, |charter| (2..5).for_each(|owner| remove(charter, owner)));
    let error = try_extend(&chain, &charter, &[root(2), root(3), root(4)]).unwrap_err();
    assert!(matches!(error, CharterError::Threshold { version: 2, needed: 2, got: 0, .. }));
    let error = try_extend(&chain, &charter, &[root(0), root(1)]).unwrap_err();
    assert!(matches!(error, CharterError::Threshold { version: 1, needed: 3, got: 2, .. }));
    try_extend(&chain, &charter, &[root(0), root(1), root(4)]).unwrap();
}

#[test]
fn rules_need_two_thirds_and_membership_a_majority() {
    for count in 1..=9_u8 {
        let chain = consortium_of(count);
        let of = usize::from(count);
        let rules = next(&chain, rename);
        let revoked = next(&chain, |charter| {
            let revocation = Revocation { at: NOW, reason: String::new() };
            charter.revocations.insert(Revoked::Peer(key(9, 9).public()), revocation);
        });
        for (charter, needed) in [(rules, (2 * of).div_ceil(3)), (revoked, of / 2 + 1)] {
            for got in 0..=of {
                let signers: Vec<_> = (0..u8::try_from(got).unwrap()).map(root).collect();
                let extended = try_extend(&chain, &charter, &signers);
                assert_eq!(extended.is_ok(), got >= needed, "{got} of {of}");
            }
        }
    }
}

#[test]
fn what_else_changes_makes_a_change_of_membership_one_of_rules() {
    let chain = consortium_of(9);
    let half: Vec<_> = (0..5).map(root).collect();
    let changes: [fn(&mut Charter); 9] = [
        rename,
        |charter| charter.expires_at = charter.expires_at + DAY,
        |charter| charter.policies.push(Policy::open("zzz")),
        |charter| charter.models.push(Digest::ZERO),
        |charter| charter.audit_rate_millionths = 1,
        |charter| charter.witnesses = 1,
        |charter| charter.institutions[0].parent_country = country("US"),
        |charter| charter.institutions[0].roster_key = key(7, 7).public(),
        |charter| charter.institutions[0].quota = 1,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut chain = chain.clone();
        // The longest life there may be is the genesis's: let there be room to change it.
        chain.charters[0].expires_at = NOW + DAY + DAY;
        let charter = next(&chain, |charter| {
            remove(charter, 8);
            change(charter);
        });
        let error = try_extend(&chain, &charter, &half).unwrap_err();
        let rules = matches!(error, CharterError::Threshold { change: Change::Rules, .. });
        assert!(rules, "{index}: {error}");
    }
    let charter = next(&chain, |charter| remove(charter, 8));
    try_extend(&chain, &charter, &half).unwrap();
}

/// Governance attack 2 (RUSTSEC-2020-0024): one institution is one vote.
#[test]
fn one_institution_counts_once_however_often_it_signs() {
    let chain = genesis();
    let charter = next(&chain, rename);
    let mut twice = with_signatures(&chain, &charter, &[root(0)]);
    twice.signatures.push(twice.signatures[0]);
    let repeated = CharterError::Repeated { institution: "inst-0".into() };
    assert_eq!(chain.clone().merge(&[twice]), Err(repeated));
    // With its old and its new key it is one vote in each version.
    let rotated = next(&chain, |charter| charter.institutions[0].root_key = key(8, 0).public());
    let error = try_extend(&chain, &rotated, &[root(0), key(8, 0)]).unwrap_err();
    assert!(matches!(error, CharterError::Threshold { version: 1, needed: 2, got: 1, .. }));
    // Another of its keys is no root key.
    let mut other = with_signatures(&chain, &charter, &[]);
    let roster = crate::charter::tests::roster_key(0);
    let foreign = CharterError::Foreign(roster.public());
    assert_eq!(other.sign(&roster, Some(chain.current())), Err(foreign.clone()));
    let signature = roster.sign_bytes(Domain::CHARTER, &Digest::ZERO, &other.payload);
    other.signatures.push((roster.public(), signature));
    assert_eq!(chain.clone().merge(&[other]), Err(foreign));
}

#[test]
fn who_changes_keys_shows_the_new_one() {
    let chain = genesis();
    let rotated = next(&chain, |charter| charter.institutions[0].root_key = key(8, 0).public());
    let without = try_extend(&chain, &rotated, &[root(0), root(1), root(2)]);
    assert_eq!(without, Err(CharterError::Missing { institution: "inst-0".into() }));
    let chain = try_extend(&chain, &rotated, &[key(8, 0), root(1), root(2)]).unwrap();
    // The old key is worth nothing from then on, and never serves another.
    let charter = next(&chain, rename);
    let mut signed = with_signatures(&chain, &charter, &[key(8, 0)]);
    assert_eq!(signed.sign(&root(0), Some(chain.current())), {
        Err(CharterError::Foreign(root(0).public()))
    });
    let reused = next(&chain, |charter| charter.institutions[1].roster_key = root(0).public());
    let error = try_extend(&chain, &reused, &[key(8, 0), root(1), root(2)]).unwrap_err();
    assert!(matches!(error, CharterError::SharedKey { .. }), "{error}");
}

/// Governance attack 3: versions come one by one.
#[test]
fn a_version_that_is_old_or_skips_one_is_refused() {
    let all = [root(0), root(1), root(2)];
    let one = genesis();
    let two = try_extend(&one, &next(&one, rename), &all).unwrap();
    let far = next(&two, |charter| charter.name = "Third".into());
    let error = try_extend(&one, &far, &all).unwrap_err();
    assert_eq!(error, CharterError::Version { expected: 2, got: 3 });
    let mut held = two.clone();
    assert_eq!(held.merge(&one.signed), Ok(0), "an older one that is held changes nothing");
    assert_eq!(held, two);
    let unlinked = next(&two, |charter| charter.previous = Some(one.hash()));
    let error = try_extend(&two, &unlinked, &all).unwrap_err();
    assert_eq!(error, CharterError::Previous { version: 3 });
    let early = next(&two, |charter| charter.created_at = NOW);
    assert_eq!(try_extend(&two, &early, &all), Err(CharterError::Order { version: 3 }));
    let other = Charter { name: "Elsewhere".into(), ..consortium() }.sign_all(&all).unwrap();
    assert_eq!(held.merge(&[other]), Err(CharterError::Genesis));
}

/// Governance attack 5: walks are bounded.
#[test]
fn more_versions_than_are_kept_are_refused() {
    let mut chain = consortium_of(1);
    while chain.charters.len() < CHARTERS_MAX {
        // Signatures are not what this is about.
        let charter = next(&chain, |charter| charter.created_at = NOW);
        chain.signed.push(with_signatures(&chain, &charter, &[]));
        chain.charters.push(charter);
    }
    let last = next(&chain, |charter| charter.created_at = NOW);
    assert_eq!(try_extend(&chain, &last, &[root(0)]), Err(CharterError::TooMany));
}

#[test]
fn revocations_stay_and_who_leaves_is_revoked() {
    let all = [root(0), root(1), root(2)];
    let chain = genesis();
    let silent = next(&chain, |charter| drop(charter.institutions.pop()));
    let removed = CharterError::Removed { institution: "inst-2".into() };
    assert_eq!(try_extend(&chain, &silent, &all), Err(removed));
    let chain = try_extend(&chain, &next(&chain, |charter| remove(charter, 2)), &all).unwrap();
    let at = chain.current().created_at;
    let revoked_at = |id: &str| chain.revoked_at(&Revoked::Institution(id.into()));
    assert_eq!((revoked_at("inst-2"), revoked_at("inst-1")), (Some(at), None));

    let two = [root(0), root(1)];
    let unrevoked = Err(CharterError::Unrevoked { revoked: "inst-2".into() });
    let forgets = next(&chain, |charter| charter.revocations.clear());
    assert_eq!(try_extend(&chain, &forgets, &two), unrevoked);
    let later = next(&chain, |charter| {
        charter.revocations.values_mut().for_each(|it| it.at = it.at + DAY);
    });
    assert_eq!(try_extend(&chain, &later, &two), unrevoked);
    let back = next(&chain, |charter| join(charter, 2));
    let error = try_extend(&chain, &back, &[]);
    assert_eq!(error, Err(CharterError::Revoked { institution: "inst-2".into() }));
}

/// Governance attack 10: two valid versions of one number stop everything.
#[test]
fn two_versions_of_one_number_are_a_fork_and_proof_of_it() {
    let all = [root(0), root(1), root(2)];
    let chain = genesis();
    let mine = next(&chain, rename);
    let theirs = next(&chain, |charter| join(charter, 3));
    let mut held = try_extend(&chain, &mine, &all).unwrap();
    held = try_extend(&held, &next(&held, |charter| charter.witnesses = 1), &all).unwrap();

    let unsigned = with_signatures(&chain, &theirs, &[root(0), root(3)]);
    let before = held.clone();
    assert!(held.merge(&[unsigned]).unwrap_err().is_incomplete());
    assert_eq!(held, before, "what is not signed by enough is no fork");

    let signed = with_signatures(&chain, &theirs, &[root(0), root(1), root(3)]);
    assert_eq!(held.merge(std::slice::from_ref(&signed)), Err(CharterError::Fork { version: 2 }));
    let fork = held.fork().unwrap();
    assert_eq!(fork.charters, [before.signed[1].clone(), signed.clone()]);
    assert_eq!(held.merge(&[signed]), Err(CharterError::Fork { version: 2 }));
    assert_eq!(held.current(), before.current());
    // More signatures under the same words are no other words.
    let same = with_signatures(&chain, &mine, &[root(0), root(1)]);
    let mut held = before;
    assert_eq!(held.merge(&[same]), Ok(0));
}
