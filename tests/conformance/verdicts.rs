//! Bundles and what every verifier must say of them: the first fault, or what the bundle shows.
//!
//! `vectors/bundles/index.json` lists them; a bundle is the concatenation of parts, which stand in
//! `vectors/bundles/parts.json` once each. `verify.py` reads the same files.

mod agreements;
mod bounds;
mod charters;
mod committed;
mod contents;
mod forms;
mod logs;
mod raw;

use std::{collections::BTreeSet, time::Duration};

use comity_protocol::{
    bundle::{Bundle, Reader, verify_knowing},
    charter::SignedCharter,
    id::Digest,
    time::Timestamp,
    wire::Wire as _,
};

use crate::story::{Story, later};

/// What a verifier must say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expect {
    /// The first fault.
    Fault { code: String, field: String },
    /// What a bundle that verifies shows.
    Verified { complete: bool, witnessed: bool },
}

/// A bundle, and what its reader knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Case {
    name: String,
    bytes: Vec<u8>,
    genesis: Digest,
    charters: Vec<SignedCharter>,
    now: Timestamp,
    expect: Expect,
}

impl Case {
    /// A bundle that verifies and is complete, for a reader who knows no more than the genesis of
    /// `story`, a day later.
    fn new(name: impl Into<String>, story: &Story, bundle: &Bundle) -> Self {
        Self {
            name: name.into(),
            bytes: bundle.encode(),
            genesis: story.genesis(),
            charters: Vec::new(),
            now: later(104) + Duration::from_secs(86_400),
            expect: Expect::Verified { complete: true, witnessed: false },
        }
    }

    fn fails(mut self, code: &str, field: impl Into<String>) -> Self {
        self.expect = Expect::Fault { code: code.to_owned(), field: field.into() };
        self
    }

    fn witnessed(mut self) -> Self {
        self.expect = Expect::Verified { complete: true, witnessed: true };
        self
    }

    fn incomplete(mut self) -> Self {
        self.expect = Expect::Verified { complete: false, witnessed: false };
        self
    }

    fn knowing(mut self, charters: &[SignedCharter]) -> Self {
        self.charters = charters.to_vec();
        self
    }

    /// What this verifier says.
    fn verdict(&self) -> Expect {
        let reader = Reader { genesis: &self.genesis, charters: &self.charters, now: self.now };
        match verify_knowing(&self.bytes, reader) {
            Ok(report) => {
                Expect::Verified { complete: report.complete, witnessed: report.witnessed }
            }
            Err(error) => {
                Expect::Fault { code: error.code().to_owned(), field: error.field.clone() }
            }
        }
    }
}

fn cases() -> Vec<Case> {
    [
        forms::cases(),
        bounds::cases(),
        charters::cases(),
        contents::cases(),
        agreements::cases(),
        logs::cases(),
    ]
    .concat()
}

#[test]
fn the_committed_bundles_are_those_of_the_story() {
    committed::check(&cases());
}

#[test]
fn every_committed_bundle_gets_its_verdict() {
    for case in committed::read() {
        assert_eq!(case.verdict(), case.expect, "{}", case.name);
    }
}

#[test]
fn there_is_a_bundle_for_every_code_and_names_are_unique() {
    let cases = committed::read();
    assert!(cases.len() >= 60, "only {} bundles", cases.len());
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
    let source = include_str!("../../protocol/src/bundle/error.rs");
    let words = source.split(|char: char| !char.is_ascii_uppercase() && char != '_');
    let codes: BTreeSet<_> = words.filter(|word| word.starts_with("E_")).collect();
    assert!(codes.len() > 30, "{codes:?}");
    let expected: BTreeSet<_> = cases
        .iter()
        .filter_map(|case| match &case.expect {
            Expect::Fault { code, .. } => Some(code.as_str()),
            Expect::Verified { .. } => None,
        })
        .collect();
    assert_eq!(expected, codes);
}
