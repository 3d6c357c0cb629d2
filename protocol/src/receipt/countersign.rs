//! Whether home countersigns a stage's receipt, and whether a stage takes the countersignature. Not
//! the signing.
//!
//! Home's receipt lists the last receipt that reached it of each stage. A stage whose link broke may
//! hold a later one: it is told which one counts.

use super::{Countersignature, Receipt, StageReceipt};
use crate::{
    id::{Digest, PeerKey, SessionId},
    signed::{Domain, Signed, SignedError},
    time::Timestamp,
};

/// Why a stage receipt is not countersigned, or a countersignature not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountersignError {
    /// The statement is not what it should be.
    #[error(transparent)]
    Signed(#[from] SignedError),
    /// Another node was home.
    #[error("home of session {session} is {home}")]
    Home {
        /// The session.
        session: SessionId,
        /// As the stage receipt says.
        home: PeerKey,
    },
    /// Home's receipt is of another session.
    #[error("the receipt is of session {got}, not {expected}")]
    Session {
        /// As the stage receipt says.
        expected: SessionId,
        /// As the other statement says.
        got: SessionId,
    },
    /// Home's receipt lists no receipt of this stage.
    #[error("home's receipt of session {session} lists none of {stage}")]
    NotListed {
        /// The session.
        session: SessionId,
        /// The stage.
        stage: PeerKey,
    },
    /// The countersignature names another institution than the stage receipt does.
    #[error("home's institution is {expected}, not {got}")]
    Institution {
        /// As the stage receipt says.
        expected: String,
        /// As the countersignature says.
        got: String,
    },
    /// The countersignature is for another stage receipt.
    #[error("stage receipt {expected}: countersigned is {got}")]
    Digest {
        /// Payload digest of the stage receipt.
        expected: Digest,
        /// As the countersignature says.
        got: Digest,
    },
}

/// What home `me` signs for the stage that brings `stage_receipt`, the session having ended in
/// `receipt`: its word for the receipt of that stage which `receipt` lists.
///
/// # Errors
/// [`CountersignError`] if the stage receipt does not hold, is of another home or session, or none of
/// its signer is listed.
pub fn countersignature(
    now: Timestamp,
    charter: &Digest,
    me: &PeerKey,
    stage_receipt: &Signed,
    receipt: &Receipt,
) -> Result<Countersignature, CountersignError> {
    let said: StageReceipt = stage_receipt.open(Domain::STAGE_RECEIPT, charter)?;
    let (session, stage) = (said.session, stage_receipt.signer);
    if said.home != *me {
        return Err(CountersignError::Home { session, home: said.home });
    }
    if receipt.session != session {
        return Err(CountersignError::Session { expected: session, got: receipt.session });
    }
    let listed = receipt.work.iter().zip(&receipt.stage_receipts).find(|(work, _)| {
        receipt.stages.get(work.stage as usize).is_some_and(|place| place.peer == stage)
    });
    let (_, digest) = listed.ok_or(CountersignError::NotListed { session, stage })?;
    let institution = receipt.institution.clone();
    Ok(Countersignature { stage_receipt: *digest, session, institution, signed_at: now })
}

/// Checks that `countersignature` is home's word for `stage_receipt`, this stage's own.
///
/// # Errors
/// [`CountersignError`] if it does not hold, another than home signed, or it speaks of another
/// receipt, session or institution.
pub fn check_countersignature(
    charter: &Digest,
    stage_receipt: &Signed,
    countersignature: &Signed,
) -> Result<(StageReceipt, Countersignature), CountersignError> {
    let ours: StageReceipt = stage_receipt.open(Domain::STAGE_RECEIPT, charter)?;
    let theirs: Countersignature =
        countersignature.open_from(Domain::COUNTERSIGNATURE, charter, &ours.home)?;
    let digest = stage_receipt.payload_digest();
    if theirs.stage_receipt != digest {
        return Err(CountersignError::Digest { expected: digest, got: theirs.stage_receipt });
    }
    if theirs.session != ours.session {
        return Err(CountersignError::Session { expected: ours.session, got: theirs.session });
    }
    if theirs.institution != ours.home_institution {
        let (expected, got) = (ours.home_institution, theirs.institution);
        return Err(CountersignError::Institution { expected, got });
    }
    Ok((ours, theirs))
}
