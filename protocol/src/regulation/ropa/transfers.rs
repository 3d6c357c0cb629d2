//! Which requests reached third countries, and on what stated basis. Not whether it suffices.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    super::{Evidence, Request, is_third_country},
    others,
};
use crate::policy::Country;

/// A third country that an institution brought into requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// The institution that ran blocks.
    pub institution: String,
    /// The country.
    pub country: String,
    /// How it comes in: "node" where its node stood there, "establishment" where the institution is
    /// established there, "parent" where its ultimate parent is.
    pub ground: &'static str,
    /// Requests.
    pub requests: u64,
    /// Bases of transfer that their policies refer to.
    pub bases: BTreeSet<String>,
    /// Requests whose policy refers to none.
    pub without_basis: u64,
}

pub(super) fn transfers(evidence: &Evidence, requests: &[&Request]) -> Vec<Transfer> {
    let mut transfers = BTreeMap::<_, Transfer>::new();
    for request in requests {
        let Some(receipt) = request.receipt() else { continue };
        for (institution, country, ground) in third(evidence, request) {
            let key = (institution.clone(), country, ground);
            let transfer = transfers.entry(key).or_insert_with(|| Transfer {
                institution,
                country: country.to_string(),
                ground,
                requests: 0,
                bases: BTreeSet::new(),
                without_basis: 0,
            });
            transfer.requests += 1;
            match super::stated(&receipt.policy.transfer_basis) {
                Some(basis) => drop(transfer.bases.insert(basis)),
                None => transfer.without_basis += 1,
            }
        }
    }
    transfers.into_values().collect()
}

/// The third countries of one request, each ground once.
pub(super) fn third(
    evidence: &Evidence,
    request: &Request,
) -> BTreeSet<(String, Country, &'static str)> {
    let mut third = BTreeSet::new();
    for (institution, jurisdictions) in others(request) {
        let known = evidence.institution_of(&institution);
        let nodes = jurisdictions.into_iter().map(|country| (country, "node"));
        let establishment = known.map(|it| (it.country, "establishment"));
        let parent = known.map(|it| (it.parent_country, "parent"));
        for (country, ground) in nodes.chain(establishment).chain(parent) {
            if is_third_country(country) {
                third.insert((institution.clone(), country, ground));
            }
        }
    }
    third
}
