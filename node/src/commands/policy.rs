//! Where a request may go, on the command line. Not what that means.

use std::collections::BTreeSet;

use comity_protocol::{
    limits::{BLOCKS_MAX, NAME_BYTES_MAX},
    policy::{Country, DataClass, Policy},
};

/// Where the request may go.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Policy (all of these must permit a node)")]
pub struct PolicyArgs {
    /// Name of a policy in the charter; by default nothing is restricted.
    #[arg(long, value_name = "NAME", default_value = "")]
    policy: String,
    /// Countries where nodes and their institutions' parents must be, such as NL,DE.
    #[arg(long, value_name = "COUNTRY,..", value_delimiter = ',')]
    only_in: Vec<Country>,
    /// Countries where neither may be.
    #[arg(long, value_name = "COUNTRY,..", value_delimiter = ',')]
    not_in: Vec<Country>,
    /// Institutions that may see anything of it, home's own included.
    #[arg(long, value_name = "INSTITUTION,..", value_delimiter = ',', value_parser = name)]
    only: Vec<String>,
    /// public, internal, personal or sensitive: others must have agreed to process it; what is
    /// sensitive goes to --only institutions alone.
    #[arg(long, value_name = "CLASS")]
    data_class: Option<DataClass>,
    /// What the data is processed for: others with purposes of their own must have it among them.
    #[arg(long, value_name = "PURPOSE", value_parser = name)]
    purpose: Option<String>,
    /// First blocks that stay within home's institution.
    #[arg(long, value_name = "K", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=i64::from(BLOCKS_MAX)))]
    pin_first: u32,
    /// Last blocks that stay within home's institution.
    #[arg(long, value_name = "K", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=i64::from(BLOCKS_MAX)))]
    pin_last: u32,
}

impl PolicyArgs {
    /// Name of the charter's policy; empty for the default.
    pub(super) fn name(&self) -> String {
        self.policy.clone()
    }

    /// The rules on top of it, if there are any.
    pub(super) fn rules(&self) -> Option<Policy> {
        let name = if self.policy.is_empty() { Policy::OPEN } else { &self.policy };
        let none = Policy::rules(name);
        let rules = Policy {
            allowed_jurisdictions: self.only_in.iter().copied().collect(),
            forbidden_jurisdictions: self.not_in.iter().copied().collect(),
            allowed_institutions: self.only.iter().cloned().collect::<BTreeSet<_>>(),
            pinned_first: self.pin_first,
            pinned_last: self.pin_last,
            data_class: self.data_class,
            purpose: self.purpose.clone().unwrap_or_default(),
            ..none.clone()
        };
        (rules != none).then_some(rules)
    }
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(format!("1 to {NAME_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
