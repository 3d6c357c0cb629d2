//! Where a request may go: one predicate over institutions and jurisdictions. Not who is a member.
//!
//! Whatever decides where something made from a prompt goes asks [`Policy::permits`] (P3), and
//! nothing else decides it. Who asks:
//!
//! - [`route::plan`](crate::route::plan), for home and for every block of every candidate: only what
//!   this admits is searched, and what is found is asked for once more. Re-routing plans again;
//!   replayed steps and kept pages go to the stages of a plan alone.
//! - [`Stage::admit`](crate::session::stage::Stage::admit), for home and the whole route of a
//!   session: before a stage takes anything, and so before it sends anything on.
//! - [`bundle::verify`](mod@crate::bundle), for home and every stage of a receipt.
//!
//! Pages kept of earlier sessions lie under the [`Policy::digest`] they were computed under.

mod denial;
mod restrict;
mod words;

use std::collections::BTreeSet;

pub use self::{
    denial::Denial,
    restrict::RestrictError,
    words::{
        Audit, AuditError, Country, CountryError, DataClass, DataClassError, Recovery,
        RecoveryError,
    },
};
use crate::{block::BlockRange, charter::Institution, id::Digest, wire::Wire as _};

/// The rules a request is under. Empty lists do not restrict; forbidden lists always forbid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Name by which requests refer to it; 1 to 64 bytes.
    pub name: String,
    /// Where a stage's node must stand, and its institution's ultimate parent too; at most 64.
    pub allowed_jurisdictions: BTreeSet<Country>,
    /// Where neither a stage's node nor its institution's parent may stand; at most 64.
    pub forbidden_jurisdictions: BTreeSet<Country>,
    /// Institutions that may serve; at most 64.
    pub allowed_institutions: BTreeSet<String>,
    /// First blocks that must stay within home's institution.
    pub pinned_first: u32,
    /// Last blocks that must stay within home's institution.
    pub pinned_last: u32,
    /// Class of the data. Above public, institutions other than home's must have agreed to it;
    /// sensitive data goes only to institutions that are named, to home's alone if none is.
    pub data_class: Option<DataClass>,
    /// What the data is processed for: institutions other than home's that name purposes must name
    /// it. At most 64 bytes; empty if it is not stated.
    pub purpose: String,
    /// How a session that lost a stage may go on.
    pub recovery: Recovery,
    /// Who may see what to run the answer again.
    pub audit: Audit,
    /// Reference to the legal basis of transfers, for the records; at most 256 bytes.
    pub transfer_basis: String,
}

/// Who would see what derives from a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Institution id of the node.
    pub institution: &'a str,
    /// Country the node stands in.
    pub jurisdiction: Country,
    /// Country of the ultimate parent of its institution.
    pub parent_country: Country,
    /// Highest class of data its institution may process for others.
    pub data_class_max: Option<DataClass>,
    /// Purposes its institution processes data for; empty for any.
    pub purposes: &'a BTreeSet<String>,
}

/// What of a request would reach a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// All of it: the node is home.
    Prompt,
    /// Hidden states around blocks that it runs, whether for the first time or in a replay, and the
    /// KV cache that stays.
    Blocks {
        /// The blocks.
        blocks: BlockRange,
        /// Blocks of the model.
        block_count: u32,
    },
    /// What it takes to run an answer again.
    Audit,
}

impl<'a> Subject<'a> {
    /// A node of `institution` that stands in `jurisdiction`.
    #[must_use]
    pub fn new(institution: &'a Institution, jurisdiction: Country) -> Self {
        Self {
            institution: &institution.id,
            jurisdiction,
            parent_country: institution.parent_country,
            data_class_max: institution.data_class_max,
            purposes: &institution.purposes,
        }
    }
}

impl Policy {
    /// Name of the policy of a request that names none; a charter cannot give it to another.
    pub const OPEN: &'static str = "open";

    /// A policy that restricts and states nothing: exact recovery, no audit.
    #[must_use]
    pub fn open(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            allowed_jurisdictions: BTreeSet::new(),
            forbidden_jurisdictions: BTreeSet::new(),
            allowed_institutions: BTreeSet::new(),
            pinned_first: 0,
            pinned_last: 0,
            data_class: None,
            purpose: String::new(),
            recovery: Recovery::Exact,
            audit: Audit::None,
            transfer_basis: String::new(),
        }
    }

    /// Rules that restrict nothing at all, not even audits: what stricter rules start from, to be
    /// put on top of the policy of this name by [`Self::restrict`].
    #[must_use]
    pub fn rules(name: impl Into<String>) -> Self {
        Self { recovery: Recovery::Any, audit: Audit::Text, ..Self::open(name) }
    }

    /// SHA-256 of the canonical bytes: what an open record commits to.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Whether `access` to a request that `home`, an institution id, took may be given to `subject`
    /// (P3).
    ///
    /// # Errors
    /// The first of [`Self::denials`].
    pub fn permits(&self, subject: &Subject<'_>, home: &str, access: Access) -> Result<(), Denial> {
        self.denials(subject, home, access).into_iter().next().map_or(Ok(()), Err)
    }

    /// Every predicate that denies `subject` this access, in the order of [`Denial`]: forbidden
    /// jurisdictions, allowed ones, institutions, class of data, purpose, pinned blocks, audit.
    #[must_use]
    pub fn denials(&self, subject: &Subject<'_>, home: &str, access: Access) -> Vec<Denial> {
        let mut denials = Vec::new();
        self.jurisdictions(subject, &mut denials);
        if !self.allowed_institutions.is_empty()
            && !self.allowed_institutions.contains(subject.institution)
        {
            let institution = subject.institution.to_owned();
            denials.push(Denial::InstitutionNotAllowed { institution });
        }
        if subject.institution != home {
            self.data(subject, &mut denials);
        }
        match access {
            Access::Prompt => {}
            Access::Blocks { blocks, block_count } => {
                if subject.institution != home {
                    self.pinned(subject, home, (blocks, block_count), &mut denials);
                }
            }
            Access::Audit => {
                let may = match self.audit {
                    Audit::None => false,
                    Audit::Home => subject.institution == home,
                    Audit::Text => true,
                };
                if !may {
                    let (institution, audit) = (subject.institution.to_owned(), self.audit);
                    denials.push(Denial::Audit { institution, audit });
                }
            }
        }
        denials
    }

    /// Where node and parent company are.
    fn jurisdictions(&self, subject: &Subject<'_>, denials: &mut Vec<Denial>) {
        let Subject { jurisdiction, parent_country, .. } = *subject;
        let institution = || subject.institution.to_owned();
        let forbidden = |country| self.forbidden_jurisdictions.contains(&country);
        let allowed = |country| {
            self.allowed_jurisdictions.is_empty() || self.allowed_jurisdictions.contains(&country)
        };
        if forbidden(jurisdiction) {
            denials
                .push(Denial::JurisdictionForbidden { institution: institution(), jurisdiction });
        }
        if forbidden(parent_country) {
            denials.push(Denial::ParentForbidden { institution: institution(), parent_country });
        }
        if !allowed(jurisdiction) {
            let institution = institution();
            denials.push(Denial::JurisdictionNotAllowed { institution, jurisdiction });
        }
        if !allowed(parent_country) {
            denials.push(Denial::ParentNotAllowed { institution: institution(), parent_country });
        }
    }

    /// What an institution other than home's agreed to do with others' data.
    fn data(&self, subject: &Subject<'_>, denials: &mut Vec<Denial>) {
        let institution = || subject.institution.to_owned();
        if let Some(class) = self.data_class.filter(|class| *class > DataClass::Public) {
            let max = subject.data_class_max;
            if max < Some(class) {
                denials.push(Denial::DataClass { institution: institution(), class, max });
            }
            if class == DataClass::Sensitive && self.allowed_institutions.is_empty() {
                denials.push(Denial::Unlisted { institution: institution() });
            }
        }
        if !self.purpose.is_empty()
            && !subject.purposes.is_empty()
            && !subject.purposes.contains(&self.purpose)
        {
            let purpose = self.purpose.clone();
            denials.push(Denial::Purpose { institution: institution(), purpose });
        }
    }

    /// Which blocks must not leave home's institution.
    fn pinned(
        &self,
        subject: &Subject<'_>,
        home: &str,
        (blocks, block_count): (BlockRange, u32),
        denials: &mut Vec<Denial>,
    ) {
        let names = || (subject.institution.to_owned(), home.to_owned());
        if blocks.start() < self.pinned_first {
            let ((institution, home), pinned) = (names(), self.pinned_first);
            denials.push(Denial::PinnedFirst { institution, home, pinned });
        }
        if blocks.end() > block_count.saturating_sub(self.pinned_last) {
            let ((institution, home), pinned) = (names(), self.pinned_last);
            denials.push(Denial::PinnedLast { institution, home, pinned });
        }
    }
}

#[cfg(test)]
mod tests;
