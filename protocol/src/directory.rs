//! Who is a member and what each node serves, as this node knows it. Not a transport.
//!
//! Everything held was signed and is bounded; what is expired or contradictory is treated as if it
//! had never been said (P7), but its sequence is remembered, so that nothing older replaces it.

mod distance;
mod governance;
mod reach;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

pub use distance::Latencies;
pub use governance::GovernanceError;

use distance::Measured;

use crate::{
    announcement::{Announcement, AnnouncementError},
    block::BlockRange,
    charter::{Chain, SuspensionError, Suspensions},
    id::{Digest, PeerKey},
    limits::ANNOUNCERS_MAX,
    policy::{Country, DataClass, Subject},
    roster::{Role, Roster, RosterError},
    signed::Signed,
    time::Timestamp,
};

/// What charter and roster say about a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Institution id.
    pub institution: String,
    /// Where the machine stands, as its institution asserts it.
    pub jurisdiction: Country,
    /// Country of the institution's ultimate parent.
    pub parent_country: Country,
    /// Highest class of data the institution may process for others.
    pub data_class_max: Option<DataClass>,
    /// Purposes the institution processes data for; empty for any.
    pub purposes: BTreeSet<String>,
    /// What it may do.
    pub roles: BTreeSet<Role>,
}

impl Member {
    /// The member as a policy sees it.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            institution: &self.institution,
            jurisdiction: self.jurisdiction,
            parent_country: self.parent_country,
            data_class_max: self.data_class_max,
            purposes: &self.purposes,
        }
    }
}

/// A node that could run blocks of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub peer: PeerKey,
    /// What charter and roster say about it.
    pub member: Member,
    /// Blocks held.
    pub blocks: BlockRange,
    /// Time of one position through one block, nanoseconds, as the node measured it.
    pub block_time_ns: u64,
    /// Positions for which KV cache is free.
    pub positions_free: u64,
    /// Sessions being served.
    pub sessions: u32,
    /// When it was so: when it was announced or, where clocks differ, heard of at the latest.
    pub announced_at: Timestamp,
    /// Data-plane addresses.
    pub data_addresses: Vec<SocketAddr>,
}

/// What an accepted statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is news: pass it on.
    Updated,
    /// It was held already.
    Unchanged,
}

/// The newest statement of one signer.
#[derive(Debug)]
struct Latest<T> {
    sequence: u64,
    payload: Digest,
    /// What it says; `None` once it is over.
    current: Option<(T, Signed)>,
    /// Another statement of the same sequence was signed: neither counts.
    contradicted: bool,
}

impl<T> Latest<T> {
    fn new(sequence: u64, statement: T, signed: &Signed) -> Self {
        let payload = signed.payload_digest();
        Self { sequence, payload, current: Some((statement, signed.clone())), contradicted: false }
    }
}

/// A node's newest announcement, and whether the node is within reach.
#[derive(Debug)]
struct Announced {
    latest: Latest<Announcement>,
    /// When it came.
    came_at: Timestamp,
    /// When the node last gave a sign of life that this directory was told of.
    heard_at: Timestamp,
    /// Whether it was lost since: it is chosen for nothing then.
    lost: bool,
}

/// Rosters and announcements under the charter in force.
///
/// After each insertion and at [`Self::poll_timeout`] the driver calls [`Self::expire`] and
/// disconnects the peers it returns.
///
/// The nodes of one's own institution stay admitted whatever becomes of the charter, as its latest
/// roster has them: what it does alone with its own machines concerns nobody else.
#[derive(Debug)]
pub struct Directory {
    me: PeerKey,
    /// The institution whose roster was the first to list `me`: nobody else's ever is one's own.
    own: Option<String>,
    chain: Chain,
    suspensions: Suspensions,
    /// By institution id; at most as many as the charter has institutions.
    rosters: BTreeMap<String, Latest<Roster>>,
    /// At most [`ANNOUNCERS_MAX`].
    announcements: BTreeMap<PeerKey, Announced>,
    /// Round trips to admitted peers, as this node measured them.
    measured: BTreeMap<PeerKey, Measured>,
    /// Peers that were admitted when last looked, or on a roster accepted since.
    admitted: BTreeSet<PeerKey>,
    /// Peers whose logs told two stories: admitted no more, whatever rosters say.
    distrusted: BTreeSet<PeerKey>,
    /// When rosters changed and [`Self::expire`] has not been called since.
    due: Option<Timestamp>,
    /// Until when the passing of time was looked at.
    looked: Timestamp,
}

impl Directory {
    /// The directory of node `me`, empty but for verified charters.
    #[must_use]
    pub fn new(chain: Chain, me: PeerKey) -> Self {
        Self {
            me,
            own: None,
            chain,
            suspensions: Suspensions::default(),
            rosters: BTreeMap::new(),
            announcements: BTreeMap::new(),
            measured: BTreeMap::new(),
            admitted: BTreeSet::new(),
            distrusted: BTreeSet::new(),
            due: None,
            looked: Timestamp::default(),
        }
    }

    /// Replaces the charters by what [`Chain::merge`] made of them. Rosters and announcements stay
    /// as far as the new version believes them.
    pub fn adopt(&mut self, now: Timestamp, chain: Chain) {
        self.chain = chain;
        self.due = Some(now);
    }

    /// Takes one signature under a suspension.
    ///
    /// # Errors
    /// [`SuspensionError`]; nothing is changed then.
    pub fn insert_suspension(
        &mut self,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Change, SuspensionError> {
        if !self.suspensions.insert(now, &self.chain, signed)? {
            return Ok(Change::Unchanged);
        }
        self.due = Some(now);
        Ok(Change::Updated)
    }

    /// Stops all work with `peer`: the driver holds proof that its log told two stories.
    pub fn distrust(&mut self, now: Timestamp, peer: PeerKey) {
        self.distrusted.insert(peer);
        self.due = Some(now);
    }

    /// Takes a roster; a higher sequence replaces the institution's previous one.
    ///
    /// # Errors
    /// [`RosterError`]. At [`RosterError::Contradiction`] the institution's nodes lose admission
    /// until it signs a higher sequence; any other error changes nothing.
    pub fn insert_roster(
        &mut self,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Change, RosterError> {
        let roster = Roster::verify(signed, self.charter(), &self.genesis(), now)?;
        self.take_roster(now, roster, signed)
    }

    /// Takes a roster that this node's operator gives at the start. If it lists this node, it counts
    /// at home even if it is over, or its institution no member any more: as if the node had run on.
    ///
    /// # Errors
    /// As [`Self::insert_roster`].
    pub fn enlist(&mut self, now: Timestamp, signed: &Signed) -> Result<Change, RosterError> {
        if let Some(charter) = self.chain.last_listing(&signed.signer) {
            let roster = Roster::open(signed, charter, &self.genesis())?;
            let over = roster.expires_at <= now || charter.version < self.charter().version;
            if over && roster.node(&self.me).is_some() {
                return self.take_roster(now, roster, signed);
            }
        }
        self.insert_roster(now, signed)
    }

    fn take_roster(
        &mut self,
        now: Timestamp,
        roster: Roster,
        signed: &Signed,
    ) -> Result<Change, RosterError> {
        let (sequence, payload) = (roster.sequence, signed.payload_digest());
        if let Some(latest) = self.rosters.get_mut(&roster.institution) {
            let (institution, held) = (roster.institution.clone(), latest.sequence);
            if sequence < held {
                return Err(RosterError::Stale { institution, held, got: sequence });
            }
            if sequence == held && (latest.contradicted || latest.payload != payload) {
                latest.contradicted = true;
                latest.current = None;
                self.due = Some(now);
                return Err(RosterError::Contradiction { institution, sequence });
            }
            if sequence == held && latest.current.is_some() {
                return Ok(Change::Unchanged);
            }
        }
        if self.own.is_none() && roster.node(&self.me).is_some() {
            self.own = Some(roster.institution.clone());
        }
        self.admitted.extend(roster.nodes.iter().map(|node| node.peer));
        let institution = roster.institution.clone();
        self.rosters.insert(institution, Latest::new(sequence, roster, signed));
        self.due = Some(now);
        Ok(Change::Updated)
    }

    /// Takes an announcement; its sequence must pass that of the node's previous one.
    ///
    /// # Errors
    /// [`AnnouncementError`]; nothing is changed then.
    pub fn insert_announcement(
        &mut self,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Change, AnnouncementError> {
        let peer = signed.signer;
        let (institution, node) =
            self.find(now, &peer).ok_or(AnnouncementError::NotAdmitted(peer))?;
        let announcement =
            Announcement::verify(signed, &self.genesis(), &institution.id, node, now)?;
        let (sequence, payload) = (announcement.sequence, signed.payload_digest());
        if let Some(Announced { latest, .. }) = self.announcements.get(&peer) {
            let held = latest.sequence;
            if sequence < held || (sequence == held && payload != latest.payload) {
                return Err(AnnouncementError::Stale { peer, held, got: sequence });
            }
            if sequence == held && latest.current.is_some() {
                return Ok(Change::Unchanged);
            }
        } else if self.announcements.len() >= ANNOUNCERS_MAX {
            self.announcements.retain(|_, it| it.latest.current.is_some());
            if self.announcements.len() >= ANNOUNCERS_MAX {
                return Err(AnnouncementError::Full(peer));
            }
        }
        let latest = Latest::new(sequence, announcement, signed);
        self.announcements
            .insert(peer, Announced { latest, came_at: now, heard_at: now, lost: false });
        Ok(Change::Updated)
    }

    /// When [`Self::expire`] is due next: at once after a roster changed, else at the next expiry.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let charter = self.chain.current().expires_at;
        let charter = (charter > self.looked).then_some(charter);
        let rosters = self.rosters.values().filter_map(|latest| latest.current.as_ref());
        let rosters = rosters.map(|(roster, _)| roster.expires_at);
        let announcements = self.announcements.values().filter_map(|it| it.latest.current.as_ref());
        rosters
            .filter(|expires_at| *expires_at > self.looked)
            .chain(announcements.map(|(announcement, _)| announcement.expires_at))
            .chain(charter)
            .chain(self.suspensions.next_change(self.looked))
            .chain(self.due)
            .min()
    }

    /// Forgets what is over at `now` and returns the peers that lost admission, each once.
    pub fn expire(&mut self, now: Timestamp) -> Vec<PeerKey> {
        self.due = None;
        self.looked = now;
        for (institution, latest) in &mut self.rosters {
            // What is one's own counts at home even when it is over.
            let kept = self.own.as_ref() == Some(institution);
            latest.current.take_if(|(roster, _)| roster.expires_at <= now && !kept);
        }
        for Announced { latest, .. } in self.announcements.values_mut() {
            latest.current.take_if(|(announcement, _)| announcement.expires_at <= now);
        }
        let admitted: BTreeSet<PeerKey> =
            self.members(now).into_iter().map(|(peer, _)| peer).collect();
        let lost: Vec<PeerKey> = self.admitted.difference(&admitted).copied().collect();
        self.measured.retain(|peer, _| admitted.contains(peer));
        self.admitted = admitted;
        lost
    }
}

#[cfg(test)]
mod tests;
