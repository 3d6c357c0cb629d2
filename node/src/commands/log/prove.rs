//! `comity log prove`: a kept bundle, with the proof that its receipt is in a witnessed log.

use std::path::Path;

use comity_protocol::{
    bundle::BundleError,
    charter::Charter,
    id::SessionId,
    limits::LOG_SIZE_MAX,
    log::{
        checkpoint,
        note::NoteError,
        proof::{LogProof, LogProofError, Trust},
    },
    receipt::Receipt,
    time::Timestamp,
    wire::{DecodeError, Wire as _},
};

use super::record::Author;
use crate::{
    bodies::{Bodies, BodyError},
    checkpoints::{Kept, KeptError, SIGNED_FILE, WITNESSED_FILE},
    log::{HashFile, ProofError},
};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The session's bundle.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Its receipt cannot be read.
    #[error("the kept receipt cannot be read")]
    Receipt(#[from] DecodeError),
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// A kept cosignature does not hold.
    #[error("a cosignature that was kept does not hold")]
    Cosignature(#[from] NoteError),
    /// The log's hashes do not give the proof.
    #[error("the log's hashes do not give the proof")]
    Hashes(#[source] ProofError),
    /// The hashes' file.
    #[error("the log's hashes cannot be read")]
    Io(#[from] std::io::Error),
    /// The proof made does not hold: the folder's files do not fit each other.
    #[error("the proof would not hold; comity log check says why")]
    Proof(#[from] LogProofError),
    /// It makes no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// A proof that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The bundle with its proof.
    pub bundle: Vec<u8>,
    /// Number of the receipt in the log.
    pub sequence: u64,
    /// Records of the checkpoint.
    pub size: u64,
    /// Institutions that cosigned it.
    pub cosigned: Vec<String>,
}

/// The bundle of `session` in `folder` with its proof; `None` if no checkpoint covers it yet.
pub(super) fn prove(
    folder: &Path,
    session: &SessionId,
    author: Author,
    charter: &Charter,
    now: Timestamp,
) -> Result<Option<Proved>, ProveError> {
    let mut bundle = Bodies::new(folder).load(session)?;
    let receipt = Receipt::decode(&bundle.receipt.payload)?;
    // A receipt that says nonsense is in no log.
    let index = receipt.sequence.checked_sub(1).unwrap_or(LOG_SIZE_MAX);
    let Some(kept) = newest(folder, index, &receipt.institution, author, charter)? else {
        return Ok(None);
    };
    let size = kept.checkpoint.size;
    let hashes = HashFile::open(folder)?.inclusion(index, size).map_err(ProveError::Hashes)?;
    let proof = LogProof { index, hashes, checkpoint: kept.note };
    let others = charter.institutions.iter().filter(|it| it.id != receipt.institution);
    let witnesses: Vec<_> = others.map(|it| (it.id.clone(), it.witness_key)).collect();
    let trust = Trust { genesis: &author.genesis, log: &author.node, witnesses: &witnesses, now };
    let logged = proof.verify(&bundle.receipt.encode(), trust)?;
    bundle.proof = Some(proof);
    Ok(Some(Proved {
        bundle: bundle.seal()?,
        sequence: receipt.sequence,
        size,
        cosigned: logged.cosigned.into_iter().map(|(institution, _)| institution).collect(),
    }))
}

/// Of the checkpoints that cover record `index`, the newest that enough witnesses cosigned, or else
/// the newest.
fn newest(
    folder: &Path,
    index: u64,
    own: &str,
    author: Author,
    charter: &Charter,
) -> Result<Option<Kept>, ProveError> {
    let key = checkpoint::key(&author.genesis, &author.node);
    let mut first = None;
    for file in [SIGNED_FILE, WITNESSED_FILE] {
        let kept = Kept::load(folder, file, &key)?.filter(|kept| kept.checkpoint.size > index);
        let Some(kept) = kept else { continue };
        let cosigned = kept.cosigned(&author.genesis, charter, own)?;
        if cosigned.len() >= charter.witnesses as usize {
            return Ok(Some(kept));
        }
        first = first.or(Some(kept));
    }
    Ok(first)
}
