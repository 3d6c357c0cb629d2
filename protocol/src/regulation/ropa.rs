//! The record of processing activities of the GDPR, Regulation (EU) 2016/679: Art. 30(1) for what a
//! node took as home, Art. 30(2) for what it computed for others. Not whether processing is lawful.

mod missing;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::transfers::Transfer;
use super::{Evidence, Group, Missing, Party, Request, Scope, Texts, count};
use crate::{policy::DataClass, receipt::StageReceipt};

/// What the program does by design and every node enforces, whatever its operator sets.
const MEASURES: &[&str] = &[
    "a request goes only to institutions and jurisdictions that its policy permits: home asks when it \
     chooses the route, and each stage again before it takes part",
    "connections between nodes are encrypted and mutually authenticated by the nodes' keys (TLS 1.3 \
     or Noise)",
    "records hold salted commitments instead of prompts and answers",
    "prompts and answers are kept by home alone, in files that only their owner reads, and erased at \
     the end of their term; a stage keeps hidden states in memory alone",
    "records are signed, linked, synced before they are acknowledged, and cosigned by other \
     institutions as far as the charter asks for it",
    "a node or an institution that is removed is disconnected and served no more",
];

/// One node's records as Art. 30 asks for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ropa {
    /// Name and version of this form: "comity-ropa/1".
    pub format: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// Who took the requests, and computed for others. Absent without records.
    pub controller: Option<Party>,
    /// What it processed as home.
    pub activities: Group<Activity>,
    /// To whom something made from prompts went.
    pub recipients: Group<Recipient>,
    /// What of it left the European Economic Area, or went to an institution reached from outside.
    pub transfers: Group<Transfer>,
    /// When data is erased.
    pub limits: Limits,
    /// What it processed on behalf of other institutions.
    pub on_behalf: Group<Commission>,
    /// How it is protected: facts about the program.
    pub measures: Group<&'static str>,
    /// What was asked for and is not here.
    pub missing: Vec<Missing>,
}

/// Requests of one purpose, class of data and policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// What the data was processed for; absent if no request said.
    pub purpose: Option<String>,
    /// Class of the data: "public", "internal", "personal" or "sensitive"; absent likewise.
    pub data_class: Option<&'static str>,
    /// Name of the policy.
    pub policy: String,
    /// Jurisdictions that the policy allows; empty for all.
    pub allowed_jurisdictions: Vec<String>,
    /// Jurisdictions that it forbids.
    pub forbidden_jurisdictions: Vec<String>,
    /// Institutions that it allows; empty for all members.
    pub allowed_institutions: Vec<String>,
    /// Reference to the legal basis of transfers; absent if none is given.
    pub transfer_basis: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Start of the first, milliseconds since the Unix epoch, UTC.
    pub first_ms: u64,
    /// Start of the last, likewise.
    pub last_ms: u64,
}

/// An institution that ran blocks for home: a processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// Who.
    pub party: Party,
    /// Highest class of data it agreed to process for others; absent if none is agreed.
    pub data_class_max: Option<&'static str>,
    /// Purposes it agreed to; empty for any.
    pub purposes: Vec<String>,
    /// Where its nodes stood, as it signs; empty without kept proofs.
    pub jurisdictions: BTreeSet<String>,
    /// Requests of which it ran blocks.
    pub requests: u64,
}

/// When data is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The articles.
    pub article: &'static str,
    /// Days after its end that a request's text is kept, the shortest; absent without receipts.
    pub shortest_days: Option<u64>,
    /// The longest, likewise.
    pub longest_days: Option<u64>,
    /// What became of the texts.
    pub texts: Texts,
    /// What is not erased: records, which hold no text.
    pub records: u64,
}

/// What one institution had computed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commission {
    /// On whose behalf.
    pub party: Party,
    /// What was done for it.
    pub processing: &'static str,
    /// Sessions.
    pub sessions: u64,
    /// Where this node stood, as its institution signs.
    pub jurisdictions: BTreeSet<String>,
    /// Digests of the manifests of the models run.
    pub models: BTreeSet<String>,
    /// Start of the first, milliseconds since the Unix epoch, UTC.
    pub first_ms: u64,
    /// Start of the last, likewise.
    pub last_ms: u64,
}

/// The document of `evidence`.
#[must_use]
pub fn ropa(evidence: &Evidence) -> Ropa {
    let requests = evidence.requests();
    let own = evidence.institution.as_deref();
    Ropa {
        format: "comity-ropa/1",
        scope: evidence.scope(),
        controller: own.map(|id| evidence.party("Art. 30(1)(a), 30(2)(a)", id)),
        activities: Group {
            article: "Art. 30(1)(b), 30(1)(c)",
            holds: "requests by purpose, class of data and policy, as their receipts say",
            entries: activities(&requests),
        },
        recipients: Group {
            article: "Art. 30(1)(d), 28",
            holds: "institutions other than home's that ran blocks; they see hidden states, from \
                    which a prompt can be reconstructed",
            entries: recipients(evidence, &requests),
        },
        transfers: Group {
            article: "Art. 30(1)(e), 44 to 49",
            holds: "recipients that stand, are established or have their parent outside the EEA",
            entries: transfers::transfers(evidence, &requests),
        },
        limits: limits(evidence, &requests),
        on_behalf: Group {
            article: "Art. 30(2)(a), 30(2)(b), 30(2)(c)",
            holds: "institutions for which this node ran blocks",
            entries: commissions(evidence),
        },
        measures: Group {
            article: "Art. 30(1)(g), 30(2)(d), 32(1)",
            holds: "what the program enforces; the organisation's own measures are not known here",
            entries: MEASURES.to_vec(),
        },
        missing: missing::missing(evidence, &requests),
    }
}

fn activities(requests: &[&Request]) -> Vec<Activity> {
    let mut activities = BTreeMap::<_, Activity>::new();
    for receipt in requests.iter().filter_map(|request| request.receipt()) {
        let (policy, at) = (&receipt.policy, receipt.opened_at.as_ms());
        let names = |countries: &BTreeSet<crate::policy::Country>| {
            countries.iter().map(ToString::to_string).collect()
        };
        let key = (policy.purpose.clone(), policy.data_class, policy.digest());
        let activity = activities.entry(key).or_insert_with(|| Activity {
            purpose: stated(&policy.purpose),
            data_class: policy.data_class.map(DataClass::as_str),
            policy: policy.name.clone(),
            allowed_jurisdictions: names(&policy.allowed_jurisdictions),
            forbidden_jurisdictions: names(&policy.forbidden_jurisdictions),
            allowed_institutions: policy.allowed_institutions.iter().cloned().collect(),
            transfer_basis: stated(&policy.transfer_basis),
            requests: 0,
            first_ms: at,
            last_ms: at,
        });
        activity.requests += 1;
        (activity.first_ms, activity.last_ms) =
            (activity.first_ms.min(at), activity.last_ms.max(at));
    }
    activities.into_values().collect()
}

/// Each institution other than home's that had a stage, with the jurisdictions known of a request.
fn others(request: &Request) -> BTreeMap<String, BTreeSet<crate::policy::Country>> {
    let mut others = BTreeMap::<_, BTreeSet<_>>::new();
    for place in request.places() {
        if let Some(id) = place.institution.filter(|id| *id != request.open.institution) {
            others.entry(id).or_default().extend(place.jurisdiction);
        }
    }
    others
}

fn recipients(evidence: &Evidence, requests: &[&Request]) -> Vec<Recipient> {
    let mut recipients = BTreeMap::<String, Recipient>::new();
    for (id, jurisdictions) in requests.iter().flat_map(|request| others(request)) {
        let known = evidence.institution_of(&id);
        let recipient = recipients.entry(id.clone()).or_insert_with(|| Recipient {
            party: evidence.party("Art. 30(1)(d), 28(3)", &id),
            data_class_max: known.and_then(|it| it.data_class_max).map(DataClass::as_str),
            purposes: known.map(|it| it.purposes.iter().cloned().collect()).unwrap_or_default(),
            jurisdictions: BTreeSet::new(),
            requests: 0,
        });
        recipient.requests += 1;
        recipient.jurisdictions.extend(jurisdictions.iter().map(ToString::to_string));
    }
    recipients.into_values().collect()
}

fn limits(evidence: &Evidence, requests: &[&Request]) -> Limits {
    let receipts = requests.iter().filter_map(|request| request.receipt());
    let days = receipts.map(|it| it.retained_until.since(it.closed_at).as_secs() / 86_400);
    let days: BTreeSet<_> = days.collect();
    Limits {
        article: "Art. 30(1)(f)",
        shortest_days: days.first().copied(),
        longest_days: days.last().copied(),
        texts: evidence.texts(),
        records: evidence.scope().records.values().sum(),
    }
}

/// What was computed for institutions other than the node's own.
fn served(evidence: &Evidence) -> impl Iterator<Item = &StageReceipt> {
    evidence.served.values().filter(|receipt| receipt.home_institution != receipt.institution)
}

fn commissions(evidence: &Evidence) -> Vec<Commission> {
    let mut commissions = BTreeMap::<&str, (Commission, BTreeSet<_>)>::new();
    for receipt in served(evidence) {
        let (home, at) = (receipt.home_institution.as_str(), receipt.started_at.as_ms());
        let (commission, sessions) = commissions.entry(home).or_insert_with(|| {
            let commission = Commission {
                party: evidence.party("Art. 30(2)(a)", home),
                processing: "running blocks of a model over hidden states",
                sessions: 0,
                jurisdictions: BTreeSet::new(),
                models: BTreeSet::new(),
                first_ms: at,
                last_ms: at,
            };
            (commission, BTreeSet::new())
        });
        sessions.insert(receipt.session);
        commission.sessions = count(sessions.len());
        commission.jurisdictions.insert(receipt.jurisdiction.to_string());
        commission.models.insert(receipt.manifest.to_string());
        (commission.first_ms, commission.last_ms) =
            (commission.first_ms.min(at), commission.last_ms.max(at));
    }
    commissions.into_values().map(|(commission, _)| commission).collect()
}

/// A text that says something.
fn stated(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
