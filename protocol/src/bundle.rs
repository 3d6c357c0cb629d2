//! A receipt with all it takes to verify it offline, and that verification.

use bytes::Bytes;

use crate::{charter::SignedCharter, receipt::Opening, signed::Signed};

/// A receipt with all it takes to verify it offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Charters from the genesis to the one in force, in order.
    pub charters: Vec<SignedCharter>,
    /// Signed rosters of the institutions involved, in ascending order of institution.
    pub rosters: Vec<Signed>,
    /// Canonical bytes of the model's manifest.
    pub manifest: Bytes,
    /// Home's signed [`crate::receipt::OpenRecord`].
    pub open_record: Signed,
    /// Home's signed [`crate::receipt::Receipt`].
    pub receipt: Signed,
    /// Signed [`crate::receipt::StageReceipt`]s, in stage order.
    pub stage_receipts: Vec<Signed>,
    /// Openings of the commitments; absent once erased.
    pub opening: Option<Opening>,
    /// The client's signed [`crate::receipt::Acknowledgement`]; absent if none.
    pub acknowledgement: Option<Signed>,
}
