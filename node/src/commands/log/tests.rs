//! What `comity log check` finds in logs that were changed, and what is shown of a log.

use std::fs;

use comity_protocol::{
    id::{Digest, PeerKey},
    log::checkpoint::{Checkpoint, origin},
    receipt::{AbortRecord, OpenRecord},
    signed::{Domain, NodeKey},
    time::Timestamp,
};
use tempfile::TempDir;

use super::*;
use crate::{checkpoints::SIGNED_FILE, log::Log};

const GENESIS: Digest = Digest([9; 32]);

fn key() -> NodeKey {
    NodeKey::from_seed(&[3; 32])
}

fn author() -> Author {
    Author { genesis: GENESIS, node: key().public() }
}

fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

fn opened(number: u8, sequence: u64, previous: Digest) -> OpenRecord {
    OpenRecord {
        session: session(number),
        institution: "alba".into(),
        manifest: Digest([1; 32]),
        policy: Digest([2; 32]),
        sequence,
        previous,
        opened_at: Timestamp::from_ms(1_800_000_000_000 + sequence),
        charter: GENESIS,
    }
}

/// Appends the statement that `make` makes of its place; its bytes.
async fn append(log: &Log, make: impl FnOnce(u64, Digest) -> Signed + Send + 'static) -> Signed {
    let (give, taken) = tokio::sync::oneshot::channel();
    let build = move |sequence, previous| {
        let signed = make(sequence, previous);
        let bytes = signed.encode();
        give.send(signed).unwrap();
        Some(bytes)
    };
    log.append_with(build).await.unwrap();
    taken.await.unwrap()
}

async fn open(log: &Log, number: u8) -> Signed {
    let make = move |sequence, previous| {
        key().sign(Domain::OPEN_RECORD, &GENESIS, &opened(number, sequence, previous)).unwrap()
    };
    append(log, make).await
}

async fn abort(log: &Log, number: u8, open: &Signed) {
    let open_record = open.payload_digest();
    let make = move |sequence, previous| {
        let (session, institution) = (session(number), "alba".into());
        let aborted_at = Timestamp::from_ms(1_800_000_000_000 + sequence);
        let record =
            AbortRecord { session, institution, open_record, sequence, previous, aborted_at };
        key().sign(Domain::ABORT_RECORD, &GENESIS, &record).unwrap()
    };
    append(log, make).await;
}

/// A log in which one request was aborted and one is open, with a checkpoint.
async fn good() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(folder.path()).unwrap();
    let first = open(&log, 1).await;
    abort(&log, 1, &first).await;
    open(&log, 2).await;
    log.grown().wait_for(|tree| tree.size() == 3).await.unwrap();
    let (size, root) = log.tree();
    sign(folder.path(), size, root);
    log.close().await;
    folder
}

fn sign(folder: &Path, size: u64, root: Digest) {
    let checkpoint = Checkpoint { origin: origin(&GENESIS, &key().public()), size, root };
    let note = checkpoint.sign(&key()).unwrap();
    fs::write(folder.join(SIGNED_FILE), note.to_string()).unwrap();
}

fn fault(folder: &Path) -> Fault {
    check::check(folder, author()).unwrap_err()
}

#[tokio::test]
async fn a_whole_log_holds() {
    let folder = good().await;
    let checked = check::check(folder.path(), author()).unwrap();
    assert_eq!((checked.records, checked.signed, checked.witnessed), (3, 3, 0));
    assert_eq!(checked.open, 1);
    fs::remove_file(folder.path().join("hashes")).unwrap();
    assert!(check::check(folder.path(), author()).is_ok(), "the hashes are only a help");
}

#[tokio::test]
async fn a_record_of_another_node_or_consortium_is_found() {
    let folder = good().await;
    let stranger = Author { node: PeerKey([8; 32]), ..author() };
    let other = Author { genesis: Digest([8; 32]), ..author() };
    for author in [stranger, other] {
        let _ = fs::remove_file(folder.path().join(SIGNED_FILE));
        let found = check::check(folder.path(), author);
        assert!(matches!(found, Err(Fault::Signed(1, _))));
    }
}

#[tokio::test]
async fn a_record_that_belongs_elsewhere_is_found() {
    for wrong in [(7, Digest::ZERO), (1, Digest([7; 32]))] {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(folder.path()).unwrap();
        let make = move |_, _| {
            key().sign(Domain::OPEN_RECORD, &GENESIS, &opened(1, wrong.0, wrong.1)).unwrap()
        };
        append(&log, make).await;
        assert!(matches!(fault(folder.path()), Fault::Place { sequence: 1, .. }));
    }
}

#[tokio::test]
async fn a_request_that_ends_twice_or_without_beginning_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(folder.path()).unwrap();
    let first = open(&log, 1).await;
    abort(&log, 1, &first).await;
    abort(&log, 1, &first).await;
    let found = fault(folder.path());
    assert!(matches!(found, Fault::NotOpen { sequence: 3, session: id } if id == session(1)));
}

#[tokio::test]
async fn changed_hashes_and_false_checkpoints_are_found() {
    let folder = good().await;
    let (path, good) = (folder.path().join("hashes"), fs::read(folder.path().join("hashes")));
    let mut bytes = good.unwrap();
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(fault(folder.path()), Fault::Hash(2)));
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    for (size, root) in [(3, Digest([4; 32])), (2, Digest([4; 32])), (4, Digest([4; 32]))] {
        sign(folder.path(), size, root);
        let found = fault(folder.path());
        assert!(matches!(found, Fault::Checkpoint { size: got, .. } if got == size));
    }
}

#[tokio::test]
async fn a_damaged_frame_is_found_with_the_record_before_it() {
    let folder = good().await;
    let path = folder.path().join("records.log");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let found = with_causes(&fault(folder.path()));
    assert!(found.contains("after record 1") && found.contains("damaged"), "{found}");
}

#[tokio::test]
async fn every_record_is_shown_with_its_kind_and_session() {
    let folder = good().await;
    let mut lines = Vec::new();
    each(folder.path(), |record, said| {
        lines.push(line(record, said));
        assert_eq!(object(record, said)["sequence"], record.position.sequence);
    })
    .unwrap();
    let kinds: Vec<_> = lines.iter().map(|line| line.split_whitespace().rev().nth(1)).collect();
    assert_eq!(kinds, [Some("open"), Some("abort"), Some("open")]);
    assert!(lines[2].contains(&session(2).to_string()));
}
