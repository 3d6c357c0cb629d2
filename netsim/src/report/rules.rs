//! Rules of policies in words. Not their checking (`comity_protocol::policy`).

use std::collections::BTreeSet;

use comity_protocol::policy::Policy;
use serde::Serialize;

use crate::world::World;

/// One policy.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyRow {
    /// Its name.
    pub policy: String,
    /// What it demands; empty if nothing.
    pub rules: Vec<String>,
}

/// Policies that some workload is under, in the order of the scenario.
pub(super) fn rows(world: &World) -> Vec<PolicyRow> {
    let used: BTreeSet<usize> = world.workloads.iter().map(|workload| workload.policy).collect();
    let row = |index: usize| {
        let policy = &world.policies[index];
        PolicyRow { policy: policy.name.clone(), rules: words(policy) }
    };
    used.into_iter().map(row).collect()
}

fn words(policy: &Policy) -> Vec<String> {
    let mut rules = Vec::new();
    let mut list = |words: &str, names: Vec<String>| {
        if !names.is_empty() {
            rules.push(format!("{words} {}", names.join(", ")));
        }
    };
    let countries = |it: &BTreeSet<_>| it.iter().map(ToString::to_string).collect();
    list("only in", countries(&policy.allowed_jurisdictions));
    list("not in", countries(&policy.forbidden_jurisdictions));
    list("only at", policy.allowed_institutions.iter().cloned().collect());
    for (count, which) in [(policy.pinned_first, "first"), (policy.pinned_last, "last")] {
        if count > 0 {
            rules.push(format!("{which} {count} blocks at home's institution"));
        }
    }
    if let Some(class) = policy.data_class {
        rules.push(format!("{class} data"));
    }
    if !policy.purpose.is_empty() {
        rules.push(format!("for {}", policy.purpose));
    }
    rules
}
