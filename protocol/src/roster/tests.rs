//! Which rosters are believed.

use std::time::Duration;

use super::*;
use crate::{
    charter::tests::{NOW, consortium, country, key, root, roster_key, signed},
    limits::CLOCK_SKEW_MAX,
    signed::NodeKey,
    wire::DecodeError,
};

pub(crate) fn hash() -> Digest {
    signed().hash()
}

/// The key of node `number`.
pub(crate) fn node_key(number: u8) -> NodeKey {
    key(3, number)
}

pub(crate) fn node(number: u8, jurisdiction: &str) -> RosterNode {
    RosterNode {
        peer: node_key(number).public(),
        jurisdiction: country(jurisdiction),
        roles: [Role::Home, Role::Stage].into(),
        control_addresses: vec![format!("/ip4/192.0.2.{number}/udp/4700/quic-v1")],
    }
}

/// A roster of institution `owner`, valid for 72 hours from `NOW`.
pub(crate) fn roster(owner: u8, sequence: u64, nodes: Vec<RosterNode>) -> Roster {
    let mut nodes = nodes;
    nodes.sort_by_key(|node| node.peer);
    Roster {
        institution: format!("inst-{owner}"),
        sequence,
        issued_at: NOW,
        expires_at: NOW + ROSTER_LIFE_MAX,
        nodes,
    }
}

pub(crate) fn sign(owner: u8, roster: &Roster) -> Signed {
    roster_key(owner).sign(Domain::ROSTER, &hash(), roster).unwrap()
}

fn verify(signed: &Signed) -> Result<Roster, RosterError> {
    Roster::verify(signed, &consortium(), &hash(), NOW)
}

#[test]
fn an_institution_lists_its_own_nodes() {
    let list = roster(0, 1, vec![node(1, "FR"), node(2, "DE")]);
    assert_eq!(verify(&sign(0, &list)), Ok(list.clone()));
    assert_eq!(list.node(&node_key(2).public()).unwrap().jurisdiction, country("DE"));
    assert_eq!(list.node(&node_key(3).public()), None);
}

#[test]
fn no_institution_speaks_for_another() {
    let list = roster(0, 1, vec![node(1, "FR")]);
    let (institution, signer) = ("inst-0".to_owned(), "inst-1".to_owned());
    let error = RosterError::Institution { institution, signer };
    assert_eq!(verify(&sign(1, &list)), Err(error));
}

#[test]
fn only_roster_keys_sign_rosters() {
    let list = roster(0, 1, vec![node(1, "FR")]);
    for stranger in [root(0), node_key(1), key(9, 9)] {
        let signed = stranger.sign(Domain::ROSTER, &hash(), &list).unwrap();
        assert_eq!(verify(&signed), Err(RosterError::Foreign(stranger.public())));
    }
}

#[test]
fn a_roster_of_another_charter_type_or_content_is_refused() {
    let list = roster(0, 1, vec![node(1, "FR")]);
    let elsewhere = roster_key(0).sign(Domain::ROSTER, &Digest::ZERO, &list).unwrap();
    let other_type = roster_key(0).sign(Domain::ANNOUNCEMENT, &hash(), &list).unwrap();
    let mut forged = sign(0, &list);
    forged.payload = sign(0, &roster(0, 2, vec![node(7, "FR")])).payload;
    for signed in [elsewhere, other_type, forged] {
        assert!(matches!(verify(&signed), Err(RosterError::Signed { .. })), "{signed:?}");
    }
}

#[test]
fn a_node_is_listed_once_and_in_order() {
    let mut unsorted = roster(0, 1, vec![node(1, "FR"), node(2, "FR")]);
    unsorted.nodes.reverse();
    let twice = Roster { nodes: vec![node(1, "FR"); 2], ..roster(0, 1, Vec::new()) };
    for list in [unsorted, twice] {
        let Err(RosterError::Signed { source, .. }) = verify(&sign(0, &list)) else {
            panic!("accepted {list:?}");
        };
        let field = DecodeError::field("roster.nodes", "not in strictly ascending order");
        assert_eq!(source, SignedError::Decode(field));
    }
}

#[test]
fn a_node_without_a_role_is_no_node() {
    let idle = RosterNode { roles: BTreeSet::new(), ..node(1, "FR") };
    let error = verify(&sign(0, &roster(0, 1, vec![idle])));
    assert!(matches!(error, Err(RosterError::Signed { .. })));
}

/// P7: a roster counts from its issue until its expiry, and lives at most 72 hours.
#[test]
fn a_roster_is_believed_in_its_time_only() {
    let millisecond = Duration::from_millis(1);
    let at = |issued_at, expires_at| {
        let list = Roster { issued_at, expires_at, ..roster(0, 1, vec![node(1, "FR")]) };
        match verify(&sign(0, &list)) {
            Ok(_) => None,
            Err(RosterError::Validity { source, .. }) => Some(source),
            Err(other) => panic!("{other}"),
        }
    };
    let before =
        |time: Duration| Timestamp::from_ms(NOW.as_ms() - u64::try_from(time.as_millis()).unwrap());
    let ahead = NOW + CLOCK_SKEW_MAX;
    assert_eq!(at(NOW, NOW + ROSTER_LIFE_MAX), None);
    assert_eq!(at(before(Duration::from_secs(60)), NOW + millisecond), None);
    assert_eq!(at(ahead, ahead + millisecond), None);
    let long = at(NOW, NOW + ROSTER_LIFE_MAX + millisecond);
    assert!(matches!(long, Some(ValidityError::Life { .. })));
    assert!(matches!(at(NOW, NOW), Some(ValidityError::Life { .. })));
    let expired = at(before(Duration::from_secs(60)), NOW);
    assert!(matches!(expired, Some(ValidityError::Expired { .. })));
    let future = at(ahead + millisecond, ahead + millisecond + millisecond);
    assert!(matches!(future, Some(ValidityError::NotYet { .. })));
}
