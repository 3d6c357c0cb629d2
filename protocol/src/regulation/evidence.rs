//! Gathers what one node's folder says, record by record. Not what a regulation asks for.

use std::collections::BTreeMap;

use super::{Kept, Missing, Party, Place, Scope, Texts, count};
use crate::{
    charter::{Chain, Institution},
    id::{Digest, PeerKey, SessionId},
    log::succession::Succession,
    receipt::{OpenRecord, Receipt, Record, StageReceipt},
    time::Timestamp,
    wire::Wire as _,
};

/// Which requests and sessions are listed: those that began in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// From when on.
    pub from: Timestamp,
    /// Until just before when; `None` for no end.
    pub to: Option<Timestamp>,
}

/// One request that the node took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Number of its open record.
    pub sequence: u64,
    /// That record.
    pub open: OpenRecord,
    /// How it ended.
    pub end: End,
    /// What its kept proof adds.
    pub kept: Option<Kept>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// No record says.
    Open,
    /// The node ended amid it.
    Aborted {
        /// Number of the record.
        sequence: u64,
        /// When the node came back.
        at: Timestamp,
    },
    /// By a receipt.
    Closed {
        /// Digest of the receipt.
        digest: Digest,
        /// What it says.
        receipt: Box<Receipt>,
    },
}

/// What one node's log, charters and kept proofs say.
#[derive(Debug)]
pub struct Evidence {
    pub(super) chain: Chain,
    node: PeerKey,
    period: Period,
    /// The node's institution, as its records say.
    pub(super) institution: Option<String>,
    requests: BTreeMap<SessionId, Request>,
    /// The last stage receipt of each session and stage.
    pub(super) served: BTreeMap<(SessionId, u32), StageReceipt>,
    records: BTreeMap<&'static str, u64>,
    gapless: bool,
    /// What the institution said of the log before, if there was one.
    before: Option<Succession>,
}

impl Evidence {
    /// No records yet of `node`, which knows `chain`.
    #[must_use]
    pub const fn new(chain: Chain, node: PeerKey, period: Period) -> Self {
        Self {
            chain,
            node,
            period,
            institution: None,
            requests: BTreeMap::new(),
            served: BTreeMap::new(),
            records: BTreeMap::new(),
            gapless: true,
            before: None,
        }
    }

    /// Takes the next record of the log, whose payload has this digest.
    pub fn record(&mut self, digest: Digest, record: Record) {
        let (sequence, _) = record.place();
        *self.records.entry(record.kind()).or_default() += 1;
        self.gapless &= sequence == self.records.values().sum::<u64>();
        match record {
            Record::Open(open) => {
                self.institution = Some(open.institution.clone());
                if self.period.has(open.opened_at) {
                    let request = Request { sequence, end: End::Open, kept: None, open };
                    self.requests.insert(request.open.session, request);
                }
            }
            Record::Abort(abort) => {
                let end = End::Aborted { sequence, at: abort.aborted_at };
                self.end(&abort.session, end);
            }
            Record::Close(receipt) => {
                let session = receipt.session;
                self.end(&session, End::Closed { digest, receipt });
            }
            Record::Stage(receipt) => {
                self.institution = Some(receipt.institution.clone());
                if self.period.has(receipt.started_at) {
                    self.served.insert((receipt.session, receipt.stage), receipt);
                }
            }
            Record::Succession(record) => {
                self.before = Succession::decode(&record.succession.payload).ok();
                let said = self.before.as_ref().map(|before| before.institution.clone());
                self.institution = said.or_else(|| self.institution.take());
            }
            Record::Countersigned(_) => {}
        }
    }

    /// The requests listed that ended by a receipt: those whose proof may be kept.
    pub fn closed(&self) -> impl Iterator<Item = SessionId> {
        let closed = |request: &&Request| matches!(request.end, End::Closed { .. });
        self.requests.values().filter(closed).map(|request| request.open.session)
    }

    /// Takes the kept proof of a session; one that is of another receipt than the log's says nothing.
    pub fn kept(&mut self, session: &SessionId, kept: Kept) {
        if let Some(request) = self.requests.get_mut(session)
            && let End::Closed { digest, .. } = &request.end
            && *digest == kept.receipt
        {
            request.kept = Some(kept);
        }
    }

    /// What is listed, in the order of the log.
    pub(super) fn requests(&self) -> Vec<&Request> {
        let mut requests: Vec<_> = self.requests.values().collect();
        requests.sort_by_key(|request| request.sequence);
        requests
    }

    pub(super) fn scope(&self) -> Scope {
        Scope {
            consortium: self.chain.current().name.clone(),
            genesis: self.chain.genesis().to_string(),
            node: self.node.to_string(),
            from_ms: self.period.from.as_ms(),
            to_ms: self.period.to.map(Timestamp::as_ms),
            records: self.records.clone(),
            gapless: self.gapless,
            succeeds: self.before.as_ref().map(|before| before.from.to_string()),
            requests: count(self.requests.len()),
            served: count(self.served.len()),
        }
    }

    pub(super) fn party(&self, article: &'static str, institution: &str) -> Party {
        Party::new(article, institution, self.institution_of(institution))
    }

    pub(super) fn institution_of(&self, institution: &str) -> Option<&Institution> {
        self.chain.last_known(institution)
    }

    /// That the records of the log before are not here, if there was one.
    pub(super) fn missing_before(&self, article: &'static str) -> Option<Missing> {
        let before = self.before.as_ref()?;
        let (what, records) = (format!("the log of node {}", before.from), before.records);
        let why = "this log succeeds it; it has a document of its own, as far as it was kept";
        Some(Missing::always(article, what, why, records.max(before.seen)))
    }

    pub(super) fn texts(&self) -> Texts {
        let mut texts = Texts::default();
        for request in self.requests.values() {
            match (&request.end, &request.kept) {
                (End::Closed { .. }, None) => texts.without_proof += 1,
                (_, Some(kept)) => {
                    texts.kept += u64::from(kept.text);
                    texts.erased += u64::from(!kept.text);
                    texts.held += u64::from(kept.held);
                }
                (End::Open | End::Aborted { .. }, None) => {}
            }
        }
        texts
    }

    fn end(&mut self, session: &SessionId, end: End) {
        if let Some(request) = self.requests.get_mut(session) {
            request.end = end;
        }
    }
}

impl Period {
    fn has(self, at: Timestamp) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }
}

impl Request {
    pub(super) fn receipt(&self) -> Option<&Receipt> {
        match &self.end {
            End::Closed { receipt, .. } => Some(receipt),
            End::Open | End::Aborted { .. } => None,
        }
    }

    /// The stages of its route; none if no receipt says.
    pub(super) fn places(&self) -> Vec<Place> {
        let Some(receipt) = self.receipt() else { return Vec::new() };
        let place = |(stage, route): (u32, &crate::route::RouteStage)| {
            let known = self.kept.as_ref().and_then(|kept| kept.nodes.get(&route.peer));
            let owed = receipt.work.iter().find(|work| work.stage == stage);
            let institution = known.map(|(institution, _)| institution.clone());
            Place {
                node: route.peer,
                institution: institution.or_else(|| owed.map(|work| work.institution.clone())),
                jurisdiction: known.map(|(_, jurisdiction)| *jurisdiction),
            }
        };
        (0..).zip(&receipt.stages).map(place).collect()
    }
}
