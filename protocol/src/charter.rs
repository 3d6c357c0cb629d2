//! The rules and members of a consortium: the genesis, signed by every founder, and the versions
//! that follow it. Not the members' nodes.
//!
//! Every key of a charter has one owner and one purpose: TUF implementations have counted one key
//! for several parties (RUSTSEC-2020-0024, CVE-2020-6174), so a repeated key is refused outright.

pub(crate) mod chain;
mod change;
mod error;
mod signatures;
mod suspension;

use std::collections::{BTreeMap, BTreeSet};

pub use chain::{Chain, Fork};
pub use change::Change;
pub use error::CharterError;
pub use signatures::{SignedChain, SignedCharter};
pub use suspension::{Suspension, SuspensionError, Suspensions};

use crate::{
    id::{Digest, PeerKey},
    limits::CHARTER_LIFE_MAX,
    policy::{Country, DataClass, Policy},
    signed::NodeKey,
    time::{Timestamp, Validity, ValidityError},
    wire::Wire as _,
};

/// Version of the first charter.
const GENESIS_VERSION: u32 = 1;

/// What a key of a charter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Root,
    Roster,
    Witness,
}

/// Institution id of a key's owner, and what the key is for.
type Owner = (String, Purpose);

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

    /// The charter's bytes with the signatures of `keys`, each an institution's root key.
    ///
    /// Institutions that are absent from `keys` add theirs later by [`SignedCharter::sign`].
    ///
    /// # Errors
    /// [`CharterError`] if the charter contradicts itself or a key is foreign.
    pub fn sign_all(&self, keys: &[NodeKey]) -> Result<SignedCharter, CharterError> {
        let mut signed = SignedCharter { payload: self.encode().into(), signatures: Vec::new() };
        signed.unverified()?;
        for key in keys {
            signed.sign(key, None)?;
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

    /// The policy a request names; the empty name and [`Policy::OPEN`] are the one that restricts
    /// nothing.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<Policy> {
        if name.is_empty() || name == Policy::OPEN {
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

    /// The institution whose root key this is.
    pub(crate) fn by_root_key(&self, key: &PeerKey) -> Option<&Institution> {
        self.institutions.iter().find(|institution| institution.root_key == *key)
    }

    /// Every key, with the id of its owner and what it is for.
    fn keys(&self) -> impl Iterator<Item = (PeerKey, Owner)> {
        self.institutions.iter().flat_map(|institution| {
            let purposes = [
                (institution.root_key, Purpose::Root),
                (institution.roster_key, Purpose::Roster),
                (institution.witness_key, Purpose::Witness),
            ];
            purposes.map(|(key, purpose)| (key, (institution.id.clone(), purpose)))
        })
    }

    /// Checks what the schema cannot say about one charter.
    fn check(&self) -> Result<(), CharterError> {
        if self.previous.is_some() != (self.version > GENESIS_VERSION) {
            return Err(CharterError::Previous { version: self.version });
        }
        self.validity().check_life(CHARTER_LIFE_MAX).map_err(CharterError::Life)?;
        let mut owners: BTreeMap<PeerKey, Owner> = BTreeMap::new();
        for (key, owner) in self.keys() {
            if let Some((first, _)) = owners.insert(key, owner.clone()) {
                return Err(CharterError::SharedKey { key, first, second: owner.0 });
            }
        }
        let institutions = self.institutions.len();
        if self.witnesses as usize >= institutions {
            let witnesses = self.witnesses;
            return Err(CharterError::Witnesses { witnesses, institutions });
        }
        for revoked in self.revocations.keys() {
            if let Revoked::Institution(id) = revoked
                && self.institution(id).is_some()
            {
                return Err(CharterError::Revoked { institution: id.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
