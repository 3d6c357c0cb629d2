//! The files of the vectors. Not how they are made.

use std::{collections::BTreeMap, env, fs};

use comity_protocol::{charter::SignedCharter, id::Digest, time::Timestamp, wire::Wire as _};
use serde_json::{Value, json};

use super::{Case, Expect};
use crate::vectors;

const INDEX: &str = "bundles/index.json";
const PARTS: &str = "bundles/parts.json";
/// Digits of a part's name.
const NAME_DIGITS: usize = 8;

/// Compares `cases` with the committed ones, or writes them if asked to.
pub(super) fn check(cases: &[Case]) {
    if env::var_os("COMITY_BLESS").is_some() {
        write(cases);
    }
    let committed = read();
    for (case, committed) in cases.iter().zip(&committed) {
        assert!(case == committed, "{}: not what is committed: {:?}", case.name, case.expect);
    }
    assert_eq!(cases.len(), committed.len());
}

/// The committed vectors.
pub(super) fn read() -> Vec<Case> {
    let parse = |name| serde_json::from_str::<Value>(&vectors::text(name)).unwrap();
    let (index, parts) = (parse(INDEX), parse(PARTS));
    let part = |name: &Value| vectors::bytes(parts[name.as_str().unwrap()].as_str().unwrap());
    let case = |value: &Value| Case {
        name: value["name"].as_str().unwrap().to_owned(),
        bytes: value["bundle"].as_array().unwrap().iter().flat_map(part).collect(),
        genesis: value["genesis"].as_str().unwrap().parse::<Digest>().unwrap(),
        charters: value["charters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| charter(&part(it)))
            .collect(),
        now: Timestamp::from_ms(value["now_ms"].as_u64().unwrap()),
        expect: expect(&value["expect"]),
    };
    index.as_array().unwrap().iter().map(case).collect()
}

fn charter(bytes: &[u8]) -> SignedCharter {
    SignedCharter::decode(bytes).unwrap()
}

fn expect(value: &Value) -> Expect {
    match value["code"].as_str() {
        Some(code) => {
            let field = value["field"].as_str().unwrap().to_owned();
            Expect::Fault { code: code.to_owned(), field }
        }
        None => {
            assert_eq!(value["verified"], true);
            let (complete, witnessed) = (&value["complete"], &value["witnessed"]);
            let (complete, witnessed) = (complete.as_bool().unwrap(), witnessed.as_bool().unwrap());
            Expect::Verified { complete, witnessed }
        }
    }
}

/// Writes one vector and one part a line, so that a change shows as what it is.
fn write(cases: &[Case]) {
    let mut parts = BTreeMap::new();
    let mut add = |bytes: &[u8]| {
        let name = Digest::of(bytes).to_string()[..NAME_DIGITS].to_owned();
        parts.insert(name.clone(), vectors::hex(bytes));
        name
    };
    let mut lines = Vec::new();
    for case in cases {
        let bundle: Vec<_> = split(&case.bytes).into_iter().map(&mut add).collect();
        let charters: Vec<_> = case.charters.iter().map(|it| add(&it.encode())).collect();
        let expect = match &case.expect {
            Expect::Fault { code, field } => json!({ "code": code, "field": field }),
            Expect::Verified { complete, witnessed } => {
                json!({ "verified": true, "complete": complete, "witnessed": witnessed })
            }
        };
        let fields = [
            ("name", json!(case.name)),
            ("expect", expect),
            ("genesis", json!(case.genesis.to_string())),
            ("now_ms", json!(case.now.as_ms())),
            ("charters", json!(charters)),
            ("bundle", json!(bundle)),
        ];
        let fields = fields.map(|(name, value)| format!("\"{name}\": {value}"));
        lines.push(format!("{{{}}}", fields.join(", ")));
    }
    let parts: Vec<_> =
        parts.iter().map(|(name, digits)| format!("\"{name}\": \"{digits}\"")).collect();
    fs::create_dir_all(vectors::path(INDEX).parent().unwrap()).unwrap();
    fs::write(vectors::path(INDEX), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    fs::write(vectors::path(PARTS), format!("{{\n{}\n}}\n", parts.join(",\n"))).unwrap();
}

/// The fields of a bundle, framing included; whatever is none is the last part.
pub(super) fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(length) = field_length(bytes).filter(|length| *length < bytes.len()) {
        let (field, rest) = bytes.split_at(length);
        parts.push(field);
        bytes = rest;
    }
    parts.push(bytes);
    parts
}

/// Bytes of the field at the start: a tag of one byte, a length of at most three, and its content.
fn field_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(3).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(2 + index + length);
        }
    }
    None
}
