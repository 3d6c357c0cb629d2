//! Clusters that others published, read from their files instead of sections.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// `[[helix]]`: a cluster, a placement and device timings as Helix publishes them. Its machines, a
/// coordinator that plays home, the links and the model come with it; nothing of them stands in the
/// scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelixSection {
    /// What the cluster is called: also the name of its model and, with ` home`, of its coordinator.
    pub name: String,
    /// Folder of the published files, under the data folder.
    pub files: Spanned<String>,
    /// The cluster, under that folder.
    pub cluster: Spanned<String>,
    /// Who holds which blocks, under that folder.
    pub placement: Spanned<String>,
    /// What KV cache each machine has, under that folder; that of its device if not given.
    pub memory: Option<Spanned<String>>,
    /// `llama1_30b` or `llama2_70b`.
    pub model: Spanned<String>,
    /// Prompts of one pass at most, by device.
    pub prompts_max: BTreeMap<String, u32>,
}
