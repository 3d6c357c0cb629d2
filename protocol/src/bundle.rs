//! A receipt with all it takes to verify it offline, and that verification.
//!
//! Every byte of a bundle lies under a signature, a digest, a commitment or fixed framing, so a
//! bundle with any byte changed is refused. What may be left out without a trace are whole parts:
//! the opening, once the body is erased, and the client's acknowledgement. [`Report`] says so.

mod error;
mod report;
mod verify;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use error::{Fault, Signer, VerifyError};
pub use report::{Place, Report, StagePlace};
pub use verify::{Reader, verify, verify_knowing};

use crate::{
    charter::SignedCharter,
    limits::BUNDLE_BYTES_MAX,
    log::proof::LogProof,
    receipt::{Opening, Receipt},
    roster::Roster,
    signed::Signed,
    wire::{DecodeError, Wire},
};

/// A receipt with all it takes to verify it offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Charters from the genesis to the one in force, in order.
    pub charters: Vec<SignedCharter>,
    /// Signed rosters of home's institution and of each stage's, in ascending order of institution.
    pub rosters: Vec<Signed>,
    /// Canonical bytes of the model's manifest.
    pub manifest: Bytes,
    /// Home's signed [`crate::receipt::OpenRecord`].
    pub open_record: Signed,
    /// Home's signed [`Receipt`].
    pub receipt: Signed,
    /// Signed [`crate::receipt::StageReceipt`]s, in stage order.
    pub stage_receipts: Vec<Signed>,
    /// Openings of the commitments; absent once erased.
    pub opening: Option<Opening>,
    /// The client's signed [`crate::receipt::Acknowledgement`]; absent if none.
    pub acknowledgement: Option<Signed>,
    /// That home's receipt is in home's log, and who has witnessed it; absent until it is.
    pub proof: Option<LogProof>,
}

/// Why parts make no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The receipt or a roster is not what it should be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Longer than a bundle may be; without its opening it fits.
    #[error("bundle has {0} bytes, more than {BUNDLE_BYTES_MAX}")]
    TooLong(usize),
}

impl Bundle {
    /// The bundle's bytes, of its rosters only those that list home or a stage, in order.
    ///
    /// `rosters` may hold every roster known. Nothing is verified: that is [`verify`]'s part.
    ///
    /// # Errors
    /// [`BundleError`] if receipt or a roster cannot be read, or the bundle is too long.
    pub fn seal(mut self) -> Result<Vec<u8>, BundleError> {
        let receipt = Receipt::decode(&self.receipt.payload)?;
        let peers = receipt.stages.iter().map(|stage| stage.peer);
        let peers: Vec<_> = peers.chain([self.receipt.signer]).collect();
        let mut involved = BTreeMap::new();
        for signed in self.rosters {
            let roster = Roster::decode(&signed.payload)?;
            if peers.iter().any(|peer| roster.node(peer).is_some()) {
                involved.insert(roster.institution, signed);
            }
        }
        self.rosters = involved.into_values().collect();
        let bytes = self.encode();
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLong(bytes.len()));
        }
        Ok(bytes)
    }
}
