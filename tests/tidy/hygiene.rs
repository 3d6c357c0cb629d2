//! What no committed text names: where somebody's copy stands, and from where packages come.

use crate::Violation;

/// Written in parts, or this file would break its own rule.
const HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("hugging", "face"),
    concat!("hf", ".co"),
    concat!("py", "pi.org"),
    concat!("python", "hosted"),
    concat!("rsproxy", ".cn"),
    concat!("index.", "docker"),
];

const PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!(":\\Us", "ers\\"),
];

/// Cargo writes its registry there.
const HOSTS_LAWFUL: &[&str] = &["Cargo.lock"];

pub(crate) fn hosts(path: &str, text: &str) -> Vec<Violation> {
    if HOSTS_LAWFUL.contains(&path) {
        return Vec::new();
    }
    let found = find(text, HOSTS, |before| !before.is_some_and(crate::code::is_word));
    let violation =
        |(line, host)| Violation::new(path, line, format!("names the registry `{host}`"));
    found.map(violation).collect()
}

pub(crate) fn paths(path: &str, text: &str) -> Vec<Violation> {
    // Part of a longer path or of a URL is no absolute path.
    let continues = |char| crate::code::is_word(char) || matches!(char, '.' | '}' | '-');
    let found = find(text, PATHS, |before| !before.is_some_and(continues));
    let violation =
        |(line, base)| Violation::new(path, line, format!("names a path below `{base}`"));
    found.map(violation).collect()
}

/// Lines in which one of `needles` begins behind a character where it `may`.
fn find<'a>(
    text: &'a str,
    needles: &'a [&'a str],
    may: impl Fn(Option<char>) -> bool,
) -> impl Iterator<Item = (usize, &'a str)> {
    let lines = (1..).zip(text.lines());
    let pairs =
        lines.flat_map(|(line, text)| needles.iter().map(move |needle| (line, text, *needle)));
    pairs.filter_map(move |(line, text, needle)| {
        let mut places = text.match_indices(needle);
        let found = places.any(|(at, _)| may(text[..at].chars().next_back()));
        found.then_some((line, needle))
    })
}

#[test]
fn a_registry_is_found_with_its_line() {
    for host in HOSTS {
        let text = format!("x\nget https://{host}/models\n");
        assert_eq!(hosts("README.md", &text).iter().map(|v| v.line).collect::<Vec<_>>(), [2]);
        assert_eq!(hosts("Cargo.lock", &text), []);
    }
}

#[test]
fn a_path_of_somebodys_machine_is_found_with_its_line() {
    for path in PATHS {
        let text = format!("x\nsee {path}alice/comity\n");
        assert_eq!(paths("README.md", &text).iter().map(|v| v.line).collect::<Vec<_>>(), [2]);
    }
    let lawful = format!("tests{0}x ..{0}x ${{D}}{0}x", PATHS[3]);
    assert_eq!(paths("README.md", &lawful), []);
}
