//! Steps through a stage, and what it signs for them.

use super::{Cause, Close, Frame, Hidden, Output, Phase, Stage, Step, Timestamp};
use crate::{
    id::{Digest, PrefixTag},
    limits::STAGES_MAX,
    prefix::{self, RowDigests, whole_pages},
    receipt::{StageReceipt, is_due},
    refusal::Refusal,
    session::stage::PENDING_STEPS_MAX,
    signed::Signed,
};

impl Stage {
    /// Takes a step in: it may go back to any position that home has not declared final.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        mut step: Step,
        hidden: Hidden,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Running) || self.pending.len() >= PENDING_STEPS_MAX {
            return Err(self.refuse(Cause::Violation, "step out of order"));
        }
        if hidden.row_bytes() != self.row_bytes || hidden.positions() != step.positions {
            return Err(self.refuse(Cause::Violation, "tensor does not have the step's shape"));
        }
        if step.end() > self.open.positions_max {
            let detail = format!("step ends at {}, past {}", step.end(), self.open.positions_max);
            return Err(self.refuse(Cause::Limit, detail));
        }
        let held = self.accepted..=self.input.positions();
        if !held.contains(&step.start) {
            let (accepted, end) = held.into_inner();
            let detail = format!("step at {}, held {end}, of them final {accepted}", step.start);
            return Err(self.refuse(Cause::PositionMismatch, detail));
        }
        if !(self.accepted..=step.end()).contains(&step.accepted) {
            return Err(self.refuse(Cause::Violation, "final positions taken back or not sent"));
        }
        if !hidden.is_finite() {
            return Err(self.refuse(Cause::NotFinite, "received values"));
        }
        if self.receipts.len() + step.receipts.len() > STAGES_MAX {
            return Err(self.refuse(Cause::Violation, "too many receipts"));
        }
        if self.begun.is_none() {
            (self.begun, self.started) = (Some(step.start), now);
        }
        self.accepted = step.accepted;
        self.input.append(step.start, hidden.bytes(), self.row_bytes);
        self.receipts.append(&mut step.receipts);
        outputs.push(Output::Compute { start: step.start, hidden });
        self.pending.push_back(step);
        Ok(())
    }

    pub(super) fn computed(
        &mut self,
        now: Timestamp,
        hidden: Hidden,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        self.active = now;
        let Some(step) = self.pending.pop_front() else {
            return Err(self.refuse(Cause::Bug, "computed without a step"));
        };
        if hidden.row_bytes() != self.row_bytes || hidden.positions() != step.positions {
            return Err(self.refuse(Cause::Bug, "computed another shape"));
        }
        if !hidden.is_finite() {
            return Err(self.refuse(Cause::NotFinite, "computed values"));
        }
        self.output.append(step.start, hidden.bytes(), self.row_bytes);
        self.computed += u64::from(step.positions);
        if is_due(self.signed_positions, step.accepted) {
            outputs.push(self.sign(now, step.accepted, false));
        }
        self.forward(&step, hidden, outputs);
        self.drained(now, outputs);
        Ok(())
    }

    /// Sends a computed step on: all rows to the next stage, the rows asked for to home.
    fn forward(&mut self, step: &Step, hidden: Hidden, outputs: &mut Vec<Output>) {
        let first = if self.is_last() { step.positions - step.returned } else { 0 };
        let Some(rows) = hidden.rows(first..step.positions) else { return };
        let receipts = std::mem::take(&mut self.receipts);
        let (start, positions) = (step.start + first, step.positions - first);
        let Step { returned, accepted, .. } = *step;
        let step = Step { start, positions, returned, accepted, receipts };
        outputs.push(Output::Downstream(Frame::Step(step), Some(rows)));
    }

    pub(super) fn close(
        &mut self,
        now: Timestamp,
        close: Close,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !matches!(self.phase, Phase::Running) {
            return Err(self.refuse(Cause::Violation, "frame out of order"));
        }
        if close.receipts.len() != self.index as usize {
            return Err(self.refuse(Cause::Violation, "close lacks a stage's receipt"));
        }
        if !(self.accepted..=self.input.positions()).contains(&close.positions) {
            let (held, closed) = (self.input.positions(), close.positions);
            let detail =
                format!("closed at {closed}, held {held}, of them final {}", self.accepted);
            return Err(self.refuse(Cause::PositionMismatch, detail));
        }
        self.phase = Phase::Draining(close);
        self.drained(now, outputs);
        Ok(())
    }

    /// Signs for the whole session once it is closed and everything is computed.
    fn drained(&mut self, now: Timestamp, outputs: &mut Vec<Output>) {
        if !self.pending.is_empty() {
            return;
        }
        if let Phase::Draining(close) = &mut self.phase {
            let close = std::mem::take(close);
            outputs.push(self.sign(now, close.positions, true));
            self.phase = Phase::Signing(close);
        }
    }

    /// The pages that home names, as far as they are whole and final.
    fn keep(&self, mut prefix: Vec<PrefixTag>, positions: u32) -> Output {
        prefix.truncate(whole_pages(positions));
        let rows = self.input.rows().iter().zip(self.output.rows());
        let rows = rows.take(prefix::positions(prefix.len()) as usize);
        let rows = rows.map(|(&input, &output)| RowDigests { input, output }).collect();
        Output::Keep { scope: self.identity.scope, prefix, rows }
    }

    /// A receipt for positions `[0, positions)`, which are held.
    fn sign(&mut self, now: Timestamp, positions: u32, last: bool) -> Output {
        self.signed_positions = positions;
        let draft = StageReceipt {
            session: self.open.session,
            institution: self.identity.institution.clone(),
            jurisdiction: self.identity.jurisdiction,
            stage: self.index,
            blocks: self.identity.scope.blocks,
            manifest: self.open.manifest,
            shard: self.identity.shard,
            numeric_class: self.open.numeric_class.clone(),
            positions,
            input: self.input.head_at(positions),
            output: self.output.head_at(positions),
            sequence: 0,
            started_at: self.started,
            signed_at: now,
            cached: self.begun.unwrap_or(positions).min(positions),
            home: self.signed.signer,
            home_institution: self.identity.home_institution.clone(),
            computed: self.computed,
            previous: Digest::ZERO,
            parameters: self.identity.parameters,
        };
        Output::Sign { draft: Box::new(draft), last }
    }

    pub(super) fn receipt_signed(
        &mut self,
        receipt: Signed,
        last: bool,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        if !last {
            if self.receipts.len() < STAGES_MAX {
                self.receipts.push(receipt);
            }
            return Ok(());
        }
        let Phase::Signing(close) = &mut self.phase else {
            return Err(self.refuse(Cause::Bug, "signed without a close"));
        };
        let mut close = std::mem::take(close);
        close.receipts.push(receipt);
        let keep = self.keep(close.prefix.clone(), close.positions);
        outputs.push(Output::Downstream(Frame::Close(close), None));
        outputs.push(keep);
        self.phase = Phase::Ended;
        outputs.push(Output::Ended(None));
        Ok(())
    }
}
