//! What a succession leaves where, who may begin one, and that one that broke off goes on.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _, time::Duration};

use comity_protocol::{
    charter::{Charter, Institution, InstitutionKeys},
    receipt::Record,
    roster::{Role, RosterNode},
    time::Validity,
};
use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

fn key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[number; 32])
}

/// The consortium of one institution, whose roster key is number 2.
fn chain() -> Chain {
    let [root, roster, witness] = [1, 2, 3].map(|number| key(number).public());
    let keys = InstitutionKeys { root, roster, witness };
    let member = Institution::new("alba", "Alba", "FR".parse().unwrap(), keys);
    let validity = Validity { from: NOW, until: NOW + Duration::from_secs(86_400) };
    let charter = Charter::genesis("Test", validity, vec![member]);
    Chain::verify(&[charter.sign_all(&[key(1)]).unwrap()], None).unwrap()
}

/// A roster of these nodes.
fn roster(nodes: &[PeerKey]) -> Signed {
    let nodes: BTreeSet<_> = nodes.iter().copied().collect();
    let entry = |peer| RosterNode {
        peer,
        jurisdiction: "FR".parse().unwrap(),
        roles: [Role::Home].into(),
        control_addresses: Vec::new(),
    };
    let roster = Roster {
        institution: "alba".into(),
        sequence: NOW.as_ms() + 9,
        issued_at: NOW,
        expires_at: NOW + Duration::from_secs(3_600),
        nodes: nodes.into_iter().map(entry).collect(),
    };
    key(2).sign(Domain::ROSTER, &chain().genesis(), &roster).unwrap()
}

struct Node {
    folder: TempDir,
    chain: Chain,
    key: NodeKey,
    roster: Signed,
}

impl Node {
    /// A node that stopped with two records, of which others have seen nine.
    async fn stopped() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = keys::create(&folder.path().join(KEY_FILE)).unwrap().public();
        let (log, _) = Log::open(folder.path()).unwrap();
        for record in [b"one", b"two"] {
            log.append(record.to_vec()).await.unwrap();
        }
        log.close().await;
        fs::write(folder.path().join(BEHIND_FILE), "9\n").unwrap();
        let roster = roster(&[node, key(50).public()]);
        Self { folder, chain: chain(), key: key(2), roster }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            folder: self.folder.path(),
            chain: &self.chain,
            institution: "alba",
            key: &self.key,
            roster: &self.roster,
            from: None,
            reason: SuccessionReason::Restored,
            now: NOW,
        }
    }

    fn node(&self) -> PeerKey {
        keys::load(&self.path(KEY_FILE)).unwrap().public()
    }

    fn records(&self, folder: &Path) -> Vec<Vec<u8>> {
        log::read(folder).unwrap().map(|record| record.unwrap().bytes).collect()
    }

    /// The one record of the new log, as a succession from `old`.
    fn assert_succeeded(&self, old: PeerKey) {
        let [only] = &self.records(self.folder.path())[..] else { panic!("one record") };
        let signed = Signed::decode(only).unwrap();
        let record = Record::open(&signed, &self.chain.genesis(), &self.node()).unwrap();
        let Record::Succession(record) = record else { panic!("{record:?}") };
        let said = record.check(&self.chain, &self.node()).unwrap();
        assert_eq!((said.from, said.records, said.seen), (old, 2, 9));
        assert_eq!(said.last, Digest::of(b"two"));
        let ended = self.path(ENDED_FOLDER).join(old.short());
        assert_eq!(self.records(&ended), [b"one", b"two"]);
        assert_eq!(keys::load(&ended.join(KEY_FILE)).unwrap().public(), old);
    }
}

#[tokio::test]
async fn the_old_log_is_put_away_and_the_new_one_begins_with_the_institutions_word() {
    let node = Node::stopped().await;
    let old = node.node();
    let succeeded = node.parts().succeed().await.unwrap();
    assert_eq!((succeeded.said.from, succeeded.said.to), (old, node.node()));
    assert_ne!(old, node.node());
    node.assert_succeeded(old);
    let mode = fs::metadata(node.path(KEY_FILE)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let genesis = node.chain.genesis();
    let listed = Roster::verify(&succeeded.roster, node.chain.current(), &genesis, NOW).unwrap();
    assert!(listed.node(&node.node()).is_some() && listed.node(&old).is_none());
    assert!(listed.node(&key(50).public()).is_some(), "the others stay");
    assert_eq!(listed.sequence, NOW.as_ms() + 10, "newer than the one before");
    assert!(is_begun(node.folder.path()), "the roster is not in its place yet");
    done(node.folder.path()).unwrap();
    assert!(!is_begun(node.folder.path()));
}

#[tokio::test]
async fn only_the_institutions_roster_key_begins_one() {
    let mut node = Node::stopped().await;
    let old = node.node();
    for other in [1, 3, 50] {
        node.key = key(other);
        let error = node.parts().succeed().await.unwrap_err();
        assert!(matches!(error, SucceedError::NotRosterKey { .. }), "{error}");
    }
    node.key = key(2);
    let foreign = Parts { institution: "delta", ..node.parts() };
    assert!(matches!(foreign.succeed().await, Err(SucceedError::NotMember(_))));
    assert!(!is_begun(node.folder.path()) && node.node() == old);
}

#[tokio::test]
async fn a_node_that_is_not_listed_needs_none() {
    let mut node = Node::stopped().await;
    node.roster = roster(&[key(50).public()]);
    assert!(matches!(node.parts().succeed().await, Err(SucceedError::NotListed(_))));
    let from = Some(key(51).public());
    let lost = Parts { from, reason: SuccessionReason::KeyLost, ..node.parts() };
    assert!(matches!(lost.succeed().await, Err(SucceedError::NotListed(_))));
    let other = Parts { from: Some(key(50).public()), ..node.parts() };
    assert!(matches!(other.succeed().await, Err(SucceedError::Another { .. })));
    assert!(!is_begun(node.folder.path()));
    let mut forged = roster(&[node.node()]);
    forged.signature[0] ^= 1;
    node.roster = forged;
    assert!(matches!(node.parts().succeed().await, Err(SucceedError::Given(_))));
}

#[tokio::test]
async fn a_running_node_is_left_alone() {
    let node = Node::stopped().await;
    let (log, _) = Log::open(node.folder.path()).unwrap();
    let error = node.parts().succeed().await.unwrap_err();
    assert!(matches!(error, SucceedError::Log(OpenLogError::Locked(_))), "{error}");
    assert!(!is_begun(node.folder.path()));
    log.close().await;
}

#[tokio::test]
async fn one_that_broke_off_goes_on_with_the_same_word() {
    // After the word, and after each file that was moved.
    for moved in 0..=MOVED.len() {
        let node = Node::stopped().await;
        let old = node.node();
        let parts = node.parts();
        let given: Roster = node.roster.open(Domain::ROSTER, &node.chain.genesis()).unwrap();
        parts.begin(&given).unwrap();
        let ended = node.path(ENDED_FOLDER).join(old.short());
        fs::create_dir_all(&ended).unwrap();
        for name in &MOVED[..moved] {
            let _ = fs::rename(node.path(name), ended.join(name));
        }
        let later = Parts { now: NOW + Duration::from_secs(1), ..parts };
        let succeeded = later.succeed().await.unwrap();
        assert_eq!(succeeded.said.at, NOW, "{moved} moved");
        node.assert_succeeded(old);
    }
}

#[tokio::test]
async fn one_that_is_done_but_for_the_roster_changes_nothing_more() {
    let node = Node::stopped().await;
    let old = node.node();
    let first = node.parts().succeed().await.unwrap();
    let new = node.node();
    let second = node.parts().succeed().await.unwrap();
    assert_eq!((second.said, node.node()), (first.said, new));
    node.assert_succeeded(old);
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let node = Node::stopped().await;
    let there = node.path(ENDED_FOLDER).join(node.node().short()).join(RECORDS_FILE);
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    fs::write(&there, b"precious").unwrap();
    let error = node.parts().succeed().await.unwrap_err();
    assert!(matches!(&error, SucceedError::Exists(path) if *path == there), "{error}");
    assert_eq!(fs::read(&there).unwrap(), b"precious");
    assert_eq!(node.records(node.folder.path()), [b"one", b"two"]);
}

#[tokio::test]
async fn a_lost_key_is_succeeded_by_what_the_roster_lists() {
    let mut node = Node::stopped().await;
    let old = node.node();
    fs::remove_file(node.path(KEY_FILE)).unwrap();
    let lost = Parts { reason: SuccessionReason::KeyLost, ..node.parts() };
    assert!(matches!(lost.succeed().await, Err(SucceedError::Which(2))));
    node.roster = roster(&[old]);
    // A node that was started without its key has made one that nobody lists.
    let stray = keys::create(&node.path(KEY_FILE)).unwrap().public();
    let lost = Parts { reason: SuccessionReason::KeyLost, ..node.parts() };
    let succeeded = lost.succeed().await.unwrap();
    assert_eq!((succeeded.said.from, succeeded.said.records), (old, 2));
    assert!(succeeded.said.to == node.node() && node.node() != stray);
}
