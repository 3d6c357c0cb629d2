//! Asking witnesses of other institutions. Not what follows from their answers.

use std::collections::BTreeMap;

use comity_protocol::{
    control::{ControlReply, ControlRequest},
    id::{Digest, PeerKey},
    log::{
        checkpoint::{Checkpoint, CheckpointError, origin},
        cosignature,
        note::{Key, Note},
        witness::{WitnessReply, WitnessRequest},
    },
    refusal::Cause,
    roster::Role,
};
use tracing::debug;

use super::{CheckpointsError, Kept, Parts, UNPROVEN};

/// Requests to one witness in a row: it may have to say first at which size it saw the log last.
const ATTEMPTS: usize = 3;

/// What a witness said.
#[derive(Debug)]
pub(super) enum Answer {
    /// The line of its cosignature.
    Cosigned(String),
    /// It proved that the log is not what the log's key signed.
    Refuted(CheckpointsError),
    /// It holds against the log that it is false, which asking again will not mend; or shows what the
    /// log's key has not signed. Why.
    Refused(String),
    /// Nothing that helps; it may be asked again.
    Nothing,
}

/// Another institution's witness.
#[derive(Debug, Clone)]
pub(super) struct Institution {
    pub(super) id: String,
    pub(super) key: Key,
    /// Its nodes that cosign, at least one.
    pub(super) peers: Vec<PeerKey>,
}

impl Parts {
    /// The witnesses of other institutions that are admitted now.
    pub(super) async fn witnesses(&self) -> Vec<Institution> {
        let mut peers = BTreeMap::<String, Vec<PeerKey>>::new();
        for (peer, member) in self.directory.members().await {
            if member.roles.contains(&Role::Witness) && member.institution != self.institution {
                peers.entry(member.institution).or_default().push(peer);
            }
        }
        let chain = self.directory.chain();
        let witness = |(id, peers): (String, Vec<PeerKey>)| {
            let key = chain.current().institution(&id)?.witness_key;
            let key = cosignature::key(&self.genesis, &id, key);
            Some(Institution { id, key, peers })
        };
        peers.into_iter().filter_map(witness).collect()
    }

    /// Asks `peer`, which witnesses for `id`, to cosign `newest`; it last saw the log at `seen`
    /// records as far as is known.
    pub(super) async fn cosignature(
        &self,
        (id, peer): (&str, PeerKey),
        newest: &Kept,
        seen: u64,
    ) -> Answer {
        let size = newest.checkpoint.size;
        let mut old_size = seen;
        for _ in 0..ATTEMPTS {
            let proof = match self.consistency(old_size, size).await {
                Ok(proof) => proof,
                Err(error) => {
                    debug!(%error, "no proof that the log grew");
                    return Answer::Nothing;
                }
            };
            let checkpoint = newest.note.only(std::slice::from_ref(&self.key()));
            let request = WitnessRequest { old_size, proof, checkpoint };
            match self.put(peer, request).await {
                Some(WitnessReply::Cosigned(line)) => return Answer::Cosigned(line),
                Some(WitnessReply::Conflict { held: None }) => old_size = 0,
                Some(WitnessReply::Conflict { held: Some(held) }) => {
                    let held = match self.own(&held) {
                        Ok(held) => held,
                        Err(error) => return Answer::Refused(format!("{UNPROVEN}: {error}")),
                    };
                    let who = format!("the witness of {id}");
                    if let Err(error) = self.check(&held, &who).await {
                        return Answer::Refuted(error);
                    }
                    old_size = held.size;
                }
                Some(WitnessReply::Refused(refusal)) if refusal.cause == Cause::Violation => {
                    return Answer::Refused(refusal.detail);
                }
                Some(WitnessReply::Refused(refusal)) => {
                    debug!(peer = %peer.short(), cause = refusal.cause.as_str(),
                        detail = refusal.detail, "no cosignature");
                    return Answer::Nothing;
                }
                None => return Answer::Nothing,
            }
        }
        Answer::Nothing
    }

    /// Asks `peer` what it has seen of the log: the checkpoint it cosigned last, or that it has seen
    /// none; `None` if it does not say.
    ///
    /// The checkpoint of an empty log contradicts nothing.
    pub(super) async fn seen(
        &self,
        peer: PeerKey,
    ) -> Option<Result<Option<Checkpoint>, CheckpointError>> {
        let origin = origin(&self.genesis, &self.signer.public());
        let empty = Checkpoint { origin, size: 0, root: Digest::of(&[]) };
        let checkpoint = empty.sign(&self.signer).ok()?;
        let request = WitnessRequest { old_size: 0, proof: Vec::new(), checkpoint };
        match self.put(peer, request).await? {
            WitnessReply::Cosigned(_) | WitnessReply::Conflict { held: None } => Some(Ok(None)),
            WitnessReply::Conflict { held: Some(held) } => Some(self.own(&held).map(Some)),
            WitnessReply::Refused(_) => None,
        }
    }

    /// The checkpoint in `held`, if this log's key signed it. Nothing else shows what was seen of it:
    /// a witness that only says so could stop any log.
    fn own(&self, held: &Note) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(held, &self.key())
    }

    async fn put(&self, peer: PeerKey, request: WitnessRequest) -> Option<WitnessReply> {
        match self.control.ask(peer, ControlRequest::Witness(request)).await? {
            ControlReply::Witness(reply) => Some(reply),
            _ => None,
        }
    }

    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>, crate::log::ProofError> {
        let log = self.log.clone();
        let read = tokio::task::spawn_blocking(move || {
            let failed = |source| crate::log::ProofError::Read { index: 0, source };
            log.hashes().map_err(failed)?.consistency(old, new)
        });
        let failed = |error: tokio::task::JoinError| crate::log::ProofError::Read {
            index: 0,
            source: error.into(),
        };
        read.await.map_err(failed)?
    }
}
