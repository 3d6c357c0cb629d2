//! The directory actor: what it believes, tells and forgets.

use std::time::Duration;

use comity_protocol::{
    announcement::{Announcement, Offer},
    block::BlockRange,
    charter::{Charter, Institution, InstitutionKeys, Revocation, Revoked},
    roster::{Role, Roster, RosterNode},
    signed::{Domain, NodeKey},
    time::Validity,
    wire::Wire as _,
};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::governance::ArchiveError;

const PATIENCE: Duration = Duration::from_secs(30);

/// The model that every announcement offers.
pub(crate) const MODEL: Digest = Digest([7; 32]);
/// Its numeric class.
pub(crate) const CLASS: &str = "test/1";

/// A consortium of four institutions; institution `n`, from 1 on, owns node `n`.
pub(crate) struct Consortium {
    pub(crate) charter: SignedChain,
    pub(crate) hash: Digest,
    pub(crate) clock: Clock,
    /// Where its nodes keep what they learn.
    folder: TempDir,
}

pub(crate) fn node_key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[number; 32])
}

pub(crate) fn witness_key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[50 + number; 32])
}

fn root_key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[200 + number; 32])
}

fn roster_key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[100 + number; 32])
}

impl Consortium {
    pub(crate) fn new() -> Self {
        let clock = Clock::start();
        let roots: Vec<_> = (1..=4).map(root_key).collect();
        let institutions = roots.iter().zip(1..).map(|(root, number)| {
            let keys = InstitutionKeys {
                root: root.public(),
                roster: roster_key(number).public(),
                witness: witness_key(number).public(),
            };
            let legal_name = format!("Institution {number}");
            Institution::new(format!("inst-{number}"), legal_name, "FR".parse().unwrap(), keys)
        });
        let until = clock.now() + Duration::from_secs(3_600);
        let validity = Validity { from: clock.now(), until };
        let genesis = Charter::genesis("Test", validity, institutions.collect());
        let charter = Charter { witnesses: 1, ..genesis };
        let signed = charter.sign_all(&roots).unwrap();
        let hash = signed.hash();
        let charter = SignedChain { charters: vec![signed], suspensions: Vec::new() };
        Self { charter, hash, clock, folder: tempfile::tempdir().unwrap() }
    }

    /// The charters with one more, that `change` makes of the last, signed by everyone.
    pub(crate) fn amend(&mut self, change: impl FnOnce(&mut Charter)) {
        let newest = self.charter.charters.last().unwrap();
        let mut next = newest.unverified().unwrap();
        (next.version, next.previous) = (next.version + 1, Some(newest.hash()));
        change(&mut next);
        let mut signed = SignedCharter { payload: next.encode().into(), signatures: Vec::new() };
        (1..=4).for_each(|number| {
            signed.sign(&root_key(number), newest.unverified().ok().as_ref()).unwrap()
        });
        self.charter.charters.push(signed);
    }

    pub(crate) fn directory(&self, tasks: &TaskTracker, cancel: &CancellationToken) -> Directory {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let (archive, chain, _) = Archive::open(&folder, &self.charter).unwrap();
        // On no roster: what these tests are about does not depend on who one is.
        let me = NodeKey::from_seed(&[99; 32]).public();
        Directory::spawn((archive, chain), me, self.clock, tasks, cancel.clone())
    }

    /// The directory of node 1, which keeps its charters in `folder`.
    fn node_in(
        &self,
        folder: &std::path::Path,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Directory {
        let (archive, chain, _) = Archive::open(folder, &self.charter).unwrap();
        let me = node_key(1).public();
        Directory::spawn((archive, chain), me, self.clock, tasks, cancel.clone())
    }

    /// A roster of institution `number`.
    pub(crate) fn roster(&self, number: u8, sequence: u64, nodes: &[u8], life: Duration) -> Signed {
        let mut nodes: Vec<_> = nodes
            .iter()
            .map(|node| RosterNode {
                peer: node_key(*node).public(),
                jurisdiction: "FR".parse().unwrap(),
                roles: [Role::Home, Role::Stage, Role::Witness].into(),
                control_addresses: Vec::new(),
            })
            .collect();
        nodes.sort_by_key(|node| node.peer);
        let issued_at = self.clock.now();
        let institution = format!("inst-{number}");
        let expires_at = issued_at + life;
        let roster = Roster { institution, sequence, issued_at, expires_at, nodes };
        roster_key(number).sign(Domain::ROSTER, &self.hash, &roster).unwrap()
    }

    /// The roster that lists node `number` of institution `number` alone, for an hour.
    pub(crate) fn own_roster(&self, number: u8) -> Signed {
        self.roster(number, 1, &[number], Duration::from_secs(3_600))
    }

    /// Node `number` serves [`MODEL`], its data plane on port `sequence`.
    pub(crate) fn announcement(&self, number: u8, sequence: u16) -> Signed {
        let offer = Offer {
            manifest: MODEL,
            blocks: BlockRange::new(0, 10).unwrap(),
            numeric_class: CLASS.to_owned(),
            block_time_ns: 1,
            positions_free: 1,
            sessions: 0,
        };
        let announcement = Announcement {
            institution: format!("inst-{number}"),
            sequence: sequence.into(),
            issued_at: self.clock.now(),
            expires_at: self.clock.now() + Duration::from_secs(60),
            data_addresses: vec![SocketAddr::from(([127, 0, 0, 1], sequence))],
            offers: vec![offer],
            round_trips: Vec::new(),
        };
        node_key(number).sign(Domain::ANNOUNCEMENT, &self.hash, &announcement).unwrap()
    }
}

#[tokio::test]
async fn admission_follows_rosters_and_ends_with_them_by_itself() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let consortium = Consortium::new();
    let directory = consortium.directory(&tasks, &cancel);
    let mut admission = directory.admission();
    assert!(admission.borrow_and_update().is_empty());

    let short = consortium.roster(1, 1, &[1], Duration::from_millis(300));
    directory.insert_roster(short).await.unwrap();
    let me = node_key(1).public();
    assert!(admission.borrow_and_update().contains(&me));
    directory.insert_announcement(consortium.announcement(1, 9)).await.unwrap();
    assert_eq!(directory.candidates(MODEL, CLASS).await.len(), 1);
    assert_eq!(directory.data_addresses(me).await.len(), 1);

    // Nobody asks anything: the directory's own timer must do it.
    timeout(PATIENCE, admission.wait_for(|admitted| admitted.is_empty())).await.unwrap().unwrap();
    assert_eq!(directory.candidates(MODEL, CLASS).await, []);
    assert!(directory.member(me).await.is_none() && directory.rosters().await.is_empty());
}

#[tokio::test]
async fn a_hello_is_believed_as_far_as_it_is_signed() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let consortium = Consortium::new();
    let directory = consortium.directory(&tasks, &cancel);
    let (one, two, three) = (node_key(1).public(), node_key(2).public(), node_key(3).public());
    let mut forged = consortium.own_roster(3);
    forged.signature[0] ^= 1;
    let hello = Hello {
        genesis: consortium.hash,
        charter_version: 1,
        charter: consortium.hash,
        suspensions: Vec::new(),
        rosters: vec![forged, consortium.own_roster(1), consortium.own_roster(2)],
        announcements: vec![consortium.announcement(3, 1), consortium.announcement(2, 1)],
    };
    let before = *directory.changes().borrow();
    assert!(!directory.hear(hello.clone(), three).await, "a forged roster admits nobody");
    assert_eq!(directory.candidates(MODEL, CLASS).await, [], "strangers announce nothing");
    assert!(directory.hear(hello, one).await);
    let candidates = directory.candidates(MODEL, CLASS).await;
    assert_eq!(candidates.iter().map(|it| it.peer).collect::<Vec<_>>(), [two]);
    let after = *directory.changes().borrow();
    assert_eq!((after.governance - before.governance, directory.rosters().await.len()), (2, 2));
}

#[tokio::test]
async fn a_stopped_directory_knows_nobody() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let consortium = Consortium::new();
    let directory = consortium.directory(&tasks, &cancel);
    directory.insert_roster(consortium.own_roster(1)).await.unwrap();
    cancel.cancel();
    tasks.close();
    tasks.wait().await;
    assert!(directory.admission().borrow().is_empty());
    let refused = directory.insert_roster(consortium.own_roster(2)).await;
    assert_eq!(refused, Err(InsertError::Stopped));
    assert!(directory.members().await.is_empty());
}

#[tokio::test]
async fn a_later_charter_is_kept_before_it_is_acted_on_and_found_again() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let mut consortium = Consortium::new();
    let folder = tempfile::tempdir().unwrap();
    let directory = consortium.node_in(folder.path(), &tasks, &cancel);
    for number in 1..=3 {
        directory.insert_roster(consortium.own_roster(number)).await.unwrap();
    }
    let genesis = consortium.charter.clone();
    consortium.amend(|charter| {
        charter.institutions.retain(|institution| institution.id != "inst-3");
        let revocation = Revocation { at: charter.created_at, reason: String::new() };
        charter.revocations.insert(Revoked::Institution("inst-3".into()), revocation);
    });
    let before = *directory.changes().borrow();
    let inserted = directory.insert_charters(consortium.charter.charters.clone()).await;
    assert_eq!(inserted, Ok(Change::Updated));
    assert!(directory.admission().borrow().contains(&node_key(2).public()));
    assert!(!directory.admission().borrow().contains(&node_key(3).public()));
    assert!(directory.changes().borrow().governance > before.governance);
    assert_eq!(directory.chain().current().version, 2);
    assert_eq!(directory.charters(2).await.charters, consortium.charter.charters[1..]);

    // A node that is started with the old file again knows the new version.
    let (_, chain, _) = Archive::open(folder.path(), &genesis).unwrap();
    assert_eq!(chain.signed(), consortium.charter.charters);
    // And with another consortium's charter it does not start.
    let other = Archive::open(folder.path(), &Consortium::new().charter);
    assert!(matches!(other, Err(ArchiveError::Kept { .. })));
}

#[tokio::test]
async fn a_charter_that_cannot_be_kept_is_not_acted_on() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let mut consortium = Consortium::new();
    let folder = tempfile::tempdir().unwrap();
    let directory = consortium.node_in(folder.path(), &tasks, &cancel);
    drop(folder);
    consortium.amend(|charter| charter.name = "Other".to_owned());
    let inserted = directory.insert_charters(consortium.charter.charters.clone()).await;
    assert_eq!(inserted, Err(InsertError::Storage(io::ErrorKind::NotFound)));
    assert_eq!(directory.chain().current().version, 1);
}

/// Governance attack 10, over a restart too.
#[tokio::test]
async fn a_fork_leaves_a_node_alone_until_people_decide() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (mut one, mut other) = (Consortium::new(), Consortium::new());
    other.charter = one.charter.clone();
    let folder = tempfile::tempdir().unwrap();
    one.amend(|charter| charter.name = "One".to_owned());
    other.amend(|charter| charter.name = "Other".to_owned());
    let directory = one.node_in(folder.path(), &tasks, &cancel);
    for number in 1..=2 {
        directory.insert_roster(one.own_roster(number)).await.unwrap();
    }
    assert_eq!(directory.check().await, Ok(()));
    let inserted = directory.insert_charters(other.charter.charters.clone()).await;
    let fork = CharterError::Fork { version: 2 };
    assert_eq!(inserted, Err(InsertError::Refused(fork)));
    assert_eq!(directory.check().await, Err(GovernanceError::Fork { version: 2 }));
    assert!(!directory.admission().borrow().contains(&node_key(2).public()));
    let (_, chain, _) = Archive::open(folder.path(), &one.charter).unwrap();
    assert!(chain.fork().is_some());
}

/// An operator who puts the other branch in place decides nothing by starting the node twice.
#[tokio::test]
async fn a_fork_found_at_the_start_is_found_at_every_start() {
    let (mut one, mut other) = (Consortium::new(), Consortium::new());
    other.charter = one.charter.clone();
    let folder = tempfile::tempdir().unwrap();
    one.amend(|charter| charter.name = "One".to_owned());
    other.amend(|charter| charter.name = "Other".to_owned());
    assert!(Archive::open(folder.path(), &one.charter).unwrap().1.fork().is_none());
    for _ in 0..3 {
        assert!(Archive::open(folder.path(), &other.charter).unwrap().1.fork().is_some());
    }
}
