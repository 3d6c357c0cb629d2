//! What the holder shows: the opened commitments and the client's countersignature.

use super::{Context, not_before};
use crate::{
    bundle::{Fault, Signer, VerifyError},
    id::PeerKey,
    limits::CLOCK_SKEW_MAX,
    receipt::{Acknowledgement, SystemPrompt},
    signed::Domain,
};

impl Context<'_> {
    /// The opening, if there is one, opens every commitment.
    pub(super) fn body(&self) -> Result<(), VerifyError> {
        let Some(opening) = &self.bundle.opening else { return Ok(()) };
        let (got, signed) = (opening.commitments(), &self.receipt.commitments);
        let commitments = [
            ("opening.sampling", got.sampling == signed.sampling),
            ("opening.prompt", got.prompt == signed.prompt),
            ("opening.output", got.output == signed.output),
            ("opening.text", got.text == signed.text),
            ("opening.system_prompt", got.system_prompt == signed.system_prompt),
            ("opening.client", got.client == signed.client),
        ];
        if commitments.iter().all(|(_, opens)| !opens) {
            return Err(Fault::Commitment.at("opening.salt"));
        }
        if let Some((field, _)) = commitments.iter().find(|(_, opens)| !opens) {
            return Err(Fault::Commitment.at(*field));
        }
        let sent = self.receipt.system_prompt_by == SystemPrompt::Client;
        if !sent && !opening.system_prompt.is_empty() {
            return Err(Fault::SystemPrompt.at("opening.system_prompt"));
        }
        if opening.prompt.len() != self.receipt.prompt_tokens as usize {
            return Err(Fault::Differs("the opening").at("receipt.prompt_tokens"));
        }
        if opening.output.len() != self.receipt.output_tokens as usize {
            return Err(Fault::Differs("the opening").at("receipt.output_tokens"));
        }
        if self.receipt.output_tokens > opening.sampling.max_tokens {
            return Err(Fault::Differs("the sampling parameters").at("receipt.output_tokens"));
        }
        Ok(())
    }

    /// The key that countersigned, if one did.
    pub(super) fn acknowledgement(&self) -> Result<Option<PeerKey>, VerifyError> {
        let Some(signed) = &self.bundle.acknowledgement else { return Ok(None) };
        let said: Acknowledgement = signed
            .open(Domain::ACKNOWLEDGEMENT, &self.hash)
            .map_err(|error| Fault::signature(Signer::Client, error).at("acknowledgement"))?;
        if said.receipt != self.bundle.receipt.payload_digest() {
            return Err(Fault::Differs("the receipt's digest").at("acknowledgement.receipt"));
        }
        let (received, closed) = (said.received_at, self.receipt.closed_at);
        not_before(received + CLOCK_SKEW_MAX, closed, "acknowledgement.received_at")?;
        Ok(Some(signed.signer))
    }
}
