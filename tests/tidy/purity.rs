//! What `protocol` must not do. Clippy bans single functions there; this bans whole modules.

use crate::{
    Violation,
    code::{Code, is_word},
};

/// The invariant in the words of README.md.
pub(crate) const SENTENCE: &str =
    "`protocol` never reads a clock, draws randomness, spawns or does IO.";

/// Names with an effect behind them, wherever they stand.
const NAMES: &[&str] = &[
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "RandomState",
    "tokio",
    "rand",
    "getrandom",
    "OsRng",
    "thread_rng",
    "spawn",
    "await",
    "println",
    "eprintln",
    "thread_local",
    "libc",
];

/// Modules of `std` with an effect behind them.
const MODULES: &[&str] = &["env", "fs", "io", "os", "process", "thread"];

pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    if !path.starts_with("protocol/src/") || !path.ends_with(".rs") {
        return Vec::new();
    }
    let code = Code::new(text);
    let names = code.identifiers().filter(|(_, word)| NAMES.contains(word));
    let modules = std_modules(&code.code).into_iter().filter(|(_, word)| MODULES.contains(word));
    names
        .chain(modules)
        .map(|(line, word)| Violation::new(path, line, format!("names `{word}`: {SENTENCE}")))
        .collect()
}

/// First segments behind `std::`, written out or in a braced list, with their lines.
fn std_modules(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("std::") {
        let mut rest = at + prefix.len();
        let is_list = code[rest..].starts_with('{');
        rest += usize::from(is_list);
        // Within a list a segment is first before it and after each comma that is not nested.
        let (mut depth, mut is_first) = (0, true);
        for (offset, char) in code[rest..].char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => is_first = true,
                char if is_word(char) && is_first => {
                    let start = rest + offset;
                    let word = code[start..].split(|char| !is_word(char)).next().unwrap_or("");
                    found.push((code[..start].matches('\n').count() + 1, word));
                    is_first = false;
                }
                _ => {}
            }
            if depth < 0 || (!is_list && !is_first) {
                break;
            }
        }
    }
    found
}

#[test]
fn an_effect_in_protocol_is_found_with_its_line() {
    let samples = [
        "let now = std::time::Instant::now();",
        "use std::time::SystemTime;",
        "let seed: u64 = rand::random();",
        "getrandom::fill(&mut salt);",
        "std::thread::sleep(wait);",
        "use std::{fmt, fs, sync::Arc};",
        "use std::{collections::{BTreeMap, BTreeSet}, io::Write};",
        "use std::net::{IpAddr, UdpSocket};",
        "stream.next().await;",
        "println!(\"{token}\");",
    ];
    for line in samples {
        let text = format!("//! Sample.\n\n{line}\n");
        let found = check("protocol/src/session/home.rs", &text);
        assert!(!found.is_empty() && found.iter().all(|v| v.line == 3), "{line}: {found:?}");
        assert_eq!(check("node/src/sessions.rs", &text), [], "only protocol is pure");
    }
}

#[test]
fn types_without_effects_are_not_found() {
    let text = "use std::{\n    collections::{BTreeMap, fs},\n    net::SocketAddr,\n    time::Duration,\n};
        fn f(a: std::ops::Range<u32>) -> std::fmt::Result { io(a) }\n";
    assert_eq!(check("protocol/src/time.rs", text), []);
}
