//! One record of a node's log, whatever its kind. Not where it stands in the file.

use super::{AbortRecord, CountersignedRecord, OpenRecord, Receipt, StageReceipt};
use crate::{
    id::{Digest, PeerKey, SessionId},
    log::succession::SuccessionRecord,
    signed::{Domain, Signed, SignedError},
    time::Timestamp,
    wire::Wire,
};

/// What a record of a node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A request was taken.
    Open(OpenRecord),
    /// A request will never be closed.
    Abort(AbortRecord),
    /// What the node computed for a home.
    Stage(StageReceipt),
    /// A home's word that it counts on a stage receipt.
    Countersigned(CountersignedRecord),
    /// The log succeeds another.
    Succession(SuccessionRecord),
    /// A request ended.
    Close(Box<Receipt>),
}

impl Record {
    /// The record that `node` signed under the consortium of `genesis`.
    ///
    /// # Errors
    /// [`SignedError`]; nothing is decoded unless the signature holds.
    pub fn open(signed: &Signed, genesis: &Digest, node: &PeerKey) -> Result<Self, SignedError> {
        Self::read(signed, Some((genesis, node)))
    }

    /// The record in `signed`, whoever signed it.
    ///
    /// # Errors
    /// [`SignedError`] if it is no record.
    pub fn unverified(signed: &Signed) -> Result<Self, SignedError> {
        Self::read(signed, None)
    }

    fn read(signed: &Signed, author: Option<(&Digest, &PeerKey)>) -> Result<Self, SignedError> {
        let is = |domain: Domain| signed.domain == domain.as_str();
        if is(Domain::OPEN_RECORD) {
            read(signed, Domain::OPEN_RECORD, author).map(Self::Open)
        } else if is(Domain::ABORT_RECORD) {
            read(signed, Domain::ABORT_RECORD, author).map(Self::Abort)
        } else if is(Domain::STAGE_RECEIPT) {
            read(signed, Domain::STAGE_RECEIPT, author).map(Self::Stage)
        } else if is(Domain::COUNTERSIGNED_RECORD) {
            read(signed, Domain::COUNTERSIGNED_RECORD, author).map(Self::Countersigned)
        } else if is(Domain::SUCCESSION_RECORD) {
            read(signed, Domain::SUCCESSION_RECORD, author).map(Self::Succession)
        } else {
            read(signed, Domain::RECEIPT, author).map(Box::new).map(Self::Close)
        }
    }

    /// The stable name of its kind, for people and scripts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Abort(_) => "abort",
            Self::Stage(_) => "stage",
            Self::Countersigned(_) => "countersigned",
            Self::Succession(_) => "succession",
            Self::Close(_) => "close",
        }
    }

    /// The request it is about; that of a countersigned record stands in what was countersigned, and
    /// a succession is about none.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Open(record) => Some(record.session),
            Self::Abort(record) => Some(record.session),
            Self::Stage(receipt) => Some(receipt.session),
            Self::Countersigned(_) | Self::Succession(_) => None,
            Self::Close(receipt) => Some(receipt.session),
        }
    }

    /// When it was signed; what holds another's statement does not say.
    #[must_use]
    pub const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Open(record) => Some(record.opened_at),
            Self::Abort(record) => Some(record.aborted_at),
            Self::Stage(receipt) => Some(receipt.signed_at),
            Self::Countersigned(_) | Self::Succession(_) => None,
            Self::Close(receipt) => Some(receipt.closed_at),
        }
    }

    /// Its number, and the digest of the record before it, as it says.
    #[must_use]
    pub const fn place(&self) -> (u64, Digest) {
        match self {
            Self::Open(record) => (record.sequence, record.previous),
            Self::Abort(record) => (record.sequence, record.previous),
            Self::Stage(receipt) => (receipt.sequence, receipt.previous),
            Self::Countersigned(record) => (record.sequence, record.previous),
            Self::Succession(record) => (record.sequence, record.previous),
            Self::Close(receipt) => (receipt.sequence, receipt.previous),
        }
    }
}

fn read<T: Wire>(
    signed: &Signed,
    domain: Domain,
    author: Option<(&Digest, &PeerKey)>,
) -> Result<T, SignedError> {
    match author {
        Some((genesis, node)) => signed.open_from(domain, genesis, node),
        // Every domain was looked at already, but for the last one's.
        None if signed.domain == domain.as_str() => Ok(T::decode(&signed.payload)?),
        None => Err(SignedError::Domain { expected: domain.as_str() }),
    }
}
