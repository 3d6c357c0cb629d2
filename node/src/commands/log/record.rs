//! One record of a node's log, as people and programs see it. Not where it stands.

use comity_protocol::{
    id::{Digest, PeerKey, SessionId},
    receipt::{AbortRecord, CountersignedRecord, OpenRecord, Receipt, StageReceipt},
    signed::{Domain, Signed, SignedError},
    time::Timestamp,
    wire::Wire,
};
use serde_json::{Value, json};

/// What a record says.
pub(super) enum Said {
    Open(OpenRecord),
    Abort(AbortRecord),
    Stage(StageReceipt),
    Countersigned(CountersignedRecord),
    Close(Box<Receipt>),
}

/// Whom a record must be of, to be believed.
#[derive(Clone, Copy)]
pub(super) struct Author {
    pub(super) genesis: Digest,
    pub(super) node: PeerKey,
}

impl Said {
    /// Reads `signed`; its signature is checked if the `author` is given.
    pub(super) fn read(signed: &Signed, author: Option<Author>) -> Result<Self, SignedError> {
        let domain = signed.domain.as_str();
        if domain == Domain::OPEN_RECORD.as_str() {
            open(signed, Domain::OPEN_RECORD, author).map(Self::Open)
        } else if domain == Domain::ABORT_RECORD.as_str() {
            open(signed, Domain::ABORT_RECORD, author).map(Self::Abort)
        } else if domain == Domain::STAGE_RECEIPT.as_str() {
            open(signed, Domain::STAGE_RECEIPT, author).map(Self::Stage)
        } else if domain == Domain::COUNTERSIGNED_RECORD.as_str() {
            open(signed, Domain::COUNTERSIGNED_RECORD, author).map(Self::Countersigned)
        } else {
            open(signed, Domain::RECEIPT, author).map(Box::new).map(Self::Close)
        }
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Abort(_) => "abort",
            Self::Stage(_) => "stage",
            Self::Countersigned(_) => "countersigned",
            Self::Close(_) => "close",
        }
    }

    /// The request it is about; that of a countersigned record stands in what was countersigned.
    pub(super) const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Open(record) => Some(record.session),
            Self::Abort(record) => Some(record.session),
            Self::Stage(receipt) => Some(receipt.session),
            Self::Countersigned(_) => None,
            Self::Close(receipt) => Some(receipt.session),
        }
    }

    /// When it was signed; a countersigned record does not say.
    pub(super) const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Open(record) => Some(record.opened_at),
            Self::Abort(record) => Some(record.aborted_at),
            Self::Stage(receipt) => Some(receipt.signed_at),
            Self::Countersigned(_) => None,
            Self::Close(receipt) => Some(receipt.closed_at),
        }
    }

    /// Its number, and the digest of the record before it, as it says.
    pub(super) const fn place(&self) -> (u64, Digest) {
        match self {
            Self::Open(record) => (record.sequence, record.previous),
            Self::Abort(record) => (record.sequence, record.previous),
            Self::Stage(receipt) => (receipt.sequence, receipt.previous),
            Self::Countersigned(record) => (record.sequence, record.previous),
            Self::Close(receipt) => (receipt.sequence, receipt.previous),
        }
    }

    /// What it says, for a program: no prompt and no answer are in any record.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Open(it) => json!({
                "institution": it.institution,
                "manifest": it.manifest.to_string(),
                "policy": it.policy.to_string(),
            }),
            Self::Abort(it) => json!({
                "institution": it.institution,
                "open_record": it.open_record.to_string(),
            }),
            Self::Stage(it) => json!({
                "institution": it.institution,
                "jurisdiction": it.jurisdiction.to_string(),
                "stage": it.stage,
                "blocks": [it.blocks.start(), it.blocks.end()],
                "positions": it.positions,
                "manifest": it.manifest.to_string(),
                "home": it.home.to_string(),
                "home_institution": it.home_institution,
            }),
            Self::Countersigned(it) => json!({
                "countersigner": it.countersignature.signer.to_string(),
            }),
            Self::Close(it) => json!({
                "institution": it.institution,
                "jurisdiction": it.jurisdiction.to_string(),
                "manifest": it.manifest.to_string(),
                "open_record": it.open_record.to_string(),
                "stages": it.stages.len(),
                "prompt_tokens": it.prompt_tokens,
                "output_tokens": it.output_tokens,
                "finish_reason": it.finish_reason.as_str(),
                "retained_until_ms": it.retained_until.as_ms(),
            }),
        }
    }
}

fn open<T: Wire>(
    signed: &Signed,
    domain: Domain,
    author: Option<Author>,
) -> Result<T, SignedError> {
    match author {
        Some(Author { genesis, node }) => signed.open_from(domain, &genesis, &node),
        // Its domain was looked at already, but for the last one's.
        None if signed.domain == domain.as_str() => Ok(T::decode(&signed.payload)?),
        None => Err(SignedError::Domain { expected: domain.as_str() }),
    }
}
