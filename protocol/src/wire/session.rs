//! Encoding of session frames.

use bytes::Bytes;

use super::{DecodeError, bytes, id, list, pb, required, text, wire, within};
use crate::{
    commitment::Salt,
    id::PrefixTag,
    limits::{
        FRAME_HEADER_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, POSITIONS_MAX, PREFIX_PAGES_MAX,
        STAGES_MAX, STEP_POSITIONS_MAX, TEXT_BYTES_MAX,
    },
    refusal::{Cause, Refusal},
    route::RouteStage,
    session::{Close, Frame, Open, Step},
    signed::Signed,
    time::Timestamp,
};

wire!(Frame, pb::Frame, FRAME_HEADER_BYTES_MAX);
wire!(Open, pb::Open, PAYLOAD_BYTES_MAX);

impl From<&Open> for pb::Open {
    fn from(open: &Open) -> Self {
        Self {
            session: bytes(&open.session.0),
            manifest: bytes(&open.manifest.0),
            stages: open.stages.iter().map(Into::into).collect(),
            positions_max: open.positions_max,
            policy: Some((&open.policy).into()),
            salt: bytes(open.salt.expose()),
            deadline_ms: open.deadline.as_ms(),
            numeric_class: open.numeric_class.clone(),
            prefix: open.prefix.iter().map(|tag| bytes(&tag.0)).collect(),
        }
    }
}

impl TryFrom<pb::Open> for Open {
    type Error = DecodeError;

    fn try_from(pb: pb::Open) -> Result<Self, DecodeError> {
        let stages = list(pb.stages, STAGES_MAX, "open.stages")?;
        Ok(Self {
            session: id(&pb.session, "open.session")?,
            manifest: id(&pb.manifest, "open.manifest")?,
            stages: stages
                .into_iter()
                .map(RouteStage::try_from)
                .collect::<Result<_, DecodeError>>()?,
            positions_max: within(pb.positions_max, 1, POSITIONS_MAX, "open.positions_max")?,
            policy: required(pb.policy, "open.policy")?.try_into()?,
            salt: Salt::new(id(&pb.salt, "open.salt")?),
            deadline: Timestamp::from_ms(pb.deadline_ms),
            numeric_class: text(pb.numeric_class, NAME_BYTES_MAX, "open.numeric_class")?,
            prefix: prefix(pb.prefix, "open.prefix")?,
        })
    }
}

impl From<&Frame> for pb::Frame {
    fn from(frame: &Frame) -> Self {
        use pb::frame::Kind;
        let kind = match frame {
            Frame::Open { signed, cached } => {
                Kind::Open(pb::RingOpen { open: Some(signed.into()), cached: *cached })
            }
            Frame::Opened { session, cached } => {
                Kind::Opened(pb::Opened { session: bytes(&session.0), cached: *cached })
            }
            Frame::Step(step) => Kind::Step(pb::Step {
                start: step.start,
                positions: step.positions,
                returned: step.returned,
                receipts: step.receipts.iter().map(Into::into).collect(),
                accepted: step.accepted,
            }),
            Frame::Close(close) => Kind::Close(pb::Close {
                receipts: close.receipts.iter().map(Into::into).collect(),
                positions: close.positions,
                prefix: close.prefix.iter().map(|tag| bytes(&tag.0)).collect(),
            }),
            Frame::Refusal(refusal) => Kind::Refusal(refusal.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::Frame> for Frame {
    type Error = DecodeError;

    fn try_from(pb: pb::Frame) -> Result<Self, DecodeError> {
        use pb::frame::Kind;
        Ok(match required(pb.kind, "frame.kind")? {
            Kind::Open(opening) => Self::Open {
                signed: required(opening.open, "ring_open.open")?.try_into()?,
                cached: within(opening.cached, 0, POSITIONS_MAX, "ring_open.cached")?,
            },
            Kind::Opened(opened) => Self::Opened {
                session: id(&opened.session, "opened.session")?,
                cached: within(opened.cached, 0, POSITIONS_MAX, "opened.cached")?,
            },
            Kind::Step(step) => Self::Step(step.try_into()?),
            Kind::Close(close) => Self::Close(Close {
                positions: within(close.positions, 0, POSITIONS_MAX, "close.positions")?,
                receipts: receipts(close.receipts, "close.receipts")?,
                prefix: prefix(close.prefix, "close.prefix")?,
            }),
            Kind::Refusal(refusal) => Self::Refusal(refusal.try_into()?),
        })
    }
}

impl TryFrom<pb::Step> for Step {
    type Error = DecodeError;

    fn try_from(pb: pb::Step) -> Result<Self, DecodeError> {
        let positions = within(pb.positions, 1, STEP_POSITIONS_MAX, "step.positions")?;
        let start = within(pb.start, 0, POSITIONS_MAX, "step.start")?;
        Ok(Self {
            start,
            positions,
            returned: within(pb.returned, 0, positions, "step.returned")?,
            receipts: receipts(pb.receipts, "step.receipts")?,
            accepted: within(pb.accepted, 0, start + positions, "step.accepted")?,
        })
    }
}

impl From<&Refusal> for pb::Refusal {
    fn from(refusal: &Refusal) -> Self {
        Self {
            cause: i32::from(refusal.cause.code()),
            detail: refusal.detail.clone(),
            stage: refusal.stage,
        }
    }
}

impl TryFrom<pb::Refusal> for Refusal {
    type Error = DecodeError;

    fn try_from(pb: pb::Refusal) -> Result<Self, DecodeError> {
        if pb.detail.len() > TEXT_BYTES_MAX {
            return Err(DecodeError::field("refusal.detail", "too long"));
        }
        let stages = u32::try_from(STAGES_MAX).unwrap_or(u32::MAX);
        Ok(Self {
            cause: cause(pb.cause, "refusal.cause")?,
            detail: pb.detail,
            stage: within(pb.stage, 0, stages, "refusal.stage")?,
        })
    }
}

/// Reads a cause's number.
pub(super) fn cause(number: i32, field: &'static str) -> Result<Cause, DecodeError> {
    u64::try_from(number)
        .ok()
        .and_then(Cause::from_code)
        .ok_or_else(|| DecodeError::field(field, "unknown cause"))
}

fn receipts(values: Vec<pb::Signed>, field: &'static str) -> Result<Vec<Signed>, DecodeError> {
    list(values, STAGES_MAX, field)?.into_iter().map(Signed::try_from).collect()
}

fn prefix(tags: Vec<Bytes>, field: &'static str) -> Result<Vec<PrefixTag>, DecodeError> {
    list(tags, PREFIX_PAGES_MAX, field)?.iter().map(|tag| id(tag, field)).collect()
}
