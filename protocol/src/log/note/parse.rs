//! Reads notes strictly: what is written again has the same bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Line, Note, NoteError};
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};

/// What a signature's line begins with.
pub(super) const DASH: &str = "\u{2014} ";

/// Standard base64 with padding.
pub(in crate::log) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard base64; no other text stands for the same bytes.
pub(in crate::log) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(super) fn note(note: &str) -> Result<Note, NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLong(note.len()));
    }
    let (head, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed("no empty line"))?;
    let head = &note[..=head.len()];
    text(head)?;
    let lines: Vec<_> = lines.split_inclusive('\n').take(NOTE_SIGNATURES_MAX + 1).collect();
    if lines.is_empty() {
        return Err(NoteError::Malformed("no signature"));
    }
    if lines.len() > NOTE_SIGNATURES_MAX {
        return Err(NoteError::TooMany);
    }
    let lines = lines.into_iter().map(line).collect::<Result<_, _>>()?;
    Ok(Note { text: head.to_owned(), lines })
}

/// Checks a text that is to be signed: lines without control characters.
pub(super) fn text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed("no final line feed"));
    }
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::Malformed("a control character"));
    }
    Ok(())
}

pub(super) fn line(line: &str) -> Result<Line, NoteError> {
    let parts = line.strip_prefix(DASH).and_then(|line| line.strip_suffix('\n'));
    let (key, signature) = parts
        .and_then(|parts| parts.split_once(' '))
        .ok_or(NoteError::Malformed("no line of a signature"))?;
    name(key)?;
    let bytes = unbase64(signature).ok_or(NoteError::Malformed("a signature is not base64"))?;
    match bytes.split_first_chunk() {
        Some((id, signature)) if !signature.is_empty() => {
            Ok(Line { name: key.to_owned(), id: *id, signature: signature.to_vec() })
        }
        _ => Err(NoteError::Malformed("a signature is too short")),
    }
}

/// Checks a key's name: not empty, without spaces, plus signs and control characters.
pub(super) fn name(name: &str) -> Result<(), NoteError> {
    let wrong = |char: char| char.is_whitespace() || char < ' ' || char == '+';
    if name.is_empty() || name.contains(wrong) {
        return Err(NoteError::Name(name.to_owned()));
    }
    Ok(())
}
