//! A witness's word that a checkpoint was the largest it had seen of a log that only grew, and when.
//! Not the checks that come before it (`witness`).
//!
//! What is signed does not hold the witness's name, so a key serves one witness alone. Its first
//! line keeps it apart from a note's text, whose first line is an origin.
//!
//! Source: C2SP tlog-cosignature, the Ed25519 kind.

#[cfg(test)]
mod tests;

use super::note::{Key, Line, Note, NoteError, Scheme};
use crate::{
    id::{Digest, PeerKey},
    limits::CLOCK_SKEW_MAX,
    signed::NodeKey,
    time::Timestamp,
};

/// Why a witness's line is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignatureError {
    /// It is no line, or it does not hold, or not of this witness.
    #[error("cosignature: {0}")]
    Note(#[from] NoteError),
    /// Its time has not come yet, by more than clocks may differ.
    #[error("cosigned at {at}, now {now}")]
    Future {
        /// When it says it was made.
        at: Timestamp,
        /// The time it was checked at.
        now: Timestamp,
    },
}

/// The key of the witness of `institution` in the consortium with this genesis.
#[must_use]
pub fn key(genesis: &Digest, institution: &str, peer: PeerKey) -> Key {
    Key::new(format!("comity/witness/{genesis}/{institution}"), peer, Scheme::Cosignature)
}

/// Cosigns a checkpoint with `secret`, the secret half of `witness`; `now` counts in whole seconds.
#[must_use]
pub fn sign(checkpoint: &Note, witness: &Key, secret: &NodeKey, now: Timestamp) -> Line {
    let seconds = now.as_ms() / 1_000;
    let signature = secret.sign_text(&message(seconds, checkpoint.text()));
    Line::new(witness, [&seconds.to_be_bytes()[..], &signature].concat())
}

/// Adds a witness's `line` to the checkpoint it cosigns, if it holds; returns its time.
///
/// # Errors
/// [`CosignatureError`]; the note is then as before.
pub fn add(
    note: &mut Note,
    line: &str,
    witness: &Key,
    now: Timestamp,
) -> Result<Timestamp, CosignatureError> {
    let mut cosigned = note.only(&[]);
    cosigned.add(Line::parse(line)?)?;
    let valid = cosigned.verify(std::slice::from_ref(witness))?;
    let at = time(valid.iter().find_map(|valid| valid.seconds).ok_or(NoteError::Unsigned)?);
    check_time(at, now)?;
    note.add(Line::parse(line)?)?;
    Ok(at)
}

/// Refuses a time that lies ahead of `now` by more than [`CLOCK_SKEW_MAX`].
pub(super) fn check_time(at: Timestamp, now: Timestamp) -> Result<(), CosignatureError> {
    if at > now + CLOCK_SKEW_MAX { Err(CosignatureError::Future { at, now }) } else { Ok(()) }
}

/// The time of a cosignature.
pub(super) const fn time(seconds: u64) -> Timestamp {
    Timestamp::from_ms(seconds.saturating_mul(1_000))
}

/// What a witness signs.
pub(super) fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// Time and signature of a line; times past 63 bits are no times.
pub(super) fn split(line: &[u8]) -> Option<(u64, &[u8; 64])> {
    let (seconds, signature) = line.split_first_chunk()?;
    let seconds = u64::from_be_bytes(*seconds);
    if seconds > i64::MAX.cast_unsigned() {
        return None;
    }
    Some((seconds, signature.try_into().ok()?))
}
