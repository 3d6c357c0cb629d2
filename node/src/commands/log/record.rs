//! One record of a node's log, as programs see it. Not where it stands.

use comity_protocol::{
    id::{Digest, PeerKey},
    log::succession::Succession,
    receipt::Record,
    wire::Wire as _,
};
use serde_json::{Value, json};

/// Whom a record must be of, to be believed.
#[derive(Clone, Copy)]
pub(super) struct Author {
    pub(super) genesis: Digest,
    pub(super) node: PeerKey,
}

/// What it says, for a program: no prompt and no answer are in any record.
pub(super) fn to_json(record: &Record) -> Value {
    match record {
        Record::Open(it) => json!({
            "institution": it.institution,
            "manifest": it.manifest.to_string(),
            "policy": it.policy.to_string(),
        }),
        Record::Abort(it) => json!({
            "institution": it.institution,
            "open_record": it.open_record.to_string(),
        }),
        Record::Stage(it) => json!({
            "institution": it.institution,
            "jurisdiction": it.jurisdiction.to_string(),
            "stage": it.stage,
            "blocks": [it.blocks.start(), it.blocks.end()],
            "positions": it.positions,
            "manifest": it.manifest.to_string(),
            "home": it.home.to_string(),
            "home_institution": it.home_institution,
        }),
        Record::Countersigned(it) => json!({
            "countersigner": it.countersignature.signer.to_string(),
        }),
        Record::Succession(it) => Succession::decode(&it.succession.payload).map_or_else(
            |_| json!({}),
            |said| {
                json!({
                    "institution": said.institution,
                    "from": said.from.to_string(),
                    "reason": said.reason.as_str(),
                    "records": said.records,
                    "seen": said.seen,
                    "at_ms": said.at.as_ms(),
                })
            },
        ),
        Record::Close(it) => json!({
            "institution": it.institution,
            "jurisdiction": it.jurisdiction.to_string(),
            "manifest": it.manifest.to_string(),
            "open_record": it.open_record.to_string(),
            "stages": it.stages.len(),
            "prompt_tokens": it.prompt_tokens,
            "output_tokens": it.output_tokens,
            "finish_reason": it.finish_reason.as_str(),
            "retained_until_ms": it.retained_until.as_ms(),
        }),
    }
}
