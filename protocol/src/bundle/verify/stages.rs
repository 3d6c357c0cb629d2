//! What the stages signed: who, which blocks, and that their boundaries meet.

use super::{Context, not_before};
use crate::{
    bundle::{Fault, Place, Signer, StagePlace, VerifyError},
    limits::CLOCK_SKEW_MAX,
    policy::Access,
    receipt::{FinishReason, Receipt, StageReceipt},
    roster::Role,
    route::RouteStage,
    signed::{Domain, Signed, SignedError},
};

/// One stage and what it signed.
pub(super) struct Stage {
    pub(super) place: StagePlace,
    /// Its receipt and the receipt's index in the bundle, unless it signed none.
    pub(super) receipt: Option<(usize, StageReceipt)>,
}

impl Stage {
    fn new(place: Place, route: &RouteStage, receipt: Option<(usize, StageReceipt)>) -> Self {
        let said = receipt.as_ref().map(|(_, said)| said);
        let place = StagePlace {
            place,
            blocks: route.blocks,
            positions: said.map_or(0, |said| said.positions),
            cached: said.map_or(0, |said| said.cached),
            signed: false,
            computed: said.map_or(0, |said| said.computed),
            parameters: said.map_or(0, |said| said.parameters),
        };
        Self { place, receipt }
    }
}

impl Context<'_> {
    /// Every stage of the route, in order, with its receipt if there is one.
    pub(super) fn stages(&self) -> Result<Vec<Stage>, VerifyError> {
        let mut receipts = self.bundle.stage_receipts.iter().enumerate().peekable();
        let mut stages = Vec::new();
        for (number, route) in (0_u32..).zip(&self.receipt.stages) {
            let field = format!("receipt.stages[{number}]");
            let place = self.place(&route.peer, Role::Stage, &field)?;
            let (blocks, block_count) = (route.blocks, self.manifest.block_count);
            self.permitted(&place, Access::Blocks { blocks, block_count }, &field)?;
            let unsigned = self.receipt.unsigned_stages.contains(&number);
            let receipt = receipts
                .next_if(|(_, signed)| signed.signer == route.peer || !unsigned)
                .map(|(index, _)| self.stage_receipt(index, number, route, &place))
                .transpose()?;
            stages.push(Stage::new(place, route, receipt));
        }
        if let Some((index, _)) = receipts.next() {
            return Err(Fault::Countersign.at(format!("stage_receipts[{index}]")));
        }
        self.countersignatures()?;
        self.mark_signed(&mut stages)?;
        boundaries(&stages)?;
        self.work(&stages)?;
        Ok(stages)
    }

    fn stage_receipt(
        &self,
        index: usize,
        number: u32,
        route: &RouteStage,
        place: &Place,
    ) -> Result<(usize, StageReceipt), VerifyError> {
        let path = format!("stage_receipts[{index}]");
        let signed = &self.bundle.stage_receipts[index];
        let got: StageReceipt =
            signed.open_from(Domain::STAGE_RECEIPT, &self.hash, &route.peer).map_err(|error| {
                let wrong = matches!(error, SignedError::Signer { .. });
                let field = if wrong { format!("{path}.signer") } else { path.clone() };
                Fault::signature(Signer::Stage, error).at(field)
            })?;
        let home = &self.receipt;
        let mismatches = [
            ("session", "the receipt", got.session != home.session),
            ("institution", "the stage's roster", got.institution != place.institution),
            ("jurisdiction", "the stage's roster", got.jurisdiction != place.jurisdiction),
            ("stage", "the route", got.stage != number),
            ("blocks", "the route", got.blocks != route.blocks),
            ("manifest", "the receipt", got.manifest != home.manifest),
            ("shard", "the manifest", Some(got.shard) != self.manifest.shard_digest(route.blocks)),
            ("numeric_class", "the receipt", got.numeric_class != home.numeric_class),
            ("home", "the receipt's signer", got.home != self.bundle.receipt.signer),
            ("home_institution", "the receipt", got.home_institution != home.institution),
        ];
        if let Some((field, other, _)) = mismatches.iter().find(|(.., differs)| *differs) {
            return Err(Fault::Differs(other).at(format!("{path}.{field}")));
        }
        // The stage's clock and home's may differ; one clock does not run backwards.
        let field = |name: &str| format!("{path}.{name}");
        not_before(got.started_at + CLOCK_SKEW_MAX, home.opened_at, field("started_at"))?;
        not_before(got.signed_at, got.started_at, field("signed_at"))?;
        not_before(home.closed_at + CLOCK_SKEW_MAX, got.signed_at, field("signed_at"))?;
        Ok((index, got))
    }

    /// Home's receipt lists exactly the stage receipts of the bundle.
    fn countersignatures(&self) -> Result<(), VerifyError> {
        let (listed, receipts) = (&self.receipt.stage_receipts, &self.bundle.stage_receipts);
        for index in 0..listed.len().max(receipts.len()) {
            let digest = receipts.get(index).map(Signed::payload_digest);
            if listed.get(index) != digest.as_ref() {
                return Err(Fault::Countersign.at(format!("receipt.stage_receipts[{index}]")));
            }
        }
        Ok(())
    }

    /// Checks which stages signed how far, against the tokens and what home says is unsigned.
    ///
    /// The last token of an answer is drawn from the position before it, and goes round the ring
    /// only if the answer went on: an answer that met its bound never sends it, one that met a stop
    /// string may have, one that ended in an end token (which is not part of it) has.
    fn mark_signed(&self, stages: &mut [Stage]) -> Result<(), VerifyError> {
        let home = &self.receipt;
        let unsigned = &home.unsigned_stages;
        let known = unsigned.iter().all(|number| (*number as usize) < stages.len());
        for (number, stage) in (0_u32..).zip(stages.iter_mut()) {
            stage.place.signed = !unsigned.contains(&number);
        }
        let silent = stages.iter().any(|stage| stage.place.signed && stage.receipt.is_none());
        if !known || silent || (home.finish_reason.is_whole() && !unsigned.is_empty()) {
            return Err(Fault::Unsigned.at("receipt.unsigned_stages"));
        }
        let (least, most) = self.positions();
        let reached = stages.iter().find(|stage| stage.place.signed);
        let reached = reached.map(|stage| stage.place.positions);
        for Stage { place, receipt } in stages {
            let Some((index, StageReceipt { positions: got, .. })) = receipt else { continue };
            let fits = match reached {
                _ if *got > most => false,
                Some(reached) if place.signed => *got >= least && *got == reached,
                Some(reached) => *got < reached,
                None => true,
            };
            if !fits {
                let (prompt, output) = (home.prompt_tokens, home.output_tokens);
                let field = format!("stage_receipts[{index}].positions");
                return Err(Fault::Positions { got: *got, prompt, output }.at(field));
            }
        }
        Ok(())
    }

    /// Fewest and most positions that can have gone round the ring for the tokens home counts.
    const fn positions(&self) -> (u32, u32) {
        let Receipt { prompt_tokens: prompt, output_tokens: output, finish_reason, .. } =
            &self.receipt;
        let whole = prompt.saturating_add(*output);
        let but_last = if *output > 0 { whole - 1 } else { whole };
        match finish_reason {
            FinishReason::Length => (but_last, but_last),
            FinishReason::Stop => (but_last, whole),
            FinishReason::Error | FinishReason::Cancelled => (0, whole),
        }
    }
}

/// What a stage received is what the one before it sent, wherever both signed as far; and where one
/// began to compute, all did.
fn boundaries(stages: &[Stage]) -> Result<(), VerifyError> {
    for pair in stages.windows(2) {
        let (Some((_, before)), Some((index, after))) = (&pair[0].receipt, &pair[1].receipt) else {
            continue;
        };
        if before.positions == after.positions && before.output != after.input {
            return Err(Fault::Boundary.at(format!("stage_receipts[{index}].input")));
        }
        if before.cached.min(after.positions) != after.cached.min(before.positions) {
            let field = format!("stage_receipts[{index}].cached");
            return Err(Fault::Differs("the stage before").at(field));
        }
    }
    Ok(())
}
