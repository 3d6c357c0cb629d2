//! Encoding of the smaller statements: openings, aborts, countersignatures, acknowledgements.

use super::sequence;
use crate::{
    limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX},
    receipt::{AbortRecord, Acknowledgement, Countersignature, CountersignedRecord, OpenRecord},
    time::Timestamp,
    wire::{DecodeError, bytes, id, pb, required, text, wire},
};

wire!(OpenRecord, pb::OpenRecord, PAYLOAD_BYTES_MAX);
wire!(AbortRecord, pb::AbortRecord, PAYLOAD_BYTES_MAX);
wire!(Countersignature, pb::Countersignature, PAYLOAD_BYTES_MAX);
wire!(CountersignedRecord, pb::CountersignedRecord, PAYLOAD_BYTES_MAX);
wire!(Acknowledgement, pb::Acknowledgement, PAYLOAD_BYTES_MAX);

impl From<&OpenRecord> for pb::OpenRecord {
    fn from(record: &OpenRecord) -> Self {
        Self {
            session: bytes(&record.session.0),
            institution: record.institution.clone(),
            manifest: bytes(&record.manifest.0),
            policy: bytes(&record.policy.0),
            sequence: record.sequence,
            previous: bytes(&record.previous.0),
            opened_at_ms: record.opened_at.as_ms(),
            charter: bytes(&record.charter.0),
        }
    }
}

impl TryFrom<pb::OpenRecord> for OpenRecord {
    type Error = DecodeError;

    fn try_from(pb: pb::OpenRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            session: id(&pb.session, "open_record.session")?,
            institution: text(pb.institution, NAME_BYTES_MAX, "open_record.institution")?,
            manifest: id(&pb.manifest, "open_record.manifest")?,
            policy: id(&pb.policy, "open_record.policy")?,
            sequence: sequence(pb.sequence, "open_record.sequence")?,
            previous: id(&pb.previous, "open_record.previous")?,
            opened_at: Timestamp::from_ms(pb.opened_at_ms),
            charter: id(&pb.charter, "open_record.charter")?,
        })
    }
}

impl From<&Acknowledgement> for pb::Acknowledgement {
    fn from(acknowledgement: &Acknowledgement) -> Self {
        Self {
            receipt: bytes(&acknowledgement.receipt.0),
            received_at_ms: acknowledgement.received_at.as_ms(),
        }
    }
}

impl TryFrom<pb::Acknowledgement> for Acknowledgement {
    type Error = DecodeError;

    fn try_from(pb: pb::Acknowledgement) -> Result<Self, DecodeError> {
        Ok(Self {
            receipt: id(&pb.receipt, "acknowledgement.receipt")?,
            received_at: Timestamp::from_ms(pb.received_at_ms),
        })
    }
}

impl From<&AbortRecord> for pb::AbortRecord {
    fn from(record: &AbortRecord) -> Self {
        Self {
            session: bytes(&record.session.0),
            institution: record.institution.clone(),
            open_record: bytes(&record.open_record.0),
            sequence: record.sequence,
            previous: bytes(&record.previous.0),
            aborted_at_ms: record.aborted_at.as_ms(),
        }
    }
}

impl TryFrom<pb::AbortRecord> for AbortRecord {
    type Error = DecodeError;

    fn try_from(pb: pb::AbortRecord) -> Result<Self, DecodeError> {
        Ok(Self {
            session: id(&pb.session, "abort_record.session")?,
            institution: text(pb.institution, NAME_BYTES_MAX, "abort_record.institution")?,
            open_record: id(&pb.open_record, "abort_record.open_record")?,
            sequence: sequence(pb.sequence, "abort_record.sequence")?,
            previous: id(&pb.previous, "abort_record.previous")?,
            aborted_at: Timestamp::from_ms(pb.aborted_at_ms),
        })
    }
}

impl From<&Countersignature> for pb::Countersignature {
    fn from(countersignature: &Countersignature) -> Self {
        Self {
            stage_receipt: bytes(&countersignature.stage_receipt.0),
            session: bytes(&countersignature.session.0),
            institution: countersignature.institution.clone(),
            signed_at_ms: countersignature.signed_at.as_ms(),
        }
    }
}

impl TryFrom<pb::Countersignature> for Countersignature {
    type Error = DecodeError;

    fn try_from(pb: pb::Countersignature) -> Result<Self, DecodeError> {
        Ok(Self {
            stage_receipt: id(&pb.stage_receipt, "countersignature.stage_receipt")?,
            session: id(&pb.session, "countersignature.session")?,
            institution: text(pb.institution, NAME_BYTES_MAX, "countersignature.institution")?,
            signed_at: Timestamp::from_ms(pb.signed_at_ms),
        })
    }
}

impl From<&CountersignedRecord> for pb::CountersignedRecord {
    fn from(record: &CountersignedRecord) -> Self {
        Self {
            sequence: record.sequence,
            previous: bytes(&record.previous.0),
            countersignature: Some((&record.countersignature).into()),
        }
    }
}

impl TryFrom<pb::CountersignedRecord> for CountersignedRecord {
    type Error = DecodeError;

    fn try_from(pb: pb::CountersignedRecord) -> Result<Self, DecodeError> {
        const COUNTERSIGNATURE: &str = "countersigned_record.countersignature";
        Ok(Self {
            sequence: sequence(pb.sequence, "countersigned_record.sequence")?,
            previous: id(&pb.previous, "countersigned_record.previous")?,
            countersignature: required(pb.countersignature, COUNTERSIGNATURE)?.try_into()?,
        })
    }
}
