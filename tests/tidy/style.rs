//! Rules of STYLE that neither rustfmt nor clippy knows.

use crate::{Violation, code::Code};

/// Lines of one file; past it a reader needs a table of contents.
const LINES_MAX: usize = 600;

pub(crate) fn module_comment(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".rs") || text.starts_with("//! ") {
        return Vec::new();
    }
    vec![Violation::new(path, 1, "does not begin with `//!` and what the file is")]
}

pub(crate) fn length(path: &str, text: &str) -> Vec<Violation> {
    let lines = text.lines().count();
    if !path.ends_with(".rs") || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![Violation::new(path, LINES_MAX + 1, format!("{lines} lines, more than {LINES_MAX}"))]
}

/// Modules are `foo.rs` with `foo/`; unit tests of a library stand in `foo/tests.rs`.
pub(crate) fn layout(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    if path.ends_with("/mod.rs") {
        violations.push(Violation::new(path, 1, "a module is foo.rs beside foo/, never mod.rs"));
    }
    let code = Code::new(text);
    let lines = (1..).zip(code.code.lines());
    violations.extend(lines.filter(|(_, line)| line.trim_end().ends_with("mod tests {")).map(
        |(line, _)| Violation::new(path, line, "tests stand in a file of their own, foo/tests.rs"),
    ));
    violations
}

/// Marks of unfinished work say why and what is missing, in four words or more.
pub(crate) fn unfinished(path: &str, text: &str) -> Vec<Violation> {
    let comments = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rs") => Code::new(text).comments,
        Some("toml" | "proto" | "yml" | "md") => text.to_owned(),
        _ if path == ".ci/run" => text.to_owned(),
        _ => return Vec::new(),
    };
    let mut violations = Vec::new();
    for (line, text) in (1..).zip(comments.lines()) {
        for mark in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")] {
            let Some((_, reason)) = text.split_once(mark) else { continue };
            if reason.split(|char: char| !char.is_alphanumeric()).filter(|w| !w.is_empty()).count()
                < 4
            {
                violations.push(Violation::new(path, line, format!("{mark} without a reason")));
            }
        }
    }
    violations
}

/// Tests neither hide nor wait: no ignored ones, no expected panics, no sleeping.
pub(crate) fn honest_tests(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let code = Code::new(text);
    let mut violations = Vec::new();
    for (line, text) in (1..).zip(code.code.lines()) {
        let packed: String = text.chars().filter(|char| !char.is_whitespace()).collect();
        if packed.contains("#[ignore") || (packed.contains("cfg_attr") && packed.contains("ignore"))
        {
            violations.push(Violation::new(path, line, "an ignored test tests nothing"));
        }
        if packed.contains("should_panic") {
            violations.push(Violation::new(path, line, "any panic satisfies should_panic"));
        }
    }
    let is_test =
        path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs");
    let sleeps = ["sleep", "sleep_ms", "sleep_until", "park_timeout"];
    violations.extend(
        code.identifiers()
            .filter(|(_, word)| is_test && sleeps.contains(word))
            .map(|(line, _)| Violation::new(path, line, "a test waits for events, not for time")),
    );
    violations
}

#[test]
fn a_file_without_its_sentence_is_found() {
    assert_eq!(module_comment("a.rs", "use std::fmt;\n").len(), 1);
    assert_eq!(module_comment("a.rs", "//!\n").len(), 1);
    assert_eq!(module_comment("a.rs", "//! What it is.\n"), []);
    assert_eq!(module_comment("a.toml", "[x]\n"), []);
}

#[test]
fn a_file_past_its_length_is_found() {
    assert_eq!(length("a.rs", &"//! x\n".repeat(600)), []);
    let found = length("a.rs", &"//! x\n".repeat(601));
    assert_eq!(found.iter().map(|v| v.line).collect::<Vec<_>>(), [601]);
}

#[test]
fn modules_and_tests_out_of_place_are_found() {
    assert_eq!(layout("node/src/net/mod.rs", "//! x\n").len(), 1);
    assert_eq!(layout("a.rs", "//! x\n#[cfg(test)]\nmod tests {\n}\n")[0].line, 3);
    assert_eq!(layout("a.rs", "//! x\n#[cfg(test)]\nmod tests;\n"), []);
}

#[test]
fn a_mark_of_unfinished_work_without_reason_is_found() {
    let mark = concat!("TO", "DO");
    assert_eq!(unfinished("a.rs", &format!("//! x\n// {mark}: faster\n"))[0].line, 2);
    assert_eq!(unfinished("a.toml", &format!("x = 1 # {mark}\n")).len(), 1);
    assert_eq!(unfinished("a.rs", &format!("let x = \"{mark}\";\n")), []);
    let reason = format!("// {mark}: quinn 0.12 exposes the window; until then we guess\n");
    assert_eq!(unfinished("a.rs", &reason), []);
}

#[test]
fn tests_that_hide_or_wait_are_found() {
    let found = |path, text| honest_tests(path, text).len();
    assert_eq!(found("tests/e2e/main.rs", "#[ignore]\nfn f() {}"), 1);
    assert_eq!(found("tests/e2e/main.rs", "#[ignore = \"slow\"]\nfn f() {}"), 1);
    assert_eq!(found("a/src/b/tests.rs", "#[ should_panic ]\nfn f() {}"), 1);
    assert_eq!(found("a/src/b/tests.rs", "std::thread::sleep(d);"), 1);
    assert_eq!(found("a/src/b/tests/c.rs", "tokio::time::sleep(d).await;"), 1);
    assert_eq!(found("a/src/b.rs", "tokio::time::sleep(d).await;"), 0);
    assert_eq!(found("a/src/b/tests.rs", "// never sleep\nlet s = \"sleep 600\";"), 0);
}
