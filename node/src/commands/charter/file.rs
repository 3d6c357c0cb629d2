//! The file of a charter: its versions, the newest of which may still wait for signatures. Not what
//! is printed of them.

use std::path::{Path, PathBuf};

use comity_protocol::{
    charter::{Chain, Charter, CharterError, SignedChain, SignedCharter},
    id::{Digest, PeerKey},
    limits::CHAIN_BYTES_MAX,
    signed::{NodeKey, Signed},
    wire::Wire as _,
};

use super::CharterCommandError;
use crate::commands::{read, write};

/// The versions of a charter in a file.
pub(in crate::commands) struct CharterFile {
    path: PathBuf,
    /// Versions that enough institutions signed; none if the genesis waits.
    chain: Option<Chain>,
    /// The version that waits, and what it waits for.
    proposal: Option<Proposal>,
    /// Signed suspensions, in the order of the file.
    pub(super) suspensions: Vec<Signed>,
}

/// A version that is not signed by enough institutions.
pub(super) struct Proposal {
    pub(super) signed: SignedCharter,
    pub(super) charter: Charter,
    /// Which signatures are missing.
    pub(super) missing: CharterError,
}

impl CharterFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`CharterCommandError`] if it holds no charter, or one that no signature would mend.
    pub(in crate::commands) fn open(path: &Path) -> Result<Self, CharterCommandError> {
        let bytes = read(path, CHAIN_BYTES_MAX)?;
        let decoded = SignedChain::decode(&bytes)
            .map_err(|source| CharterCommandError::Decode { path: path.to_owned(), source })?;
        Self::new(path, decoded)
    }

    /// A file that begins a consortium.
    pub(super) fn genesis(
        path: &Path,
        genesis: SignedCharter,
    ) -> Result<Self, CharterCommandError> {
        let charters = vec![genesis];
        Self::new(path, SignedChain { charters, suspensions: Vec::new() })
    }

    fn new(path: &Path, file: SignedChain) -> Result<Self, CharterCommandError> {
        let SignedChain { charters, suspensions } = file;
        let (chain, proposal) = match Chain::verify(&charters, None) {
            Ok(chain) => (Some(chain), None),
            Err(missing) if missing.is_incomplete() => {
                let (signed, before) = charters.split_last().ok_or(CharterError::Genesis)?;
                let chain = match before {
                    [] => None,
                    before => Some(Chain::verify(before, None)?),
                };
                let (signed, charter) = (signed.clone(), signed.unverified()?);
                (chain, Some(Proposal { signed, charter, missing }))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path: path.to_owned(), chain, proposal, suspensions })
    }

    /// Every version, all of them signed by enough institutions.
    ///
    /// # Errors
    /// [`CharterCommandError::Open`].
    pub(in crate::commands) fn complete(&self) -> Result<&Chain, CharterCommandError> {
        match (&self.chain, &self.proposal) {
            (Some(chain), None) => Ok(chain),
            _ => {
                let (path, version) = (self.path.clone(), self.newest().version);
                Err(CharterCommandError::Open { path, version })
            }
        }
    }

    /// As the file has it.
    pub(in crate::commands) fn signed(&self) -> SignedChain {
        let agreed = self.chain.iter().flat_map(|chain| chain.signed().iter().cloned());
        let proposed = self.proposal.iter().map(|proposal| proposal.signed.clone());
        let suspensions = self.suspensions.clone();
        SignedChain { charters: agreed.chain(proposed).collect(), suspensions }
    }

    /// Versions that enough institutions signed.
    pub(super) const fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// The version that waits for signatures.
    pub(super) const fn proposal(&self) -> Option<&Proposal> {
        self.proposal.as_ref()
    }

    /// The newest version, signed or not.
    pub(super) fn newest(&self) -> &Charter {
        let agreed = self.chain.as_ref().map(Chain::current);
        let proposed = self.proposal.as_ref().map(|proposal| &proposal.charter);
        proposed.or(agreed).expect("a file holds at least one version")
    }

    /// Keys that signed the newest version.
    pub(super) fn signatures(&self) -> &[(PeerKey, [u8; 64])] {
        let agreed = self.chain.as_ref().and_then(|chain| chain.signed().last());
        let proposed = self.proposal.as_ref().map(|proposal| &proposal.signed);
        proposed.or(agreed).map_or(&[], |signed| &signed.signatures)
    }

    /// Hash of the genesis.
    pub(super) fn genesis_hash(&self) -> Digest {
        let proposed = self.proposal.as_ref().map(|proposal| proposal.signed.hash());
        self.chain.as_ref().map_or_else(|| proposed.unwrap_or(Digest::ZERO), Chain::genesis)
    }

    /// Makes `charter` the version that waits.
    pub(super) fn propose(
        self,
        charter: &Charter,
        keys: &[NodeKey],
    ) -> Result<Self, CharterCommandError> {
        let chain = self.complete()?;
        chain.follows(charter)?;
        let mut signed = SignedCharter { payload: charter.encode().into(), signatures: Vec::new() };
        for key in keys {
            signed.sign(key, Some(chain.current()))?;
        }
        let mut file = self.signed();
        file.charters.push(signed);
        Self::new(&self.path, file)
    }

    /// Signs the newest version.
    pub(super) fn sign(&mut self, key: &NodeKey) -> Result<(), CharterCommandError> {
        let mut file = self.signed();
        let previous = file.charters.len().checked_sub(2).and_then(|at| file.charters.get(at));
        let previous = previous.map(SignedCharter::unverified).transpose()?;
        if let Some(newest) = file.charters.last_mut() {
            newest.sign(key, previous.as_ref())?;
        }
        *self = Self::new(&self.path, file)?;
        Ok(())
    }

    /// Replaces the file.
    pub(super) fn save(&self) -> Result<(), CharterCommandError> {
        Ok(write(&self.path, &self.signed().encode())?)
    }
}
