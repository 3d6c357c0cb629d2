//! What a node says it serves now. Not a proof that it does.

use std::net::SocketAddr;

use crate::{
    block::BlockRange,
    id::{Digest, PeerKey, ShortPeer},
    limits::{ANNOUNCEMENT_BYTES_MAX, ANNOUNCEMENT_LIFE_MAX, ANNOUNCERS_MAX},
    roster::{Role, RosterNode},
    signed::{Domain, Signed, SignedError},
    time::{Timestamp, Validity, ValidityError},
    wire::Wire as _,
};

/// What a node serves now, signed by the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Institution id of the node.
    pub institution: String,
    /// Strictly increasing per node, over restarts too.
    pub sequence: u64,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it stops; at most 10 minutes later.
    pub expires_at: Timestamp,
    /// Data-plane addresses; at most 8.
    pub data_addresses: Vec<SocketAddr>,
    /// What it serves; at most 16.
    pub offers: Vec<Offer>,
    /// How far other nodes are, in ascending order of peer; at most 64.
    pub round_trips: Vec<RoundTrip>,
}

/// How far a node is from the one that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// Which node.
    pub peer: ShortPeer,
    /// The least of the last round trips, microseconds.
    pub least_us: u32,
}

/// One block range that a node serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Digest of the model's manifest.
    pub manifest: Digest,
    /// Blocks held.
    pub blocks: BlockRange,
    /// Numeric class of the results.
    pub numeric_class: String,
    /// Measured time of one position through one block, nanoseconds.
    pub block_time_ns: u64,
    /// Positions for which KV cache is free.
    pub positions_free: u64,
    /// Sessions being served.
    pub sessions: u32,
}

/// Why an announcement is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnouncementError {
    /// Longer than an announcement may be.
    #[error("announcement of {peer} has {got} bytes, more than {ANNOUNCEMENT_BYTES_MAX}")]
    TooLong {
        /// The node.
        peer: PeerKey,
        /// Bytes given, envelope included.
        got: usize,
    },
    /// The node is on no valid roster, or on those of several institutions.
    #[error("{0} is on no valid roster")]
    NotAdmitted(PeerKey),
    /// The node may not run blocks.
    #[error("{0} lacks the stage role")]
    NoStage(PeerKey),
    /// The envelope does not hold.
    #[error("announcement of {peer}: {source}")]
    Signed {
        /// The node.
        peer: PeerKey,
        /// What is wrong with it.
        source: SignedError,
    },
    /// The node claims another institution than the one whose roster it is on.
    #[error("{peer} claims {claimed} but is on the roster of {institution}")]
    Institution {
        /// The node.
        peer: PeerKey,
        /// Institution it claims.
        claimed: String,
        /// Institution whose roster it is on.
        institution: String,
    },
    /// It is expired, of the future, or lives too long.
    #[error("announcement of {peer}: {source}")]
    Validity {
        /// The node.
        peer: PeerKey,
        /// What is wrong with its time.
        source: ValidityError,
    },
    /// Its sequence does not pass that of an earlier one.
    #[error("announcement {got} of {peer} does not pass {held}")]
    Stale {
        /// The node.
        peer: PeerKey,
        /// Highest sequence seen.
        held: u64,
        /// Sequence given.
        got: u64,
    },
    /// The directory is full.
    #[error("announcements of {ANNOUNCERS_MAX} nodes are held, {0} finds no place")]
    Full(PeerKey),
}

impl Announcement {
    /// The announcement in `signed`, if the node `node` of `institution` signed it, may run blocks,
    /// and it is valid at `now`.
    ///
    /// # Errors
    /// [`AnnouncementError`] naming the node; nothing is decoded unless the signature holds.
    pub fn verify(
        signed: &Signed,
        charter_hash: &Digest,
        institution: &str,
        node: &RosterNode,
        now: Timestamp,
    ) -> Result<Self, AnnouncementError> {
        let peer = node.peer;
        let size = signed.encode().len();
        if size > ANNOUNCEMENT_BYTES_MAX {
            return Err(AnnouncementError::TooLong { peer, got: size });
        }
        if !node.roles.contains(&Role::Stage) {
            return Err(AnnouncementError::NoStage(peer));
        }
        let announcement: Self = signed
            .open_from(Domain::ANNOUNCEMENT, charter_hash, &peer)
            .map_err(|source| AnnouncementError::Signed { peer, source })?;
        if announcement.institution != institution {
            return Err(AnnouncementError::Institution {
                peer,
                claimed: announcement.institution,
                institution: institution.to_owned(),
            });
        }
        let validity = announcement.validity();
        validity
            .check_life(ANNOUNCEMENT_LIFE_MAX)
            .and_then(|()| validity.check(now))
            .map_err(|source| AnnouncementError::Validity { peer, source })?;
        Ok(announcement)
    }

    pub(crate) const fn validity(&self) -> Validity {
        Validity { from: self.issued_at, until: self.expires_at }
    }
}

#[cfg(test)]
pub(crate) mod tests;
