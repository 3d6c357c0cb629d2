//! Questions to the directory. Nothing here changes it.

use std::net::SocketAddr;

use super::{Announced, Candidate, Directory, Member};
use crate::{
    announcement::Announcement,
    charter::Institution,
    control::Hello,
    id::{Digest, PeerKey},
    limits::{CONTROL_BYTES_MAX, HELLO_STATEMENTS_MAX},
    roster::{Role, RosterNode},
    signed::Signed,
    time::Timestamp,
    wire::Wire as _,
};

/// Bytes of a hello that suspensions may take.
const HELLO_SUSPENSION_BYTES: usize = CONTROL_BYTES_MAX / 8;
/// Bytes of a hello that rosters may take; announcements get what is left.
const HELLO_ROSTER_BYTES: usize = CONTROL_BYTES_MAX / 8 * 5;
/// Bytes of a hello beside its statements: version and hashes.
const HELLO_FRAMING_BYTES: usize = 96;
/// Bytes of a statement's tag and length.
const STATEMENT_FRAMING_BYTES: usize = 4;

impl Directory {
    /// Who `peer` is; `None` for strangers, for peers on the rosters of several institutions, and
    /// for everyone once the charter has expired (P7).
    #[must_use]
    pub fn member(&self, now: Timestamp, peer: &PeerKey) -> Option<Member> {
        self.find(now, peer).map(|(institution, node)| member(institution, node))
    }

    /// Whether `peer` may speak to us.
    #[must_use]
    pub fn admits(&self, now: Timestamp, peer: &PeerKey) -> bool {
        self.find(now, peer).is_some()
    }

    /// Peers that several institutions claim: none of them is admitted.
    #[must_use]
    pub fn contested(&self, now: Timestamp) -> Vec<PeerKey> {
        let mut peers: Vec<_> = self
            .live_rosters(now)
            .flat_map(|(_, roster, _)| roster.nodes.iter().map(|node| node.peer))
            .collect();
        peers.sort_unstable();
        let mut contested: Vec<_> =
            peers.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        contested.dedup();
        contested
    }

    /// Nodes within reach that serve blocks of a model in one numeric class, in ascending order of
    /// peer: only one's own institution's unless [`Self::check`] holds.
    #[must_use]
    pub fn candidates(
        &self,
        now: Timestamp,
        manifest: &Digest,
        numeric_class: &str,
    ) -> Vec<Candidate> {
        if !self.charter().allows_model(manifest) {
            return Vec::new();
        }
        let alone = self.check(now).is_err();
        let mut candidates = Vec::new();
        for (peer, announced, (announcement, _)) in self.announcements_within_reach(now) {
            let Some(member) = self.member(now, peer) else { continue };
            if member.institution != announcement.institution
                || !member.roles.contains(&Role::Stage)
                || (alone && !self.is_own(&member.institution))
            {
                continue;
            }
            for offer in &announcement.offers {
                if offer.manifest != *manifest || offer.numeric_class != numeric_class {
                    continue;
                }
                candidates.push(Candidate {
                    peer: *peer,
                    member: member.clone(),
                    blocks: offer.blocks,
                    block_time_ns: offer.block_time_ns,
                    positions_free: offer.positions_free,
                    sessions: offer.sessions,
                    announced_at: announcement.issued_at.min(announced.came_at),
                    data_addresses: announcement.data_addresses.clone(),
                });
            }
        }
        candidates
    }

    /// Where an admitted peer says its data plane is; also of a lost one, for a call may find it.
    #[must_use]
    pub fn data_addresses(&self, now: Timestamp, peer: &PeerKey) -> Vec<SocketAddr> {
        self.live_announcement(now, peer)
            .filter(|_| self.admits(now, peer))
            .map_or_else(Vec::new, |announcement| announcement.data_addresses.clone())
    }

    /// What an admitted peer announces, to show it to people.
    #[must_use]
    pub fn announcement(&self, now: Timestamp, peer: &PeerKey) -> Option<&Announcement> {
        self.live_announcement(now, peer).filter(|_| self.admits(now, peer))
    }

    /// Where an admitted peer's control plane is, as multiaddresses.
    #[must_use]
    pub fn control_addresses(&self, now: Timestamp, peer: &PeerKey) -> Vec<String> {
        self.find(now, peer).map_or_else(Vec::new, |(_, node)| node.control_addresses.clone())
    }

    /// The valid roster of an institution as it was signed.
    #[must_use]
    pub fn roster(&self, now: Timestamp, institution: &str) -> Option<&Signed> {
        let (roster, signed) = self.rosters.get(institution)?.current.as_ref()?;
        roster.validity().check(now).is_ok().then_some(signed)
    }

    /// What to tell a neighbour first: own roster and announcement, then others' while they fit.
    #[must_use]
    pub fn hello(&self, now: Timestamp, me: &PeerKey) -> Hello {
        let own = self.find(now, me).map(|(institution, _)| institution.id.as_str());
        let mut rosters: Vec<_> = self.live_rosters(now).collect();
        // Stable: the order by institution stays among the others.
        rosters.sort_by_key(|(_, roster, _)| Some(roster.institution.as_str()) != own);
        let mut announcements: Vec<_> =
            self.announcements_within_reach(now).filter(|it| self.admits(now, it.0)).collect();
        announcements.sort_by_key(|(peer, ..)| *peer != me);

        let mut room = CONTROL_BYTES_MAX - HELLO_FRAMING_BYTES;
        let mut room_suspensions = HELLO_SUSPENSION_BYTES;
        let suspensions = take(self.suspensions().signed(), &mut room_suspensions);
        room -= HELLO_SUSPENSION_BYTES - room_suspensions;
        let mut room_rosters = HELLO_ROSTER_BYTES;
        let rosters = take(rosters.into_iter().map(|(.., signed)| signed), &mut room_rosters);
        room -= HELLO_ROSTER_BYTES - room_rosters;
        let announcements =
            take(announcements.into_iter().map(|(.., (_, signed))| signed), &mut room);
        Hello {
            genesis: self.genesis(),
            rosters,
            announcements,
            charter_version: self.charter().version,
            charter: self.chain().hash(),
            suspensions,
        }
    }

    pub(super) fn announcements_within_reach(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (&PeerKey, &Announced, &(Announcement, Signed))> {
        let within_reach = self.announcements.iter().filter(|(_, announced)| !announced.lost);
        within_reach.filter_map(move |(peer, announced)| {
            let current = announced.latest.current.as_ref()?;
            current.0.validity().check(now).ok()?;
            Some((peer, announced, current))
        })
    }

    pub(super) fn live_announcement(
        &self,
        now: Timestamp,
        peer: &PeerKey,
    ) -> Option<&Announcement> {
        let (announcement, _) = self.announcements.get(peer)?.latest.current.as_ref()?;
        announcement.validity().check(now).is_ok().then_some(announcement)
    }
}

pub(super) fn member(institution: &Institution, node: &RosterNode) -> Member {
    Member {
        institution: institution.id.clone(),
        jurisdiction: node.jurisdiction,
        parent_country: institution.parent_country,
        data_class_max: institution.data_class_max,
        purposes: institution.purposes.clone(),
        roles: node.roles.clone(),
    }
}

/// Takes statements in order while they fit `room` bytes, and lowers it.
fn take<'a>(statements: impl Iterator<Item = &'a Signed>, room: &mut usize) -> Vec<Signed> {
    let mut taken = Vec::new();
    for signed in statements.take(HELLO_STATEMENTS_MAX) {
        let bytes = signed.encode().len() + STATEMENT_FRAMING_BYTES;
        if bytes <= *room {
            *room -= bytes;
            taken.push(signed.clone());
        }
    }
    taken
}
