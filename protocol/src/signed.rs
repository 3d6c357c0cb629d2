//! The signed envelope: who said which bytes. Not what the bytes mean.
//!
//! A signature covers `domain ‖ 0 ‖ charter hash ‖ payload`, so a statement made under one charter
//! or of one type never passes for another. Ed25519 is checked strictly (small-order keys and
//! non-canonical scalars are refused).

#[cfg(test)]
mod tests;

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::{
    id::{Digest, PeerKey},
    limits::{PAYLOAD_BYTES_MAX, RECORD_PAYLOAD_BYTES_MAX},
    wire::{DecodeError, Wire},
};

/// Type and version of a statement, as signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// A charter, signed by institutions' root keys under an all-zero charter hash.
    pub const CHARTER: Self = Self("comity/charter/v1");
    /// A roster, signed by its institution's roster key.
    pub const ROSTER: Self = Self("comity/roster/v1");
    /// The suspension of an institution, signed by root keys of others.
    pub const SUSPENSION: Self = Self("comity/suspension/v1");
    /// An announcement, signed by its node.
    pub const ANNOUNCEMENT: Self = Self("comity/announcement/v1");
    /// The opening of a session, signed by home.
    pub const OPEN: Self = Self("comity/open/v1");
    /// Home's record of a request before it starts.
    pub const OPEN_RECORD: Self = Self("comity/record-open/v1");
    /// Home's record that a request it opened will never be closed.
    pub const ABORT_RECORD: Self = Self("comity/record-abort/v1");
    /// Home's word to a stage that it counts on this receipt.
    pub const COUNTERSIGNATURE: Self = Self("comity/countersignature/v1");
    /// A stage's record of a countersignature.
    pub const COUNTERSIGNED_RECORD: Self = Self("comity/record-countersigned/v1");
    /// An institution's word that a node's log is over, signed by its roster key.
    pub const SUCCESSION: Self = Self("comity/succession/v1");
    /// The first record of a log that succeeds another.
    pub const SUCCESSION_RECORD: Self = Self("comity/record-succession/v1");
    /// A stage's statement about a span of positions.
    pub const STAGE_RECEIPT: Self = Self("comity/stage-receipt/v1");
    /// Home's statement about one request.
    pub const RECEIPT: Self = Self("comity/receipt/v1");
    /// The client's statement of what it received.
    pub const ACKNOWLEDGEMENT: Self = Self("comity/acknowledgement/v1");

    /// The text that is signed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// One signed statement, as transmitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Domain the signer claims; compared with the one expected before anything is decoded.
    pub domain: String,
    /// Canonical bytes of the statement.
    pub payload: Bytes,
    /// Who signed.
    pub signer: PeerKey,
    /// Ed25519 signature.
    pub signature: [u8; 64],
}

/// Why a statement is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// Another type of statement than the one expected.
    #[error("domain mismatch: expected {expected}")]
    Domain {
        /// Domain expected.
        expected: &'static str,
    },
    /// Another signer than the one expected.
    #[error("signer mismatch: expected {expected}, got {got}")]
    Signer {
        /// Who should have signed.
        expected: PeerKey,
        /// Who did.
        got: PeerKey,
    },
    /// The signer's bytes are no Ed25519 public key.
    #[error("signer {0} is no Ed25519 public key")]
    Key(PeerKey),
    /// The signature does not hold.
    #[error("signature of {0} does not hold")]
    Signature(PeerKey),
    /// The payload is too long to sign.
    #[error("payload has {bytes} bytes, more than {max}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// Bytes of the longest that may be signed.
        max: usize,
    },
    /// The payload is not what its domain says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// An Ed25519 key that signs statements. Its secret is wiped when dropped and never printed.
#[derive(Clone)]
pub struct NodeKey(SigningKey);

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeKey({})", self.public().short())
    }
}

impl NodeKey {
    /// The key with this secret seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The secret seed, for storage in a file only its owner can read.
    #[must_use]
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// The public half: the peer.
    #[must_use]
    pub fn public(&self) -> PeerKey {
        PeerKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `statement` under `domain` and `charter`.
    ///
    /// # Errors
    /// [`SignedError::TooLong`] if its encoding passes [`PAYLOAD_BYTES_MAX`].
    pub fn sign<T: Wire>(
        &self,
        domain: Domain,
        charter: &Digest,
        statement: &T,
    ) -> Result<Signed, SignedError> {
        self.sign_within(PAYLOAD_BYTES_MAX, domain, charter, statement)
    }

    /// Signs `record`, which with its envelope is to be one leaf of a log.
    ///
    /// # Errors
    /// [`SignedError::TooLong`] if its encoding passes [`RECORD_PAYLOAD_BYTES_MAX`]: a log would
    /// not take what was signed then.
    pub fn sign_record<T: Wire>(
        &self,
        domain: Domain,
        charter: &Digest,
        record: &T,
    ) -> Result<Signed, SignedError> {
        self.sign_within(RECORD_PAYLOAD_BYTES_MAX, domain, charter, record)
    }

    fn sign_within<T: Wire>(
        &self,
        max: usize,
        domain: Domain,
        charter: &Digest,
        statement: &T,
    ) -> Result<Signed, SignedError> {
        let payload = statement.encode();
        if payload.len() > max {
            return Err(SignedError::TooLong { bytes: payload.len(), max });
        }
        let signature = self.sign_bytes(domain, charter, &payload);
        let (domain, signer) = (domain.0.to_owned(), self.public());
        Ok(Signed { domain, payload: payload.into(), signer, signature })
    }

    /// Signs `payload` under `domain` and `charter`, without an envelope.
    #[must_use]
    pub fn sign_bytes(&self, domain: Domain, charter: &Digest, payload: &[u8]) -> [u8; 64] {
        self.0.sign(&message(domain, charter, payload)).to_bytes()
    }

    /// Signs `text` as it stands, for formats that others have fixed. It has no zero byte, as every
    /// message of an envelope has behind its domain, so neither signature passes for the other.
    pub(crate) fn sign_text(&self, text: &str) -> [u8; 64] {
        assert!(!text.contains('\0'), "callers refuse control characters");
        self.0.sign(text.as_bytes()).to_bytes()
    }
}

impl Signed {
    /// SHA-256 of the payload.
    #[must_use]
    pub fn payload_digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Checks domain and signature, then decodes the payload strictly.
    ///
    /// # Errors
    /// [`SignedError`]; the payload is not decoded unless the signature holds.
    pub fn open<T: Wire>(&self, domain: Domain, charter: &Digest) -> Result<T, SignedError> {
        if self.domain != domain.0 {
            return Err(SignedError::Domain { expected: domain.0 });
        }
        verify(domain, charter, &self.payload, &self.signer, &self.signature)?;
        Ok(T::decode(&self.payload)?)
    }

    /// Like [`Self::open`], for a statement that only `signer` may make.
    ///
    /// # Errors
    /// [`SignedError`]; [`SignedError::Signer`] if another key signed.
    pub fn open_from<T: Wire>(
        &self,
        domain: Domain,
        charter: &Digest,
        signer: &PeerKey,
    ) -> Result<T, SignedError> {
        if self.signer != *signer {
            return Err(SignedError::Signer { expected: *signer, got: self.signer });
        }
        self.open(domain, charter)
    }
}

/// Checks one signature over `payload` under `domain` and `charter`.
///
/// # Errors
/// [`SignedError::Key`] or [`SignedError::Signature`].
pub fn verify(
    domain: Domain,
    charter: &Digest,
    payload: &[u8],
    signer: &PeerKey,
    signature: &[u8; 64],
) -> Result<(), SignedError> {
    verify_bytes(&message(domain, charter, payload), signer, signature)
}

/// Checks one signature made by [`NodeKey::sign_text`].
pub(crate) fn verify_text(
    text: &str,
    signer: &PeerKey,
    signature: &[u8; 64],
) -> Result<(), SignedError> {
    if text.contains('\0') {
        return Err(SignedError::Signature(*signer));
    }
    verify_bytes(text.as_bytes(), signer, signature)
}

fn verify_bytes(bytes: &[u8], signer: &PeerKey, signature: &[u8; 64]) -> Result<(), SignedError> {
    let key = VerifyingKey::from_bytes(&signer.0).map_err(|_| SignedError::Key(*signer))?;
    key.verify_strict(bytes, &Signature::from_bytes(signature))
        .map_err(|_| SignedError::Signature(*signer))
}

fn message(domain: Domain, charter: &Digest, payload: &[u8]) -> Vec<u8> {
    [domain.0.as_bytes(), &[0], &charter.0, payload].concat()
}
