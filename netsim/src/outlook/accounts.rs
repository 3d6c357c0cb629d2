//! Who gives and who takes of the largest flow. Not what anybody owes.

use comity_protocol::placement::Flow;
use serde::Serialize;

use crate::{
    plan::fairness::{balances, evenness},
    world::{ModelFleet, World},
};

/// What one institution gives and takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// Its id.
    pub institution: String,
    /// Tokens per second that its workloads ask for.
    pub asked: f64,
    /// Tokens per second that its nodes give of the flow: a token through all blocks counts 1.
    pub given: f64,
    /// Tokens per second of the flow that are for it, if all is shared as it is asked.
    pub taken: f64,
}

/// By institution that asks or gives, in the order of the scenario, and how even that is.
#[must_use]
pub fn accounts(
    world: &World,
    fleet: &ModelFleet,
    flow: &Flow,
    model: usize,
) -> (Vec<Account>, Option<f64>) {
    let mut asked = vec![0.0; world.institutions.len()];
    for workload in world.workloads.iter().filter(|workload| workload.model == model) {
        asked[workload.institution] += workload.asked_per_s() * workload.length.means().1;
    }
    let mut both = balances(&fleet.fleet, flow, &asked);
    // Institutions past the last one with a node give nothing, and may take.
    let all: f64 = asked.iter().sum();
    for asked in asked.iter().skip(both.len()) {
        let taken = if all > 0.0 { flow.rate() * asked / all } else { 0.0 };
        both.push(crate::plan::fairness::Balance { given: 0.0, taken });
    }
    let even = evenness(&both);
    let rows = both.iter().zip(&asked).zip(&world.institutions);
    let rows = rows.map(|((balance, asked), institution)| Account {
        institution: institution.name.clone(),
        asked: *asked,
        given: balance.given,
        taken: balance.taken,
    });
    (rows.filter(|row| row.asked > 0.0 || row.given > 0.0).collect(), even)
}
