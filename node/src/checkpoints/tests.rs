//! Checkpoints over real sockets: witnessed, proved, and refused where the log is an old copy.

use std::{fs, path::Path};

use comity_protocol::{
    log::{
        proof::{LogProof, Trust},
        witness::WitnessState,
    },
    signed::{NodeKey, Signed},
    wire::Wire as _,
};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::{
    directory::tests::{Consortium, node_key, witness_key},
    log::AppendError,
    net::control::{ControlConfig, loopback},
    witness::{Witness, WitnessSetup},
};

const PATIENCE: Duration = Duration::from_secs(30);

type Tasks<'a> = (&'a TaskTracker, &'a CancellationToken);

/// Node 1, as far as these tests need it.
struct Started {
    log: Log,
    progress: Result<watch::Receiver<Progress>, CheckpointsError>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// Node 2, which witnesses, and all that node 1 needs.
struct Pair {
    consortium: Consortium,
    /// Of institutions 1 and 2; another one of the same sequence would contradict them.
    rosters: [Signed; 2],
    /// Of the witness; kept while it runs.
    _folder: TempDir,
    addresses: Vec<String>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Pair {
    async fn new() -> Self {
        Self::with(|_, _| ()).await
    }

    /// A witness that finds its data folder as `prepare` leaves it.
    async fn with(prepare: impl FnOnce(&Consortium, &Path)) -> Self {
        let (consortium, folder) = (Consortium::new(), tempfile::tempdir().unwrap());
        prepare(&consortium, folder.path());
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let rosters = [1, 2].map(|number| consortium.own_roster(number));
        let mut pair =
            Self { consortium, rosters, _folder: folder, addresses: Vec::new(), tasks, cancel };
        let tasks = (&pair.tasks.clone(), &pair.cancel.clone());
        let directory = pair.directory(2, tasks).await;
        let setup = WitnessSetup {
            data_dir: pair._folder.path().to_owned(),
            genesis: pair.consortium.hash,
            institution: "inst-2".to_owned(),
            key: witness_key(2),
        };
        let (clock, token) = (pair.consortium.clock, pair.cancel.clone());
        let witness = Witness::spawn(setup, directory.clone(), clock, &pair.tasks, token).unwrap();
        pair.addresses = pair.control(2, directory, Some(witness), tasks).await.addresses();
        pair
    }

    /// The directory of a node that knows its own roster alone.
    async fn directory(&self, number: u8, (tasks, cancel): Tasks<'_>) -> Directory {
        let directory = self.consortium.directory(tasks, cancel);
        let roster = self.rosters[usize::from(number) - 1].clone();
        directory.insert_roster(roster).await.unwrap();
        directory
    }

    async fn control(
        &self,
        number: u8,
        directory: Directory,
        witness: Option<Witness>,
        (tasks, cancel): Tasks<'_>,
    ) -> Control {
        let config = ControlConfig {
            listen: vec![loopback()],
            advertise: Vec::new(),
            peers: self.addresses.clone(),
            key: node_key(number),
            witness,
            countersign: tokio::sync::mpsc::channel(1).0,
        };
        Control::spawn(config, directory, tasks, cancel.clone()).await.unwrap()
    }

    /// Node 1 with its log in `folder`.
    async fn start(&self, folder: &Path) -> Started {
        let (log, _) = Log::open(folder).unwrap();
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let directory = self.directory(1, (&tasks, &cancel)).await;
        let control = self.control(1, directory.clone(), None, (&tasks, &cancel)).await;
        let parts = Parts {
            folder: folder.to_owned(),
            genesis: self.consortium.hash,
            institution: "inst-1".to_owned(),
            signer: node_key(1),
            log: log.clone(),
            directory,
            control,
            clock: self.consortium.clock,
        };
        let progress = parts.spawn(&tasks, cancel.child_token()).await;
        Started { log, progress, tasks, cancel }
    }

    /// A folder with a log of three records that the witness has seen.
    async fn witnessed(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let started = self.start(folder.path()).await;
        append(&started.log, 3).await;
        let mut progress = started.progress.unwrap();
        let seen = progress.wait_for(|progress| progress.witnessed == 3);
        timeout(PATIENCE, seen).await.unwrap().unwrap();
        started.cancel.cancel();
        started.tasks.close();
        started.tasks.wait().await;
        started.log.close().await;
        folder
    }
}

/// Puts what a witness keeps of node 1's log into its data folder.
fn keep(folder: &Path, name: &str, state: &WitnessState) {
    let states = folder.join("witness");
    fs::create_dir(&states).unwrap();
    fs::write(states.join(format!("{name}.state")), state.encode()).unwrap();
}

async fn append(log: &Log, records: u64) {
    let mut grown = log.grown();
    for number in 0..records {
        log.append(format!("record {number}").into_bytes()).await.unwrap();
    }
    grown.wait_for(|tree| tree.size() >= records).await.unwrap();
}

/// A folder with a log of `records` that was never witnessed, as a backup has it.
async fn backup(records: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(folder.path()).unwrap();
    append(&log, records).await;
    log.close().await;
    folder
}

#[tokio::test]
async fn a_record_is_proved_under_a_checkpoint_that_another_institution_cosigned() {
    let pair = Pair::new().await;
    let folder = pair.witnessed().await;
    let genesis = pair.consortium.hash;
    let key = checkpoint::key(&genesis, &node_key(1).public());
    let kept = Kept::load(folder.path(), WITNESSED_FILE, &key).unwrap().unwrap();
    let charter = pair.consortium.charter.charters[0].unverified().unwrap();
    let cosigned = |own| kept.cosigned(&genesis, &charter, own).unwrap();
    assert_eq!(cosigned("inst-1"), BTreeSet::from(["inst-2".to_owned()]));
    assert_eq!(cosigned("inst-2"), BTreeSet::new(), "its own word counts for nothing");
    let hashes = crate::log::HashFile::open(folder.path()).unwrap();
    let proof =
        LogProof { index: 1, hashes: hashes.inclusion(1, 3).unwrap(), checkpoint: kept.note };
    let witnesses = [("inst-2".to_owned(), witness_key(2).public())];
    let (log, now) = (&node_key(1).public(), pair.consortium.clock.now());
    let trust = Trust { genesis: &genesis, log, witnesses: &witnesses, now };
    let logged = proof.verify(b"record 1", trust).unwrap();
    assert_eq!((logged.size, logged.cosigned.len()), (3, 1));
}

#[tokio::test]
async fn a_log_goes_on_after_a_restart_and_is_witnessed_again() {
    let pair = Pair::new().await;
    let folder = pair.witnessed().await;
    let Started { log, progress, .. } = pair.start(folder.path()).await;
    let mut progress = progress.unwrap();
    assert_eq!(
        *progress.borrow_and_update(),
        Progress { signed: 3, witnessed: 3, ..Progress::default() }
    );
    append(&log, 4).await;
    let seen = progress.wait_for(|progress| progress.witnessed == 7);
    timeout(PATIENCE, seen).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_old_copy_of_a_log_is_refused_by_its_own_checkpoint() {
    let pair = Pair::new().await;
    let (folder, old) = (pair.witnessed().await, backup(2).await);
    let checkpoint = |folder: &TempDir| folder.path().join(SIGNED_FILE);
    fs::copy(checkpoint(&folder), checkpoint(&old)).unwrap();
    let refused = pair.start(old.path()).await.progress;
    assert!(matches!(refused, Err(CheckpointsError::Behind { size: 2, seen: 3, .. })));
}

#[tokio::test]
async fn an_old_copy_without_its_checkpoint_is_refused_by_what_witnesses_have_seen() {
    let pair = Pair::new().await;
    let (_folder, old) = (pair.witnessed().await, backup(2).await);
    let refused = pair.start(old.path()).await.progress;
    let Err(CheckpointsError::Behind { size: 2, seen: 3, who }) = refused else {
        panic!("started over what a witness has seen");
    };
    assert_eq!(who, "the witness of inst-2");
}

#[tokio::test]
async fn a_witness_stops_no_log_with_a_checkpoint_that_the_log_has_not_signed() {
    let pair = Pair::with(|consortium, folder| {
        let origin = checkpoint::origin(&consortium.hash, &node_key(1).public());
        let said = Checkpoint { origin, size: 100, root: Digest([7; 32]) };
        // Under its own key, for it has no other.
        let note = said.sign(&node_key(2)).unwrap();
        let state = WitnessState { checkpoint: note, contradiction: None };
        keep(folder, &node_key(1).public().to_string(), &state);
    });
    let (pair, folder) = (pair.await, backup(2).await);
    let Started { log, progress, .. } = pair.start(folder.path()).await;
    let mut progress = progress.expect("started without the witness");
    // Nor while it runs.
    log.append(b"more".to_vec()).await.unwrap();
    let said = progress.wait_for(|progress| progress.refused.contains_key("inst-2"));
    let said = timeout(PATIENCE, said).await.unwrap().unwrap().refused["inst-2"].clone();
    assert!(said.starts_with(UNPROVEN), "{said}");
    log.append(b"still more".to_vec()).await.unwrap();
}

#[tokio::test]
async fn a_log_that_a_witness_holds_for_false_says_so() {
    let pair = Pair::with(|consortium, folder| {
        let origin = checkpoint::origin(&consortium.hash, &node_key(1).public());
        let note = |root| {
            let (origin, size) = (origin.clone(), 3);
            Checkpoint { origin, size, root }.sign(&node_key(1)).unwrap()
        };
        let [checkpoint, contradiction] = [Digest([1; 32]), Digest([2; 32])].map(note);
        let state = WitnessState { checkpoint, contradiction: Some(contradiction) };
        // Under this name it distrusts nobody, and so still answers.
        keep(folder, "moved", &state);
    });
    let (pair, folder) = (pair.await, tempfile::tempdir().unwrap());
    let Started { log, progress, .. } = pair.start(folder.path()).await;
    append(&log, 1).await;
    let mut progress = progress.unwrap();
    let said = progress.wait_for(|progress| progress.refused.contains_key("inst-2"));
    let said = timeout(PATIENCE, said).await.unwrap().unwrap().refused["inst-2"].clone();
    assert_eq!(said, "the log signed two checkpoints of one size");
}

#[tokio::test]
async fn a_log_that_was_rewritten_is_refused_by_what_witnesses_have_seen() {
    let pair = Pair::new().await;
    let (_folder, other) = (pair.witnessed().await, tempfile::tempdir().unwrap());
    let (log, _) = Log::open(other.path()).unwrap();
    for record in [b"record 0", b"record 9", b"record 2", b"record 3"] {
        log.append(record.to_vec()).await.unwrap();
    }
    log.close().await;
    let refused = pair.start(other.path()).await.progress;
    let Err(CheckpointsError::Rewritten { size: 3, who }) = refused else {
        panic!("started with a log that is not what a witness has seen");
    };
    assert_eq!(who, "the witness of inst-2");
}

#[tokio::test]
async fn a_log_that_begins_anew_under_a_known_key_takes_no_more_once_a_witness_says_so() {
    let pair = Pair::new().await;
    let (_folder, empty) = (pair.witnessed().await, tempfile::tempdir().unwrap());
    let Started { log, progress, .. } = pair.start(empty.path()).await;
    append(&log, 1).await;
    let mut progress = progress.unwrap();
    // It ends with the task that keeps it.
    let ended = progress.wait_for(|progress| progress.witnessed > 0);
    assert!(timeout(PATIENCE, ended).await.unwrap().is_err());
    assert_eq!(log.append(b"more".to_vec()).await, Err(AppendError::Closed));
}

#[tokio::test]
async fn records_that_were_changed_under_a_signed_checkpoint_are_refused() {
    let pair = Pair::new().await;
    let folder = pair.witnessed().await;
    let other = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(other.path()).unwrap();
    for record in [b"record 0", b"record 9", b"record 2"] {
        log.append(record.to_vec()).await.unwrap();
    }
    log.close().await;
    fs::copy(folder.path().join(SIGNED_FILE), other.path().join(SIGNED_FILE)).unwrap();
    let refused = pair.start(other.path()).await.progress;
    assert!(matches!(refused, Err(CheckpointsError::Rewritten { size: 3, .. })));
}

#[tokio::test]
async fn a_checkpoint_of_another_key_is_not_taken_for_the_nodes_own() {
    let pair = Pair::new().await;
    let folder = tempfile::tempdir().unwrap();
    let origin = checkpoint::origin(&pair.consortium.hash, &node_key(1).public());
    let forged = Checkpoint { origin, size: 0, root: Digest::of(&[]) };
    let note = forged.sign(&NodeKey::from_seed(&[77; 32])).unwrap();
    fs::write(folder.path().join(SIGNED_FILE), note.to_string()).unwrap();
    let refused = pair.start(folder.path()).await.progress;
    assert!(matches!(refused, Err(CheckpointsError::Kept(KeptError::Foreign { .. }))));
}
