//! The rules and members of a consortium, signed by every founder. Not the members' nodes.
//!
//! Every key of a charter has one owner and one purpose: TUF implementations have counted one key
//! for several parties (RUSTSEC-2020-0024, CVE-2020-6174), so a repeated key is refused outright.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{
    id::{Digest, PeerKey},
    limits::{CHARTER_LIFE_MAX, PAYLOAD_BYTES_MAX},
    policy::{Country, DataClass, Policy},
    signed::{self, Domain, NodeKey, SignedError},
    time::{Timestamp, Validity, ValidityError},
    wire::{DecodeError, Wire as _},
};

/// Version of the first charter, the only one accepted so far.
const GENESIS_VERSION: u32 = 1;

/// The rules of a consortium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// 1 for the genesis, then one more each time.
    pub version: u32,
    /// Hash of the previous version; `None` for the genesis.
    pub previous: Option<Digest>,
    /// Name of the consortium.
    pub name: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it stops being valid; at most 400 days later.
    pub expires_at: Timestamp,
    /// Members, in ascending order of id; 1 to 256.
    pub institutions: Vec<Institution>,
    /// Named rules for requests, in ascending order of name; at most 64.
    pub policies: Vec<Policy>,
    /// Digests of the manifests that may be served, ascending; empty allows every model.
    pub models: Vec<Digest>,
    /// Share of requests that are run again as audits, in millionths.
    pub audit_rate_millionths: u32,
    /// Other institutions that must cosign a log's checkpoint before it counts as witnessed.
    pub witnesses: u32,
    /// What no longer counts, and from when on. Later versions keep them all.
    pub revocations: BTreeMap<Revoked, Revocation>,
}

/// What a charter revokes. It never comes back under the same id or key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revoked {
    /// An institution, by id.
    Institution(String),
    /// A node.
    Peer(PeerKey),
}

/// When and why something was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// From when on it does not count.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: String,
}

/// A member of a consortium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institution {
    /// Short stable id: lower-case letters, digits and '-'.
    pub id: String,
    /// Legal name.
    pub legal_name: String,
    /// Country it is established in.
    pub country: Country,
    /// Country of its ultimate parent; same as `country` if none.
    pub parent_country: Country,
    /// Key that signs charters.
    pub root_key: PeerKey,
    /// Key that signs its rosters.
    pub roster_key: PeerKey,
    /// Addresses of people responsible.
    pub contacts: Vec<String>,
    /// Key that cosigns checkpoints of other institutions' logs.
    pub witness_key: PeerKey,
    /// Highest class of data it may process for others; `None` if nothing is agreed.
    pub data_class_max: Option<DataClass>,
    /// Purposes it processes data for; empty for any.
    pub purposes: BTreeSet<String>,
    /// How to reach its data-protection officer; empty if there is none.
    pub data_protection_officer: String,
    /// Its weight where institutions share a stage; 1 to 1,000.
    pub share: u32,
    /// Most work one node of another institution does for it within 24 hours, in billions of active
    /// parameters times positions; 0 for no limit.
    pub quota: u64,
}

/// A charter as transmitted, with the signatures that make it valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCharter {
    /// Canonical bytes of a [`Charter`].
    pub payload: Bytes,
    /// Root keys and their signatures, in ascending order of key.
    pub signatures: Vec<(PeerKey, [u8; 64])>,
}

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
    /// A later version: only the genesis is understood.
    #[error("charter version {0} is not supported, only the genesis (version {GENESIS_VERSION})")]
    Version(u32),
    /// A genesis that names a predecessor.
    #[error("the genesis charter names a previous charter")]
    Previous,
    /// Its life is empty or too long.
    #[error("charter: {0}")]
    Life(ValidityError),
    /// One key stands for two institutions or two purposes.
    #[error("key {key} is listed by {first} and again by {second}")]
    SharedKey {
        /// The key.
        key: PeerKey,
        /// Institution that lists it first.
        first: String,
        /// Institution that lists it again; the same one if it serves both purposes.
        second: String,
    },
    /// An institution has not signed.
    #[error("{institution} has not signed the charter")]
    Missing {
        /// Its id.
        institution: String,
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
}

/// The public keys of an institution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstitutionKeys {
    /// Signs charters.
    pub root: PeerKey,
    /// Signs rosters.
    pub roster: PeerKey,
    /// Cosigns checkpoints.
    pub witness: PeerKey,
}

impl Institution {
    /// An institution without a foreign parent, contacts, agreements on data or a quota, and of the
    /// same weight as others.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        legal_name: impl Into<String>,
        country: Country,
        keys: InstitutionKeys,
    ) -> Self {
        Self {
            id: id.into(),
            legal_name: legal_name.into(),
            country,
            parent_country: country,
            root_key: keys.root,
            roster_key: keys.roster,
            contacts: Vec::new(),
            witness_key: keys.witness,
            data_class_max: None,
            purposes: BTreeSet::new(),
            data_protection_officer: String::new(),
            share: 1,
            quota: 0,
        }
    }
}

impl Charter {
    /// The first charter of a consortium, without policies, a list of models, audits, witnesses or
    /// revocations. `institutions` may come in any order.
    #[must_use]
    pub fn genesis(
        name: impl Into<String>,
        validity: Validity,
        mut institutions: Vec<Institution>,
    ) -> Self {
        institutions.sort_by(|a, b| a.id.cmp(&b.id));
        Self {
            version: GENESIS_VERSION,
            previous: None,
            name: name.into(),
            created_at: validity.from,
            expires_at: validity.until,
            institutions,
            policies: Vec::new(),
            models: Vec::new(),
            audit_rate_millionths: 0,
            witnesses: 0,
            revocations: BTreeMap::new(),
        }
    }

    /// Signs the charter as a genesis with `keys`, each an institution's root key.
    ///
    /// Institutions that are absent from `keys` add theirs later by [`SignedCharter::sign`].
    ///
    /// # Errors
    /// [`CharterError`] if it is no valid genesis or a key is foreign.
    pub fn sign_all(&self, keys: &[NodeKey]) -> Result<SignedCharter, CharterError> {
        let mut signed = SignedCharter { payload: self.encode().into(), signatures: Vec::new() };
        signed.unverified()?;
        for key in keys {
            signed.sign(key)?;
        }
        Ok(signed)
    }

    /// Checks that the charter is in force at `now` (P7).
    ///
    /// # Errors
    /// [`ValidityError`] if it is expired or not yet valid.
    pub fn check_time(&self, now: Timestamp) -> Result<(), ValidityError> {
        self.validity().check(now)
    }

    /// The institution with this id.
    #[must_use]
    pub fn institution(&self, id: &str) -> Option<&Institution> {
        let index = self.institutions.binary_search_by(|member| member.id.as_str().cmp(id)).ok()?;
        self.institutions.get(index)
    }

    /// The policy a request names; the empty name is the one that restricts nothing.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<Policy> {
        if name.is_empty() {
            return Some(Policy::open(Policy::OPEN));
        }
        self.policies.iter().find(|policy| policy.name == name).cloned()
    }

    /// Whether the model with this manifest digest may be served.
    #[must_use]
    pub fn allows_model(&self, manifest: &Digest) -> bool {
        self.models.is_empty() || self.models.binary_search(manifest).is_ok()
    }

    pub(crate) const fn validity(&self) -> Validity {
        Validity { from: self.created_at, until: self.expires_at }
    }

    fn by_root_key(&self, key: &PeerKey) -> Result<&Institution, CharterError> {
        self.institutions
            .iter()
            .find(|institution| institution.root_key == *key)
            .ok_or(CharterError::Foreign(*key))
    }

    /// Checks what the schema cannot say about a genesis.
    fn check_genesis(&self) -> Result<(), CharterError> {
        if self.version != GENESIS_VERSION {
            return Err(CharterError::Version(self.version));
        }
        if self.previous.is_some() {
            return Err(CharterError::Previous);
        }
        self.validity().check_life(CHARTER_LIFE_MAX).map_err(CharterError::Life)?;
        let mut owners = BTreeMap::new();
        for institution in &self.institutions {
            for key in [institution.root_key, institution.roster_key, institution.witness_key] {
                if let Some(first) = owners.insert(key, &institution.id) {
                    let (first, second) = (first.clone(), institution.id.clone());
                    return Err(CharterError::SharedKey { key, first, second });
                }
            }
        }
        Ok(())
    }
}

impl SignedCharter {
    /// SHA-256 of the charter's bytes: of a genesis, the name of the consortium for ever.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Adds the signature of one institution's root key; signing again changes nothing.
    ///
    /// # Errors
    /// [`CharterError`] if the payload is no valid genesis or `key` is foreign.
    pub fn sign(&mut self, key: &NodeKey) -> Result<(), CharterError> {
        let signer = key.public();
        self.unverified()?.by_root_key(&signer)?;
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
    /// [`CharterError`] if it is no valid genesis.
    pub fn unverified(&self) -> Result<Charter, CharterError> {
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(CharterError::TooLong(self.payload.len()));
        }
        let charter = Charter::decode(&self.payload)?;
        charter.check_genesis()?;
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
        let mut signed = BTreeMap::new();
        for (key, signature) in &self.signatures {
            let institution = charter.by_root_key(key)?.id.clone();
            if signed.insert(*key, signature).is_some() {
                return Err(CharterError::Repeated { institution });
            }
            signed::verify(Domain::CHARTER, &Digest::ZERO, &self.payload, key, signature)
                .map_err(|source| CharterError::Signature { institution, source })?;
        }
        for institution in &charter.institutions {
            if !signed.contains_key(&institution.root_key) {
                return Err(CharterError::Missing { institution: institution.id.clone() });
            }
        }
        Ok(charter)
    }
}

#[cfg(test)]
pub(crate) mod tests;
