//! Which genesis is accepted. The consortium here serves the tests of other modules too.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    limits::{INSTITUTIONS_MAX, PAYLOAD_BYTES_MAX},
    signed::Domain,
    wire::DecodeError,
};

/// When the tests take place.
pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// A key of its own per purpose and owner.
pub(crate) fn key(purpose: u8, owner: u8) -> NodeKey {
    let mut seed = [purpose; 32];
    seed[0] = owner;
    NodeKey::from_seed(&seed)
}

pub(crate) fn root(owner: u8) -> NodeKey {
    key(1, owner)
}

pub(crate) fn roster_key(owner: u8) -> NodeKey {
    key(2, owner)
}

pub(crate) fn witness_key(owner: u8) -> NodeKey {
    key(3, owner)
}

/// Institution "inst-{owner}".
pub(crate) fn member(owner: u8, at: Country) -> Institution {
    let keys = InstitutionKeys {
        root: root(owner).public(),
        roster: roster_key(owner).public(),
        witness: witness_key(owner).public(),
    };
    Institution::new(format!("inst-{owner}"), format!("Institution {owner} gGmbH"), at, keys)
}

pub(crate) fn country(code: &str) -> Country {
    code.parse().unwrap()
}

/// Institutions "inst-0" to "inst-2" of FR, DE and, with a parent in US, NL.
pub(crate) fn consortium() -> Charter {
    let countries = [("FR", "FR"), ("DE", "DE"), ("NL", "US")];
    let institution = |(owner, (at, parent)): (u8, (&str, &str))| Institution {
        parent_country: country(parent),
        contacts: vec![format!("ops@inst-{owner}.example")],
        ..member(owner, country(at))
    };
    let institutions = (0..).zip(countries).map(institution).collect();
    let validity = Validity { from: NOW, until: NOW + CHARTER_LIFE_MAX };
    Charter {
        policies: vec![Policy {
            allowed_jurisdictions: [country("DE"), country("FR")].into(),
            ..Policy::open("two-countries")
        }],
        ..Charter::genesis("Test consortium", validity, institutions)
    }
}

pub(crate) fn signed() -> SignedCharter {
    consortium().sign_all(&[root(0), root(1), root(2)]).unwrap()
}

#[test]
fn a_genesis_signed_by_every_founder_is_accepted() {
    let signed = signed();
    assert_eq!(signed.verify_genesis(), Ok(consortium()));
    assert_eq!(signed.hash(), Digest::of(&consortium().encode()));
    let bytes = signed.encode();
    assert_eq!(SignedCharter::decode(&bytes).unwrap().verify_genesis(), Ok(consortium()));
}

#[test]
fn founders_sign_one_after_another_in_any_order() {
    let mut later = consortium().sign_all(&[root(2)]).unwrap();
    let missing = CharterError::Missing { institution: "inst-0".into() };
    assert_eq!(later.verify_genesis(), Err(missing));
    for owner in [1, 0, 1] {
        later.sign(&root(owner), None).unwrap();
    }
    assert_eq!(later, signed());
}

#[test]
fn every_founder_must_sign() {
    for absent in 0..3 {
        let mut charter = signed();
        let key = root(absent).public();
        charter.signatures.retain(|(signer, _)| *signer != key);
        let institution = format!("inst-{absent}");
        assert_eq!(charter.verify_genesis(), Err(CharterError::Missing { institution }));
    }
}

/// The bug of RUSTSEC-2020-0024: one key counted as often as it signs.
#[test]
fn signing_twice_does_not_stand_in_for_another() {
    let mut charter = signed();
    charter.signatures[1] = charter.signatures[0];
    assert!(matches!(charter.verify_genesis(), Err(CharterError::Repeated { .. })));
    let bytes = charter.encode();
    let error = SignedCharter::decode(&bytes).unwrap_err();
    let order = "not in strictly ascending order";
    assert_eq!(error, DecodeError::field("signed_charter.signatures", order));
}

#[test]
fn a_foreign_key_is_refused_even_beside_all_others() {
    let stranger = key(9, 9);
    let foreign = CharterError::Foreign(stranger.public());
    assert_eq!(signed().sign(&stranger, None), Err(foreign.clone()));
    assert_eq!(consortium().sign_all(&[roster_key(0)]).unwrap_err(), {
        CharterError::Foreign(roster_key(0).public())
    });
    let mut charter = signed();
    let signature = stranger.sign_bytes(Domain::CHARTER, &Digest::ZERO, &charter.payload);
    charter.signatures.push((stranger.public(), signature));
    assert_eq!(charter.verify_genesis(), Err(foreign));
}

#[test]
fn a_signature_over_something_else_is_refused() {
    let table = [
        (Domain::ROSTER, Digest::ZERO, signed().payload),
        (Domain::CHARTER, signed().hash(), signed().payload),
        (Domain::CHARTER, Digest::ZERO, Bytes::from_static(b"other")),
    ];
    for (domain, under, payload) in table {
        let mut charter = signed();
        let owner = (0..3).find(|owner| root(*owner).public() == charter.signatures[0].0);
        let owner = owner.unwrap();
        charter.signatures[0].1 = root(owner).sign_bytes(domain, &under, &payload);
        let Err(CharterError::Signature { institution, .. }) = charter.verify_genesis() else {
            panic!("accepted a signature under {domain:?}");
        };
        assert_eq!(institution, format!("inst-{owner}"));
    }
}

#[test]
fn one_key_serves_one_institution_and_one_purpose() {
    let shared = |change: fn(&mut Vec<Institution>)| {
        let mut charter = consortium();
        change(&mut charter.institutions);
        match charter.sign_all(&[]) {
            Err(CharterError::SharedKey { first, second, .. }) => (first, second),
            other => panic!("{other:?}"),
        }
    };
    let (one, two) = ("inst-0".to_owned(), "inst-1".to_owned());
    let roots = shared(|members| members[1].root_key = members[0].root_key);
    assert_eq!(roots, (one.clone(), two.clone()));
    let witness = shared(|members| members[1].witness_key = members[0].roster_key);
    assert_eq!(witness, (one.clone(), two.clone()));
    let rosters = shared(|members| members[1].roster_key = members[0].roster_key);
    assert_eq!(rosters, (one.clone(), two.clone()));
    let crossed = shared(|members| members[1].roster_key = members[0].root_key);
    assert_eq!(crossed, (one.clone(), two));
    let purposes = shared(|members| members[0].roster_key = members[0].root_key);
    assert_eq!(purposes, (one.clone(), one));
}

#[test]
fn a_charter_that_cannot_be_a_genesis_is_never_signed() {
    let field = |name| DecodeError::field(name, "not in strictly ascending order");
    let life = |charter: &Charter| {
        CharterError::Life(ValidityError::Life {
            from: charter.created_at,
            until: charter.expires_at,
            max: CHARTER_LIFE_MAX,
        })
    };
    let long =
        Charter { expires_at: NOW + CHARTER_LIFE_MAX + Duration::from_millis(1), ..consortium() };
    let empty = Charter { expires_at: NOW, ..consortium() };
    let mut unsorted = consortium();
    unsorted.institutions.swap(0, 1);
    let mut twins = consortium();
    twins.institutions[1].id = "inst-0".into();
    let models = vec![Digest([2; 32]), Digest([1; 32])];
    let nobody = DecodeError::field("charter.institutions", "at least one is required");
    let taken = DecodeError::field("charter.policies", "the name 'open' is taken");
    let spelling = DecodeError::field("institution.id", "only lower-case letters, digits and '-'");
    let mut shouting = consortium();
    shouting.institutions[2].id = "inst-A".into();
    let too_many = vec![Digest([0; 32]); 2_000];
    let table = [
        (life(&long), long),
        (life(&empty), empty),
        (CharterError::Previous { version: 2 }, Charter { version: 2, ..consortium() }),
        (
            CharterError::Previous { version: 1 },
            Charter { previous: Some(Digest::ZERO), ..consortium() },
        ),
        (
            CharterError::Witnesses { witnesses: 3, institutions: 3 },
            Charter { witnesses: 3, ..consortium() },
        ),
        (field("charter.institutions").into(), unsorted),
        (field("charter.institutions").into(), twins),
        (field("charter.models").into(), Charter { models, ..consortium() }),
        (nobody.into(), Charter { institutions: Vec::new(), ..consortium() }),
        (taken.into(), Charter { policies: vec![Policy::open("open")], ..consortium() }),
        (spelling.into(), shouting),
    ];
    for (error, charter) in table {
        assert_eq!(charter.sign_all(&[]), Err(error));
    }
    let charter = Charter { models: too_many, ..consortium() };
    assert!(matches!(charter.sign_all(&[]), Err(CharterError::TooLong(_))));
}

#[test]
fn the_largest_charter_fits_its_bound_with_every_signature() {
    let mut charter =
        SignedCharter { payload: vec![0; PAYLOAD_BYTES_MAX].into(), signatures: Vec::new() };
    for number in 0..INSTITUTIONS_MAX {
        let mut key = PeerKey([0; 32]);
        key.0[..2].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
        charter.signatures.push((key, [0; 64]));
    }
    assert_eq!(SignedCharter::decode(&charter.encode()), Ok(charter));
}

/// P7: an expired charter, or one of the future, is not in force.
#[test]
fn a_charter_is_in_force_from_its_creation_until_its_expiry() {
    let charter = consortium();
    let last = Timestamp::from_ms(charter.expires_at.as_ms() - 1);
    assert_eq!(charter.check_time(NOW), Ok(()));
    assert_eq!(charter.check_time(last), Ok(()));
    let expired = charter.check_time(charter.expires_at);
    assert!(matches!(expired, Err(ValidityError::Expired { .. })));
    let early = charter.check_time(Timestamp::from_ms(NOW.as_ms() - 120_001));
    assert!(matches!(early, Err(ValidityError::NotYet { .. })));
    assert_eq!(charter.check_time(Timestamp::from_ms(NOW.as_ms() - 120_000)), Ok(()));
}

#[test]
fn the_empty_policy_name_restricts_nothing_and_unknown_names_are_unknown() {
    let charter = consortium();
    assert_eq!(charter.policy(""), Some(Policy::open("open")));
    assert_eq!(charter.policy("two-countries").as_ref(), charter.policies.first());
    assert_eq!(charter.policy("three-countries"), None);
}

#[test]
fn only_listed_models_are_allowed_if_any_is() {
    let (one, two) = (Digest([1; 32]), Digest([2; 32]));
    assert!(consortium().allows_model(&one));
    let charter = Charter { models: vec![one], ..consortium() };
    assert!(charter.allows_model(&one) && !charter.allows_model(&two));
}
