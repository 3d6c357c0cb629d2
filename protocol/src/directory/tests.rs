//! Who is admitted, and what is believed about what they serve.

use std::time::Duration;

use super::*;
use crate::{
    announcement::{self, tests::MODEL},
    charter::{
        chain::tests::{amended, genesis},
        tests::{NOW, country, key},
    },
    control::Hello,
    limits::{ANNOUNCEMENT_LIFE_MAX, CHARTER_LIFE_MAX, HELLO_STATEMENTS_MAX, ROSTER_LIFE_MAX},
    roster::{
        self, RosterNode,
        tests::{hash, node, node_key, roster},
    },
    wire::Wire as _,
};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn peer(number: u8) -> PeerKey {
    node_key(number).public()
}

/// The directory of a node that is on no roster.
fn directory() -> Directory {
    Directory::new(genesis(), peer(99))
}

pub(super) fn list(owner: u8, sequence: u64, nodes: &[u8]) -> Signed {
    let nodes = nodes.iter().map(|number| node(*number, "FR")).collect();
    roster::tests::sign(owner, &roster(owner, sequence, nodes))
}

pub(super) fn claim(owner: u8, number: u8, sequence: u64) -> Signed {
    announcement::tests::sign(number, &announcement::tests::announcement(owner, sequence))
}

/// Node 1 of inst-0 and node 2 of inst-2, each announcing blocks [0, 10).
fn populated() -> Directory {
    let mut directory = directory();
    for (owner, number) in [(0, 1), (2, 2)] {
        directory.insert_roster(NOW, &list(owner, 1, &[number])).unwrap();
        directory.insert_announcement(NOW, &claim(owner, number, 1)).unwrap();
    }
    directory
}

#[test]
fn a_peer_on_a_roster_is_a_member_and_a_stranger_is_not() {
    let directory = populated();
    let expected = Member {
        institution: "inst-2".into(),
        jurisdiction: country("FR"),
        parent_country: country("US"),
        data_class_max: None,
        purposes: BTreeSet::new(),
        roles: [Role::Home, Role::Stage].into(),
    };
    assert_eq!(directory.member(NOW, &peer(2)), Some(expected));
    assert!(directory.admits(NOW, &peer(1)));
    assert!(!directory.admits(NOW, &peer(3)));
    assert_eq!(directory.members(NOW).len(), 2);
    let address = "/ip4/192.0.2.1/udp/4700/quic-v1";
    assert_eq!(directory.control_addresses(NOW, &peer(1)), [address]);
    assert!(directory.control_addresses(NOW, &peer(3)).is_empty());
}

#[test]
fn a_higher_sequence_replaces_and_a_lower_one_is_stale() {
    let mut directory = directory();
    assert_eq!(directory.insert_roster(NOW, &list(0, 2, &[1])), Ok(Change::Updated));
    assert_eq!(directory.insert_roster(NOW, &list(0, 2, &[1])), Ok(Change::Unchanged));
    let stale = RosterError::Stale { institution: "inst-0".into(), held: 2, got: 1 };
    assert_eq!(directory.insert_roster(NOW, &list(0, 1, &[3])), Err(stale));
    assert!(directory.admits(NOW, &peer(1)) && !directory.admits(NOW, &peer(3)));
    assert_eq!(directory.insert_roster(NOW, &list(0, 3, &[3])), Ok(Change::Updated));
    assert!(!directory.admits(NOW, &peer(1)) && directory.admits(NOW, &peer(3)));
    assert_eq!(directory.poll_timeout(), Some(NOW));
    assert_eq!(directory.expire(NOW), [peer(1)]);
    assert_eq!(directory.expire(NOW), []);
}

/// P7: whoever signs two different rosters of one sequence has said nothing.
#[test]
fn a_contradiction_admits_nobody_until_it_is_resolved() {
    let mut directory = populated();
    directory.expire(NOW);
    let contradiction = RosterError::Contradiction { institution: "inst-0".into(), sequence: 1 };
    let other = directory.insert_roster(NOW, &list(0, 1, &[1, 3]));
    assert_eq!(other, Err(contradiction.clone()));
    assert!(!directory.admits(NOW, &peer(1)) && !directory.admits(NOW, &peer(3)));
    assert!(directory.admits(NOW, &peer(2)), "other institutions are not touched");
    assert_eq!(directory.poll_timeout(), Some(NOW));
    assert_eq!(directory.expire(NOW), [peer(1)]);
    // The first one again does not win either.
    assert_eq!(directory.insert_roster(NOW, &list(0, 1, &[1])), Err(contradiction));
    assert!(!directory.admits(NOW, &peer(1)));
    assert_eq!(directory.insert_roster(NOW, &list(0, 2, &[1])), Ok(Change::Updated));
    assert!(directory.admits(NOW, &peer(1)));
}

/// P7: a peer that two institutions claim belongs to neither.
#[test]
fn a_contested_peer_is_not_admitted() {
    let mut directory = populated();
    directory.expire(NOW);
    directory.insert_roster(NOW, &list(1, 1, &[1, 4])).unwrap();
    assert_eq!(directory.contested(NOW), [peer(1)]);
    assert!(!directory.admits(NOW, &peer(1)) && directory.admits(NOW, &peer(4)));
    assert_eq!(directory.expire(NOW), [peer(1)]);
    let again = directory.insert_announcement(NOW, &claim(0, 1, 2));
    assert_eq!(again, Err(AnnouncementError::NotAdmitted(peer(1))));
    directory.insert_roster(NOW, &list(1, 2, &[4])).unwrap();
    assert!(directory.admits(NOW, &peer(1)));
}

#[test]
fn announcements_only_move_forward() {
    let mut directory = populated();
    assert_eq!(directory.insert_announcement(NOW, &claim(0, 1, 1)), Ok(Change::Unchanged));
    assert_eq!(directory.insert_announcement(NOW, &claim(0, 1, 5)), Ok(Change::Updated));
    let stale = |got| AnnouncementError::Stale { peer: peer(1), held: 5, got };
    assert_eq!(directory.insert_announcement(NOW, &claim(0, 1, 4)), Err(stale(4)));
    let mut other = announcement::tests::announcement(0, 5);
    other.offers.clear();
    let other = announcement::tests::sign(1, &other);
    assert_eq!(directory.insert_announcement(NOW, &other), Err(stale(5)));
    assert_eq!(directory.candidates(NOW, &MODEL, "cpu-1").len(), 2);
}

#[test]
fn strangers_and_nodes_of_other_institutions_announce_nothing() {
    let mut directory = populated();
    let stranger = directory.insert_announcement(NOW, &claim(0, 9, 1));
    assert_eq!(stranger, Err(AnnouncementError::NotAdmitted(peer(9))));
    let other = directory.insert_announcement(NOW, &claim(1, 1, 2));
    assert!(matches!(other, Err(AnnouncementError::Institution { .. })));
}

/// What it offered for its former institution is not offered for the new one.
#[test]
fn a_node_that_changes_hands_is_a_candidate_once_it_says_so() {
    let mut directory = populated();
    directory.insert_roster(NOW, &list(0, 2, &[])).unwrap();
    directory.insert_roster(NOW, &list(1, 1, &[1])).unwrap();
    let candidates = |directory: &Directory| -> BTreeSet<_> {
        let candidates = directory.candidates(NOW, &MODEL, "cpu-1");
        candidates.into_iter().map(|it| it.peer).collect()
    };
    assert!(directory.admits(NOW, &peer(1)));
    assert_eq!(candidates(&directory), [peer(2)].into());
    directory.insert_announcement(NOW, &claim(1, 1, 2)).unwrap();
    assert_eq!(candidates(&directory), [peer(1), peer(2)].into());
}

#[test]
fn candidates_are_live_offers_of_the_model_in_the_class() {
    let directory = populated();
    let candidates = directory.candidates(NOW, &MODEL, "cpu-1");
    assert_eq!(candidates.len(), 2);
    assert!(candidates.is_sorted_by_key(|candidate| candidate.peer));
    assert_eq!(candidates[0].data_addresses, ["192.0.2.1:4701".parse().unwrap()]);
    assert_eq!(directory.candidates(NOW, &Digest([8; 32]), "cpu-1"), []);
    assert_eq!(directory.candidates(NOW, &MODEL, "gpu-1"), []);
    assert_eq!(directory.candidates(NOW + ANNOUNCEMENT_LIFE_MAX, &MODEL, "cpu-1"), []);
    assert_eq!(directory.data_addresses(NOW, &peer(1)).len(), 1);
    assert_eq!(directory.data_addresses(NOW + ANNOUNCEMENT_LIFE_MAX, &peer(1)), []);
}

/// What a home did since counts on top of it: since it was said, not since it was heard.
#[test]
fn candidates_say_since_when_they_are_so() {
    let mut directory = populated();
    let told = |mut said: Announcement, at: Timestamp| {
        said.issued_at = at;
        announcement::tests::sign(1, &said)
    };
    let at = |directory: &Directory| {
        let candidates = directory.candidates(NOW + MINUTE, &MODEL, "cpu-1");
        candidates.into_iter().find(|it| it.peer == peer(1)).unwrap().announced_at
    };
    let late = told(announcement::tests::announcement(0, 2), NOW);
    directory.insert_announcement(NOW + MINUTE / 2, &late).unwrap();
    assert_eq!(at(&directory), NOW);
    // Its clock is ahead.
    let ahead = told(announcement::tests::announcement(0, 3), NOW + MINUTE);
    directory.insert_announcement(NOW + MINUTE / 2, &ahead).unwrap();
    assert_eq!(at(&directory), NOW + MINUTE / 2);
}

#[test]
fn a_lost_node_is_chosen_for_nothing_until_it_is_heard_again() {
    let (mut directory, later) = (populated(), NOW + MINUTE / 4);
    let chosen = |directory: &Directory| {
        let candidates = directory.candidates(later, &MODEL, "cpu-1");
        candidates.iter().any(|candidate| candidate.peer == peer(1))
    };
    assert!(chosen(&directory) && !directory.met(NOW, &peer(1)), "it was never lost");
    assert!(directory.lost(&peer(1), later));
    assert!(!directory.lost(&peer(1), later), "no news");
    assert!(!chosen(&directory));
    assert_eq!(directory.hello(later, &peer(2)).announcements, [claim(2, 2, 1)]);
    assert!(directory.admits(later, &peer(1)), "a lost member is a member");
    assert_eq!(directory.data_addresses(later, &peer(1)).len(), 1, "a call may find it");

    // What a third node still repeats is no sign of life; a newer announcement is, and so is a call.
    assert_eq!(directory.insert_announcement(later, &claim(0, 1, 1)), Ok(Change::Unchanged));
    assert!(!chosen(&directory));
    assert_eq!(directory.insert_announcement(later, &claim(0, 1, 2)), Ok(Change::Updated));
    assert!(chosen(&directory));
    assert!(!directory.lost(&peer(1), NOW), "lost before it was heard again");
    assert!(chosen(&directory) && directory.lost(&peer(1), later));
    assert!(directory.met(later, &peer(1)) && chosen(&directory));
}

#[test]
fn a_model_the_charter_does_not_list_has_no_candidates() {
    let mut directory = Directory::new(amended(|it| it.models.push(Digest([8; 32]))), peer(99));
    directory.insert_roster(NOW, &list(0, 1, &[1])).unwrap();
    directory.insert_announcement(NOW, &claim(0, 1, 1)).unwrap();
    assert_eq!(directory.candidates(NOW, &MODEL, "cpu-1"), []);
}

#[test]
fn a_node_that_loses_its_roster_or_its_role_is_no_candidate() {
    let mut directory = populated();
    let home = RosterNode { roles: [Role::Home].into(), ..node(1, "FR") };
    let demoted = roster::tests::sign(0, &roster(0, 2, vec![home]));
    directory.insert_roster(NOW, &demoted).unwrap();
    directory.insert_roster(NOW, &list(2, 2, &[])).unwrap();
    assert_eq!(directory.candidates(NOW, &MODEL, "cpu-1"), []);
    assert!(directory.admits(NOW, &peer(1)) && !directory.admits(NOW, &peer(2)));
    assert_eq!(directory.data_addresses(NOW, &peer(2)), []);
}

/// P7: time alone ends admission, whether or not anyone calls `expire`.
#[test]
fn what_expires_admits_nobody_and_nothing_older_takes_its_place() {
    let mut directory = populated();
    let short = Roster { expires_at: NOW + MINUTE, ..roster(0, 2, vec![node(1, "FR")]) };
    directory.insert_roster(NOW, &roster::tests::sign(0, &short)).unwrap();
    directory.expire(NOW);
    assert_eq!(directory.poll_timeout(), Some(NOW + MINUTE));
    assert!(directory.admits(NOW, &peer(1)) && !directory.admits(NOW + MINUTE, &peer(1)));
    assert_eq!(directory.expire(NOW + MINUTE), [peer(1)]);
    assert_eq!(directory.poll_timeout(), Some(NOW + ANNOUNCEMENT_LIFE_MAX));
    let replayed = directory.insert_roster(NOW + MINUTE, &list(0, 1, &[1]));
    assert!(matches!(replayed, Err(RosterError::Stale { .. })), "{replayed:?}");
}

#[test]
fn a_clock_that_steps_back_does_not_make_a_contradiction() {
    let mut directory = populated();
    assert_eq!(directory.expire(NOW + ROSTER_LIFE_MAX).len(), 2);
    assert_eq!(directory.insert_roster(NOW, &list(0, 1, &[1])), Ok(Change::Updated));
    assert_eq!(directory.insert_announcement(NOW, &claim(0, 1, 1)), Ok(Change::Updated));
    assert_eq!(directory.candidates(NOW, &MODEL, "cpu-1").len(), 1);
}

/// P7: without a charter in force there are no members.
#[test]
fn an_expired_charter_admits_nobody() {
    let mut directory = Directory::new(amended(|it| it.expires_at = NOW + MINUTE), peer(99));
    directory.insert_roster(NOW, &list(0, 1, &[1])).unwrap();
    directory.insert_announcement(NOW, &claim(0, 1, 1)).unwrap();
    directory.expire(NOW);
    assert_eq!(directory.poll_timeout(), Some(NOW + MINUTE));
    let end = NOW + MINUTE;
    assert!(!directory.admits(end, &peer(1)));
    assert_eq!(directory.members(end), []);
    assert_eq!(directory.candidates(end, &MODEL, "cpu-1"), []);
    let late = directory.insert_announcement(end, &claim(0, 1, 2));
    assert_eq!(late, Err(AnnouncementError::NotAdmitted(peer(1))));
    assert_eq!(directory.expire(end), [peer(1)]);
    assert!(directory.poll_timeout() > Some(end));
    assert!(directory.poll_timeout() < Some(NOW + CHARTER_LIFE_MAX));
}

#[test]
fn a_hello_carries_what_is_valid_own_first() {
    let mut directory = populated();
    let hello = directory.hello(NOW, &peer(2));
    assert_eq!((hello.genesis, hello.charter, hello.charter_version), (hash(), hash(), 1));
    assert_eq!(hello.rosters, [list(2, 1, &[2]), list(0, 1, &[1])]);
    assert_eq!(hello.announcements, [claim(2, 2, 1), claim(0, 1, 1)]);
    assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    let late = NOW + ANNOUNCEMENT_LIFE_MAX;
    directory.expire(late);
    assert_eq!(directory.hello(late, &peer(2)).rosters.len(), 2);
    assert_eq!(directory.hello(late, &peer(2)).announcements, []);
    assert_eq!(directory.roster(NOW, "inst-0"), Some(&list(0, 1, &[1])));
    assert_eq!(directory.roster(NOW, "inst-1"), None);
}

#[test]
fn the_largest_hello_is_bounded() {
    let mut directory = directory();
    let mut keys: Vec<_> =
        (0..3).flat_map(|purpose| (0..=255).map(move |n| (10 + purpose, n))).collect();
    keys.truncate(600);
    for owner in 0..3u8 {
        let mine = keys.iter().skip(usize::from(owner) * 200).take(200);
        let nodes = mine
            .map(|(purpose, number)| RosterNode {
                peer: key(*purpose, *number).public(),
                control_addresses: vec!["a".repeat(256)],
                ..node(1, "FR")
            })
            .collect();
        let signed = roster::tests::sign(owner, &roster(owner, 1, nodes));
        directory.insert_roster(NOW, &signed).unwrap();
    }
    let full = (0..600).map(|index| {
        let owner = u8::try_from(index / 200).unwrap();
        let mut claim = announcement::tests::announcement(owner, 1);
        claim.offers = vec![announcement::tests::offer(0, 10); 16];
        for offer in &mut claim.offers {
            offer.numeric_class = "c".repeat(64);
        }
        let (purpose, number) = keys[index];
        key(purpose, number).sign(crate::signed::Domain::ANNOUNCEMENT, &hash(), &claim).unwrap()
    });
    for signed in full {
        directory.insert_announcement(NOW, &signed).unwrap();
    }
    let hello = directory.hello(NOW, &key(10, 0).public());
    assert_eq!(hello.rosters.len(), 3);
    assert!(hello.announcements.len() > 200, "{}", hello.announcements.len());
    assert!(hello.announcements.len() <= HELLO_STATEMENTS_MAX);
    assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
}
