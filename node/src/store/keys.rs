//! Under which keys the index keeps which records. Not sled itself but for its batches.

use comity_protocol::{
    id::{Digest, SessionId},
    receipt::{
        AbortRecord, Countersignature, CountersignedRecord, OpenRecord, Receipt, StageReceipt,
    },
    signed::{Domain, Signed},
    wire::Wire as _,
};

use super::StoreError;
use crate::log::Record;

/// Prefix of the keys of requests that were neither closed nor given up.
pub(super) const LEFT_OPEN: &[u8] = b"o";
/// Prefix of the keys of stage receipts that home has not countersigned.
pub(super) const UNCOUNTERSIGNED: &[u8] = b"c";

/// Prefix of the keys of records about `session`.
pub(super) fn session(session: &SessionId) -> Vec<u8> {
    [&b"s"[..], &session.0].concat()
}

/// Key of the record with this payload.
pub(super) fn statement(payload: &Digest) -> Vec<u8> {
    [&b"p"[..], &payload.0].concat()
}

fn left_open(session: &SessionId) -> Vec<u8> {
    [LEFT_OPEN, &session.0].concat()
}

/// One key for all receipts of one stage for one session. A home that gives two sessions one id owes
/// for both: they began at different times.
fn uncountersigned(receipt: &StageReceipt) -> Vec<u8> {
    let begun = receipt.started_at.as_ms().to_be_bytes();
    [UNCOUNTERSIGNED, &receipt.home.0, &receipt.session.0, &begun].concat()
}

/// What indexing `record` changes; `find` finds an earlier record by its payload.
pub(super) fn changes(
    record: &Record,
    find: impl Fn(&Digest) -> Result<Option<Record>, StoreError>,
) -> Result<sled::Batch, StoreError> {
    let mut batch = sled::Batch::default();
    let Ok(signed) = Signed::decode(&record.bytes) else { return Ok(batch) };
    let place = &record.position.offset.to_be_bytes();
    batch.insert(statement(&signed.payload_digest()), place);
    let Some(statement) = Statement::of(&signed) else { return Ok(batch) };
    let of = statement.session();
    // The place behind it keeps the log's order.
    batch.insert([&session(&of)[..], place].concat(), place);
    match statement {
        Statement::Open(_) => batch.insert(left_open(&of), place),
        Statement::Abort(_) | Statement::Receipt(_) => batch.remove(left_open(&of)),
        Statement::Stage(receipt) => {
            // Within an institution nobody owes anybody.
            if receipt.institution != receipt.home_institution {
                batch.insert(uncountersigned(&receipt), place);
            }
        }
        Statement::Countersigned(given) => {
            let receipt = find(&given.stage_receipt)?;
            let receipt = receipt.and_then(|record| Signed::decode(&record.bytes).ok());
            if let Some(Ok(receipt)) = receipt.map(|signed| StageReceipt::decode(&signed.payload)) {
                batch.remove(uncountersigned(&receipt));
            }
        }
    }
    Ok(batch)
}

/// A record of our own log; its signature was made by this node.
enum Statement {
    Open(OpenRecord),
    Abort(AbortRecord),
    Receipt(Box<Receipt>),
    Stage(Box<StageReceipt>),
    Countersigned(Countersignature),
}

impl Statement {
    fn of(signed: &Signed) -> Option<Self> {
        let payload = &signed.payload;
        let is = |domain: Domain| signed.domain == domain.as_str();
        if is(Domain::OPEN_RECORD) {
            OpenRecord::decode(payload).ok().map(Self::Open)
        } else if is(Domain::ABORT_RECORD) {
            AbortRecord::decode(payload).ok().map(Self::Abort)
        } else if is(Domain::RECEIPT) {
            Receipt::decode(payload).ok().map(|receipt| Self::Receipt(Box::new(receipt)))
        } else if is(Domain::STAGE_RECEIPT) {
            StageReceipt::decode(payload).ok().map(|receipt| Self::Stage(Box::new(receipt)))
        } else if is(Domain::COUNTERSIGNED_RECORD) {
            let record = CountersignedRecord::decode(payload).ok()?;
            let given = Countersignature::decode(&record.countersignature.payload);
            given.ok().map(Self::Countersigned)
        } else {
            None
        }
    }

    fn session(&self) -> SessionId {
        match self {
            Self::Open(record) => record.session,
            Self::Abort(record) => record.session,
            Self::Receipt(receipt) => receipt.session,
            Self::Stage(receipt) => receipt.session,
            Self::Countersigned(given) => given.session,
        }
    }
}
