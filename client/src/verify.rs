//! The proof in the client's hands: checking it and countersigning it. Not its format.
//!
//! A client signs only what it has verified: a countersignature under a forged receipt would lend it
//! the client's name.

pub use comity_protocol::bundle::{Bundle, Fault, Place, Report, StagePlace, VerifyError, verify};
use comity_protocol::{
    bundle::BundleError,
    id::Digest,
    receipt::Acknowledgement,
    signed::{Domain, NodeKey, SignedError},
    time::Timestamp,
    wire::{DecodeError, Wire as _},
};

/// Why a bundle was not countersigned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CountersignError {
    /// The bundle does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The bundle cannot be read.
    #[error("the bundle cannot be read")]
    Decode(#[from] DecodeError),
    /// The statement cannot be signed.
    #[error("the acknowledgement cannot be signed")]
    Sign(#[from] SignedError),
    /// With the countersignature it is no bundle any more.
    #[error(transparent)]
    Seal(#[from] BundleError),
}

/// Verifies `bundle` under `genesis` and adds the client's signed word, given at `now`, that it
/// received it. One that is there already is replaced. Returns the new bundle's bytes.
///
/// # Errors
/// [`CountersignError`]; nothing is signed unless the bundle holds.
pub fn countersign(
    bundle: &[u8],
    genesis: &Digest,
    key: &NodeKey,
    now: Timestamp,
) -> Result<Vec<u8>, CountersignError> {
    let receipt = verify(bundle, genesis)?.receipt;
    let mut bundle = Bundle::decode(bundle)?;
    let statement = Acknowledgement { receipt, received_at: now };
    bundle.acknowledgement = Some(key.sign(Domain::ACKNOWLEDGEMENT, genesis, &statement)?);
    Ok(bundle.seal()?)
}

#[cfg(test)]
mod tests;
