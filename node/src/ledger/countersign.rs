//! Countersignatures: home gives them for what its receipts list, stages record those they are given.
//! Not how they travel.

use std::sync::Arc;

use comity_protocol::{
    receipt::{
        CountersignError, Countersignature, CountersignedRecord, Receipt, StageReceipt,
        check_countersignature, countersignature,
    },
    signed::{Domain, Signed, SignedError},
    wire::{DecodeError, Wire as _},
};

use super::{Ledger, LedgerError, in_store};
use crate::store::{Store, StoreError};

/// Why home gives no countersignature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiveError {
    /// The stage receipt does not hold, or is not one to countersign.
    #[error(transparent)]
    Refused(#[from] CountersignError),
    /// No request of that session was closed here: it still runs, was given up, or is none of ours.
    #[error("no receipt of that session is in the log")]
    NotClosed,
    /// The index failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The countersignature was not signed.
    #[error(transparent)]
    Signed(#[from] SignedError),
}

/// Why a stage does not record a countersignature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// It is no countersignature.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// This node signed no such stage receipt.
    #[error("no such stage receipt is in the log")]
    Unknown,
    /// It does not hold for the stage receipt it names.
    #[error(transparent)]
    Refused(#[from] CountersignError),
    /// The index failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was not recorded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// As home: signs for the receipt of the stage that brings `stage_receipt` which this node's own
    /// receipt of that session lists. It may be an earlier one than the stage brought: the last that
    /// came here.
    ///
    /// # Errors
    /// [`GiveError`]; nothing is signed then.
    pub async fn countersign(
        &self,
        store: &Arc<Store>,
        stage_receipt: &Signed,
    ) -> Result<Signed, GiveError> {
        let (charter, me) = (self.charter, self.signer());
        let said: StageReceipt = stage_receipt
            .open(Domain::STAGE_RECEIPT, &charter)
            .map_err(CountersignError::Signed)?;
        let of_session = move |store: &Store| {
            store.catch_up()?;
            store.session(&said.session)
        };
        let mut refused = GiveError::NotClosed;
        for record in in_store(store, of_session).await? {
            let Ok(signed) = Signed::decode(&record.bytes) else { continue };
            let Ok(receipt) = signed.open_from::<Receipt>(Domain::RECEIPT, &charter, &me) else {
                continue;
            };
            match countersignature(self.clock.now(), &charter, &me, stage_receipt, &receipt) {
                Ok(given) => {
                    return Ok(self.key.sign(Domain::COUNTERSIGNATURE, &charter, &given)?);
                }
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    /// As stage: records home's countersignature of one of this node's stage receipts, once; whether
    /// it was new.
    ///
    /// # Errors
    /// [`TakeError`]; nothing is recorded then.
    pub async fn countersigned(
        &self,
        store: &Arc<Store>,
        given: Signed,
    ) -> Result<bool, TakeError> {
        let named = Countersignature::decode(&given.payload)?;
        // From looking to recording nobody else may record the same.
        let _one = self.countersigning.lock().await;
        let look = move |store: &Store| {
            store.catch_up()?;
            Ok((store.statement(&named.stage_receipt)?, store.session(&named.session)?))
        };
        let (ours, records) = in_store(store, look).await?;
        let ours = ours.ok_or(TakeError::Unknown)?;
        let ours = Signed::decode(&ours.bytes)?;
        if ours.signer != self.signer() || ours.domain != Domain::STAGE_RECEIPT.as_str() {
            return Err(TakeError::Unknown);
        }
        let (_, theirs) = check_countersignature(&self.charter, &ours, &given)?;
        let known = |record: CountersignedRecord| {
            let known = Countersignature::decode(&record.countersignature.payload);
            known.is_ok_and(|known| known.stage_receipt == theirs.stage_receipt)
        };
        let signed = records.iter().filter_map(|record| Signed::decode(&record.bytes).ok());
        let mut countersigned =
            signed.filter(|signed| signed.domain == Domain::COUNTERSIGNED_RECORD.as_str());
        if countersigned.any(|it| CountersignedRecord::decode(&it.payload).is_ok_and(known)) {
            return Ok(false);
        }
        let record = move |sequence, previous, _| CountersignedRecord {
            sequence,
            previous,
            countersignature: given,
        };
        self.append(Domain::COUNTERSIGNED_RECORD, record).await?;
        Ok(true)
    }
}
