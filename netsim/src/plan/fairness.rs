//! What institutions give and take, and how even that is. Not what they owe: the mesh's accounts
//! say.

use comity_protocol::placement::{Fleet, Flow};

use crate::statistics::fairness;

/// What one institution gives and takes, positions/s: one position through all blocks counts 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    /// What its nodes compute.
    pub given: f64,
    /// What is computed for it.
    pub taken: f64,
}

/// By institution: what its nodes give of a flow, and what it takes if the flow is shared in
/// proportion to `demands` (any unit, none below 0; institutions beyond them ask for nothing).
#[must_use]
pub fn balances(fleet: &Fleet, flow: &Flow, demands: &[f64]) -> Vec<Balance> {
    let all: f64 = demands.iter().sum();
    let taken = |institution: usize| {
        let demand = demands.get(institution).copied().unwrap_or(0.0);
        if all > 0.0 { flow.rate() * demand / all } else { 0.0 }
    };
    let given = flow.given_by_institution(fleet).into_iter().enumerate();
    given.map(|(institution, given)| Balance { given, taken: taken(institution) }).collect()
}

/// Jain's index of what institutions give for what they take: 1 if all give in proportion, 1/n if
/// one of n gives everything. Those that take nothing are left out; `None` if nobody is left or
/// gives.
#[must_use]
pub fn evenness(balances: &[Balance]) -> Option<f64> {
    let takers = balances.iter().filter(|balance| balance.taken > 0.0);
    let ratios: Vec<f64> = takers.map(|balance| balance.given / balance.taken).collect();
    fairness(&ratios)
}
