//! Signs this node's records: each gets its place in the log, is signed, and is durable before
//! anyone sees it. Not the log's file.

mod countersign;

use std::{io, sync::Arc, time::Duration};

use comity_protocol::{
    id::{Digest, PeerKey},
    receipt::{AbortRecord, OpenRecord, Receipt, StageReceipt},
    signed::{Domain, NodeKey, Signed},
    time::Timestamp,
    wire::Wire,
};
pub use countersign::{GiveError, TakeError};
use tokio::sync::Mutex;
use tracing::warn;

use crate::{
    clock::Clock,
    log::{AppendError, Log, RECORD_BYTES_MAX},
    store::{Store, StoreError},
};

/// Handle to the signer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    key: NodeKey,
    charter: Digest,
    log: Log,
    clock: Clock,
    /// How long what a receipt commits to is kept.
    retention: Duration,
    /// Held while a countersignature is looked up and recorded.
    countersigning: Arc<Mutex<()>>,
}

/// Why a record was not signed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The log takes nothing more.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The record is too long for the log, and not signed.
    #[error("the record would have more than {RECORD_BYTES_MAX} bytes")]
    TooLong,
}

/// Why requests that were left open are not recorded as such.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AbortError {
    /// They could not be found.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record was not made.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// A signer with `key` under `charter`, recording in `log`. What its receipts commit to is kept
    /// for `retention`.
    #[must_use]
    pub fn new(key: NodeKey, charter: Digest, log: Log, clock: Clock, retention: Duration) -> Self {
        Self { key, charter, log, clock, retention, countersigning: Arc::default() }
    }

    /// The key, for statements that are no records: openings and announcements.
    #[must_use]
    pub const fn key(&self) -> &NodeKey {
        &self.key
    }

    /// Who signs.
    #[must_use]
    pub fn signer(&self) -> PeerKey {
        self.key.public()
    }

    /// Records that a request starts (promise P2).
    ///
    /// # Errors
    /// [`LedgerError`]; the request must not start then.
    pub async fn open(&self, mut record: OpenRecord) -> Result<Signed, LedgerError> {
        self.append(Domain::OPEN_RECORD, move |sequence, previous, _| {
            (record.sequence, record.previous) = (sequence, previous);
            record
        })
        .await
    }

    /// Records that a request this node opened will never be closed, if it is the node's own.
    ///
    /// # Errors
    /// [`LedgerError`].
    async fn abort(&self, open: &Signed) -> Result<(), LedgerError> {
        let Ok(OpenRecord { session, institution, .. }) =
            open.open_from(Domain::OPEN_RECORD, &self.charter, &self.signer())
        else {
            warn!("an open record in the log is not this node's own under this charter");
            return Ok(());
        };
        let open_record = open.payload_digest();
        let record = move |sequence, previous, aborted_at| AbortRecord {
            session,
            institution,
            open_record,
            sequence,
            previous,
            aborted_at,
        };
        self.append(Domain::ABORT_RECORD, record).await?;
        Ok(())
    }

    /// Records of every request that the node left open when it last ended that it will never be
    /// closed; how many. Call it before serving: a request that runs is open too.
    ///
    /// # Errors
    /// [`AbortError`]; those recorded by then are not recorded again.
    pub async fn abort_left_open(&self, store: &Arc<Store>) -> Result<usize, AbortError> {
        let left = in_store(store, Store::left_open).await?;
        for open in &left {
            self.abort(open).await?;
        }
        in_store(store, Store::catch_up).await?;
        Ok(left.len())
    }

    /// Signs a stage's receipt.
    ///
    /// # Errors
    /// [`LedgerError`]; the span stays unsigned then.
    pub async fn sign_stage_receipt(
        &self,
        mut receipt: StageReceipt,
    ) -> Result<Signed, LedgerError> {
        self.append(Domain::STAGE_RECEIPT, move |sequence, previous, now| {
            (receipt.sequence, receipt.previous, receipt.signed_at) = (sequence, previous, now);
            receipt
        })
        .await
    }

    /// Signs the receipt of a whole request.
    ///
    /// # Errors
    /// [`LedgerError`]; the holder gets no proof then.
    pub async fn close(&self, mut receipt: Receipt) -> Result<Signed, LedgerError> {
        let retention = self.retention;
        self.append(Domain::RECEIPT, move |sequence, previous, now| {
            (receipt.sequence, receipt.previous, receipt.closed_at) = (sequence, previous, now);
            receipt.retained_until = now + retention;
            receipt
        })
        .await
    }

    async fn append<T: Wire + Send + 'static>(
        &self,
        domain: Domain,
        record: impl FnOnce(u64, Digest, Timestamp) -> T + Send + 'static,
    ) -> Result<Signed, LedgerError> {
        let (key, charter, clock) = (self.key.clone(), self.charter, self.clock);
        let (give, signed) = tokio::sync::oneshot::channel();
        self.log
            .append_with(move |sequence, previous| {
                let record = record(sequence, previous, clock.now());
                let signed = key.sign_record(domain, &charter, &record).ok()?;
                let bytes = signed.encode();
                // The caller may have gone; the record stands all the same.
                let _ = give.send(signed);
                Some(bytes)
            })
            .await?;
        signed.await.map_err(|_| LedgerError::TooLong)
    }
}

/// Asks the index, off the runtime's threads.
async fn in_store<T: Send + 'static>(
    store: &Arc<Store>,
    ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = store.clone();
    tokio::task::spawn_blocking(move || ask(&store)).await.map_err(io::Error::from)?
}

#[cfg(test)]
mod tests;
