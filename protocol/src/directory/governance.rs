//! Whose statements count under the charter in force. Nothing here changes the directory.

use super::{Directory, view::member};
use crate::{
    charter::{Chain, Charter, Institution, Revoked, SignedChain, Suspensions},
    id::{Digest, PeerKey},
    limits::CONTROL_BYTES_MAX,
    roster::{Roster, RosterNode},
    signed::Signed,
    time::{Timestamp, ValidityError},
    wire::Wire as _,
};

/// Bytes of an answer beside its charters.
const FRAMING_BYTES: usize = 64;

/// Why nothing new may be done with others (P7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GovernanceError {
    /// The newest charter is not in force.
    #[error("charter version {version} is not in force: {source}; only local use goes on")]
    Charter {
        /// Its version.
        version: u32,
        /// Why.
        source: ValidityError,
    },
    /// Two different versions of one number are signed.
    #[error("two different charters of version {version} are signed; only local use goes on")]
    Fork {
        /// The number.
        version: u32,
    },
    /// This node's institution is suspended.
    #[error("{institution} is suspended until {until}; only local use goes on")]
    Suspended {
        /// Institution id.
        institution: String,
        /// When that ends.
        until: Timestamp,
    },
    /// This node's institution is no member any more.
    #[error("{institution} is no member; only local use goes on")]
    Removed {
        /// Institution id.
        institution: String,
    },
    /// The roster that lists this node is over.
    #[error(
        "the roster of {institution} has expired; only local use goes on until it signs another"
    )]
    Roster {
        /// Institution id.
        institution: String,
    },
}

impl Directory {
    /// The newest charter.
    #[must_use]
    pub fn charter(&self) -> &Charter {
        self.chain.current()
    }

    /// Hash of the genesis: under it everything is signed.
    #[must_use]
    pub const fn genesis(&self) -> Digest {
        self.chain.genesis()
    }

    /// Every version of the charter.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// What is known of suspensions.
    #[must_use]
    pub const fn suspensions(&self) -> &Suspensions {
        &self.suspensions
    }

    /// Versions of the charter from `from` on, as many as fit a control message.
    #[must_use]
    pub fn charters(&self, from: u32) -> SignedChain {
        let skipped = from.saturating_sub(1) as usize;
        let mut room = CONTROL_BYTES_MAX - FRAMING_BYTES;
        let fitting = self.chain.signed().iter().skip(skipped).take_while(|charter| {
            let bytes = charter.encode().len() + FRAMING_BYTES;
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        SignedChain { charters: fitting.cloned().collect(), suspensions: Vec::new() }
    }

    /// Whether this node may work with other institutions.
    ///
    /// # Errors
    /// [`GovernanceError`], which people must mend.
    pub fn check(&self, now: Timestamp) -> Result<(), GovernanceError> {
        self.check_charter(now)?;
        let Some((roster, _)) = self.own_roster() else { return Ok(()) };
        let institution = roster.institution.clone();
        if self.charter().institution(&institution).is_none() {
            return Err(GovernanceError::Removed { institution });
        }
        if let Some(until) = self.suspensions.in_force(now, self.charter()).remove(&institution) {
            return Err(GovernanceError::Suspended { institution, until });
        }
        if roster.validity().check(now).is_err() {
            return Err(GovernanceError::Roster { institution });
        }
        Ok(())
    }

    /// Whether this is the institution of this node.
    pub(super) fn is_own(&self, institution: &str) -> bool {
        self.own.as_deref() == Some(institution)
    }

    fn check_charter(&self, now: Timestamp) -> Result<(), GovernanceError> {
        if let Some(fork) = self.chain.fork() {
            return Err(GovernanceError::Fork { version: fork.version });
        }
        let (charter, version) = (self.charter(), self.charter().version);
        charter.check_time(now).map_err(|source| GovernanceError::Charter { version, source })
    }

    /// The roster of this node's institution, valid or not.
    fn own_roster(&self) -> Option<(&Roster, &Signed)> {
        let (roster, signed) = self.rosters.get(self.own.as_ref()?)?.current.as_ref()?;
        Some((roster, signed))
    }

    /// The one institution and roster entry of `peer`.
    pub(super) fn find(
        &self,
        now: Timestamp,
        peer: &PeerKey,
    ) -> Option<(&Institution, &RosterNode)> {
        let mut entries =
            self.live_rosters(now).filter_map(|(it, roster, _)| Some((it, roster.node(peer)?)));
        let entry = entries.next()?;
        let one = entries.next().is_none();
        // A revoked institution is no member; a revoked node may still be on a roster.
        let revoked = self.chain.revoked_at(&Revoked::Peer(*peer));
        let trusted = !self.distrusted.contains(peer);
        (one && trusted && revoked.is_none_or(|at| at > now)).then_some(entry)
    }

    /// Every admitted peer, in ascending order.
    #[must_use]
    pub fn members(&self, now: Timestamp) -> Vec<(PeerKey, super::Member)> {
        let nodes = self.live_rosters(now).flat_map(|(_, roster, _)| &roster.nodes);
        let members = nodes.filter_map(|node| {
            let (institution, node) = self.find(now, &node.peer)?;
            Some((node.peer, member(institution, node)))
        });
        let mut members: Vec<_> = members.collect();
        members.sort_by_key(|(peer, _)| *peer);
        members
    }

    /// The rosters that count at `now`, each with its institution.
    pub(super) fn live_rosters(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (&Institution, &Roster, &Signed)> {
        let in_force = self.check_charter(now).is_ok();
        let suspended = self.suspensions.in_force(now, self.charter());
        let rosters = self.rosters.values().filter_map(|latest| latest.current.as_ref());
        rosters.filter_map(move |(roster, signed)| {
            if self.is_own(&roster.institution) {
                let institution = self.chain.last_known(&roster.institution)?;
                return Some((institution, roster, signed));
            }
            let institution = self.charter().institution(&roster.institution)?;
            let counts = in_force
                && institution.roster_key == signed.signer
                && !suspended.contains_key(&institution.id)
                && roster.validity().check(now).is_ok();
            counts.then_some((institution, roster, signed))
        })
    }
}

#[cfg(test)]
mod tests;
