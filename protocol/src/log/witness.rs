//! A witness: cosigns checkpoints of logs that only grow, and keeps what it cosigned. Not the disk,
//! which is the driver's.
//!
//! Nothing is cosigned before it is durable, and while one checkpoint of a log is being recorded
//! no other one of it is looked at: of two that arrive at once, neither rolls the other back.
//!
//! Source: C2SP tlog-witness; differs in that a contradiction with what was cosigned is looked for
//! before the old size, for it is proof whatever else the request says.

mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use message::{WitnessRefusal, WitnessReply, WitnessRequest, WitnessState};

use super::{
    checkpoint::{self, Checkpoint, CheckpointError},
    cosignature,
    equivocation::{Equivocation, contradict},
    note::{Key, Note},
    tree::check_consistency,
};
use crate::{
    id::{Digest, PeerKey},
    limits::WITNESSED_LOGS_MAX,
    refusal::Cause,
    signed::NodeKey,
    time::Timestamp,
};

/// What happened at this witness.
#[derive(Debug)]
pub enum Input {
    /// Somebody asks for a cosignature.
    Request {
        /// Names the request in [`Output::Reply`].
        id: u64,
        /// What is asked.
        request: WitnessRequest,
        /// The node whose log it is; `None` if no member may have one, or no longer.
        log: Option<PeerKey>,
    },
    /// What [`Output::Persist`] named is durable, or storage failed.
    Persisted {
        /// Its log.
        origin: String,
        /// Whether it is durable.
        durable: bool,
    },
}

/// What the driver must do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Replace what is kept of this log, durably, then [`Input::Persisted`].
    Persist {
        /// The log.
        origin: String,
        /// What to keep of it.
        state: WitnessState,
    },
    /// Answer a request.
    Reply {
        /// Which one.
        id: u64,
        /// The answer.
        reply: WitnessReply,
    },
    /// Stop all work with the node of this log.
    Equivocated(Equivocation),
}

/// A witness of every log of a consortium.
#[derive(Debug)]
pub struct Witness {
    genesis: Digest,
    key: Key,
    secret: NodeKey,
    logs: BTreeMap<String, Log>,
}

/// What is known of one log.
#[derive(Debug, Default)]
struct Log {
    /// What was last cosigned, and is durable.
    held: Option<Held>,
    /// What is being recorded.
    pending: Option<Pending>,
    /// Whether it contradicted itself.
    refused: bool,
}

#[derive(Debug, Clone)]
struct Held {
    note: Note,
    checkpoint: Checkpoint,
}

/// What waits until a state is durable.
#[derive(Debug)]
struct Pending {
    request: u64,
    /// To be cosigned; `None` if it is a contradiction that is recorded.
    held: Option<Held>,
}

impl Witness {
    /// The witness of `institution` with the states it kept.
    ///
    /// # Errors
    /// [`CheckpointError`] if a state holds no checkpoint.
    pub fn new(
        genesis: Digest,
        institution: &str,
        secret: NodeKey,
        states: impl IntoIterator<Item = WitnessState>,
    ) -> Result<Self, CheckpointError> {
        let key = cosignature::key(&genesis, institution, secret.public());
        let mut logs = BTreeMap::new();
        for WitnessState { checkpoint: note, contradiction } in states {
            let checkpoint = Checkpoint::parse(note.text())?;
            let origin = checkpoint.origin.clone();
            let held = Some(Held { note, checkpoint });
            logs.insert(origin, Log { held, pending: None, refused: contradiction.is_some() });
        }
        Ok(Self { genesis, key, secret, logs })
    }

    /// Advances on one input and appends what the driver must do. Never blocks, never fails.
    pub fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Request { id, request, log } => {
                if let Err(reply) = self.request(now, id, request, log, outputs) {
                    outputs.push(Output::Reply { id, reply });
                }
            }
            Input::Persisted { origin, durable } => {
                let Some(log) = self.logs.get_mut(&origin) else { return };
                let Some(Pending { request: id, held }) = log.pending.take() else { return };
                let reply = match held {
                    _ if !durable => refusal(Cause::Storage, "the checkpoint was not recorded"),
                    None => contradicted(),
                    Some(held) => {
                        let line = cosignature::sign(&held.note, &self.key, &self.secret, now);
                        log.held = Some(held);
                        WitnessReply::Cosigned(line.to_string())
                    }
                };
                outputs.push(Output::Reply { id, reply });
            }
        }
    }

    /// Handles a request; the error is the answer where nothing is cosigned.
    fn request(
        &mut self,
        now: Timestamp,
        id: u64,
        request: WitnessRequest,
        log: Option<PeerKey>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), WitnessReply> {
        let peer = log.ok_or_else(|| refusal(Cause::NotAdmitted, "no such log"))?;
        let log_key = checkpoint::key(&self.genesis, &peer);
        let offered = read(&request.checkpoint, &log_key)?;
        let origin = log_key.name();
        if !self.logs.contains_key(origin) && self.logs.len() >= WITNESSED_LOGS_MAX {
            return Err(refusal(Cause::Limit, format!("{WITNESSED_LOGS_MAX} logs are witnessed")));
        }
        let log = self.logs.entry(origin.to_owned()).or_default();
        if log.refused {
            return Err(contradicted());
        }
        if log.pending.is_some() {
            return Err(refusal(Cause::Overloaded, "another checkpoint is being recorded"));
        }
        let held = log.held.as_ref();
        if let Some(held) = held.filter(|held| contradict(&held.checkpoint, &offered.checkpoint)) {
            let (first, second) = (held.note.clone(), offered.note);
            log.refused = true;
            log.pending = Some(Pending { request: id, held: None });
            let state =
                WitnessState { checkpoint: first.clone(), contradiction: Some(second.clone()) };
            outputs.push(Output::Equivocated(Equivocation { first, second }));
            outputs.push(Output::Persist { origin: origin.to_owned(), state });
            return Ok(());
        }
        check_growth(held, &request, &offered.checkpoint)?;
        if held.is_some_and(|held| held.checkpoint == offered.checkpoint) {
            let line = cosignature::sign(&offered.note, &self.key, &self.secret, now);
            let reply = WitnessReply::Cosigned(line.to_string());
            outputs.push(Output::Reply { id, reply });
            return Ok(());
        }
        let state = WitnessState { checkpoint: offered.note.clone(), contradiction: None };
        log.pending = Some(Pending { request: id, held: Some(offered) });
        outputs.push(Output::Persist { origin: origin.to_owned(), state });
        Ok(())
    }
}

/// The checkpoint of a request, if the log's key has signed it.
fn read(note: &Note, log: &Key) -> Result<Held, WitnessReply> {
    let checkpoint = Checkpoint::open(note, log).map_err(|error| {
        let cause = match error {
            CheckpointError::Origin { .. } => Cause::NotAdmitted,
            _ => Cause::Violation,
        };
        refusal(cause, error)
    })?;
    Ok(Held { note: note.only(std::slice::from_ref(log)), checkpoint })
}

/// Checks that the log only grew since this witness last cosigned it.
fn check_growth(
    held: Option<&Held>,
    request: &WitnessRequest,
    offered: &Checkpoint,
) -> Result<(), WitnessReply> {
    let (old, new) = (request.old_size, offered.size);
    if old > new {
        let detail = format!("old size {old} is larger than the checkpoint's, {new}");
        return Err(refusal(Cause::Violation, detail));
    }
    let empty = Digest::of(&[]);
    let (size, root) =
        held.map_or((0, &empty), |held| (held.checkpoint.size, &held.checkpoint.root));
    if old != size {
        return Err(WitnessReply::Conflict { held: held.map(|held| held.note.clone()) });
    }
    check_consistency((size, root), (new, &offered.root), &request.proof)
        .map_err(|error| refusal(Cause::Violation, error))
}

fn contradicted() -> WitnessReply {
    refusal(Cause::Violation, "the log signed two checkpoints of one size")
}

fn refusal(cause: Cause, detail: impl std::fmt::Display) -> WitnessReply {
    WitnessReply::Refused(WitnessRefusal::new(cause, detail))
}
