//! What home alone says of a request: whether it can be so.

use super::Context;
use crate::{
    bundle::{Fault, VerifyError},
    limits::RETENTION_MAX,
};

impl Context<'_> {
    /// Template, times and migrations, as home claims them.
    pub(super) fn claims(&self) -> Result<(), VerifyError> {
        let receipt = &self.receipt;
        if receipt.template.is_some_and(|digest| digest != self.manifest.chat_template) {
            return Err(Fault::Template.at("receipt.template"));
        }
        let (closed, until) = (receipt.closed_at, receipt.retained_until);
        if until < closed || until > closed + RETENTION_MAX {
            return Err(Fault::Retention { until, closed }.at("receipt.retained_until"));
        }
        let longest = closed.as_ms().saturating_sub(receipt.opened_at.as_ms()).max(1);
        let first = receipt.first_token_ms;
        if (first > 0) != (receipt.output_tokens > 0) || first > longest {
            return Err(Fault::FirstToken(first).at("receipt.first_token_ms"));
        }
        if !receipt.migrations.is_empty() {
            return Err(Fault::Migration.at("receipt.migrations"));
        }
        Ok(())
    }
}
