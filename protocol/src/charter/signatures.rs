//! A charter as transmitted and its signatures. Not how many of them are enough (`chain`).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Charter, CharterError, Institution};
use crate::{
    id::{Digest, PeerKey},
    limits::PAYLOAD_BYTES_MAX,
    signed::{self, Domain, NodeKey, Signed},
    wire::Wire as _,
};

/// A charter as transmitted, with the signatures that make it valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCharter {
    /// Canonical bytes of a [`Charter`].
    pub payload: Bytes,
    /// Root keys and their signatures, in ascending order of key.
    pub signatures: Vec<(PeerKey, [u8; 64])>,
}

/// The versions of a charter and the suspensions between them, as kept in files and told to others.
/// Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedChain {
    /// Versions in order; from the genesis on, but where a part was asked for.
    pub charters: Vec<SignedCharter>,
    /// Signed [`super::Suspension`]s, in ascending order of payload and signer.
    pub suspensions: Vec<Signed>,
}

impl SignedCharter {
    /// SHA-256 of the charter's bytes: of a genesis, the name of the consortium for ever.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Adds the signature of one institution's root key; signing again changes nothing.
    ///
    /// The key may be listed in the charter itself or in `previous`, the version before it: who is
    /// removed, or changes keys, signs with the key of then.
    ///
    /// # Errors
    /// [`CharterError`] if the payload is no charter or `key` is foreign to both.
    pub fn sign(&mut self, key: &NodeKey, previous: Option<&Charter>) -> Result<(), CharterError> {
        let signer = key.public();
        owner(&self.unverified()?, previous, &signer)?;
        let signature = key.sign_bytes(Domain::CHARTER, &Digest::ZERO, &self.payload);
        match self.signatures.binary_search_by_key(&signer, |(signer, _)| *signer) {
            Ok(index) => self.signatures[index].1 = signature,
            Err(index) => self.signatures.insert(index, (signer, signature)),
        }
        Ok(())
    }

    /// The charter, whoever signed it: to show it before signing, never to act on.
    ///
    /// # Errors
    /// [`CharterError`] if it is no charter or contradicts itself.
    pub fn unverified(&self) -> Result<Charter, CharterError> {
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(CharterError::TooLong(self.payload.len()));
        }
        let charter = Charter::decode(&self.payload)?;
        charter.check()?;
        Ok(charter)
    }

    /// The genesis charter, if every institution's root key signed it exactly once and nobody else.
    ///
    /// Time is not checked: a receipt is verified long after its charter has expired.
    ///
    /// # Errors
    /// [`CharterError`] naming the institution or key at fault.
    pub fn verify_genesis(&self) -> Result<Charter, CharterError> {
        let charter = self.unverified()?;
        if charter.previous.is_some() {
            return Err(CharterError::Version { expected: 1, got: charter.version });
        }
        let signers = self.signers(&charter, None)?;
        for institution in &charter.institutions {
            if !signers.contains_key(&institution.root_key) {
                return Err(CharterError::Missing { institution: institution.id.clone() });
            }
        }
        Ok(charter)
    }

    /// The keys that signed, each with its institution's id. Every signature must hold, and be of a
    /// root key of `charter`, which are these bytes, or of `previous`.
    pub(super) fn signers(
        &self,
        charter: &Charter,
        previous: Option<&Charter>,
    ) -> Result<BTreeMap<PeerKey, String>, CharterError> {
        let mut signers = BTreeMap::new();
        for (key, signature) in &self.signatures {
            let institution = owner(charter, previous, key)?.id.clone();
            signed::verify(Domain::CHARTER, &Digest::ZERO, &self.payload, key, signature).map_err(
                |source| {
                    let institution = institution.clone();
                    CharterError::Signature { institution, source }
                },
            )?;
            if let Some(institution) = signers.insert(*key, institution) {
                return Err(CharterError::Repeated { institution });
            }
        }
        Ok(signers)
    }
}

fn owner<'a>(
    charter: &'a Charter,
    previous: Option<&'a Charter>,
    key: &PeerKey,
) -> Result<&'a Institution, CharterError> {
    let found = charter.by_root_key(key).or_else(|| previous?.by_root_key(key));
    found.ok_or(CharterError::Foreign(*key))
}
