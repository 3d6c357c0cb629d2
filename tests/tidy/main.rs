//! The rules of the house, checked on the tree itself. Not behaviour, which the other tiers test.
//!
//! Each rule is a function from a file's path and text to violations, so that each has a sample that
//! breaks it. What README.md calls an invariant stands in [`layers::LAYERS`] in the same words.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod code;
mod hygiene;
mod layers;
mod manifests;
mod purity;
mod schema;
mod style;
mod tree;

use std::fmt;

use tree::Tree;

/// A rule broken at one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    /// Path from the root, with forward slashes.
    path: String,
    /// Line, from 1.
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), line, message: message.to_string() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// A rule over one file.
type Rule = fn(&str, &str) -> Vec<Violation>;

const RULES: &[Rule] = &[
    layers::check,
    purity::check,
    manifests::check,
    style::module_comment,
    style::length,
    style::layout,
    style::unfinished,
    style::honest_tests,
    schema::documented,
    schema::place,
    hygiene::hosts,
    hygiene::paths,
];

#[test]
fn the_tree_keeps_the_rules_of_the_house() {
    let tree = Tree::read();
    let mut violations: Vec<Violation> = tree
        .files()
        .flat_map(|(path, text)| RULES.iter().flat_map(move |rule| rule(path, text)))
        .collect();
    violations.sort();
    let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "{} violations:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn the_readme_states_every_invariant_that_is_checked() {
    let tree = Tree::read();
    let words = |text: &str| text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ");
    let readme = words(tree.text("README.md"));
    for sentence in layers::LAYERS.iter().map(|layer| layer.sentence).chain([purity::SENTENCE]) {
        assert!(readme.contains(&words(sentence)), "README.md lacks: {sentence}");
    }
}

#[test]
fn every_layer_names_files_that_exist() {
    let tree = Tree::read();
    for layer in layers::LAYERS {
        for place in layer.places {
            let exists = tree.files().any(|(path, _)| layers::within(path, place));
            let planned = layers::PLANNED.contains(place);
            assert!(exists != planned, "{place}: exists {exists}, planned {planned}");
        }
    }
}
