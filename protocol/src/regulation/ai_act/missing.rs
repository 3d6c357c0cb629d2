//! What the AI Act asks of records that these do not say. Not what they do.

use super::{
    super::{End, Evidence, Missing, Request},
    number,
};
use crate::limits::RETENTION_MIN;

/// What no record of the log has a place for: article, what, and where it is to be had.
const NEVER: &[(&str, &str, &str)] = &[
    (
        "Art. 26(2), 14",
        "the people who oversee the system",
        "no record names people; the deployer assigns them",
    ),
    (
        "Art. 12(3)(b), 12(3)(c), 26(4)",
        "reference databases, and whether the input is relevant",
        "prompts are committed to with a salt and never recorded; what fed them is unknown to a node",
    ),
    (
        "Art. 26(7), 26(11)",
        "that the people concerned were told",
        "a node meets a client's key and no people",
    ),
    (
        "Art. 12(2)(b), 72",
        "verdicts of audits and incidents",
        "no audit runs yet and no record has a place for either",
    ),
    (
        "Art. 12(2)(c), 26(5)",
        "which requests are of one client",
        "the pseudonym is salted anew for each request; the kept proofs open it until they are erased",
    ),
    (
        "Art. 12(1)",
        "where the machines stood",
        "jurisdictions are what institutions sign for their keys; no record proves a place",
    ),
];

pub(super) fn missing(evidence: &Evidence, requests: &[&Request]) -> Vec<Missing> {
    let of = number(requests);
    let never = NEVER.iter().map(|(article, what, why)| Missing::always(article, *what, why, of));
    let mut missing: Vec<_> = computed(evidence, requests).into_iter().flatten().collect();
    missing.extend(evidence.missing_before("Art. 12(1)"));
    missing.push(Missing::uncounted(
        "Art. 12(2)(a)",
        "requests refused before a route was chosen",
        "nothing of them left home, so no record opens them",
    ));
    missing.extend(never);
    missing
}

fn computed(evidence: &Evidence, requests: &[&Request]) -> [Option<Missing>; 8] {
    let receipts = || requests.iter().filter_map(|request| request.receipt());
    let stages = || requests.iter().flat_map(|request| request.places());
    let ended = |request: &&&Request| !matches!(request.end, End::Open);
    [
        evidence.institution.is_none().then(|| {
            Missing::always("Art. 26(1)", "the deployer", "no record names the institution", 1)
        }),
        Missing::some(
            "Art. 12(3)(a)",
            "the end of the use",
            "it runs still, or the node ended and has not started since",
            requests.iter().map(|request| !ended(&request)),
        ),
        Missing::some(
            "Art. 12(1)",
            "the stages, the program, the filters and all else that only a receipt says",
            "the request ended without one",
            requests.iter().filter(ended).map(|request| request.receipt().is_none()),
        ),
        Missing::some(
            "Art. 26(1)",
            "the charter acted on",
            "the folder has no such version",
            requests.iter().map(|it| evidence.chain.by_hash(&it.open.charter).is_none()),
        ),
        Missing::some(
            "Art. 12(1)",
            "whose a stage was",
            "no proof of the session is kept, and no signed work names it",
            stages().map(|place| place.institution.is_none()),
        ),
        Missing::some(
            "Art. 12(1)",
            "in which jurisdiction a stage was",
            "no proof of the session is kept, or its rosters do not list the node",
            stages().map(|place| place.jurisdiction.is_none()),
        ),
        Missing::some(
            "Art. 12(1)",
            "a signature of every stage for all it computed",
            "the session broke, or the stage did not sign",
            receipts().map(|receipt| !receipt.unsigned_stages.is_empty()),
        ),
        Missing::some(
            "Art. 19(1), 26(6)",
            "a term of at least 183 days",
            "the node is set to keep less (retention_days, keep_bodies); other law may ask for more",
            receipts().map(|it| it.retained_until.since(it.closed_at) < RETENTION_MIN),
        ),
    ]
}
