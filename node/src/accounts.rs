//! A node's books, read from its log. Not what an entry is (`comity_protocol::account`).

use std::collections::BTreeMap;

use comity_protocol::{
    account::{Books, Entry},
    id::Digest,
    receipt::{Countersignature, CountersignedRecord, Receipt, StageReceipt},
    signed::{Domain, Signed},
    wire::Wire as _,
};

/// What the records of one node say.
#[derive(Debug, Default)]
pub struct Accounts {
    /// What is owed, on both sides.
    pub books: Books,
    /// This node's stage receipts by digest.
    stages: BTreeMap<Digest, StageReceipt>,
}

impl Accounts {
    /// Takes the next record of the node's own log; what is no receipt is passed over. Signatures were
    /// checked when it was written.
    pub fn read(&mut self, record: &[u8]) {
        let Ok(signed) = Signed::decode(record) else { return };
        let is = |domain: Domain| signed.domain == domain.as_str();
        if is(Domain::STAGE_RECEIPT) {
            if let Ok(receipt) = StageReceipt::decode(&signed.payload) {
                self.stages.insert(signed.payload_digest(), receipt);
            }
        } else if is(Domain::RECEIPT) {
            if let Ok(receipt) = Receipt::decode(&signed.payload) {
                for entry in Entry::owed(&receipt, signed.signer) {
                    self.books.record(entry);
                }
            }
        } else if is(Domain::COUNTERSIGNED_RECORD)
            && let Ok(record) = CountersignedRecord::decode(&signed.payload)
            && let Ok(given) = Countersignature::decode(&record.countersignature.payload)
            && let Some(receipt) = self.stages.get(&given.stage_receipt)
        {
            self.books.record(Entry::due(receipt, &given));
        }
    }
}
