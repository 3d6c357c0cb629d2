//! Fixed-size identifiers: digests, peers, sessions, prefixes. Not the keys that sign (`signed`).

use std::fmt;

use sha2::{Digest as _, Sha256};

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The first four bytes in hex, for logs.
            #[must_use]
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(self.0))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                let array = bytes
                    .try_into()
                    .map_err(|_| IdError::Length { expected: $len, got: bytes.len() })?;
                Ok(Self(array))
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bytes = hex::decode(text).map_err(|_| IdError::NotHex)?;
                Self::try_from(bytes.as_slice())
            }
        }
    };
}

/// Why bytes or text are no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Wrong number of bytes.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// Bytes an identifier of this kind has.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// Not hexadecimal.
    #[error("not hexadecimal")]
    NotHex,
}

bytes_id!(
    /// A SHA-256 digest.
    Digest,
    32
);
bytes_id!(
    /// A peer: the Ed25519 public key of a node or client.
    PeerKey,
    32
);
bytes_id!(
    /// A session: 16 random bytes drawn by home.
    SessionId,
    16
);
bytes_id!(
    /// Names a page of tokens and all before it; see [`crate::prefix`].
    PrefixTag,
    16
);

bytes_id!(
    /// The beginning of a peer's key: enough to tell it from the others of a consortium, not to trust it.
    ShortPeer,
    8
);

impl PeerKey {
    /// The beginning of it.
    #[must_use]
    pub fn beginning(&self) -> ShortPeer {
        let mut short = [0; 8];
        short.copy_from_slice(&self.0[..8]);
        ShortPeer(short)
    }
}

impl Digest {
    /// No digest: what precedes the first record of a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// SHA-256 of the concatenation of `parts`.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}
