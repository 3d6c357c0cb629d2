//! What stands out among uses: bad ends, moves, and changes of model, charter and program. Not what
//! they mean.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::{End, Evidence, Request};
use crate::{receipt::Receipt, refusal::Cause};

/// Something that stands out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When the record that says it was signed, milliseconds since the Unix epoch, UTC.
    pub at_ms: u64,
    /// Number of that record.
    pub record: u64,
    /// Session id.
    pub session: String,
    /// "model_first_used", "charter_first_used", "software_first_used", "failed", "cancelled",
    /// "aborted", "unfinished", "unsigned_stages", "migration" or "filtered".
    pub kind: &'static str,
    /// The operands, for people.
    pub detail: String,
}

/// Collects events in the order of the log, and what was met already.
#[derive(Default)]
struct Collector {
    events: Vec<Event>,
    met: BTreeSet<(&'static str, String)>,
}

/// The events of `requests`, each request's together.
pub(super) fn events(evidence: &Evidence, requests: &[&Request]) -> Vec<Event> {
    let mut collector = Collector::default();
    for request in requests {
        let open = (request.open.opened_at.as_ms(), request.sequence);
        collector.first(request, open, "model_first_used", request.open.manifest.to_string());
        let version = evidence.chain.by_hash(&request.open.charter).map(|charter| charter.version);
        let version = version.map_or_else(|| "unknown version".to_owned(), |it| it.to_string());
        let charter = format!("{version}, {}", request.open.charter);
        collector.first(request, open, "charter_first_used", charter);
        match &request.end {
            End::Open => collector.add(request, open, "unfinished", "no record ends it".to_owned()),
            End::Aborted { sequence, at } => {
                let detail = "the node ended amid it".to_owned();
                collector.add(request, (at.as_ms(), *sequence), "aborted", detail);
            }
            End::Closed { receipt, .. } => collector.closed(request, receipt),
        }
    }
    collector.events
}

impl Collector {
    fn closed(&mut self, request: &Request, receipt: &Receipt) {
        let at = (receipt.closed_at.as_ms(), receipt.sequence);
        self.first(request, at, "software_first_used", receipt.software.clone());
        for migration in &receipt.migrations {
            let (stage, position, cause) =
                (migration.stage, migration.position, migration.cause.as_str());
            let (from, to) = (migration.from, migration.to);
            let detail = format!("stage {stage} from position {position}: {from} to {to}, {cause}");
            self.add(request, at, "migration", detail);
        }
        if !receipt.unsigned_stages.is_empty() {
            self.add(request, at, "unsigned_stages", format!("{:?}", receipt.unsigned_stages));
        }
        if !receipt.filters.is_empty() {
            self.add(request, at, "filtered", receipt.filters.join(", "));
        }
        let cause = receipt.cause.map_or("", Cause::as_str).to_owned();
        match receipt.finish_reason.as_str() {
            "error" => self.add(request, at, "failed", cause),
            "cancelled" => self.add(request, at, "cancelled", cause),
            _ => {}
        }
    }

    fn add(&mut self, request: &Request, at: (u64, u64), kind: &'static str, detail: String) {
        let ((at_ms, record), session) = (at, request.open.session.to_string());
        self.events.push(Event { at_ms, record, session, kind, detail });
    }

    fn first(&mut self, request: &Request, at: (u64, u64), kind: &'static str, what: String) {
        if self.met.insert((kind, what.clone())) {
            self.add(request, at, kind, what);
        }
    }
}
