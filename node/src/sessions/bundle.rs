//! Closes a request: commits to its content, countersigns the stages, and packs what verifies it.

use bytes::Bytes;
use comity_protocol::{
    bundle::{Bundle, BundleError, verify},
    id::{Digest, SessionId},
    receipt::{FinishReason, Opening, Receipt},
    refusal::Cause,
    session::home::Ending,
    signed::Signed,
    time::Timestamp,
    wire::Wire as _,
};
use tracing::{error, warn};

use super::{Context, home::Job};
use crate::ledger::LedgerError;

/// Name of the sampler's specification.
const SAMPLER: &str = comity_protocol::sampler::NAME;

/// Name and version of this program, as receipts give them.
const SOFTWARE: &str = concat!("comity/", env!("CARGO_PKG_VERSION"));

/// What the client was told.
pub(super) struct Said {
    /// Text of the answer.
    pub(super) text: String,
    /// When the first token was, if there was one.
    pub(super) first_token_at: Option<Timestamp>,
}

/// Why a request has no proof.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseError {
    /// The receipt was not signed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The bundle could not be packed.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl Context {
    /// Signs the receipt, makes it durable and returns the bundle's bytes.
    ///
    /// # Errors
    /// [`CloseError`] if the log takes nothing more or the answer is too long for a bundle; there is
    /// no proof then.
    pub(super) async fn bundle(
        &self,
        job: &Job,
        ending: Ending,
        said: Said,
        open_record: Signed,
    ) -> Result<Bytes, CloseError> {
        let opening = Opening {
            salt: job.salt.clone(),
            prompt: ending.prompt,
            output: ending.output,
            text: said.text,
            sampling: job.asked.sampling.clone(),
            system_prompt: job.asked.rendered.system.clone(),
            client: job.asked.client,
        };
        let opened_at = job.open_record.opened_at;
        let receipt = Receipt {
            session: job.open_record.session,
            institution: job.open_record.institution.clone(),
            jurisdiction: job.jurisdiction,
            manifest: job.asked.digest,
            open_record: open_record.payload_digest(),
            sequence: 0,
            previous: Digest::ZERO,
            opened_at,
            closed_at: Timestamp::from_ms(0),
            policy: job.policy.clone(),
            stages: job.route.stages().to_vec(),
            sampler: SAMPLER.to_owned(),
            commitments: opening.commitments(),
            prompt_tokens: job.asked.prompt_tokens,
            output_tokens: u32::try_from(opening.output.len()).unwrap_or(u32::MAX),
            finish_reason: ending.reason,
            cause: cause(ending.reason, ending.refusal.map(|refusal| refusal.cause)),
            filters: Vec::new(),
            stage_receipts: ending.receipts.iter().map(Signed::payload_digest).collect(),
            client_nonce: job.asked.nonce.clone(),
            numeric_class: job.numeric_class.to_owned(),
            unsigned_stages: ending.unsigned_stages,
            charter: job.open_record.charter,
            software: SOFTWARE.to_owned(),
            system_prompt_by: job.asked.rendered.by,
            template: job.asked.rendered.template,
            retained_until: Timestamp::from_ms(0),
            first_token_ms: said.first_token_at.map_or(0, |first| since(first, opened_at)),
            migrations: Vec::new(),
            work: ending.work,
        };
        let receipt = self.ledger.close(receipt).await?;
        let bundle = Bundle {
            charters: self.directory.chain().signed().to_vec(),
            rosters: self.directory.rosters().await,
            manifest: job.asked.model.manifest.encode().into(),
            open_record,
            receipt,
            stage_receipts: ending.receipts,
            opening: Some(opening),
            acknowledgement: None,
            proof: None,
        };
        let bytes: Bytes = bundle.seal()?.into();
        // Nobody should hear of a flaw in their proof from a stranger.
        if let Err(error) = verify(&bytes, &self.charter) {
            warn!(%error, "the bundle of this session does not verify");
        }
        Ok(bytes)
    }

    /// Keeps the bundle for as long as the receipt says, if bundles are kept. The holder gets theirs
    /// even where that fails.
    pub(super) async fn keep(&self, session: SessionId, bundle: Bytes) {
        let Some(bodies) = self.bodies.clone() else { return };
        let kept = tokio::task::spawn_blocking(move || bodies.keep(&session, &bundle)).await;
        if let Err(error) = kept.map_err(std::io::Error::from).flatten() {
            error!(%error, "the proof of this session is not kept");
        }
    }
}

/// Milliseconds from `opened` to `first`; never 0, which stands for no token.
fn since(first: Timestamp, opened: Timestamp) -> u64 {
    first.as_ms().saturating_sub(opened.as_ms()).max(1)
}

/// The cause that goes into the receipt: only errors carry one.
fn cause(reason: FinishReason, cause: Option<Cause>) -> Option<Cause> {
    matches!(reason, FinishReason::Error).then_some(cause.unwrap_or(Cause::Bug))
}
