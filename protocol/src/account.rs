//! Who computed how much for whom, from receipts that both sides signed. Not prices.
//!
//! The unit is parameters × rows: what one stage computed for one session is the parameters of its
//! blocks times the rows it ran. An entry stands on two signatures, the stage's and home's: home's
//! receipt lists the stage receipt, and a stage that did not see it has home's countersignature. Each
//! entry counts on both sides, as given by one institution and taken by another, so the books of both
//! agree once no countersignature is outstanding.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    id::{Digest, PeerKey, SessionId},
    receipt::{Countersignature, Receipt, StageReceipt},
    time::Timestamp,
};

/// What one stage computed for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Payload digest of the stage receipt: no two entries share it.
    pub stage_receipt: Digest,
    /// The session.
    pub session: SessionId,
    /// The node that was home.
    pub home: PeerKey,
    /// Institution that computed.
    pub giver: String,
    /// Institution of home, for which it was computed.
    pub taker: String,
    /// Parameters one row passed through.
    pub parameters: u64,
    /// Rows run.
    pub computed: u64,
    /// When this side recorded it; the sides differ.
    pub at: Timestamp,
}

impl Entry {
    /// What home's own receipt, signed by `home`, says it owes: one entry for each stage receipt it
    /// lists.
    pub fn owed(receipt: &Receipt, home: PeerKey) -> impl Iterator<Item = Self> {
        receipt.stage_receipts.iter().zip(&receipt.work).map(move |(digest, work)| Self {
            stage_receipt: *digest,
            session: receipt.session,
            home,
            giver: work.institution.clone(),
            taker: receipt.institution.clone(),
            parameters: work.parameters,
            computed: work.computed,
            at: receipt.closed_at,
        })
    }

    /// What a stage is owed for its `receipt`, which home countersigned: see
    /// [`crate::receipt::check_countersignature`].
    #[must_use]
    pub fn due(receipt: &StageReceipt, countersignature: &Countersignature) -> Self {
        Self {
            stage_receipt: countersignature.stage_receipt,
            session: receipt.session,
            home: receipt.home,
            giver: receipt.institution.clone(),
            taker: receipt.home_institution.clone(),
            parameters: receipt.parameters,
            computed: receipt.computed,
            at: countersignature.signed_at,
        }
    }

    /// Parameters × rows.
    #[must_use]
    pub fn units(&self) -> u128 {
        u128::from(self.parameters) * u128::from(self.computed)
    }

    /// Whether one institution computed for itself: that counts for no one.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.giver == self.taker
    }
}

/// What two institutions computed for each other, in parameters × rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// By the first for the second.
    pub given: u128,
    /// By the second for the first.
    pub taken: u128,
}

/// Entries, each once however often it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    entries: BTreeMap<Digest, Entry>,
}

impl Books {
    /// Takes an entry; whether it was new.
    pub fn record(&mut self, entry: Entry) -> bool {
        let mut new = false;
        self.entries.entry(entry.stage_receipt).or_insert_with(|| {
            new = true;
            entry
        });
        new
    }

    /// The entries, in the order of their stage receipts' digests.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// What `first` and `second` computed for each other; nothing if they are the same.
    #[must_use]
    pub fn balance(&self, first: &str, second: &str) -> Balance {
        let mut balance = Balance::default();
        for entry in self.entries.values().filter(|entry| !entry.is_internal()) {
            if (entry.giver.as_str(), entry.taker.as_str()) == (first, second) {
                balance.given += entry.units();
            } else if (entry.giver.as_str(), entry.taker.as_str()) == (second, first) {
                balance.taken += entry.units();
            }
        }
        balance
    }

    /// Pairs of institutions that computed for each other, each once and in order.
    #[must_use]
    pub fn pairs(&self) -> BTreeSet<(&str, &str)> {
        let entries = self.entries.values().filter(|entry| !entry.is_internal());
        entries.map(|entry| ordered(&entry.giver, &entry.taker)).collect()
    }
}

fn ordered<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    if one < other { (one, other) } else { (other, one) }
}

#[cfg(test)]
mod tests;
