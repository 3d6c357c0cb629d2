//! Rules of requests, and how routes are chosen.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::values::NotNegative;

/// `[[policy]]`: rules, as a charter has them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySection {
    /// Name by which workloads refer to it.
    pub name: String,
    /// Where a node must stand, and its institution's parent too, two letters each.
    #[serde(default)]
    pub allowed_jurisdictions: BTreeSet<String>,
    /// Where neither may stand.
    #[serde(default)]
    pub forbidden_jurisdictions: BTreeSet<String>,
    /// Institutions that may serve.
    #[serde(default)]
    pub allowed_institutions: BTreeSet<String>,
    /// First blocks that stay within home's institution.
    #[serde(default)]
    pub pinned_first: u32,
    /// Last blocks that stay within home's institution.
    #[serde(default)]
    pub pinned_last: u32,
    /// Class of the data: public, internal, personal or sensitive.
    pub data_class: Option<Spanned<String>>,
    /// What the data is processed for.
    #[serde(default)]
    pub purpose: String,
}

/// `[router]`: how routes are chosen.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouterSection {
    /// By which rule.
    pub kind: RouterKind,
    /// Fewest stages, with `mesh`.
    pub stages_min: u32,
    /// Sessions that one home lets wait for room; more are refused.
    pub waiting_max: u32,
    /// Whether an opening goes around the ring before the prompt, as the mesh does it.
    pub opens: bool,
    /// Milliseconds of a request at home before its opening leaves: tokenizing, signing, a durable
    /// record.
    pub open_ms: NotNegative,
    /// Milliseconds of home between an answer's last token and its end, beside one way round the ring
    /// for receipts: those who ask again wait for both. Not waited for if it is not given.
    pub close_ms: Option<NotNegative>,
}

impl Default for RouterSection {
    fn default() -> Self {
        Self {
            kind: RouterKind::Mesh,
            stages_min: 1,
            waiting_max: 1_000,
            opens: true,
            open_ms: NotNegative::ZERO,
            close_ms: None,
        }
    }
}

/// By which rule routes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouterKind {
    /// As nodes do it: the cheapest chain by what was announced last and what home opened since.
    Mesh,
    /// In proportion to the maximal flow over the placement.
    Flow,
    /// At each stage at random, in proportion to the nodes' rates.
    Swarm,
    /// Fixed chains of nodes that hold neighbouring blocks, in turn.
    Pipelines,
}
