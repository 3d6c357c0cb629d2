//! What a node's records say in the terms of the EU AI Act and of the GDPR. Not legal advice, and
//! not whether a duty applies: a document lists what the records hold and, counted, what they lack.
//!
//! [`Evidence`] gathers the records of one node, the charters it knew and the proofs it kept;
//! [`ai_act`](fn@ai_act) and [`ropa`](fn@ropa) each make one document of it. No document holds a
//! prompt or an answer, for no record does. Field names are stable within a `format`. The obligations
//! for high-risk systems of Annex III of the AI Act apply from 2 December 2027.

mod ai_act;
mod countries;
mod evidence;
mod kept;
mod missing;
mod ropa;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::{
    ai_act::{AiAct, Event, Model, Retention, Said, StageUse, Use, Version, ai_act},
    countries::{EEA, is_third_country},
    evidence::{End, Evidence, Period, Request},
    kept::{Kept, Texts},
    missing::Missing,
    ropa::{Activity, Commission, Limits, Recipient, Ropa, Transfer, ropa},
};
use crate::{charter::Institution, id::PeerKey, policy::Country};

/// What a document is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// Name of the consortium.
    pub consortium: String,
    /// Hash of its genesis.
    pub genesis: String,
    /// The node whose log was read.
    pub node: String,
    /// From when on requests are listed, milliseconds since the Unix epoch, UTC.
    pub from_ms: u64,
    /// Until when, exclusive; absent for no end.
    pub to_ms: Option<u64>,
    /// Records read, by kind, those outside the period included.
    pub records: BTreeMap<&'static str, u64>,
    /// Whether the records are numbered from 1 without gap.
    pub gapless: bool,
    /// The node whose log this one succeeds: its records are in another log. Absent if there is none.
    pub succeeds: Option<String>,
    /// Requests that the node took within the period.
    pub requests: u64,
    /// Sessions of which it computed a part for a home within the period.
    pub served: u64,
}

/// A group of entries and the articles it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group<T> {
    /// The articles.
    pub article: &'static str,
    /// What the entries are.
    pub holds: &'static str,
    /// They.
    pub entries: Vec<T>,
}

/// An institution as the newest charter that has it names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    /// The articles that ask for it.
    pub article: &'static str,
    /// Institution id.
    pub institution: String,
    /// Legal name; absent if no charter has the institution.
    pub legal_name: Option<String>,
    /// Country it is established in.
    pub country: Option<String>,
    /// Country of its ultimate parent.
    pub parent_country: Option<String>,
    /// Addresses of people responsible.
    pub contacts: Vec<String>,
    /// How to reach its data-protection officer.
    pub data_protection_officer: Option<String>,
}

impl Party {
    fn new(article: &'static str, id: &str, known: Option<&Institution>) -> Self {
        let officer = known.map(|it| it.data_protection_officer.clone());
        Self {
            article,
            institution: id.to_owned(),
            legal_name: known.map(|it| it.legal_name.clone()),
            country: known.map(|it| it.country.to_string()),
            parent_country: known.map(|it| it.parent_country.to_string()),
            contacts: known.map(|it| it.contacts.clone()).unwrap_or_default(),
            data_protection_officer: officer.filter(|officer| !officer.is_empty()),
        }
    }
}

/// Where a stage stood and whose it was, as far as a kept proof says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    node: PeerKey,
    institution: Option<String>,
    jurisdiction: Option<Country>,
}

/// A count as documents have it.
fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
