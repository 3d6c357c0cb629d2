//! What a log asks a witness, what it answers, what it keeps.

use crate::{
    id::Digest,
    log::{equivocation::Equivocation, note::Note},
    refusal::{Cause, Refusal},
};

/// Asks a witness to cosign a checkpoint.
///
/// A node that does not know what a witness has seen asks with the checkpoint of an empty log, which
/// contradicts nothing: the conflict shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRequest {
    /// Records of the log when this witness last cosigned it; 0 if it never did.
    pub old_size: u64,
    /// Proof that the log grew since; at most 63 hashes.
    pub proof: Vec<Digest>,
    /// The checkpoint, signed by the log's node.
    pub checkpoint: Note,
}

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessReply {
    /// The line of its cosignature, for [`crate::log::cosignature::add`].
    Cosigned(String),
    /// It last cosigned the log at another size than the request says.
    Conflict {
        /// The checkpoint it cosigned, with the log's signature: a witness's word alone would let
        /// it stop any log. `None` if it never cosigned the log.
        held: Option<Note>,
    },
    /// It does not cosign.
    Refused(WitnessRefusal),
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRefusal {
    /// What went wrong; [`Cause::Overloaded`] if the request may be sent again.
    pub cause: Cause,
    /// Operands for people; at most [`crate::limits::TEXT_BYTES_MAX`] bytes.
    pub detail: String,
}

impl WitnessRefusal {
    /// A refusal whose detail is cut to what fits.
    #[must_use]
    pub fn new(cause: Cause, detail: impl std::fmt::Display) -> Self {
        let Refusal { cause, detail, .. } = Refusal::new(cause, 0, detail);
        Self { cause, detail }
    }
}

/// What a witness keeps of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessState {
    /// The newest checkpoint it cosigned, with the log's signature alone.
    pub checkpoint: Note,
    /// A checkpoint of the same size that contradicts it; nothing is cosigned any more.
    pub contradiction: Option<Note>,
}

impl WitnessState {
    /// The proof that the log told two stories, if it did.
    #[must_use]
    pub fn equivocation(&self) -> Option<Equivocation> {
        let second = self.contradiction.clone()?;
        Some(Equivocation { first: self.checkpoint.clone(), second })
    }
}
