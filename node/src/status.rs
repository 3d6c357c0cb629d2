//! The mesh as this node sees it, for people and scripts. Not metrics.

use serde_json::{Value, json};

use crate::sessions::{Context, SESSIONS_MAX};

/// Members, what they serve, and what this node holds. Never anything of a prompt.
pub async fn status(context: &Context) -> Value {
    let mut members = Vec::new();
    for (peer, member) in context.directory.members().await {
        let round_trip = context.directory.round_trip(peer).await;
        members.push(json!({
            "peer": peer.to_string(),
            "institution": member.institution,
            "jurisdiction": member.jurisdiction.to_string(),
            "self": peer == context.me,
            "round_trip_us": round_trip.map(|it| it.as_micros()),
        }));
    }
    let mut models = Vec::new();
    for serving in &context.serving {
        let candidates = context.directory.candidates(serving.digest, &serving.numeric_class).await;
        let stages: Vec<_> = candidates
            .iter()
            .map(|candidate| {
                json!({
                    "peer": candidate.peer.to_string(),
                    "institution": candidate.member.institution,
                    "blocks": [candidate.blocks.start(), candidate.blocks.end()],
                    "block_time_ns": candidate.block_time_ns,
                    "positions_free": candidate.positions_free,
                    "sessions": candidate.sessions,
                })
            })
            .collect();
        models.push(json!({
            "name": serving.manifest.name,
            "manifest": serving.digest.to_string(),
            "block_count": serving.manifest.block_count,
            "blocks": [serving.blocks.start(), serving.blocks.end()],
            "numeric_class": serving.numeric_class,
            "stages": stages,
        }));
    }
    let usage = context.executor.usage();
    let checkpoints = context.checkpoints.borrow().clone();
    json!({
        "peer": context.me.to_string(),
        "consortium": context.directory.chain().current().name,
        "genesis": context.charter.to_string(),
        "charter_version": context.directory.chain().current().version,
        "governance": context.directory.check().await.err().map(|error| error.to_string()),
        "records_signed": checkpoints.signed,
        "records_witnessed": checkpoints.witnessed,
        "witnesses_refuse": checkpoints.refused,
        "members": members,
        "models": models,
        "weight_bytes": usage.weight_bytes,
        "kv_bytes": usage.kv_bytes,
        "prefix_bytes": usage.prefix_bytes,
        "kv_budget_bytes": usage.kv_budget,
        "sessions": SESSIONS_MAX - context.slots.available_permits(),
    })
}
