//! Whether the records of one signer follow each other. Not the records that are not in the bundle.

use super::{Context, stages::Stage};
use crate::{
    bundle::{Fault, VerifyError},
    id::Digest,
    receipt::OpenRecord,
    signed::Signed,
    wire::Wire as _,
};

/// One of home's records that the bundle holds.
struct Record {
    sequence: u64,
    digest: Digest,
}

impl Context<'_> {
    /// Home's records in the bundle are numbered in the order they were made, and each link that can
    /// be followed leads where it says.
    pub(super) fn records(&self, open: &OpenRecord, stages: &[Stage]) -> Result<(), VerifyError> {
        let (bundle, receipt) = (self.bundle, &self.receipt);
        if (open.sequence == 1) != (open.previous == Digest::ZERO) {
            return Err(Fault::Sequence.at("open_record.previous"));
        }
        if receipt.sequence <= open.sequence {
            return Err(Fault::Sequence.at("receipt.sequence"));
        }
        let mut records = vec![Record::new(open.sequence, &bundle.open_record)];
        for (index, stage) in stages.iter().filter_map(|stage| stage.receipt.as_ref()) {
            let signed = &bundle.stage_receipts[*index];
            if signed.signer != bundle.receipt.signer {
                continue;
            }
            if stage.sequence <= open.sequence || stage.sequence >= receipt.sequence {
                return Err(Fault::Sequence.at(format!("stage_receipts[{index}].sequence")));
            }
            records.push(Record::new(stage.sequence, signed));
        }
        for record in records {
            let adjacent = record.sequence + 1 == receipt.sequence;
            if adjacent != (receipt.previous == record.digest) {
                return Err(Fault::Sequence.at("receipt.previous"));
            }
        }
        Ok(())
    }
}

impl Record {
    /// A record's link covers its envelope too, as the log keeps it.
    fn new(sequence: u64, signed: &Signed) -> Self {
        Self { sequence, digest: Digest::of(&signed.encode()) }
    }
}
