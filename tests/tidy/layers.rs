//! Who may see what: each library and each effect has its place. Not the crates' dependencies.

use crate::{Violation, code::Code};

/// A set of names and the only places that may name them.
pub(crate) struct Layer {
    /// The invariant in the words of README.md.
    pub(crate) sentence: &'static str,
    /// Identifiers.
    names: &'static [&'static str],
    /// Only files under this prefix are asked; empty for all.
    scope: &'static str,
    /// Modules, without `.rs`, or folders, with a slash.
    pub(crate) places: &'static [&'static str],
}

/// Places that no file has yet; they come with the code that is planned for them.
pub(crate) const PLANNED: &[&str] = &[];

pub(crate) const LAYERS: &[Layer] = &[
    Layer {
        sentence: "Only `protocol::wire` sees prost types.",
        names: &["prost", "prost_build", "prost_types", "protox", "pb"],
        scope: "",
        places: &["protocol/src/wire", "protocol/build"],
    },
    Layer {
        sentence: "Only `node::net::control` sees libp2p.",
        names: &["libp2p"],
        scope: "",
        places: &["node/src/net/control"],
    },
    Layer {
        sentence: "Of libp2p, `node::net::tls` and `client::tls` see its certificates alone",
        names: &["libp2p_tls"],
        scope: "",
        places: &["node/src/net/tls", "client/src/tls"],
    },
    Layer {
        sentence: "and its identities stay within `node::net` and `client::tls`.",
        names: &["libp2p_identity"],
        scope: "",
        places: &["node/src/net", "client/src/tls"],
    },
    Layer {
        sentence: "Only `node::net::data` and `client` see quinn.",
        names: &["quinn"],
        scope: "",
        places: &["node/src/net/data", "client/"],
    },
    Layer {
        sentence: "`netsim::packet` and congestion control alone see quinn-proto.",
        names: &["quinn_proto"],
        scope: "",
        places: &["netsim/src/packet", "node/src/net/data/congestion"],
    },
    Layer {
        sentence: "Only `shard` sees candle.",
        names: &["candle", "candle_core", "candle_nn", "candle_transformers"],
        scope: "",
        places: &["node/shard/"],
    },
    Layer {
        sentence: "Only `node::store` sees sled.",
        names: &["sled"],
        scope: "",
        places: &["node/src/store"],
    },
    Layer {
        sentence: "In `netsim`, only `relay` touches real sockets and real time.",
        names: &["tokio", "SystemTime", "TcpStream", "TcpListener", "UdpSocket", "thread"],
        scope: "netsim/",
        places: &["netsim/src/relay"],
    },
    Layer {
        sentence: "Of real time, `packet` alone names its type, which quinn-proto takes.",
        names: &["Instant"],
        scope: "netsim/",
        places: &["netsim/src/relay", "netsim/src/packet"],
    },
];

/// Whether `path` is the module or in the folder that `place` names.
pub(crate) fn within(path: &str, place: &str) -> bool {
    if place.ends_with('/') {
        return path.starts_with(place);
    }
    path.strip_prefix(place).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

pub(crate) fn check(path: &str, text: &str) -> Vec<Violation> {
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let code = Code::new(text);
    let foreign: Vec<&Layer> = LAYERS
        .iter()
        .filter(|layer| path.starts_with(layer.scope))
        .filter(|layer| !layer.places.iter().any(|place| within(path, place)))
        .collect();
    let names = code.identifiers().filter_map(|(line, word)| {
        let layer = foreign.iter().find(|layer| layer.names.contains(&word))?;
        // The simulator has an `Instant` of its own, in virtual time.
        let own = word == "Instant" && !real_instant(code.code.lines().nth(line - 1)?);
        if own {
            return None;
        }
        Some(Violation::new(path, line, format!("names `{word}`: {}", layer.sentence)))
    });
    names.collect()
}

/// Whether the line imports the machine's `Instant` or reads its clock.
fn real_instant(line: &str) -> bool {
    line.contains("time::") || line.contains("Instant::now")
}

#[test]
fn a_name_outside_its_place_is_found_with_its_line() {
    let samples = [
        ("node/src/executor.rs", "use candle_core::Tensor;"),
        ("node/src/sessions.rs", "fn f(c: quinn::Connection) {}"),
        ("node/src/net/data.rs", "use libp2p::PeerId;"),
        ("node/src/keys.rs", "use libp2p_identity::Keypair;"),
        ("node/src/net/data/dial.rs", "use libp2p_tls as t;"),
        ("protocol/src/receipt.rs", "use crate::wire::pb;"),
        ("protocol/src/receipt.rs", "use prost::Message;"),
        ("node/src/log.rs", "let db = sled::open(path);"),
        ("tests/e2e/main.rs", "use candle_core::Device;"),
        ("netsim/src/mesh.rs", "let t = std::time::Instant::now();"),
        ("netsim/src/link.rs", "use quinn_proto::Connection;"),
    ];
    for (path, line) in samples {
        let text = format!("//! Sample.\n{line}\n");
        let found = check(path, &text);
        assert_eq!(found.len(), 1, "{path}: {line}");
        assert_eq!((found[0].path.as_str(), found[0].line), (path, 2));
    }
}

#[test]
fn a_name_at_its_place_or_in_a_comment_is_not_found() {
    let samples = [
        ("node/shard/src/block.rs", "use candle_core::Tensor;"),
        ("node/src/net/data/dial.rs", "use quinn::Endpoint;"),
        ("client/src/client.rs", "use quinn::Endpoint;"),
        ("node/src/net/control/actor.rs", "use libp2p::Swarm;"),
        ("protocol/src/wire/session.rs", "use super::pb;"),
        ("node/src/store.rs", "use sled::Db;"),
        ("node/src/log.rs", "// sled holds the index"),
        ("node/src/log.rs", "let name = \"sled\";"),
        ("netsim/src/relay.rs", "use tokio::net::UdpSocket;"),
        ("netsim/src/link.rs", "use crate::clock::Instant;"),
        ("node/src/clock.rs", "let t = std::time::Instant::now();"),
    ];
    for (path, text) in samples {
        assert_eq!(check(path, text), [], "{path}: {text}");
    }
    assert!(!within("node/src/net/database.rs", "node/src/net/data"));
}
