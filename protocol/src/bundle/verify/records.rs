//! Whether the records of one signer follow each other. Not the records that are not in the bundle.

use super::{Context, stages::Stage};
use crate::{
    bundle::{Fault, VerifyError},
    id::Digest,
    receipt::OpenRecord,
    signed::Signed,
    wire::Wire as _,
};

/// One record that the bundle holds.
struct Record {
    /// Path in the bundle.
    path: String,
    sequence: u64,
    previous: Digest,
    digest: Digest,
}

impl Context<'_> {
    /// Records are numbered and linked from each signer's first, home's in the order they were made,
    /// and each link that can be followed leads where it says.
    pub(super) fn records(&self, open: &OpenRecord, stages: &[Stage]) -> Result<(), VerifyError> {
        let (bundle, receipt) = (self.bundle, &self.receipt);
        let new = Record::new;
        let mut records =
            vec![new("open_record", open.sequence, open.previous, &bundle.open_record)];
        for (index, stage) in stages.iter().filter_map(|stage| stage.receipt.as_ref()) {
            let (path, signed) =
                (format!("stage_receipts[{index}]"), &bundle.stage_receipts[*index]);
            let record = new(&path, stage.sequence, stage.previous, signed);
            if signed.signer == bundle.receipt.signer {
                records.push(record);
            } else {
                record.begins()?;
            }
        }
        records.push(new("receipt", receipt.sequence, receipt.previous, &bundle.receipt));
        records.iter().try_for_each(Record::begins)?;
        for (index, after) in records.iter().enumerate() {
            records[..index].iter().rev().try_for_each(|before| after.follows(before))?;
        }
        Ok(())
    }
}

impl Record {
    /// A record's link covers its envelope too, as the log keeps it.
    fn new(path: &str, sequence: u64, previous: Digest, signed: &Signed) -> Self {
        Self { path: path.to_owned(), sequence, previous, digest: Digest::of(&signed.encode()) }
    }

    /// A signer's first record has none before it, and no other lacks one.
    fn begins(&self) -> Result<(), VerifyError> {
        if (self.sequence == 1) != (self.previous == Digest::ZERO) {
            return Err(self.fault("previous"));
        }
        Ok(())
    }

    fn follows(&self, before: &Self) -> Result<(), VerifyError> {
        if self.sequence <= before.sequence {
            return Err(self.fault("sequence"));
        }
        if (self.sequence == before.sequence + 1) != (self.previous == before.digest) {
            return Err(self.fault("previous"));
        }
        Ok(())
    }

    fn fault(&self, field: &str) -> VerifyError {
        Fault::Sequence.at(format!("{}.{field}", self.path))
    }
}
