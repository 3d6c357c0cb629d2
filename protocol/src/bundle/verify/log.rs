//! Who has witnessed the receipt, and whether it came before what was revoked.

use super::{Context, not_before, stages::Stage};
use crate::{
    bundle::{Fault, Place, VerifyError},
    charter::Revoked,
    id::PeerKey,
    limits::CLOCK_SKEW_MAX,
    log::proof::Trust,
    time::Timestamp,
    wire::Wire as _,
};

/// What the proof of the log shows.
pub(super) struct Logged {
    /// Institutions whose witnesses saw the receipt in the log, and when each did first.
    pub(super) cosigned: Vec<(String, Timestamp)>,
    /// When as many had seen it as the charter asks for; `None` if they have not.
    pub(super) witnessed_at: Option<Timestamp>,
}

impl Context<'_> {
    /// Checks the proof, if there is one.
    pub(super) fn logged(&self) -> Result<Option<Logged>, VerifyError> {
        let Some(proof) = &self.bundle.proof else { return Ok(None) };
        if proof.index.checked_add(1) != Some(self.receipt.sequence) {
            return Err(Fault::Sequence.at("proof.index"));
        }
        let witnesses = self.witnesses();
        let trust = Trust {
            genesis: &self.hash,
            log: &self.bundle.receipt.signer,
            witnesses: &witnesses,
            now: self.now,
        };
        let logged = proof
            .verify(&self.bundle.receipt.encode(), trust)
            .map_err(|error| Fault::Log(error).at("proof"))?;
        let mut times: Vec<_> = logged.cosigned.iter().map(|(_, at)| *at).collect();
        times.sort_unstable();
        if let Some(first) = times.first() {
            // Nobody has seen it before it was.
            not_before(*first + CLOCK_SKEW_MAX, self.receipt.closed_at, "proof.checkpoint")?;
        }
        let needed = self.charter.witnesses.max(1) as usize;
        let witnessed_at = times.get(needed - 1).copied();
        Ok(Some(Logged { cosigned: logged.cosigned, witnessed_at }))
    }

    /// Keys whose cosignatures count: those that members other than home's institution have had. Who
    /// has left since could say any time.
    fn witnesses(&self) -> Vec<(String, PeerKey)> {
        let mut witnesses = Vec::new();
        for member in &self.chain.current().institutions {
            if member.id != self.receipt.institution {
                let keys = self.chain.witness_keys(&member.id);
                witnesses.extend(keys.into_iter().map(|key| (member.id.clone(), key)));
            }
        }
        witnesses
    }

    /// Whoever signed had not been revoked when witnesses saw it: the signers' own clocks prove
    /// nothing.
    pub(super) fn revocations(
        &self,
        home: &Place,
        stages: &[Stage],
        logged: Option<&Logged>,
    ) -> Result<(), VerifyError> {
        let witnessed_at = logged.and_then(|logged| logged.witnessed_at);
        let stages = stages.iter().enumerate();
        let places =
            stages.map(|(it, stage)| (format!("receipt.stages[{it}]"), &stage.place.place));
        for (field, place) in std::iter::once(("receipt.signer".to_owned(), home)).chain(places) {
            let institution = Revoked::Institution(place.institution.clone());
            let revoked = [Revoked::Peer(place.peer), institution];
            let revoked = revoked.iter().filter_map(|it| self.chain.revoked_at(it));
            let Some(revoked_at) = revoked.min() else { continue };
            if witnessed_at.is_none_or(|witnessed_at| witnessed_at >= revoked_at) {
                return Err(Fault::Revoked { revoked_at, witnessed_at }.at(field));
            }
        }
        Ok(())
    }
}
