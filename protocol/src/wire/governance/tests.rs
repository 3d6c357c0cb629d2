//! Strictness: a governance message has one encoding, and nothing else decodes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::{
    announcement::{Announcement, Offer, RoundTrip},
    block::BlockRange,
    charter::{
        Charter, Institution, Revocation, Revoked, SignedChain, SignedCharter, Suspension,
        tests as charter,
    },
    control::{ControlReply, ControlRequest, Hello, Invitation},
    id::{Digest, PeerKey, ShortPeer},
    limits::SUSPENSION_LIFE_MAX,
    policy::{Audit, Country, DataClass, Policy, Recovery},
    roster::{Role, Roster, RosterNode, tests as roster},
    signed::Domain,
    time::Timestamp,
    wire::{DecodeError, Wire},
};

/// Whatever decodes, encodes to the very bytes it was read from.
fn is_strict<T: Wire>(bytes: &[u8]) -> bool {
    T::decode(bytes).map_or(true, |value| value.encode() == bytes)
}

/// Flips every bit, cuts at every place, and adds every byte.
fn survives_damage<T: Wire + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = value.encode();
    assert_eq!(T::decode(&bytes).as_ref(), Ok(value));
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << bit;
            assert!(is_strict::<T>(&damaged), "byte {index}, bit {bit}");
            assert_ne!(T::decode(&damaged).as_ref(), Ok(value), "byte {index}, bit {bit}");
        }
        assert!(is_strict::<T>(&bytes[..index]), "cut at {index}");
    }
    for byte in 0..=255 {
        let longer = [bytes.as_slice(), &[byte]].concat();
        assert!(T::decode(&longer).is_err(), "byte {byte} appended");
    }
}

fn country() -> impl Strategy<Value = Country> {
    "[A-Z]{2}".prop_map(|code| code.parse().unwrap())
}

fn key() -> impl Strategy<Value = PeerKey> {
    any::<[u8; 32]>().prop_map(PeerKey)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_ms)
}

fn blocks() -> impl Strategy<Value = BlockRange> {
    (0u32..1_024)
        .prop_flat_map(|start| (Just(start), start + 1..=1_024))
        .prop_map(|(start, end)| BlockRange::new(start, end).unwrap())
}

prop_compose! {
    fn policy()(
        name in "[a-z]{1,64}",
        allowed in proptest::collection::btree_set(country(), 0..5),
        forbidden in proptest::collection::btree_set(country(), 0..5),
        institutions in proptest::collection::btree_set("[a-z0-9-]{1,64}", 0..5),
        pinned_first in 0u32..=1_024,
        pinned_last in 0u32..=1_024,
        (data_class, purpose) in (data_class(), "[a-z]{0,64}"),
        (recovery, audit, transfer_basis) in (recovery(), audit(), "\\PC{0,60}"),
    ) -> Policy {
        Policy {
            data_class,
            purpose,
            recovery,
            audit,
            transfer_basis,
            name,
            allowed_jurisdictions: allowed,
            forbidden_jurisdictions: forbidden,
            allowed_institutions: institutions,
            pinned_first,
            pinned_last,
        }
    }
}

fn recovery() -> impl Strategy<Value = Recovery> {
    proptest::sample::select(&[Recovery::Exact, Recovery::Any][..])
}

fn audit() -> impl Strategy<Value = Audit> {
    proptest::sample::select(&[Audit::None, Audit::Home, Audit::Text][..])
}

fn data_class() -> impl Strategy<Value = Option<DataClass>> {
    let classes =
        [DataClass::Public, DataClass::Internal, DataClass::Personal, DataClass::Sensitive];
    proptest::option::of(proptest::sample::select(classes.to_vec()))
}

fn purposes() -> impl Strategy<Value = BTreeSet<String>> {
    proptest::collection::btree_set("[a-z]{1,64}", 0..4)
}

fn revocations() -> impl Strategy<Value = BTreeMap<Revoked, Revocation>> {
    let revoked = prop_oneof![
        "[a-z0-9-]{1,64}".prop_map(Revoked::Institution),
        key().prop_map(Revoked::Peer),
    ];
    let revocation = (time(), "\\PC{0,60}").prop_map(|(at, reason)| Revocation { at, reason });
    proptest::collection::btree_map(revoked, revocation, 0..4)
}

prop_compose! {
    fn institution()(
        id in "[a-z0-9-]{1,64}",
        legal_name in "\\PC{1,60}",
        country in country(),
        parent_country in country(),
        root_key in key(),
        roster_key in key(),
        contacts in proptest::collection::vec("\\PC{1,60}", 0..8),
        rest in (key(), data_class(), purposes(), "\\PC{0,60}", 1u32..=1_000, any::<u64>()),
    ) -> Institution {
        let (witness_key, data_class_max, purposes, data_protection_officer, share, quota) = rest;
        Institution {
            id,
            legal_name,
            country,
            parent_country,
            root_key,
            roster_key,
            contacts,
            witness_key,
            data_class_max,
            purposes,
            data_protection_officer,
            share,
            quota,
        }
    }
}

prop_compose! {
    fn any_charter()(
        version in 1u32..,
        previous in proptest::option::of(any::<[u8; 32]>().prop_map(Digest)),
        name in "\\PC{1,30}",
        created_at in time(),
        expires_at in time(),
        institutions in proptest::collection::vec(institution(), 1..5),
        policies in proptest::collection::vec(policy(), 0..4),
        models in proptest::collection::btree_set(any::<[u8; 32]>().prop_map(Digest), 0..4),
        rest in (0u32..=1_000_000, 0u32..=255, revocations()),
    ) -> Charter {
        let (audit_rate_millionths, witnesses, revocations) = rest;
        let mut institutions = institutions;
        institutions.sort_by(|left, right| left.id.cmp(&right.id));
        institutions.dedup_by(|left, right| left.id == right.id);
        let mut policies = policies;
        policies.retain(|policy| policy.name != Policy::OPEN);
        policies.sort_by(|left, right| left.name.cmp(&right.name));
        policies.dedup_by(|left, right| left.name == right.name);
        let models = models.into_iter().collect();
        Charter {
            version,
            previous,
            name,
            created_at,
            expires_at,
            institutions,
            policies,
            models,
            audit_rate_millionths,
            witnesses,
            revocations,
        }
    }
}

prop_compose! {
    fn roster_node()(
        peer in key(),
        jurisdiction in country(),
        roles in proptest::sample::subsequence(vec![Role::Home, Role::Stage, Role::Witness], 1..=3),
        control_addresses in proptest::collection::vec("[!-~]{1,60}", 0..8),
    ) -> RosterNode {
        RosterNode { peer, jurisdiction, roles: roles.into_iter().collect(), control_addresses }
    }
}

prop_compose! {
    fn any_roster()(
        institution in "[a-z0-9-]{1,64}",
        sequence in any::<u64>(),
        issued_at in time(),
        expires_at in time(),
        nodes in proptest::collection::vec(roster_node(), 0..5),
    ) -> Roster {
        let mut nodes = nodes;
        nodes.sort_by_key(|node| node.peer);
        nodes.dedup_by_key(|node| node.peer);
        Roster { institution, sequence, issued_at, expires_at, nodes }
    }
}

prop_compose! {
    fn offer()(
        manifest in any::<[u8; 32]>().prop_map(Digest),
        blocks in blocks(),
        numeric_class in "[a-z0-9-]{1,64}",
        block_time_ns in any::<u64>(),
        positions_free in any::<u64>(),
        sessions in any::<u32>(),
    ) -> Offer {
        Offer { manifest, blocks, numeric_class, block_time_ns, positions_free, sessions }
    }
}

prop_compose! {
    fn any_announcement()(
        institution in "[a-z0-9-]{1,64}",
        sequence in any::<u64>(),
        issued_at in time(),
        expires_at in time(),
        ports in proptest::collection::vec(1u16.., 0..8),
        offers in proptest::collection::vec(offer(), 0..8),
        far in proptest::collection::btree_map(any::<[u8; 8]>(), any::<u32>(), 0..8),
    ) -> Announcement {
        let data_addresses = ports.iter().map(|port| ([192, 0, 2, 1], *port).into()).collect();
        let round_trip = |(peer, least_us)| RoundTrip { peer: ShortPeer(peer), least_us };
        let round_trips = far.into_iter().map(round_trip).collect();
        Announcement {
            institution,
            sequence,
            issued_at,
            expires_at,
            data_addresses,
            offers,
            round_trips,
        }
    }
}

proptest! {
    #[test]
    fn policies_round_trip(value in policy()) {
        prop_assert_eq!(Policy::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn charters_round_trip(value in any_charter()) {
        prop_assert_eq!(Charter::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn rosters_round_trip(value in any_roster()) {
        prop_assert_eq!(Roster::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn announcements_round_trip(value in any_announcement()) {
        prop_assert_eq!(Announcement::decode(&value.encode()), Ok(value));
    }

    /// P5: no bytes panic, and what decodes is canonical.
    #[test]
    fn arbitrary_bytes_are_refused_or_canonical(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert!(is_strict::<Policy>(&bytes));
        prop_assert!(is_strict::<Charter>(&bytes));
        prop_assert!(is_strict::<SignedCharter>(&bytes));
        prop_assert!(is_strict::<Roster>(&bytes));
        prop_assert!(is_strict::<Announcement>(&bytes));
        prop_assert!(is_strict::<Hello>(&bytes));
        prop_assert!(is_strict::<ControlRequest>(&bytes));
        prop_assert!(is_strict::<ControlReply>(&bytes));
        prop_assert!(is_strict::<SignedChain>(&bytes));
        prop_assert!(is_strict::<Suspension>(&bytes));
    }
}

#[test]
fn damaged_messages_never_pass_for_the_original() {
    use crate::announcement::tests as announcement;

    let charter = charter::consortium();
    survives_damage(&charter.policies[0]);
    survives_damage(&charter);
    survives_damage(&charter::signed());
    survives_damage(&roster::roster(0, 3, vec![roster::node(1, "FR"), roster::node(2, "DE")]));
    survives_damage(&announcement::announcement(0, 1));
    let rosters = vec![roster::sign(0, &roster::roster(0, 1, vec![roster::node(1, "FR")]))];
    let announcements = vec![announcement::sign(1, &announcement::announcement(0, 1))];
    let suspension = Suspension {
        institution: "inst-2".into(),
        from: charter::NOW,
        until: charter::NOW + SUSPENSION_LIFE_MAX,
        reason: "leaked".into(),
    };
    survives_damage(&suspension);
    let suspended = charter::root(0).sign(Domain::SUSPENSION, &roster::hash(), &suspension);
    let suspensions = vec![suspended.unwrap()];
    let charters = vec![charter::signed()];
    survives_damage(&SignedChain { charters: charters.clone(), suspensions: suspensions.clone() });
    let charters = SignedChain { charters, suspensions: Vec::new() };
    let control_addresses = vec!["/ip4/192.0.2.1/udp/4700/quic-v1".to_owned()];
    survives_damage(&Invitation { charters: charters.clone(), control_addresses });
    survives_damage(&ControlReply::Charters(charters));
    survives_damage(&ControlRequest::Charters { from: 7 });
    survives_damage(&Hello {
        genesis: roster::hash(),
        rosters,
        announcements,
        charter_version: 3,
        charter: Digest([3; 32]),
        suspensions,
    });
}

#[test]
fn messages_past_their_bound_are_refused_unread() {
    let bytes = vec![0; Announcement::BYTES_MAX + 1];
    let (max, got) = (Announcement::BYTES_MAX, bytes.len());
    assert_eq!(Announcement::decode(&bytes), Err(DecodeError::TooLong { max, got }));
}

#[test]
fn a_policy_lists_each_entry_once_and_in_order() {
    use prost::Message as _;

    let encode = |countries: &[&str]| {
        crate::wire::pb::Policy {
            name: "p".into(),
            allowed_jurisdictions: countries.iter().map(ToString::to_string).collect(),
            recovery: 1,
            audit: 1,
            ..Default::default()
        }
        .encode_to_vec()
    };
    assert!(Policy::decode(&encode(&["DE", "FR"])).is_ok());
    let order = "not in strictly ascending order";
    let error = DecodeError::field("policy.allowed_jurisdictions", order);
    for countries in [["FR", "DE"], ["FR", "FR"]] {
        assert_eq!(Policy::decode(&encode(&countries)), Err(error.clone()));
    }
    let error = DecodeError::field("policy.allowed_jurisdictions", "no ISO 3166-1 alpha-2 code");
    assert_eq!(Policy::decode(&encode(&["DE", "Fr"])), Err(error));
}

#[test]
fn a_policy_says_what_it_wants_and_within_bounds() {
    use prost::Message as _;

    use crate::wire::pb;

    let good = || pb::Policy { name: "p".into(), recovery: 1, audit: 1, ..Default::default() };
    let decode = |policy: pb::Policy| Policy::decode(&policy.encode_to_vec());
    assert_eq!(decode(good()), Ok(Policy::open("p")));
    let long = |bytes| "a".repeat(bytes);
    assert!(decode(pb::Policy { purpose: long(64), ..good() }).is_ok());
    assert!(decode(pb::Policy { transfer_basis: long(256), ..good() }).is_ok());
    let table = [
        ("policy.recovery", pb::Policy { recovery: 0, ..good() }),
        ("policy.recovery", pb::Policy { recovery: 3, ..good() }),
        ("policy.audit", pb::Policy { audit: 0, ..good() }),
        ("policy.audit", pb::Policy { audit: 4, ..good() }),
        ("policy.data_class", pb::Policy { data_class: 5, ..good() }),
        ("policy.purpose", pb::Policy { purpose: long(65), ..good() }),
        ("policy.transfer_basis", pb::Policy { transfer_basis: long(257), ..good() }),
    ];
    for (expected, policy) in table {
        let error = decode(policy).unwrap_err();
        assert!(matches!(error, DecodeError::Field { field, .. } if field == expected), "{error}");
    }
}
