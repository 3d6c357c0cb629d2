//! Arrows between crates and pins of libraries, read from the manifests. Not versions.

use crate::Violation;

/// What a manifest may depend on.
struct Crate {
    path: &'static str,
    /// Crates of this workspace.
    arrows: &'static [&'static str],
    /// If not empty, every other library it may use: each was read for effects.
    libraries: &'static [&'static str],
}

const CRATES: &[Crate] = &[
    Crate {
        path: "protocol/Cargo.toml",
        arrows: &[],
        libraries: &[
            "base64",
            "bytes",
            "ed25519-dalek",
            "hex",
            "hmac",
            "prost",
            "prost-build",
            "proptest",
            "protox",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "zeroize",
        ],
    },
    Crate { path: "node/shard/Cargo.toml", arrows: &["comity-protocol"], libraries: &[] },
    Crate { path: "client/Cargo.toml", arrows: &["comity-protocol"], libraries: &[] },
    Crate { path: "netsim/Cargo.toml", arrows: &["comity-protocol"], libraries: &[] },
    Crate {
        path: "node/Cargo.toml",
        arrows: &["comity-client", "comity-protocol", "comity-shard"],
        libraries: &[],
    },
    Crate {
        path: "Cargo.toml",
        arrows: &[
            "comity-client",
            "comity-netsim",
            "comity-node",
            "comity-protocol",
            "comity-shard",
        ],
        libraries: &[],
    },
];

/// Libraries by prefix, and the only manifests that may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("candle", &["node/shard/Cargo.toml"]),
    ("sled", &["node/Cargo.toml"]),
    ("libp2p-identity", &["node/Cargo.toml", "client/Cargo.toml"]),
    ("libp2p-tls", &["node/Cargo.toml", "client/Cargo.toml"]),
    ("libp2p", &["node/Cargo.toml"]),
    ("quinn-proto", &["netsim/Cargo.toml", "node/Cargo.toml"]),
    ("quinn", &["node/Cargo.toml", "client/Cargo.toml"]),
    ("prost", &["protocol/Cargo.toml"]),
];

pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with("Cargo.toml") {
        return Vec::new();
    }
    // Fuzz targets and the like stand outside the workspace and go by its rules all the same.
    let Some(manifest) = CRATES.iter().find(|manifest| manifest.path == path) else {
        return vec![Violation::new(path, 1, "a crate whose arrows tests/tidy does not know")];
    };
    let mut violations = Vec::new();
    for (line, name, value) in dependencies(text) {
        let mut violate = |message: String| violations.push(Violation::new(path, line, message));
        if value.contains("package") {
            violate(format!("`{name}` hides another crate behind its name"));
        }
        if name.starts_with("comity-") {
            if !manifest.arrows.contains(&name) {
                violate(format!("no arrow leads from here to `{name}`"));
            }
        } else if !manifest.libraries.is_empty() && !manifest.libraries.contains(&name) {
            violate(format!("`{name}` is no library known to be free of effects"));
        }
        let owner = OWNERS.iter().find(|(prefix, _)| name.starts_with(prefix));
        if owner.is_some_and(|(_, owners)| !owners.contains(&path)) {
            violate(format!("`{name}` belongs to other crates"));
        }
    }
    let lints = text.contains("[lints]\nworkspace = true");
    violations.extend((!lints).then(|| Violation::new(path, 1, "does not inherit the lints")));
    violations
}

/// Names of all dependencies with their lines and values; `[workspace.dependencies]` only declares.
fn dependencies(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let mut section = "";
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(header) = text.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = header;
            if let Some((table, name)) = header.rsplit_once('.')
                && table.ends_with("dependencies")
                && !table.starts_with("workspace")
            {
                found.push((line, name, ""));
            }
        } else if section.ends_with("dependencies") && !section.starts_with("workspace") {
            let name = text.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with(['#', '}', ']', '"']) {
                found.push((line, name.trim_matches('"'), text));
            }
        }
    }
    found
}

#[test]
fn an_arrow_against_the_layers_is_found_with_its_line() {
    let samples = [
        ("client/Cargo.toml", "[dependencies]\ncomity-node.workspace = true"),
        ("netsim/Cargo.toml", "[dependencies]\ncomity-node = { path = \"../node\" }"),
        ("netsim/Cargo.toml", "[dev-dependencies]\ncandle-core.workspace = true"),
        ("netsim/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nlibp2p = \"0.57\""),
        ("protocol/Cargo.toml", "[dependencies]\ntokio = { workspace = true }"),
        ("protocol/Cargo.toml", "[x]\n[dependencies.comity-shard]\npath = \"x\""),
        ("client/Cargo.toml", "[dependencies]\nlibp2p.workspace = true"),
        ("node/Cargo.toml", "[dependencies]\ncandle-core.workspace = true"),
        ("node/shard/Cargo.toml", "[dependencies]\nsled.workspace = true"),
        ("node/Cargo.toml", "[dependencies]\nstore = { package = \"candle-core\" }"),
        ("Cargo.toml", "[dev-dependencies]\nquinn.workspace = true"),
    ];
    for (path, text) in samples {
        let text = format!("{text}\n[lints]\nworkspace = true\n");
        let found = check(path, &text);
        assert_eq!(found.len(), 1, "{path}: {text} {found:?}");
        assert_eq!(found[0].line, 2);
    }
    assert_eq!(check("node/Cargo.toml", "[dependencies]\n").len(), 1, "lints are inherited");
    assert_eq!(check("tools/Cargo.toml", "[lints]\nworkspace = true\n").len(), 1);
}

#[test]
fn declarations_and_lawful_arrows_are_not_found() {
    let samples = [
        ("Cargo.toml", "[workspace.dependencies]\nsled = \"0.34\"\ncandle-core = \"=0.11.1\""),
        ("Cargo.toml", "[profile.dev.package.comity-shard]\nopt-level = 3"),
        ("node/Cargo.toml", "[dependencies]\n# why\nsled.workspace = true\n\nquinn = \"1\""),
    ];
    for (path, text) in samples {
        assert_eq!(check(path, &format!("{text}\n[lints]\nworkspace = true\n")), [], "{text}");
    }
}
