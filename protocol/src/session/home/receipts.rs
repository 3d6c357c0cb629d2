//! The stage receipts home gathers, and whether they fit what it sent. Not their countersigning.

use super::Request;
use crate::{
    commitment::Chain,
    id::{Digest, SessionId},
    receipt::StageReceipt,
    refusal::{Cause, Refusal},
    route::RouteStage,
    signed::{Domain, Signed},
};

/// The latest valid receipt of each stage.
#[derive(Debug)]
pub(super) struct Receipts {
    session: SessionId,
    charter: Digest,
    manifest: Digest,
    numeric_class: String,
    stages: Vec<RouteStage>,
    /// First positions that no stage computes.
    cached: u32,
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
            stages: open.stages.clone(),
            cached: 0,
            latest: vec![None; open.stages.len()],
        }
    }

    /// Sets the first positions that no stage computes, as receipts must say.
    pub(super) const fn expect_cached(&mut self, cached: u32) {
        self.cached = cached;
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
            && receipt.stage == stage
            && receipt.blocks == self.stages[index].blocks
            && receipt.manifest == self.manifest
            && receipt.numeric_class == self.numeric_class;
        if !fits {
            return Err(refuse(&"names another session, range, model or class"));
        }
        if receipt.positions > settled {
            return Err(refuse(&"covers positions that are not final"));
        }
        if receipt.cached != self.cached.min(receipt.positions) {
            return Err(refuse(&"claims other positions as computed than were sent"));
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

    /// The receipts, in stage order.
    pub(super) fn take(&mut self) -> Vec<Signed> {
        let latest = std::mem::take(&mut self.latest);
        latest.into_iter().flatten().map(|(_, signed)| signed).collect()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.stages.len()).unwrap_or(u32::MAX)
    }
}
