//! The commands of the binary `comity`, one module each, and what they share. Not what they call.
//!
//! Exit codes are the same everywhere: 0 done, 1 a check or the command failed, 2 incomplete,
//! 64 used wrongly. Answers go to standard output, everything else to standard error.

pub mod account;
pub mod answer;
pub mod charter;
pub mod chat;
pub mod connect;
pub mod demo;
pub mod generate;
pub mod invite;
pub mod join;
pub mod key;
pub mod log;
pub mod model;
pub mod policy;
pub mod pull;
pub mod roster;
pub mod sampling;
pub mod status;
pub mod up;
pub mod verify;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use comity_protocol::{id::Digest, time::Timestamp};
use serde_json::Value;

use crate::files;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// A check failed, and the command said which.
    Failed,
    /// What there is was done or holds, but it is not the whole.
    Incomplete,
}

impl Outcome {
    /// The exit code of a command that was used wrongly (`EX_USAGE` of sysexits).
    pub const USAGE: u8 = 64;

    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Incomplete => 2,
        }
    }
}

/// Why a file of the command line was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is longer than such a file can be.
    #[error("{path} has more than {max} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes such a file may have.
        max: usize,
    },
    /// It is no text.
    #[error("{path} is no UTF-8 text")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Reads a file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: usize) -> Result<Vec<u8>, FileError> {
    let bytes = files::read(path, max)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    bytes.ok_or_else(|| FileError::TooLong { path: path.to_owned(), max })
}

/// Reads a text of at most `max` bytes.
pub(crate) fn read_text(path: &Path, max: usize) -> Result<String, FileError> {
    let bytes = read(path, max)?;
    String::from_utf8(bytes).map_err(|_| FileError::NotText { path: path.to_owned() })
}

/// Writes a file whole or not at all: beside its place first, then renamed into it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    files::replace(path, bytes).map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// Prints text for people or pipes. A reader that left is no error of ours.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints one JSON object on one line.
pub(crate) fn print_json(value: &Value) {
    print(&format!("{value}\n"));
}

/// Says something to the person at the terminal, beside the answer.
pub fn note(text: &str) {
    // Standard error may be closed; there is nobody to tell then.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A hash as it is read out: in groups of four digits.
pub(crate) fn fingerprint(hash: &Digest) -> String {
    let digits = hash.to_string();
    let groups: Vec<_> = digits.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

/// A time for people, to the second, in UTC.
pub(crate) fn date(time: Timestamp) -> String {
    // The last second of the year 9999: no field for the year holds more.
    const LAST_MS: u64 = 253_402_300_799_000;
    let since_1970 = Duration::from_millis(time.as_ms().min(LAST_MS));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since_1970)
}

/// Text from elsewhere as a terminal may show it: no control characters but line ends and tabs.
///
/// A model or a node must not move the cursor or rename the window. Pipes get the bytes as they are.
pub(crate) fn shown(text: &str) -> String {
    if !io::stdout().is_terminal() {
        return text.to_owned();
    }
    text.chars().filter(|char| !char.is_control() || matches!(char, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests;
