//! What Art. 30 asks of records that these do not say. Not what they do.

use super::{
    super::{Evidence, Missing, Party, Request, count},
    recipients, served,
    transfers::third,
};

/// What no record of the log has a place for: article, what, and where it is to be had.
const NEVER: &[(&str, &str, &str)] = &[
    (
        "Art. 30(1)(c)",
        "categories of data subjects",
        "prompts are committed to with a salt and never recorded; only those who ask can say",
    ),
    ("Art. 30(1)(c)", "categories of personal data beyond the stated class", "likewise"),
    (
        "Art. 30(1)(a)",
        "joint controllers and representatives, and controllers among the clients",
        "a charter names institutions; whom a client's key belongs to stands in no record",
    ),
    (
        "Art. 30(1)(g), 30(2)(d)",
        "the organisation's own measures under Art. 32(1)",
        "a node knows what the program enforces, not what people and buildings do",
    ),
    (
        "Art. 30(1)(e)",
        "whether a third country has an adequacy decision",
        "such decisions change; the list of third countries here leaves them out",
    ),
];

pub(super) fn missing(evidence: &Evidence, requests: &[&Request]) -> Vec<Missing> {
    let of = count(requests.len());
    let mut missing: Vec<_> = stated(evidence, requests).into_iter().flatten().collect();
    missing.extend(parties(evidence, requests));
    missing.extend(evidence.missing_before("Art. 30(1), 30(2)"));
    let never = NEVER.iter().map(|(article, what, why)| Missing::always(article, *what, why, of));
    missing.extend(never);
    let sessions = count(served(evidence).count());
    if sessions > 0 {
        missing.push(Missing::always(
            "Art. 30(2)(b)",
            "purposes and class of the data processed for others",
            "a stage checks them when a session is opened and records no policy; home's records do",
            sessions,
        ));
    }
    missing
}

/// What policies and kept proofs could have said.
fn stated(evidence: &Evidence, requests: &[&Request]) -> [Option<Missing>; 7] {
    let receipts = || requests.iter().filter_map(|request| request.receipt());
    let places = || requests.iter().flat_map(|request| request.places());
    let crossing = requests.iter().filter(|request| !third(evidence, request).is_empty());
    let basis = crossing.filter_map(|request| request.receipt());
    [
        evidence
            .institution
            .is_none()
            .then(|| Missing::always("Art. 30(1)(a)", "the controller", "no record names it", 1)),
        Missing::some(
            "Art. 30(1)(b), 30(1)(d)",
            "purpose, class of data and recipients",
            "the request ended without a receipt, or runs still; its record has the policy's digest",
            requests.iter().map(|request| request.receipt().is_none()),
        ),
        Missing::some(
            "Art. 30(1)(b)",
            "the purpose",
            "the request's policy states none",
            receipts().map(|receipt| receipt.policy.purpose.is_empty()),
        ),
        Missing::some(
            "Art. 30(1)(c)",
            "the class of data",
            "the request's policy states none",
            receipts().map(|receipt| receipt.policy.data_class.is_none()),
        ),
        Missing::some(
            "Art. 30(1)(d)",
            "whose a stage was",
            "no proof of the session is kept, and no signed work names it",
            places().map(|place| place.institution.is_none()),
        ),
        Missing::some(
            "Art. 30(1)(d), 30(1)(e)",
            "in which jurisdiction a stage was; a transfer may go unseen",
            "no proof of the session is kept, or its rosters do not list the node",
            places().map(|place| place.jurisdiction.is_none()),
        ),
        Missing::some(
            "Art. 30(1)(e)",
            "the basis of a transfer to a third country",
            "the request's policy refers to none",
            basis.map(|receipt| receipt.policy.transfer_basis.is_empty()),
        ),
    ]
}

/// What the charter could have said of the institutions met.
fn parties(evidence: &Evidence, requests: &[&Request]) -> Vec<Missing> {
    let own = evidence.institution.as_deref().map(|id| evidence.party("", id));
    let met = recipients(evidence, requests).into_iter().map(|recipient| recipient.party);
    let parties: Vec<Party> = own.into_iter().chain(met).collect();
    let of = |lacks: fn(&Party) -> bool| parties.iter().map(lacks).collect::<Vec<_>>();
    let missing = [
        Missing::some(
            "Art. 30(1)(a), 30(2)(a)",
            "contacts of an institution",
            "the charter has none",
            of(|party| party.contacts.is_empty()),
        ),
        Missing::some(
            "Art. 30(1)(a), 30(2)(a)",
            "an institution's data-protection officer",
            "the charter has none; not every institution needs one (Art. 37)",
            of(|party| party.data_protection_officer.is_none()),
        ),
    ];
    missing.into_iter().flatten().collect()
}
