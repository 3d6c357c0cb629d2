//! Which announcing nodes are within this node's reach. Not how that is noticed.
//!
//! An announcement outlives its node by up to its whole life. So a node that a plane has lost is
//! chosen for nothing more until it is heard again: by a newer announcement, or by a connection. It
//! stays a member, and its sequence is remembered.

use super::{Announced, Directory};
use crate::{id::PeerKey, time::Timestamp};

impl Directory {
    /// `peer` has given no sign of life after `since`; whether that is news. An announcement taken
    /// later stands: a node that came back is not lost by its old connection's end.
    pub fn lost(&mut self, peer: &PeerKey, since: Timestamp) -> bool {
        match self.announcements.get_mut(peer) {
            Some(announced) if !announced.lost && announced.heard_at <= since => {
                announced.lost = true;
                self.measured.remove(peer);
                true
            }
            _ => false,
        }
    }

    /// `peer` gave a sign of life at `now`; whether it had been lost.
    pub fn met(&mut self, now: Timestamp, peer: &PeerKey) -> bool {
        let Some(Announced { heard_at, lost, .. }) = self.announcements.get_mut(peer) else {
            return false;
        };
        *heard_at = now.max(*heard_at);
        std::mem::take(lost)
    }
}
