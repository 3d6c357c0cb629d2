//! The task that owns the directory: one message, one reaction. Not the questions that are asked.

use std::{collections::HashSet, sync::Arc, time::Duration};

use comity_protocol::{
    announcement::AnnouncementError,
    charter::{Chain, CharterError, SignedCharter, SuspensionError},
    directory::{Change, Directory as Core},
    id::PeerKey,
    roster::RosterError,
    signed::Signed,
    time::Timestamp,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Changes, InsertError, Message};
use crate::{clock::Clock, governance::Archive};

pub(super) struct Actor {
    pub(super) core: Core,
    pub(super) archive: Archive,
    pub(super) clock: Clock,
    pub(super) admitted: watch::Sender<Arc<HashSet<PeerKey>>>,
    pub(super) changed: watch::Sender<Changes>,
    pub(super) newest: watch::Sender<Arc<Chain>>,
}

impl Actor {
    pub(super) async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        cancel: CancellationToken,
    ) {
        loop {
            let due = self.core.poll_timeout().map(|time| self.clock.instant(time));
            tokio::select! { biased;
                () = cancel.cancelled() => break,
                () = until(due) => self.expire(),
                message = messages.recv() => match message {
                    Some(message) => self.handle(message),
                    None => break,
                },
            }
        }
        // Nobody decides any more who may speak.
        self.admitted.send_replace(Arc::default());
    }

    fn handle(&mut self, message: Message) {
        let now = self.clock.now();
        // Whoever waits for a reply may be gone; so everywhere below.
        match message {
            Message::Ask(question) => question(&self.core, now),
            Message::Charters(charters, reply) => {
                let inserted = self.charters(now, &charters);
                self.publish(now);
                let _ = reply.send(inserted);
            }
            Message::Suspension(signed, reply) => {
                let inserted = self.suspension(now, &signed);
                self.publish(now);
                let _ = reply.send(inserted);
            }
            Message::Roster(signed, reply) => {
                let inserted = self.roster(now, &signed);
                self.publish(now);
                let _ = reply.send(inserted);
            }
            Message::Enlist(signed, reply) => {
                let inserted = self.core.enlist(now, &signed);
                self.publish(now);
                let _ = reply.send(inserted);
            }
            Message::Announcement(signed, reply) => {
                let _ = reply.send(self.announcement(now, &signed));
            }
            Message::Hear(hello, peer, reply) => {
                for signed in &hello.suspensions {
                    if let Err(error) = self.suspension(now, signed) {
                        debug!(from = %peer.short(), %error, "suspension refused");
                    }
                }
                for signed in &hello.rosters {
                    if let Err(error) = self.roster(now, signed) {
                        debug!(from = %peer.short(), %error, "roster refused");
                    }
                }
                self.publish(now);
                let admitted = self.core.admits(now, &peer);
                let announcements = if admitted { &hello.announcements[..] } else { &[] };
                for signed in announcements {
                    if let Err(error) = self.announcement(now, signed) {
                        debug!(from = %peer.short(), %error, "announcement refused");
                    }
                }
                if admitted {
                    self.met(now, &peer);
                }
                let _ = reply.send(admitted);
            }
            Message::Met(peer) => self.met(now, &peer),
            Message::Lost(peer, silent) => self.lost(now, &peer, silent),
            Message::Measured(peer, round_trip) => self.core.measured(now, &peer, round_trip),
            Message::Distrust(peer) => {
                self.core.distrust(now, peer);
                self.publish(now);
            }
        }
    }

    fn met(&mut self, now: Timestamp, peer: &PeerKey) {
        if self.core.met(now, peer) {
            info!(peer = %peer.short(), "peer is within reach again");
            self.changed.send_modify(|changes| changes.all += 1);
        }
    }

    fn lost(&mut self, now: Timestamp, peer: &PeerKey, silent: Duration) {
        let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
        let since = Timestamp::from_ms(now.as_ms().saturating_sub(silent_ms));
        if self.core.lost(peer, since) {
            info!(peer = %peer.short(), silent_ms, "peer is out of reach");
            self.changed.send_modify(|changes| changes.all += 1);
        }
    }

    /// Takes charters once they are kept.
    fn charters(
        &mut self,
        now: Timestamp,
        charters: &[SignedCharter],
    ) -> Result<Change, InsertError<CharterError>> {
        let mut chain = self.core.chain().clone();
        let merged = chain.merge(charters);
        if chain != *self.core.chain() {
            self.keep(&chain)?;
            // Nothing but the proof of a fork may be new.
            let version = chain.current().version;
            if version > self.core.charter().version {
                info!(version, "a later charter is in force");
            }
            self.newest.send_replace(Arc::new(chain.clone()));
            self.core.adopt(now, chain);
            self.governed();
        }
        let added = merged?;
        Ok(if added == 0 { Change::Unchanged } else { Change::Updated })
    }

    fn suspension(
        &mut self,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Change, InsertError<SuspensionError>> {
        let inserted = self.core.insert_suspension(now, signed)?;
        if inserted == Change::Updated {
            self.keep(self.core.chain())?;
            self.governed();
        }
        Ok(inserted)
    }

    fn keep<E>(&self, chain: &Chain) -> Result<(), InsertError<E>> {
        self.archive.keep(chain, self.core.suspensions()).map_err(|error| {
            warn!(%error, "governance cannot be kept in the data folder");
            InsertError::Storage(error.kind())
        })
    }

    fn governed(&self) {
        self.changed.send_modify(|changes| {
            changes.all += 1;
            changes.governance += 1;
        });
    }

    fn roster(&mut self, now: Timestamp, signed: &Signed) -> Result<Change, RosterError> {
        let inserted = self.core.insert_roster(now, signed);
        match &inserted {
            Ok(Change::Updated) => self.governed(),
            Err(error @ RosterError::Contradiction { .. }) => {
                warn!(%error, "its nodes lose admission until it signs a higher sequence");
            }
            _ => {}
        }
        inserted
    }

    fn announcement(
        &mut self,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Change, AnnouncementError> {
        let inserted = self.core.insert_announcement(now, signed);
        if inserted == Ok(Change::Updated) {
            self.changed.send_modify(|changes| changes.all += 1);
        }
        inserted
    }

    fn expire(&mut self) {
        self.publish(self.clock.now());
        self.changed.send_modify(|changes| changes.all += 1);
    }

    /// Forgets what is over and publishes who may speak, if that changed.
    fn publish(&mut self, now: Timestamp) {
        for peer in self.core.expire(now) {
            warn!(peer = %peer.short(), "peer is no longer admitted");
        }
        let admitted: HashSet<_> = self.core.members(now).into_iter().map(|(it, _)| it).collect();
        self.admitted.send_if_modified(|current| {
            let changed = **current != admitted;
            if changed {
                *current = Arc::new(admitted);
            }
            changed
        });
    }
}

/// Resolves at `time`; never if there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
