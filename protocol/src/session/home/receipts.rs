//! The stage receipts home gathers, and whether they fit what it sent. Not their countersigning.

use std::collections::BTreeSet;

use super::Request;
use crate::{
    commitment::Chain,
    id::{Digest, PeerKey, SessionId},
    receipt::{StageReceipt, Work, is_due},
    refusal::{Cause, Refusal},
    route::RouteStage,
    signed::{Domain, Signed},
};

/// What the receipts of one stage must say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its institution.
    pub institution: String,
    /// Parameters one row passes through in its blocks.
    pub parameters: u64,
}

/// The latest valid receipt of each stage.
#[derive(Debug)]
pub(super) struct Receipts {
    session: SessionId,
    charter: Digest,
    manifest: Digest,
    numeric_class: String,
    home: PeerKey,
    institution: String,
    stages: Vec<RouteStage>,
    expected: Vec<Expected>,
    /// First positions that no stage computes.
    cached: u32,
    /// Rows sent round the ring.
    computed: u64,
    /// Positions that the latest partial receipt asked for by a step will cover.
    due: u32,
    /// Where stages sign: positions, and rows computed by then.
    marks: BTreeSet<(u32, u64)>,
    latest: Vec<Option<(StageReceipt, Signed)>>,
}

impl Receipts {
    pub(super) fn new(request: &Request) -> Self {
        let open = &request.open;
        Self {
            session: open.session,
            charter: request.charter,
            manifest: open.manifest,
            numeric_class: open.numeric_class.clone(),
            home: request.signed.signer,
            institution: request.institution.clone(),
            stages: open.stages.clone(),
            expected: request.expected.clone(),
            cached: 0,
            computed: 0,
            due: 0,
            marks: BTreeSet::new(),
            latest: vec![None; open.stages.len()],
        }
    }

    /// Sets the first positions that no stage computes, as receipts must say.
    pub(super) const fn expect_cached(&mut self, cached: u32) {
        self.cached = cached;
    }

    /// A step of `rows` rows leaves, with positions `[0, accepted)` final.
    pub(super) fn sent(&mut self, rows: u32, accepted: u32) {
        self.computed += u64::from(rows);
        if is_due(self.due, accepted) {
            self.due = accepted;
            self.marks.insert((accepted, self.computed));
        }
    }

    /// The session is to close at `positions`; nothing is sent any more.
    pub(super) fn closed(&mut self, positions: u32) {
        self.marks.insert((positions, self.computed));
    }

    /// Takes one receipt if its stage signed it for this session and for no more than the `settled`
    /// positions: what comes after may yet be taken back.
    pub(super) fn accept(&mut self, signed: Signed, settled: u32) -> Result<(), Refusal> {
        let index = self.stages.iter().position(|stage| stage.peer == signed.signer);
        let Some(index) = index else {
            let detail = format!("receipt of {}, no stage of the route", signed.signer.short());
            return Err(Refusal::new(Cause::Violation, self.count(), detail));
        };
        let stage = u32::try_from(index).unwrap_or(u32::MAX);
        let refuse = |detail: &dyn std::fmt::Display| {
            Refusal::new(Cause::Violation, stage, format!("stage receipt: {detail}"))
        };
        let receipt: StageReceipt =
            signed.open(Domain::STAGE_RECEIPT, &self.charter).map_err(|error| refuse(&error))?;
        let fits = receipt.session == self.session
            && (receipt.home, &receipt.home_institution) == (self.home, &self.institution)
            && receipt.stage == stage
            && receipt.blocks == self.stages[index].blocks
            && receipt.manifest == self.manifest
            && receipt.numeric_class == self.numeric_class;
        if !fits {
            return Err(refuse(&"names another session, home, range, model or class"));
        }
        let StageReceipt { institution, parameters, .. } = &receipt;
        let said = Expected { institution: institution.clone(), parameters: *parameters };
        if self.expected.get(index) != Some(&said) {
            return Err(refuse(&"names another institution or other parameters than its own"));
        }
        if receipt.positions > settled {
            return Err(refuse(&"covers positions that are not final"));
        }
        if receipt.cached != self.cached.min(receipt.positions) {
            return Err(refuse(&"claims other positions as computed than were sent"));
        }
        if !self.marks.contains(&(receipt.positions, receipt.computed)) {
            return Err(refuse(&"claims other work than was sent"));
        }
        let newer = self.latest[index].as_ref().is_none_or(|(old, _)| {
            receipt.positions >= old.positions && receipt.sequence > old.sequence
        });
        if newer {
            self.latest[index] = Some((receipt, signed));
        }
        Ok(())
    }

    /// Checks that every stage covers what home sent, and received what the one before it sent.
    pub(super) fn check_chain(&self, sent: &Chain) -> Result<(), Refusal> {
        let mut boundary = sent.head();
        for (stage, latest) in (0u32..).zip(&self.latest) {
            let refuse = |detail: &str| Refusal::new(Cause::Violation, stage, detail);
            let (receipt, _) = latest.as_ref().ok_or_else(|| refuse("signed no receipt"))?;
            if receipt.positions != sent.positions() {
                return Err(refuse("stage receipt: covers other positions than were sent"));
            }
            if receipt.computed != self.computed {
                return Err(refuse("stage receipt: claims other work than was sent"));
            }
            if receipt.input != boundary {
                return Err(refuse("stage receipt: input differs from what was sent to it"));
            }
            boundary = receipt.output;
        }
        Ok(())
    }

    /// Stages whose receipt does not reach `positions`, ascending.
    pub(super) fn unsigned_stages(&self, positions: u32) -> Vec<u32> {
        let reaches = |latest: &Option<(StageReceipt, Signed)>| {
            latest.as_ref().is_some_and(|(receipt, _)| receipt.positions == positions)
        };
        let stages = (0u32..).zip(&self.latest);
        stages.filter(|(_, latest)| !reaches(latest)).map(|(stage, _)| stage).collect()
    }

    /// The receipts and what they are for, in stage order.
    pub(super) fn take(&mut self) -> (Vec<Work>, Vec<Signed>) {
        let latest = std::mem::take(&mut self.latest).into_iter().flatten();
        latest.map(|(receipt, signed)| (Work::of(&receipt), signed)).unzip()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.stages.len()).unwrap_or(u32::MAX)
    }
}
