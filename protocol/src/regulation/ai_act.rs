//! The record-keeping view of the EU AI Act, Regulation (EU) 2024/1689: Art. 12, 19 and 26. Not
//! whether the system is of high risk, nor who its provider is.

mod events;
mod missing;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::events::Event;
use super::{End, Evidence, Group, Missing, Party, Request, Scope, Texts, count};
use crate::{limits::RETENTION_MIN, time::Timestamp};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// One node's records as the AI Act asks for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AiAct {
    /// Name and version of this form: "comity-ai-act/1".
    pub format: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// Who uses the system under its authority: home's institution. Absent without records.
    pub deployer: Option<Party>,
    /// Each use of the system, from its beginning to its end.
    pub uses: Group<Use>,
    /// What stands out among them.
    pub events: Group<Event>,
    /// The models that answered.
    pub models: Group<Model>,
    /// The charters that were acted on.
    pub charters: Group<Version>,
    /// How long it is kept.
    pub retention: Retention,
    /// What was asked for and is not here.
    pub missing: Vec<Missing>,
}

/// One request, from the record that opened it to the one that ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// Session id.
    pub session: String,
    /// Number of the open record.
    pub record: u64,
    /// Start of use, milliseconds since the Unix epoch, UTC, by home's clock.
    pub started_ms: u64,
    /// End of use, likewise; absent if no record says.
    pub ended_ms: Option<u64>,
    /// "stop", "length", "error", "cancelled", "aborted" or "open".
    pub outcome: &'static str,
    /// Why, for errors and what was cancelled.
    pub cause: Option<&'static str>,
    /// Digest of the model's manifest.
    pub model: String,
    /// Hash of the charter acted on.
    pub charter: String,
    /// Digest of the policy it was under.
    pub policy: String,
    /// What the receipt says besides; absent if there is none.
    pub receipt: Option<Said>,
}

/// What the receipt of a use says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Number of the receipt.
    pub record: u64,
    /// Name of the policy.
    pub policy: String,
    /// Pseudonym of the client: a salted commitment to its key, another one for each request.
    pub client: String,
    /// Who put a system prompt before the conversation: "none", "client" or "template".
    pub system_prompt_by: &'static str,
    /// Digest of the chat template; absent for raw text.
    pub template: Option<String>,
    /// Specification of the sampler.
    pub sampler: String,
    /// Name and version of home's program.
    pub software: String,
    /// Numeric class of the results.
    pub numeric_class: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Filters applied; empty is home's signed claim that there was none.
    pub filters: Vec<String>,
    /// Stages in order.
    pub stages: Vec<StageUse>,
    /// Stages whose last span nobody signed.
    pub unsigned_stages: Vec<u32>,
    /// Until when home keeps prompt and answer, milliseconds since the Unix epoch, UTC.
    pub retained_until_ms: u64,
}

/// Which blocks were run where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageUse {
    /// The node: the key that signed.
    pub node: String,
    /// First block, and one past the last.
    pub blocks: [u32; 2],
    /// Its institution; absent if neither a kept proof nor signed work says.
    pub institution: Option<String>,
    /// Where its institution says that it stands; absent without a kept proof.
    pub jurisdiction: Option<String>,
}

/// A model that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Model {
    /// Digest of its manifest.
    pub model: String,
    /// Its name; absent without a kept proof.
    pub name: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Start of the first, milliseconds since the Unix epoch, UTC.
    pub first_ms: u64,
    /// Start of the last, likewise.
    pub last_ms: u64,
}

/// A charter that requests were under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its hash.
    pub charter: String,
    /// Its number; absent if the node does not know it.
    pub version: Option<u32>,
    /// Share of requests that it wants audited, in millionths; likewise.
    pub audit_rate_millionths: Option<u32>,
    /// Requests.
    pub requests: u64,
}

/// How long it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// The articles.
    pub article: &'static str,
    /// Days that the articles ask for: six months.
    pub required_days: u64,
    /// Days that the shortest of the receipts promises, from its end on; absent without receipts.
    pub shortest_days: Option<u64>,
    /// Sessions whose receipt promises less than required.
    pub too_short: Vec<String>,
    /// What became of prompts and answers. Records are never deleted by the program.
    pub texts: Texts,
}

/// The document of `evidence`.
#[must_use]
pub fn ai_act(evidence: &Evidence) -> AiAct {
    let requests = evidence.requests();
    AiAct {
        format: "comity-ai-act/1",
        scope: evidence.scope(),
        deployer: evidence.institution.as_deref().map(|id| evidence.party("Art. 26(1), 3(4)", id)),
        uses: Group {
            article: "Art. 12(1), 12(2)(c), 26(5)",
            holds: "each use of the system that this node took, with its period",
            entries: requests.iter().map(|request| one(request)).collect(),
        },
        events: Group {
            article: "Art. 12(2)(a), 12(2)(b)",
            holds: "uses that did not end as meant, and changes of model, charter and program",
            entries: events::events(evidence, &requests),
        },
        models: Group {
            article: "Art. 12(2)(a), 12(2)(b)",
            holds: "models that answered, by the digest of their manifest",
            entries: models(&requests),
        },
        charters: Group {
            article: "Art. 26(1), 12(2)(c)",
            holds: "the agreed rules that uses were under",
            entries: charters(evidence, &requests),
        },
        retention: retention(evidence, &requests),
        missing: missing::missing(evidence, &requests),
    }
}

fn one(request: &Request) -> Use {
    let receipt = request.receipt();
    let (ended, outcome) = match &request.end {
        End::Open => (None, "open"),
        End::Aborted { at, .. } => (Some(*at), "aborted"),
        End::Closed { receipt, .. } => (Some(receipt.closed_at), receipt.finish_reason.as_str()),
    };
    Use {
        session: request.open.session.to_string(),
        record: request.sequence,
        started_ms: request.open.opened_at.as_ms(),
        ended_ms: ended.map(Timestamp::as_ms),
        outcome,
        cause: receipt.and_then(|it| it.cause).map(crate::refusal::Cause::as_str),
        model: request.open.manifest.to_string(),
        charter: request.open.charter.to_string(),
        policy: request.open.policy.to_string(),
        receipt: receipt.map(|receipt| said(request, receipt)),
    }
}

fn said(request: &Request, receipt: &crate::receipt::Receipt) -> Said {
    let stage = |(place, route): (super::Place, &crate::route::RouteStage)| StageUse {
        node: place.node.to_string(),
        blocks: [route.blocks.start(), route.blocks.end()],
        institution: place.institution,
        jurisdiction: place.jurisdiction.map(|it| it.to_string()),
    };
    Said {
        record: receipt.sequence,
        policy: receipt.policy.name.clone(),
        client: receipt.commitments.client.to_string(),
        system_prompt_by: receipt.system_prompt_by.as_str(),
        template: receipt.template.map(|digest| digest.to_string()),
        sampler: receipt.sampler.clone(),
        software: receipt.software.clone(),
        numeric_class: receipt.numeric_class.clone(),
        prompt_tokens: receipt.prompt_tokens,
        output_tokens: receipt.output_tokens,
        filters: receipt.filters.clone(),
        stages: request.places().into_iter().zip(&receipt.stages).map(stage).collect(),
        unsigned_stages: receipt.unsigned_stages.clone(),
        retained_until_ms: receipt.retained_until.as_ms(),
    }
}

fn models(requests: &[&Request]) -> Vec<Model> {
    let mut models = BTreeMap::<_, Model>::new();
    for request in requests {
        let at = request.open.opened_at.as_ms();
        let model = models.entry(request.open.manifest).or_insert_with(|| Model {
            model: request.open.manifest.to_string(),
            name: None,
            requests: 0,
            first_ms: at,
            last_ms: at,
        });
        model.requests += 1;
        (model.first_ms, model.last_ms) = (model.first_ms.min(at), model.last_ms.max(at));
        if model.name.is_none() {
            model.name = request.kept.as_ref().and_then(|kept| kept.model.clone());
        }
    }
    models.into_values().collect()
}

fn charters(evidence: &Evidence, requests: &[&Request]) -> Vec<Version> {
    let mut versions = BTreeMap::<_, u64>::new();
    for request in requests {
        *versions.entry(request.open.charter).or_default() += 1;
    }
    let version = |(hash, requests): (crate::id::Digest, u64)| {
        let known = evidence.chain.by_hash(&hash);
        Version {
            charter: hash.to_string(),
            version: known.map(|charter| charter.version),
            audit_rate_millionths: known.map(|charter| charter.audit_rate_millionths),
            requests,
        }
    };
    let mut versions: Vec<_> = versions.into_iter().map(version).collect();
    versions.sort_by_key(|version| version.version);
    versions
}

fn retention(evidence: &Evidence, requests: &[&Request]) -> Retention {
    let receipts = || requests.iter().filter_map(|request| request.receipt());
    let kept = |receipt: &crate::receipt::Receipt| receipt.retained_until.since(receipt.closed_at);
    let short = receipts().filter(|receipt| kept(receipt) < RETENTION_MIN);
    let shortest = receipts().map(kept).min();
    Retention {
        article: "Art. 19(1), 26(6)",
        required_days: RETENTION_MIN.as_secs() * 1_000 / DAY_MS,
        shortest_days: shortest.map(|kept| kept.as_secs() * 1_000 / DAY_MS),
        too_short: short.map(|receipt| receipt.session.to_string()).collect(),
        texts: evidence.texts(),
    }
}

/// How many requests there are, as documents have it.
fn number(requests: &[&Request]) -> u64 {
    count(requests.len())
}

#[cfg(test)]
mod tests;
