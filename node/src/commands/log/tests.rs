//! What `comity log check` finds in logs that were changed, and what is shown of a log.

use std::{fs, time::Duration};

use comity_protocol::{
    charter::{Charter, Institution, InstitutionKeys},
    id::{Digest, PeerKey},
    log::{
        checkpoint::{Checkpoint, origin},
        succession::{Succession, SuccessionReason, SuccessionRecord},
    },
    receipt::{AbortRecord, OpenRecord},
    regulation::Period,
    signed::{Domain, NodeKey},
    time::{Timestamp, Validity},
};
use tempfile::TempDir;

use super::*;
use crate::{checkpoints::SIGNED_FILE, log::Log};

/// The consortium of one institution, whose roster key is number 12.
fn chain() -> Chain {
    let key = |number| NodeKey::from_seed(&[number; 32]);
    let [root, roster, witness] = [11, 12, 13].map(|number| key(number).public());
    let keys = InstitutionKeys { root, roster, witness };
    let member = Institution::new("alba", "Alba", "FR".parse().unwrap(), keys);
    let from = Timestamp::from_ms(1_800_000_000_000);
    let validity = Validity { from, until: from + Duration::from_secs(86_400) };
    let charter = Charter::genesis("Test", validity, vec![member]);
    Chain::verify(&[charter.sign_all(&[key(11)]).unwrap()], None).unwrap()
}

fn genesis() -> Digest {
    chain().genesis()
}

fn key() -> NodeKey {
    NodeKey::from_seed(&[3; 32])
}

fn author() -> Author {
    Author { genesis: genesis(), node: key().public() }
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
        charter: genesis(),
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
        key().sign(Domain::OPEN_RECORD, &genesis(), &opened(number, sequence, previous)).unwrap()
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
        key().sign(Domain::ABORT_RECORD, &genesis(), &record).unwrap()
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
    let checkpoint = Checkpoint { origin: origin(&genesis(), &key().public()), size, root };
    let note = checkpoint.sign(&key()).unwrap();
    fs::write(folder.join(SIGNED_FILE), note.to_string()).unwrap();
}

fn fault(folder: &Path) -> Fault {
    check::check(folder, author(), &chain()).unwrap_err()
}

#[tokio::test]
async fn a_whole_log_holds() {
    let folder = good().await;
    let checked = check::check(folder.path(), author(), &chain()).unwrap();
    assert_eq!((checked.records, checked.signed, checked.witnessed), (3, 3, 0));
    assert_eq!(checked.open, 1);
    fs::remove_file(folder.path().join("hashes")).unwrap();
    assert!(check::check(folder.path(), author(), &chain()).is_ok(), "the hashes are only a help");
}

#[tokio::test]
async fn a_record_of_another_node_or_consortium_is_found() {
    let folder = good().await;
    let stranger = Author { node: PeerKey([8; 32]), ..author() };
    let other = Author { genesis: Digest([8; 32]), ..author() };
    for author in [stranger, other] {
        let _ = fs::remove_file(folder.path().join(SIGNED_FILE));
        let found = check::check(folder.path(), author, &chain());
        assert!(matches!(found, Err(Fault::Signed(1, _))));
    }
}

#[tokio::test]
async fn a_record_that_belongs_elsewhere_is_found() {
    for wrong in [(7, Digest::ZERO), (1, Digest([7; 32]))] {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = Log::open(folder.path()).unwrap();
        let make = move |_, _| {
            key().sign(Domain::OPEN_RECORD, &genesis(), &opened(1, wrong.0, wrong.1)).unwrap()
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

/// A log that begins with one request if `late`, and then says that it succeeds another's, signed by
/// key number `by`.
async fn succeeding(by: u8, late: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(folder.path()).unwrap();
    if late {
        open(&log, 1).await;
    }
    let make = move |sequence, previous| {
        let said = Succession {
            institution: "alba".into(),
            from: PeerKey([8; 32]),
            to: key().public(),
            reason: SuccessionReason::Cloned,
            records: 3,
            last: Digest([4; 32]),
            checkpoint: String::new(),
            seen: 5,
            at: Timestamp::from_ms(1_800_000_000_000),
        };
        let by = NodeKey::from_seed(&[by; 32]);
        let succession = by.sign(Domain::SUCCESSION, &genesis(), &said).unwrap();
        let record = SuccessionRecord { sequence, previous, succession };
        key().sign(Domain::SUCCESSION_RECORD, &genesis(), &record).unwrap()
    };
    append(&log, make).await;
    log.close().await;
    folder
}

#[tokio::test]
async fn a_log_succeeds_another_by_its_institutions_word_and_at_its_beginning() {
    let good = succeeding(12, false).await;
    assert_eq!(check::check(good.path(), author(), &chain()).unwrap().records, 1);
    let mut said = None;
    each(good.path(), |record, it| said = Some(object(record, it))).unwrap();
    let said = said.unwrap();
    assert_eq!((&said["kind"], &said["says"]["seen"]), (&"succession".into(), &5.into()));
    for (by, late, number) in [(11, false, 1), (3, false, 1), (12, true, 2)] {
        let found = fault(succeeding(by, late).await.path());
        assert!(matches!(found, Fault::Succession(at, _) if at == number), "{found}");
    }
}

#[tokio::test]
async fn a_document_is_made_of_the_nodes_own_records_alone() {
    let folder = good().await;
    let gather = |author| export::gather(folder.path(), author, chain(), Period::default());
    assert_eq!(gather(author()).unwrap().closed().count(), 0);
    let stranger = Author { node: PeerKey([8; 32]), ..author() };
    assert!(matches!(gather(stranger), Err(LogCommandError::Signed(1, _))));
}
