//! Signs this node's records: each gets its place in the log, is signed, and is durable before
//! anyone sees it. Not the log's file.

use comity_protocol::{
    id::{Digest, PeerKey},
    limits::RETENTION_DEFAULT,
    receipt::{OpenRecord, Receipt, StageReceipt},
    signed::{Domain, NodeKey, Signed},
    wire::Wire,
};

use crate::{
    clock::Clock,
    log::{AppendError, Log, RECORD_BYTES_MAX},
};

/// Handle to the signer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    key: NodeKey,
    charter: Digest,
    log: Log,
    clock: Clock,
}

/// Why a record was not signed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The log takes nothing more.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The record is too long, and was not signed for anyone to see.
    #[error("the record would have more than {RECORD_BYTES_MAX} bytes")]
    TooLong,
}

impl Ledger {
    /// A signer with `key` under `charter`, recording in `log`.
    #[must_use]
    pub const fn new(key: NodeKey, charter: Digest, log: Log, clock: Clock) -> Self {
        Self { key, charter, log, clock }
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

    /// Signs the receipt of a whole request, to be kept for [`RETENTION_DEFAULT`].
    ///
    /// # Errors
    /// [`LedgerError`]; the holder gets no proof then.
    pub async fn close(&self, mut receipt: Receipt) -> Result<Signed, LedgerError> {
        self.append(Domain::RECEIPT, move |sequence, previous, now| {
            (receipt.sequence, receipt.previous, receipt.closed_at) = (sequence, previous, now);
            receipt.retained_until = now + RETENTION_DEFAULT;
            receipt
        })
        .await
    }

    async fn append<T: Wire + Send + 'static>(
        &self,
        domain: Domain,
        record: impl FnOnce(u64, Digest, comity_protocol::time::Timestamp) -> T + Send + 'static,
    ) -> Result<Signed, LedgerError> {
        let (key, charter, clock) = (self.key.clone(), self.charter, self.clock);
        let (give, signed) = tokio::sync::oneshot::channel();
        self.log
            .append_with(move |sequence, previous| {
                let record = record(sequence, previous, clock.now());
                let signed = key.sign(domain, &charter, &record).ok()?;
                let bytes = signed.encode();
                if bytes.len() > RECORD_BYTES_MAX {
                    return None;
                }
                // The caller may have gone; the record stands all the same.
                let _ = give.send(signed);
                Some(bytes)
            })
            .await?;
        signed.await.map_err(|_| LedgerError::TooLong)
    }
}
