//! Who is admitted when charters change, expire or contradict each other.

use std::time::Duration;

use super::super::tests::{claim, list, peer};
use crate::{
    announcement::tests::MODEL,
    charter::{
        Chain, Charter, Revocation, Revoked, Suspension,
        chain::tests::{amended, genesis, next, remove, with_signatures},
        tests::{NOW, key, root},
    },
    directory::{Change, Directory, GovernanceError},
    id::Digest,
    limits::{CONTROL_BYTES_MAX, ROSTER_LIFE_MAX, SUSPENSION_LIFE_MAX},
    signed::{Domain, Signed},
    time::Timestamp,
    wire::Wire as _,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Node 1 of inst-0 is this node; node 3 is its neighbour at home, node 2 one of inst-2.
fn directory(chain: Chain) -> Directory {
    let mut directory = Directory::new(chain, peer(1));
    directory.insert_roster(NOW, &list(0, 1, &[1, 3])).unwrap();
    directory.insert_roster(NOW, &list(2, 1, &[2])).unwrap();
    directory.expire(NOW);
    directory
}

fn admitted(directory: &Directory, now: Timestamp) -> Vec<u8> {
    (1..=5).filter(|number| directory.admits(now, &peer(*number))).collect()
}

/// Nodes chosen among, if all announce the same.
fn candidates(directory: &mut Directory) -> Vec<u8> {
    for (owner, number) in [(0, 1), (0, 3), (2, 2)] {
        directory.insert_announcement(NOW, &claim(owner, number, 1)).unwrap();
    }
    let candidates = directory.candidates(NOW, &MODEL, "cpu-1");
    (1..=5).filter(|number| candidates.iter().any(|it| it.peer == peer(*number))).collect()
}

/// Two signatures under the suspension of institution `owner`.
fn suspend(owner: u8, by: [u8; 2]) -> [Signed; 2] {
    let suspension = Suspension {
        institution: format!("inst-{owner}"),
        from: NOW,
        until: NOW + SUSPENSION_LIFE_MAX,
        reason: "leaked".into(),
    };
    by.map(|by| root(by).sign(Domain::SUSPENSION, &genesis().genesis(), &suspension).unwrap())
}

fn revoke(charter: &mut Charter, number: u8, at: Timestamp) {
    let revocation = Revocation { at, reason: "stolen".into() };
    charter.revocations.insert(Revoked::Peer(peer(number)), revocation);
}

/// Governance attack 7: what is removed is lost at once.
#[test]
fn an_institution_that_a_later_charter_removes_is_lost_at_once() {
    let mut directory = directory(genesis());
    assert_eq!(candidates(&mut directory), [1, 2, 3]);
    directory.adopt(NOW, amended(|charter| remove(charter, 2)));
    assert_eq!(admitted(&directory, NOW), [1, 3]);
    assert_eq!(directory.poll_timeout(), Some(NOW));
    assert_eq!(directory.expire(NOW), [peer(2)]);
    assert!(directory.insert_roster(NOW, &list(2, 2, &[2])).is_err());
    assert_eq!(directory.check(NOW), Ok(()));
}

#[test]
fn a_revoked_node_is_lost_when_its_revocation_says_even_at_home() {
    let at = NOW + MINUTE;
    let chain = amended(|charter| [2, 3].into_iter().for_each(|it| revoke(charter, it, at)));
    let directory = directory(chain);
    assert_eq!(admitted(&directory, NOW), [1, 2, 3]);
    assert_eq!(admitted(&directory, at), [1]);
}

#[test]
fn a_suspended_institution_is_out_while_it_is_suspended() {
    let mut directory = directory(genesis());
    let [first, second] = suspend(2, [0, 1]);
    assert_eq!(directory.insert_suspension(NOW, &first), Ok(Change::Updated));
    assert_eq!(admitted(&directory, NOW), [1, 2, 3]);
    assert_eq!(directory.insert_suspension(NOW, &second), Ok(Change::Updated));
    assert_eq!(directory.insert_suspension(NOW, &second), Ok(Change::Unchanged));
    assert_eq!(directory.poll_timeout(), Some(NOW));
    assert_eq!(directory.expire(NOW), [peer(2)]);
    assert_eq!(admitted(&directory, NOW), [1, 3]);
    let end = NOW + SUSPENSION_LIFE_MAX;
    assert!(directory.poll_timeout() <= Some(end));
    directory.insert_roster(end, &list(2, 1, &[2])).unwrap_err();
    assert_eq!(directory.hello(NOW, &peer(1)).suspensions.len(), 2);
    assert_eq!(directory.check(NOW), Ok(()));
}

#[test]
fn who_is_suspended_goes_on_alone() {
    let mut directory = directory(genesis());
    for signed in suspend(0, [1, 2]) {
        directory.insert_suspension(NOW, &signed).unwrap();
    }
    let (institution, until) = ("inst-0".to_owned(), NOW + SUSPENSION_LIFE_MAX);
    assert_eq!(directory.check(NOW), Err(GovernanceError::Suspended { institution, until }));
    assert_eq!(candidates(&mut directory), [1, 3]);
}

/// Governance attack 4, P7: no new work with others, while what is one's own goes on.
#[test]
fn an_expired_charter_or_roster_leaves_local_use() {
    let end = NOW + MINUTE;
    let mut directory = directory(amended(|charter| charter.expires_at = end));
    assert_eq!(directory.check(NOW), Ok(()));
    let error = directory.check(end).unwrap_err();
    assert!(matches!(error, GovernanceError::Charter { version: 2, .. }), "{error}");
    assert_eq!(directory.expire(end), [peer(2)]);
    assert_eq!(admitted(&directory, end), [1, 3]);
    directory.insert_announcement(end, &claim(0, 3, 1)).unwrap();
    directory.insert_announcement(end, &claim(2, 2, 1)).unwrap_err();

    let mut directory = self::directory(genesis());
    let end = NOW + ROSTER_LIFE_MAX;
    assert_eq!(directory.expire(end), [peer(2)]);
    assert_eq!(admitted(&directory, end), [1, 3]);
    let institution = "inst-0".to_owned();
    assert_eq!(directory.check(end), Err(GovernanceError::Roster { institution }));
    // A newer roster still takes nodes away.
    assert!(directory.poll_timeout() > Some(end));
    directory.insert_roster(NOW, &list(0, 2, &[1])).unwrap();
    assert_eq!(admitted(&directory, NOW), [1]);
}

/// What is over when a node starts leaves it what it would have had it run on.
#[test]
fn a_node_that_starts_with_an_expired_roster_is_left_its_own_institution() {
    let end = NOW + ROSTER_LIFE_MAX;
    let mut directory = Directory::new(genesis(), peer(1));
    let (own, others) = (list(0, 1, &[1, 3]), list(2, 1, &[2]));
    assert!(directory.insert_roster(end, &own).is_err());
    assert_eq!(directory.enlist(end, &own), Ok(Change::Updated));
    assert!(directory.enlist(end, &others).is_err(), "it lists somebody else");
    directory.expire(end);
    assert_eq!(admitted(&directory, end), [1, 3]);
    let institution = "inst-0".to_owned();
    assert_eq!(directory.check(end), Err(GovernanceError::Roster { institution }));
    // Nobody else's roster is one's own because it lists this node too.
    assert!(directory.enlist(end, &list(2, 1, &[1, 2])).is_ok());
    directory.expire(end);
    assert_eq!(admitted(&directory, end), [1, 3]);
    // The next one counts for everybody.
    let next = directory.insert_roster(NOW, &list(0, 2, &[1]));
    assert_eq!((next, directory.check(NOW)), (Ok(Change::Updated), Ok(())));
    let early = Timestamp::from_ms(NOW.as_ms() - 86_400_000);
    assert!(Directory::new(genesis(), peer(1)).enlist(early, &own).is_err(), "not yet valid");
}

#[test]
fn a_node_that_starts_after_its_institution_left_is_left_that_institution() {
    let removed = amended(|charter| remove(charter, 0));
    let mut directory = Directory::new(removed, peer(1));
    assert!(directory.insert_roster(NOW, &list(0, 1, &[1, 3])).is_err());
    assert_eq!(directory.enlist(NOW, &list(0, 1, &[1, 3])), Ok(Change::Updated));
    let institution = "inst-0".to_owned();
    assert_eq!(directory.check(NOW), Err(GovernanceError::Removed { institution }));
    assert_eq!(admitted(&directory, NOW), [1, 3]);
    // A key that the institution has given up lists nobody.
    let rotated = amended(|charter| charter.institutions[0].roster_key = key(9, 0).public());
    let mut directory = Directory::new(rotated, peer(1));
    assert!(directory.enlist(NOW, &list(0, 1, &[1, 3])).is_err());
}

#[test]
fn who_is_removed_goes_on_alone() {
    let mut directory = directory(genesis());
    directory.adopt(NOW, amended(|charter| remove(charter, 0)));
    let institution = "inst-0".to_owned();
    assert_eq!(directory.check(NOW), Err(GovernanceError::Removed { institution }));
    assert_eq!(candidates(&mut directory), [1, 3]);
}

/// Nobody stays admitted by listing somebody else's node as his own.
#[test]
fn another_institution_that_lists_this_node_gains_nothing() {
    let end = NOW + MINUTE;
    let mut directory = directory(amended(|charter| charter.expires_at = end));
    directory.insert_roster(NOW, &list(2, 2, &[1, 2])).unwrap();
    assert_eq!(admitted(&directory, NOW), [2, 3]);
    assert_eq!(directory.contested(NOW), [peer(1)]);
    directory.expire(end);
    assert_eq!(admitted(&directory, end), [1, 3]);
}

#[test]
fn a_roster_under_a_key_that_was_changed_counts_no_more() {
    let mut directory = directory(genesis());
    directory.adopt(NOW, amended(|it| it.institutions[2].roster_key = key(7, 7).public()));
    assert_eq!(admitted(&directory, NOW), [1, 3]);
    assert_eq!(directory.expire(NOW), [peer(2)]);
}

/// Governance attack 10.
#[test]
fn a_fork_leaves_local_use() {
    let mut chain = amended(|charter| charter.witnesses = 1);
    let other = next(&genesis(), |charter| charter.created_at = NOW);
    let other = with_signatures(&genesis(), &other, &[root(0), root(1)]);
    chain.merge(&[other]).unwrap_err();
    let directory = directory(chain);
    assert_eq!(directory.check(NOW), Err(GovernanceError::Fork { version: 2 }));
    assert_eq!(admitted(&directory, NOW), [1, 3]);
}

#[test]
fn versions_are_told_from_any_on_as_many_as_fit() {
    let mut chain = amended(|charter| charter.models = vec![Digest::ZERO]);
    for _ in 0..19 {
        let charter = next(&chain, |charter| {
            charter.created_at = NOW;
            // Most of the 64 KiB a charter may have.
            charter.models = (0..1_800_u16).map(model).collect();
        });
        let signed = with_signatures(&chain, &charter, &[root(0), root(1)]);
        chain.merge(&[signed]).unwrap();
    }
    let directory = directory(chain.clone());
    let told = directory.charters(2);
    assert_eq!(told.charters[..2], chain.signed()[1..3]);
    assert!(told.encode().len() <= CONTROL_BYTES_MAX && told.charters.len() > 10);
    assert!(directory.charters(22).charters.is_empty());
    let rest = directory.charters(2 + u32::try_from(told.charters.len()).unwrap());
    assert_eq!(rest.charters.last(), chain.signed().last());
}

fn model(number: u16) -> Digest {
    let mut digest = Digest::ZERO;
    digest.0[..2].copy_from_slice(&number.to_be_bytes());
    digest
}

#[test]
fn a_peer_whose_log_told_two_stories_is_lost_whatever_rosters_say_even_at_home() {
    let mut directory = directory(genesis());
    directory.distrust(NOW, peer(2));
    assert_eq!(directory.poll_timeout(), Some(NOW));
    assert_eq!(directory.expire(NOW), [peer(2)]);
    directory.insert_roster(NOW, &list(2, 2, &[2])).unwrap();
    assert_eq!(directory.expire(NOW), [peer(2)], "listed again, and out again");
    assert_eq!(admitted(&directory, NOW), [1, 3]);
    directory.distrust(NOW, peer(3));
    assert_eq!(directory.expire(NOW), [peer(3)]);
    assert_eq!(admitted(&directory, NOW), [1]);
}
