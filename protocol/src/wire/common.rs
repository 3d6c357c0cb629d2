//! Encoding of the envelope and of block ranges.

use super::{DecodeError, bytes, id, pb, text, wire};
use crate::{
    block::BlockRange,
    id::PeerKey,
    limits::{DOMAIN_BYTES_MAX, PAYLOAD_BYTES_MAX, SIGNED_BYTES_MAX},
    signed::Signed,
};

wire!(Signed, pb::Signed, SIGNED_BYTES_MAX);

impl From<&Signed> for pb::Signed {
    fn from(signed: &Signed) -> Self {
        Self {
            domain: signed.domain.clone(),
            payload: signed.payload.clone(),
            signer: bytes(&signed.signer.0),
            signature: bytes(&signed.signature),
        }
    }
}

impl TryFrom<pb::Signed> for Signed {
    type Error = DecodeError;

    fn try_from(signed: pb::Signed) -> Result<Self, DecodeError> {
        if signed.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(DecodeError::field("signed.payload", "too long"));
        }
        Ok(Self {
            domain: text(signed.domain, DOMAIN_BYTES_MAX, "signed.domain")?,
            payload: signed.payload,
            signer: id::<PeerKey>(&signed.signer, "signed.signer")?,
            signature: id(&signed.signature, "signed.signature")?,
        })
    }
}

impl From<BlockRange> for pb::BlockRange {
    fn from(range: BlockRange) -> Self {
        Self { start: range.start(), end: range.end() }
    }
}

impl TryFrom<pb::BlockRange> for BlockRange {
    type Error = DecodeError;

    fn try_from(range: pb::BlockRange) -> Result<Self, DecodeError> {
        Self::new(range.start, range.end)
            .map_err(|_| DecodeError::field("block_range", "empty or past the limit"))
    }
}
