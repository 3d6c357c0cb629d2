//! Text signed by any number of keys, as C2SP signed-note has it. Not what the text says.
//!
//! A note is a text, an empty line, and a line for each signature: `— NAME BASE64(id ‖ signature)`.
//! Lines of keys that the reader does not know are ignored; a line of a known key that does not
//! hold makes the whole note worthless.
//!
//! Ids are short enough to be made equal on purpose. Where a reader knows several keys of one name
//! and id, a line counts for the one under which it holds, and is false if it holds under none.
//!
//! Source: C2SP signed-note v1.0.0, which leaves open what becomes of such keys.

mod key;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

pub use key::{Key, Scheme};
pub(super) use parse::{base64, unbase64};

use crate::{
    limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX},
    signed::NodeKey,
};

/// A text with its signatures: well-formed, but nothing is known of the signatures yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    lines: Vec<Line>,
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the key that claims to have signed.
    name: String,
    /// Its id; see [`Key::id`].
    id: [u8; 4],
    /// What follows the id; at least one byte.
    signature: Vec<u8>,
}

/// A signature that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Valid {
    /// Which of the keys given has signed.
    pub key: usize,
    /// When, in seconds since the Unix epoch; `None` under [`Scheme::Note`].
    pub seconds: Option<u64>,
}

/// Why a text is no note, or a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Too long to be read.
    #[error("note of {0} bytes, more than {NOTE_BYTES_MAX}")]
    TooLong(usize),
    /// Not of the form of a note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// More signatures than are looked at.
    #[error("more than {NOTE_SIGNATURES_MAX} signatures")]
    TooMany,
    /// A key's name that no line can carry.
    #[error("{0:?} is no name of a key")]
    Name(String),
    /// A known key's signature does not hold.
    #[error("signature of {0} does not hold")]
    Signature(String),
    /// No known key has signed.
    #[error("no known key has signed")]
    Unsigned,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] if it is too long or malformed.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        parse::note(note)
    }

    /// Signs `text`, which ends with a line feed, under [`Scheme::Note`].
    ///
    /// # Errors
    /// [`NoteError`] if no note can carry the text or the name.
    pub(super) fn sign(text: &str, name: &str, key: &NodeKey) -> Result<Self, NoteError> {
        parse::text(text)?;
        parse::name(name)?;
        let id = Key::new(name, key.public(), Scheme::Note).id();
        let signature = key.sign_text(text).to_vec();
        let mut note = Self { text: text.to_owned(), lines: Vec::new() };
        note.add(Line { name: name.to_owned(), id, signature })?;
        Ok(note)
    }

    /// What is signed, with its final line feed. To be ignored until [`Self::verify`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a signature, in place of an earlier one of the same key.
    ///
    /// # Errors
    /// [`NoteError`] if the note would pass a limit; it is then as before.
    pub fn add(&mut self, line: Line) -> Result<(), NoteError> {
        let same = |old: &Line| (&old.name, old.id) == (&line.name, line.id);
        let mut lines = self.lines.clone();
        match lines.iter().position(same) {
            Some(index) => lines[index] = line,
            None => lines.push(line),
        }
        if lines.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooMany);
        }
        let note = Self { text: self.text.clone(), lines };
        let bytes = note.to_string().len();
        if bytes > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong(bytes));
        }
        *self = note;
        Ok(())
    }

    /// The note with the first signature alone of each of `keys`.
    #[must_use]
    pub fn only(&self, keys: &[Key]) -> Self {
        let first = |key: &Key| self.lines.iter().find(|line| line.is_of(key)).cloned();
        Self { text: self.text.clone(), lines: keys.iter().filter_map(first).collect() }
    }

    /// Checks every signature of a known key; returns those signatures, in the note's order.
    ///
    /// # Errors
    /// [`NoteError::Signature`] if one does not hold, [`NoteError::Unsigned`] if there is none.
    pub fn verify(&self, keys: &[Key]) -> Result<Vec<Valid>, NoteError> {
        let mut valid = Vec::new();
        for line in &self.lines {
            let mut known = keys.iter().enumerate().filter(|(_, key)| line.is_of(key)).peekable();
            if known.peek().is_none() {
                continue;
            }
            let holds = |(index, key): (usize, &Key)| {
                let seconds = key.check(&self.text, &line.signature)?;
                Some(Valid { key: index, seconds })
            };
            let found = known.find_map(holds);
            valid.push(found.ok_or_else(|| NoteError::Signature(line.name.clone()))?);
        }
        if valid.is_empty() { Err(NoteError::Unsigned) } else { Ok(valid) }
    }
}

impl fmt::Display for Note {
    /// Writes what [`Note::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

impl Line {
    /// Reads one line, with its final line feed.
    ///
    /// # Errors
    /// [`NoteError`] if it is no signature's line.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        parse::line(line)
    }

    /// A line that carries `signature` by `key`.
    pub(super) fn new(key: &Key, signature: Vec<u8>) -> Self {
        Self { name: key.name().to_owned(), id: key.id(), signature }
    }

    fn is_of(&self, key: &Key) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

impl fmt::Display for Line {
    /// Writes what [`Line::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.signature].concat();
        writeln!(f, "{}{} {}", parse::DASH, self.name, base64(&bytes))
    }
}
