//! The commands of the binary `comity-netsim`, one module each, and what they share. Not what they
//! call.
//!
//! Exit codes are those of `comity`: 0 done, 1 a check or the command failed, 2 incomplete, 64 used
//! wrongly. Answers go to standard output, everything else to standard error.

pub mod buy;
pub mod calibrate;
pub mod fail;
pub mod link;
pub mod plan;
mod progress;
pub mod run;
pub mod sweep;
pub mod validate;

use std::io::{self, Write as _};

use serde_json::Value;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// A check failed, and the command said which.
    Failed,
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
        }
    }
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
