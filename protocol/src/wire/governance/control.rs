//! Encoding of what nodes say to each other on the control plane.

use super::{charter::suspensions, texts};
use crate::{
    control::{ControlReply, ControlRequest, Hello, Invitation},
    limits::{
        ADDRESS_BYTES_MAX, ADDRESSES_MAX, CHAIN_BYTES_MAX, CHARTERS_MAX, CONTROL_BYTES_MAX,
        HELLO_STATEMENTS_MAX,
    },
    signed::Signed,
    wire::{DecodeError, bytes, id, list, pb, required, wire, within},
};

/// Versions of a charter.
#[expect(clippy::cast_possible_truncation, reason = "about a thousand")]
const VERSION_MAX: u32 = CHARTERS_MAX as u32;

wire!(Hello, pb::Hello, CONTROL_BYTES_MAX);
wire!(Invitation, pb::Invitation, CHAIN_BYTES_MAX);
wire!(ControlRequest, pb::ControlRequest, CONTROL_BYTES_MAX);
wire!(ControlReply, pb::ControlReply, CONTROL_BYTES_MAX);

impl From<&Hello> for pb::Hello {
    fn from(hello: &Hello) -> Self {
        Self {
            genesis: bytes(&hello.genesis.0),
            rosters: hello.rosters.iter().map(Into::into).collect(),
            announcements: hello.announcements.iter().map(Into::into).collect(),
            charter_version: hello.charter_version,
            charter: bytes(&hello.charter.0),
            suspensions: hello.suspensions.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::Hello> for Hello {
    type Error = DecodeError;

    fn try_from(pb: pb::Hello) -> Result<Self, DecodeError> {
        let signed = |values, field| -> Result<Vec<Signed>, DecodeError> {
            list(values, HELLO_STATEMENTS_MAX, field)?.into_iter().map(Signed::try_from).collect()
        };
        Ok(Self {
            genesis: id(&pb.genesis, "hello.genesis")?,
            rosters: signed(pb.rosters, "hello.rosters")?,
            announcements: signed(pb.announcements, "hello.announcements")?,
            charter_version: within(pb.charter_version, 1, VERSION_MAX, "hello.charter_version")?,
            charter: id(&pb.charter, "hello.charter")?,
            suspensions: suspensions(pb.suspensions, "hello.suspensions")?,
        })
    }
}

impl From<&Invitation> for pb::Invitation {
    fn from(invitation: &Invitation) -> Self {
        Self {
            charters: Some((&invitation.charters).into()),
            control_addresses: invitation.control_addresses.clone(),
        }
    }
}

impl TryFrom<pb::Invitation> for Invitation {
    type Error = DecodeError;

    fn try_from(pb: pb::Invitation) -> Result<Self, DecodeError> {
        let field = "invitation.control_addresses";
        let control_addresses =
            texts(pb.control_addresses, ADDRESSES_MAX, ADDRESS_BYTES_MAX, field)?;
        if control_addresses.is_empty() {
            return Err(DecodeError::field(field, "at least one is required"));
        }
        let charters = required(pb.charters, "invitation.charters")?.try_into()?;
        Ok(Self { charters, control_addresses })
    }
}

impl From<&ControlRequest> for pb::ControlRequest {
    fn from(request: &ControlRequest) -> Self {
        use pb::control_request::Kind;
        let kind = match request {
            ControlRequest::Charters { from } => Kind::Charters(pb::CharterRequest { from: *from }),
            ControlRequest::Witness(request) => Kind::Witness(request.into()),
            ControlRequest::Countersign(receipt) => Kind::Countersign(receipt.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::ControlRequest> for ControlRequest {
    type Error = DecodeError;

    fn try_from(pb: pb::ControlRequest) -> Result<Self, DecodeError> {
        use pb::control_request::Kind;
        match required(pb.kind, "control_request.kind")? {
            Kind::Charters(request) => {
                let from = within(request.from, 1, VERSION_MAX, "charter_request.from")?;
                Ok(Self::Charters { from })
            }
            Kind::Witness(request) => Ok(Self::Witness(request.try_into()?)),
            Kind::Countersign(receipt) => Ok(Self::Countersign(receipt.try_into()?)),
        }
    }
}

impl From<&ControlReply> for pb::ControlReply {
    fn from(reply: &ControlReply) -> Self {
        use pb::control_reply::Kind;
        let kind = match reply {
            ControlReply::Charters(chain) => Kind::Charters(chain.into()),
            ControlReply::Witness(reply) => Kind::Witness(reply.into()),
            ControlReply::Countersign(given) => Kind::Countersign(pb::CountersignReply {
                countersignature: given.as_ref().map(Into::into),
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::ControlReply> for ControlReply {
    type Error = DecodeError;

    fn try_from(pb: pb::ControlReply) -> Result<Self, DecodeError> {
        use pb::control_reply::Kind;
        match required(pb.kind, "control_reply.kind")? {
            Kind::Charters(chain) => Ok(Self::Charters(chain.try_into()?)),
            Kind::Witness(reply) => Ok(Self::Witness(reply.try_into()?)),
            Kind::Countersign(reply) => {
                let given = reply.countersignature.map(Signed::try_from).transpose()?;
                Ok(Self::Countersign(given))
            }
        }
    }
}
