//! How much work institutions have had of this node lately, and whether the charter grants them more.
//! Not who owes whom (`account`).

use std::collections::BTreeMap;

use crate::{id::SessionId, limits::QUOTA_WINDOW, time::Timestamp};

/// Work of one unit of a charter's quota: a billion active parameters times positions.
const UNIT: u128 = 1_000_000_000;
/// What is counted together, milliseconds: work is forgotten this much late at most.
const SLOT_MS: u64 = 600_000;

/// Work done for institutions within the last 24 hours.
#[derive(Debug, Default)]
pub struct Quotas {
    /// By institution and ten minutes: parameters times positions. At most 145 slots each.
    had: BTreeMap<(String, u64), u128>,
    /// What was counted for sessions that may sign more.
    sessions: BTreeMap<SessionId, u128>,
}

/// Why no more work is done for an institution now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{institution} has had {had} of the {quota} billion parameter-positions that the charter grants \
     it here within 24 hours; try again in {} minutes", retry_after.as_secs().div_ceil(60)
)]
pub struct QuotaError {
    /// Institution id.
    pub institution: String,
    /// Billions of active parameters times positions it has had.
    pub had: u128,
    /// And may have.
    pub quota: u64,
    /// When the first of it is forgotten.
    pub retry_after: std::time::Duration,
}

impl Quotas {
    /// Counts that `session` has had `work`, parameters times positions, in all.
    pub fn record(&mut self, now: Timestamp, institution: &str, session: SessionId, work: u128) {
        self.expire(now);
        let before = self.sessions.insert(session, work).unwrap_or(0);
        let slot = (institution.to_owned(), now.as_ms() / SLOT_MS);
        *self.had.entry(slot).or_default() += work.saturating_sub(before);
    }

    /// Forgets a session that signs no more; its work counts.
    pub fn close(&mut self, session: &SessionId) {
        self.sessions.remove(session);
    }

    /// Whether `institution` may have more, of which the charter grants it `quota` units; 0 for no
    /// limit.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub fn check(
        &mut self,
        now: Timestamp,
        institution: &str,
        quota: u64,
    ) -> Result<(), QuotaError> {
        self.expire(now);
        let of = |slot: u64| (institution.to_owned(), slot);
        let mut slots = self.had.range(of(0)..=of(u64::MAX)).peekable();
        let first = slots.peek().map(|((_, slot), _)| *slot);
        let had = slots.map(|(_, work)| *work).sum::<u128>() / UNIT;
        if quota == 0 || had < u128::from(quota) {
            return Ok(());
        }
        let forgotten = first.map_or(now, |slot| Timestamp::from_ms((slot + 1) * SLOT_MS));
        let retry_after = (forgotten + QUOTA_WINDOW).since(now);
        Err(QuotaError { institution: institution.to_owned(), had, quota, retry_after })
    }

    fn expire(&mut self, now: Timestamp) {
        let over = |slot: u64| Timestamp::from_ms((slot + 1) * SLOT_MS) + QUOTA_WINDOW <= now;
        self.had.retain(|(_, slot), _| !over(*slot));
    }
}

#[cfg(test)]
mod tests;
