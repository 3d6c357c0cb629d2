//! Encoding of rosters.

use std::collections::BTreeSet;

use super::{institution, policy::country, texts};
use crate::{
    limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, PAYLOAD_BYTES_MAX, ROSTER_NODES_MAX},
    roster::{Role, Roster, RosterNode},
    time::Timestamp,
    wire::{DecodeError, ascending, bytes, id, list, pb, wire},
};

wire!(Roster, pb::Roster, PAYLOAD_BYTES_MAX);

impl From<&Roster> for pb::Roster {
    fn from(roster: &Roster) -> Self {
        Self {
            institution: roster.institution.clone(),
            sequence: roster.sequence,
            issued_at_ms: roster.issued_at.as_ms(),
            expires_at_ms: roster.expires_at.as_ms(),
            nodes: roster.nodes.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::Roster> for Roster {
    type Error = DecodeError;

    fn try_from(pb: pb::Roster) -> Result<Self, DecodeError> {
        let nodes = list(pb.nodes, ROSTER_NODES_MAX, "roster.nodes")?
            .into_iter()
            .map(RosterNode::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        let peers: Vec<_> = nodes.iter().map(|node| node.peer).collect();
        ascending(&peers, "roster.nodes")?;
        Ok(Self {
            institution: institution(pb.institution, "roster.institution")?,
            sequence: pb.sequence,
            issued_at: Timestamp::from_ms(pb.issued_at_ms),
            expires_at: Timestamp::from_ms(pb.expires_at_ms),
            nodes,
        })
    }
}

impl From<&RosterNode> for pb::RosterNode {
    fn from(node: &RosterNode) -> Self {
        Self {
            peer: bytes(&node.peer.0),
            jurisdiction: node.jurisdiction.to_string(),
            roles: node.roles.iter().map(|role| pb::Role::from(*role).into()).collect(),
            control_addresses: node.control_addresses.clone(),
        }
    }
}

impl TryFrom<pb::RosterNode> for RosterNode {
    type Error = DecodeError;

    fn try_from(pb: pb::RosterNode) -> Result<Self, DecodeError> {
        let field = "roster_node.control_addresses";
        Ok(Self {
            peer: id(&pb.peer, "roster_node.peer")?,
            jurisdiction: country(&pb.jurisdiction, "roster_node.jurisdiction")?,
            roles: roles(&pb.roles)?,
            control_addresses: texts(
                pb.control_addresses,
                ADDRESSES_MAX,
                ADDRESS_BYTES_MAX,
                field,
            )?,
        })
    }
}

impl From<Role> for pb::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Home => Self::Home,
            Role::Stage => Self::Stage,
            Role::Witness => Self::Witness,
        }
    }
}

fn roles(numbers: &[i32]) -> Result<BTreeSet<Role>, DecodeError> {
    let field = "roster_node.roles";
    if numbers.is_empty() {
        return Err(DecodeError::field(field, "at least one is required"));
    }
    ascending(numbers, field)?;
    numbers
        .iter()
        .map(|number| match pb::Role::try_from(*number) {
            Ok(pb::Role::Home) => Ok(Role::Home),
            Ok(pb::Role::Stage) => Ok(Role::Stage),
            Ok(pb::Role::Witness) => Ok(Role::Witness),
            Ok(pb::Role::Unspecified) | Err(_) => Err(DecodeError::field(field, "unknown role")),
        })
        .collect()
}
