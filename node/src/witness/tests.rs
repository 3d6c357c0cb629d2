//! What a witness keeps before it answers, over restarts and under contradictions.

use std::time::Duration;

use comity_protocol::log::{
    checkpoint::{Checkpoint, origin},
    tree::{Frontier, consistency, leaf_hash},
};

use tokio::time::timeout;

use super::*;
use crate::directory::tests::{Consortium, node_key, witness_key};

const PATIENCE: Duration = Duration::from_secs(30);

/// A data folder, and what a witness in it needs.
struct Desk {
    consortium: Consortium,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { consortium: Consortium::new(), folder: tempfile::tempdir().unwrap() }
    }

    /// A witness with the folder as it is, and its directory, which admits node 1.
    async fn witness(&self) -> (Witness, Directory) {
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let directory = self.consortium.directory(&tasks, &cancel);
        directory.insert_roster(self.consortium.own_roster(1)).await.unwrap();
        let clock = self.consortium.clock;
        let witness = Witness::spawn(self.setup(), directory.clone(), clock, &tasks, cancel);
        (witness.unwrap(), directory)
    }

    fn setup(&self) -> WitnessSetup {
        WitnessSetup {
            data_dir: self.folder.path().to_owned(),
            genesis: self.consortium.hash,
            institution: "inst-2".to_owned(),
            key: witness_key(2),
        }
    }

    /// Node 1 asks about its log of `new` records, or about one that tells `story`.
    async fn ask(&self, witness: &Witness, old: u64, new: u64, story: &str) -> WitnessReply {
        witness.cosign(peer(), self.request(old, new, story)).await
    }

    fn request(&self, old: u64, new: u64, story: &str) -> WitnessRequest {
        let (mut frontier, mut list) = (Frontier::default(), Vec::new());
        for number in 0..new {
            frontier.append(leaf_hash(format!("{number} {story}").as_bytes()), &mut list);
        }
        let hashes = List(list);
        let origin = origin(&self.consortium.hash, &peer());
        let checkpoint = Checkpoint { origin, size: new, root: frontier.root() };
        WitnessRequest {
            old_size: old,
            proof: consistency(old, new, &hashes).unwrap(),
            checkpoint: checkpoint.sign(&node_key(1)).unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(WITNESS_FOLDER).join(format!("{}{STATE_SUFFIX}", peer()))
    }

    /// Size of the checkpoint kept of node 1's log.
    fn kept(&self) -> u64 {
        let state = WitnessState::decode(&fs::read(self.path()).unwrap()).unwrap();
        Checkpoint::parse(state.checkpoint.text()).unwrap().size
    }
}

struct List(Vec<Digest>);

impl comity_protocol::log::tree::Hashes for List {
    type Error = std::convert::Infallible;

    fn hash(&self, index: u64) -> Result<Digest, Self::Error> {
        Ok(self.0[usize::try_from(index).unwrap()])
    }
}

fn peer() -> PeerKey {
    node_key(1).public()
}

fn cause(reply: &WitnessReply) -> Option<Cause> {
    match reply {
        WitnessReply::Refused(refusal) => Some(refusal.cause),
        _ => None,
    }
}

/// Waits until node 1 is admitted no more.
async fn excluded(directory: &Directory) {
    let mut admission = directory.admission();
    let excluded = admission.wait_for(|admitted| !admitted.contains(&peer()));
    timeout(PATIENCE, excluded).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_cosigned_is_known_after_a_restart() {
    let desk = Desk::new();
    let (witness, _directory) = desk.witness().await;
    assert!(matches!(desk.ask(&witness, 0, 5, "true").await, WitnessReply::Cosigned(_)));
    assert_eq!(desk.kept(), 5);
    drop(witness);
    let (witness, _directory) = desk.witness().await;
    let held = Some(desk.request(0, 5, "true").checkpoint);
    assert_eq!(desk.ask(&witness, 0, 7, "true").await, WitnessReply::Conflict { held });
    let forked = desk.ask(&witness, 5, 7, "false").await;
    assert_eq!(cause(&forked), Some(Cause::Violation));
    assert!(matches!(desk.ask(&witness, 5, 7, "true").await, WitnessReply::Cosigned(_)));
    assert_eq!(desk.kept(), 7);
}

#[tokio::test]
async fn of_requests_at_once_none_rolls_another_back() {
    let desk = Desk::new();
    let (witness, _directory) = desk.witness().await;
    let requests = (1..=8).map(|size| desk.request(0, size, "true"));
    let replies = requests.map(|request| {
        let witness = witness.clone();
        async move { witness.cosign(peer(), request).await }
    });
    let replies = futures::future::join_all(replies).await;
    let cosigned: Vec<_> = (1..=8_u64)
        .zip(&replies)
        .filter_map(|(size, reply)| matches!(reply, WitnessReply::Cosigned(_)).then_some(size))
        .collect();
    assert_eq!(cosigned, [desk.kept()]);
}

#[tokio::test]
async fn a_log_that_told_two_stories_is_refused_and_distrusted_also_after_a_restart() {
    let desk = Desk::new();
    let (witness, directory) = desk.witness().await;
    assert!(directory.admission().borrow().contains(&peer()));
    assert!(matches!(desk.ask(&witness, 0, 5, "true").await, WitnessReply::Cosigned(_)));
    let contradiction = desk.ask(&witness, 0, 5, "false").await;
    assert_eq!(cause(&contradiction), Some(Cause::Violation));
    let state = WitnessState::decode(&fs::read(desk.path()).unwrap()).unwrap();
    let key = comity_protocol::log::checkpoint::key(&desk.consortium.hash, &peer());
    assert_eq!(state.equivocation().unwrap().verify(&key), Ok(5));
    excluded(&directory).await;
    drop(witness);
    let (witness, directory) = desk.witness().await;
    excluded(&directory).await;
    assert_eq!(cause(&desk.ask(&witness, 5, 6, "true").await), Some(Cause::Violation));
}

#[tokio::test]
async fn nothing_is_cosigned_that_cannot_be_kept() {
    let desk = Desk::new();
    let (witness, _directory) = desk.witness().await;
    fs::remove_dir(desk.folder.path().join(WITNESS_FOLDER)).unwrap();
    let reply = desk.ask(&witness, 0, 5, "true").await;
    assert_eq!(cause(&reply), Some(Cause::Storage));
}

#[tokio::test]
async fn a_witness_does_not_begin_anew_over_a_damaged_file() {
    let desk = Desk::new();
    let (witness, directory) = desk.witness().await;
    desk.ask(&witness, 0, 5, "true").await;
    let mut bytes = fs::read(desk.path()).unwrap();
    bytes.truncate(20);
    fs::write(desk.path(), bytes).unwrap();
    let (tasks, clock) = (TaskTracker::new(), desk.consortium.clock);
    let spawned = Witness::spawn(desk.setup(), directory, clock, &tasks, CancellationToken::new());
    assert!(matches!(spawned, Err(OpenWitnessError::Decode { .. })));
}
