//! What the stages computed, and what home owes for it.

use super::{Context, stages::Stage};
use crate::{
    bundle::{Fault, VerifyError},
    receipt::{StageReceipt, Work},
};

impl Context<'_> {
    /// Each stage computed at least the positions it signed and did not hold already, on as many
    /// parameters as the manifest gives its blocks; home counted the same. After a whole answer all
    /// stages computed as much: every row went through all of them.
    pub(super) fn work(&self, stages: &[Stage]) -> Result<(), VerifyError> {
        let receipts = stages.iter().filter_map(|stage| stage.receipt.as_ref());
        let mut before = None;
        for (index, said) in receipts {
            let StageReceipt { computed, parameters, positions, cached, blocks, .. } = said;
            let at = |fault: Fault, field| fault.at(format!("stage_receipts[{index}].{field}"));
            if Some(*parameters) != self.manifest.parameters(*blocks) {
                return Err(at(Fault::Work("the manifest"), "parameters"));
            }
            if *computed < u64::from(positions - cached) {
                return Err(at(Fault::Work("the positions signed"), "computed"));
            }
            let whole = self.receipt.finish_reason.is_whole();
            if whole && before.is_some_and(|before| before != *computed) {
                return Err(at(Fault::Work("the stage before"), "computed"));
            }
            before = Some(*computed);
            if self.receipt.work.get(*index) != Some(&Work::of(said)) {
                let field = format!("receipt.work[{index}]");
                return Err(Fault::Work("the stage receipt").at(field));
            }
        }
        Ok(())
    }
}
