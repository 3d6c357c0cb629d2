//! The index, and its rebuilding from the log.

use comity_protocol::{
    receipt::OpenRecord,
    signed::{Domain, NodeKey},
    time::Timestamp,
};

use super::*;

/// A log with one opening for each of these sessions.
async fn log(folder: &Path, sessions: &[u8]) -> Log {
    let (log, _) = Log::open(folder).unwrap();
    for session in sessions {
        append(&log, *session).await;
    }
    log
}

async fn append(log: &Log, session: u8) -> Digest {
    let (give, taken) = tokio::sync::oneshot::channel();
    let build = move |sequence, previous| {
        let record = OpenRecord {
            session: SessionId([session; 16]),
            institution: "a".to_owned(),
            manifest: Digest::ZERO,
            policy: Digest::ZERO,
            sequence,
            previous,
            opened_at: Timestamp::from_ms(1),
            charter: Digest::ZERO,
        };
        let key = NodeKey::from_seed(&[1; 32]);
        let signed = key.sign(Domain::OPEN_RECORD, &Digest::ZERO, &record).unwrap();
        give.send(signed.payload_digest()).unwrap();
        Some(signed.encode())
    };
    log.append_with(build).await.unwrap().unwrap();
    taken.await.unwrap()
}

fn sequences(store: &Store, session: u8) -> Vec<u64> {
    let records = store.session(&SessionId([session; 16])).unwrap();
    records.iter().map(|record| record.position.sequence).collect()
}

#[tokio::test]
async fn records_are_found_by_session_and_by_statement() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), &[1, 2, 1]).await;
    let store = Store::open(folder.path(), log.clone()).unwrap();
    assert_eq!((sequences(&store, 1), sequences(&store, 2)), (vec![1, 3], vec![2]));
    assert!(sequences(&store, 3).is_empty());

    let statement = append(&log, 3).await;
    assert_eq!(store.statement(&statement).unwrap(), None, "not indexed yet");
    assert_eq!(store.catch_up().unwrap(), 1);
    assert_eq!(store.catch_up().unwrap(), 0);
    assert_eq!(sequences(&store, 3), [4]);
    assert_eq!(store.statement(&statement).unwrap().unwrap().position.sequence, 4);
}

#[tokio::test]
async fn a_record_of_no_known_kind_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), &[1]).await;
    log.append(b"not a statement".to_vec()).await.unwrap();
    append(&log, 2).await;
    let store = Store::open(folder.path(), log).unwrap();
    assert_eq!(sequences(&store, 2), [3]);
}

/// What only an index that was kept still has.
const SENTINEL: &[u8] = b"sentinel";

#[tokio::test]
async fn the_index_is_kept_after_a_clean_end_and_rebuilt_after_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), &[1, 2]).await;
    let index = folder.path().join(INDEX_FOLDER);

    let store = Store::open(folder.path(), log.clone()).unwrap();
    store.index.insert(SENTINEL, b"").unwrap();
    store.close().unwrap();
    append(&log, 1).await;
    let store = Store::open(folder.path(), log.clone()).unwrap();
    assert!(store.index.contains_key(SENTINEL).unwrap());
    assert_eq!(sequences(&store, 1), [1, 3]);
    assert!(!index.join(CLEAN_FILE).exists(), "a crash from now on must not look clean");
    // No close: as a crash would leave it.
    drop(store);
    let store = Store::open(folder.path(), log.clone()).unwrap();
    assert!(!store.index.contains_key(SENTINEL).unwrap());
    assert_eq!(sequences(&store, 1), [1, 3]);
    store.close().unwrap();

    // Damaged, though it ended clean.
    for entry in fs::read_dir(&index).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with(CLEAN_FILE) {
            let mut bytes = fs::read(&path).unwrap();
            bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
            fs::write(&path, bytes).unwrap();
        }
    }
    let store = Store::open(folder.path(), log.clone()).unwrap();
    assert_eq!(sequences(&store, 1), [1, 3]);
    store.close().unwrap();

    fs::remove_dir_all(&index).unwrap();
    let store = Store::open(folder.path(), log).unwrap();
    assert_eq!((sequences(&store, 1), sequences(&store, 2)), (vec![1, 3], vec![2]));
}
