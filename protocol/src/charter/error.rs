//! Why a charter is not accepted or not signed.

use super::Change;
use crate::{
    id::PeerKey,
    limits::{CHARTERS_MAX, PAYLOAD_BYTES_MAX},
    signed::SignedError,
    time::ValidityError,
    wire::DecodeError,
};

/// Why a charter is not accepted or not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CharterError {
    /// Its bytes are no charter.
    #[error("charter: {0}")]
    Decode(#[from] DecodeError),
    /// Longer than a signed payload may be.
    #[error("charter has {0} bytes, more than {PAYLOAD_BYTES_MAX}")]
    TooLong(usize),
    /// The genesis of another consortium.
    #[error("the charters begin with another genesis")]
    Genesis,
    /// Not the version that follows.
    #[error("charter version {got} where version {expected} was to come")]
    Version {
        /// Version that follows the newest one held.
        expected: u32,
        /// Version given.
        got: u32,
    },
    /// More versions than are kept.
    #[error("more than {CHARTERS_MAX} charters")]
    TooMany,
    /// A genesis that names a predecessor, or a later version that names none or another.
    #[error("charter version {version} does not name the version before it")]
    Previous {
        /// The version.
        version: u32,
    },
    /// Its life is empty or too long.
    #[error("charter: {0}")]
    Life(ValidityError),
    /// It was written before the version it follows.
    #[error("charter version {version} was created before version {}", version - 1)]
    Order {
        /// The version.
        version: u32,
    },
    /// One key stands for two institutions or two purposes, in one version or over time.
    #[error("key {key} is listed by {first} and again, or for another purpose, by {second}")]
    SharedKey {
        /// The key.
        key: PeerKey,
        /// Institution that lists it first.
        first: String,
        /// Institution that lists it again; the same one if it serves two purposes.
        second: String,
    },
    /// More cosignatures asked for than other institutions could give.
    #[error("{witnesses} witnesses, but only {institutions} institutions")]
    Witnesses {
        /// Witnesses asked for.
        witnesses: u32,
        /// Institutions there are.
        institutions: usize,
    },
    /// A member that is revoked; it would have to come back under another id.
    #[error("{institution} is a member and revoked")]
    Revoked {
        /// Its id.
        institution: String,
    },
    /// An institution left without a revocation, which says from when on its receipts are void.
    #[error("{institution} was removed without a revocation")]
    Removed {
        /// Its id.
        institution: String,
    },
    /// A revocation was dropped or changed.
    #[error("the revocation of {revoked} was dropped or changed")]
    Unrevoked {
        /// Institution id or peer.
        revoked: String,
    },
    /// An institution whose signature is needed has not signed.
    #[error("{institution} has not signed the charter")]
    Missing {
        /// Its id.
        institution: String,
    },
    /// Too few institutions of one of the two versions agree.
    #[error("{change} needs {needed} of the {of} institutions of version {version}; {got} signed")]
    Threshold {
        /// What kind of change it is.
        change: Change,
        /// Version whose institutions are counted: the one before, or the new one.
        version: u32,
        /// Institutions of that version.
        of: usize,
        /// Signatures needed.
        needed: usize,
        /// Institutions of that version that signed.
        got: usize,
    },
    /// An institution has signed twice.
    #[error("{institution} has signed the charter twice")]
    Repeated {
        /// Its id.
        institution: String,
    },
    /// A key that is no institution's root key has signed.
    #[error("key {0} is no institution's root key")]
    Foreign(PeerKey),
    /// An institution's signature does not hold.
    #[error("signature of {institution}: {source}")]
    Signature {
        /// Its id.
        institution: String,
        /// What is wrong with it.
        source: SignedError,
    },
    /// Two different versions follow the same one, each with enough signatures. None counts.
    #[error("two different charters of version {version} are signed; people must choose")]
    Fork {
        /// The version.
        version: u32,
    },
}

impl CharterError {
    /// Whether more signatures would mend it.
    #[must_use]
    pub const fn is_incomplete(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Threshold { .. })
    }
}
