//! What nodes say to each other on the control plane. Not what they do about it.

use crate::{
    charter::SignedChain,
    id::Digest,
    log::witness::{WitnessReply, WitnessRequest},
    signed::Signed,
};

/// What two nodes tell each other first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Hash of the genesis of the sender's consortium.
    pub genesis: Digest,
    /// Signed rosters, its own institution's first; at most 256.
    pub rosters: Vec<Signed>,
    /// Signed announcements, its own first; at most 256.
    pub announcements: Vec<Signed>,
    /// Newest version of the charter that the sender holds.
    pub charter_version: u32,
    /// Hash of that version.
    pub charter: Digest,
    /// Signed suspensions that the sender holds.
    pub suspensions: Vec<Signed>,
}

/// How a newcomer finds a consortium: a file from one of its members. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Every version of the charter.
    pub charters: SignedChain,
    /// Control-plane multiaddresses of the member's node, peer id included; 1 to 8.
    pub control_addresses: Vec<String>,
}

/// A question between members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlRequest {
    /// For versions of the charter.
    Charters {
        /// First version wanted.
        from: u32,
    },
    /// For a cosignature on a checkpoint of the log of the node that asks.
    Witness(WitnessRequest),
    /// For home's countersignature of a signed stage receipt of the node that asks.
    Countersign(Signed),
}

/// The answer to a [`ControlRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlReply {
    /// Consecutive versions, as many as fit; none if there are none.
    Charters(SignedChain),
    /// To [`ControlRequest::Witness`].
    Witness(WitnessReply),
    /// To [`ControlRequest::Countersign`]: a signed countersignature, if home gives one.
    Countersign(Option<Signed>),
}
