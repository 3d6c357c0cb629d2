//! What the ledger signs on its own: requests given up.

mod countersign;

use std::path::Path;

use comity_protocol::{
    id::SessionId,
    limits::{RECORD_PAYLOAD_BYTES_MAX, RETENTION_DEFAULT},
    receipt::OpenRecord,
};

use super::*;
use crate::log::Record;

const CHARTER: Digest = Digest([9; 32]);

/// A node's log, index and signer.
struct Desk {
    log: Log,
    store: Arc<Store>,
    ledger: Ledger,
}

impl Desk {
    fn open(folder: &Path) -> Self {
        Self::of(1, folder)
    }

    /// The desk of the node with the key `seed`.
    fn of(seed: u8, folder: &Path) -> Self {
        let (log, _) = Log::open(folder).unwrap();
        let store = Arc::new(Store::open(folder, log.clone()).unwrap());
        let key = NodeKey::from_seed(&[seed; 32]);
        let ledger = Ledger::new(key, CHARTER, log.clone(), Clock::start(), RETENTION_DEFAULT);
        Self { log, store, ledger }
    }

    /// Ends as a crash does: nothing is closed but the file.
    async fn crash(self) {
        let Self { log, store, ledger } = self;
        drop((store, ledger));
        log.close().await;
    }

    fn records(&self) -> Vec<Record> {
        self.log.records(0).unwrap().map(Result::unwrap).collect()
    }

    /// The last record's statement, checked to be linked to the one before.
    fn last<T: Wire>(&self, domain: Domain) -> T {
        let records = self.records();
        let signed = Signed::decode(&records.last().unwrap().bytes).unwrap();
        signed.open_from(domain, &CHARTER, &self.ledger.signer()).unwrap()
    }
}

fn opening(session: u8) -> OpenRecord {
    OpenRecord {
        session: SessionId([session; 16]),
        institution: "inst".into(),
        manifest: Digest::ZERO,
        policy: Digest::ZERO,
        sequence: 0,
        previous: Digest::ZERO,
        opened_at: Timestamp::from_ms(1),
        charter: CHARTER,
    }
}

#[tokio::test]
async fn a_request_left_open_is_given_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path());
    let left = desk.ledger.open(opening(1)).await.unwrap();
    assert_eq!(desk.ledger.abort_left_open(&desk.store).await.unwrap(), 0, "not indexed yet");
    desk.crash().await;

    let desk = Desk::open(folder.path());
    assert_eq!(desk.ledger.abort_left_open(&desk.store).await.unwrap(), 1);
    let abort: AbortRecord = desk.last(Domain::ABORT_RECORD);
    assert_eq!((abort.session, abort.open_record), (SessionId([1; 16]), left.payload_digest()));
    assert_eq!((abort.institution.as_str(), abort.sequence), ("inst", 2));
    assert_eq!(abort.previous, Digest::of(&left.encode()));
    assert_eq!(desk.ledger.abort_left_open(&desk.store).await.unwrap(), 0);
    desk.crash().await;

    // Neither from a new index nor from one that was kept.
    for _ in 0..2 {
        let Desk { log, store, ledger } = Desk::open(folder.path());
        assert_eq!(ledger.abort_left_open(&store).await.unwrap(), 0);
        drop(ledger);
        Arc::into_inner(store).unwrap().close().unwrap();
        log.close().await;
    }
    assert_eq!(Desk::open(folder.path()).records().len(), 2);
}

#[tokio::test]
async fn a_request_that_was_closed_is_not_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path());
    desk.ledger.open(opening(1)).await.unwrap();
    let said = countersign::draft(1, &desk, "inst", 1);
    let signed = desk.ledger.sign_stage_receipt(said.clone()).await.unwrap();
    desk.ledger.close(countersign::listing(1, &desk, &signed, &said)).await.unwrap();
    desk.crash().await;
    let desk = Desk::open(folder.path());
    assert_eq!(desk.ledger.abort_left_open(&desk.store).await.unwrap(), 0);
}

#[tokio::test]
async fn a_crash_between_two_aborts_leaves_one_more_to_make() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path());
    let first = desk.ledger.open(opening(1)).await.unwrap();
    desk.ledger.open(opening(2)).await.unwrap();
    desk.ledger.abort(&first).await.unwrap();
    desk.crash().await;
    let desk = Desk::open(folder.path());
    assert_eq!(desk.ledger.abort_left_open(&desk.store).await.unwrap(), 1);
    assert_eq!(desk.last::<AbortRecord>(Domain::ABORT_RECORD).session, SessionId([2; 16]));
    assert_eq!(desk.records().len(), 4);
}

#[tokio::test]
async fn a_record_is_refused_that_its_envelope_makes_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path());
    let long = |bytes| OpenRecord { institution: "x".repeat(bytes), ..opening(1) };
    // Lengths take three bytes to write from here on.
    let signed = desk.ledger.open(long(40_000)).await.unwrap();
    let spare = RECORD_PAYLOAD_BYTES_MAX - signed.payload.len() + 40_000;
    assert!(desk.ledger.open(long(spare)).await.unwrap().encode().len() <= RECORD_BYTES_MAX);
    let refused = desk.ledger.open(long(spare + 1)).await;
    assert!(matches!(refused, Err(LedgerError::TooLong)), "{refused:?}");
    assert_eq!(desk.records().len(), 2, "nothing was written");
    desk.ledger.open(opening(1)).await.unwrap();
    assert_eq!(desk.last::<OpenRecord>(Domain::OPEN_RECORD).sequence, 3, "no number was used up");
}
