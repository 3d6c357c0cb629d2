//! Bundles that are not the one encoding of their value, or whose values are out of bounds.

use comity_protocol::{bundle::Bundle, receipt::Opening, signed::Signed, wire::Wire as _};

use super::{
    Case,
    committed::split,
    raw::{bytes, content, edit, entries, long},
};
use crate::story::Story;

/// Tags of fields of a bundle.
const MANIFEST: u8 = 0x1A;
const OPENING: u8 = 0x3A;
const ACKNOWLEDGEMENT: u8 = 0x42;
const PROOF: u8 = 0x4A;

/// A field of at most 127 bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// The honest bundle's fields, changed, with the field at fault.
fn encodings() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let honest = Story::new().bundle().encode();
    let parts = split(&honest);
    let at = |tag: u8| parts.iter().position(|part| part[0] == tag).unwrap();
    let with = |index: usize, part: &[u8]| {
        let mut parts = parts.clone();
        parts[index] = part;
        parts.concat()
    };
    let manifest = parts[at(MANIFEST)];
    // The last byte of the length is marked as not the last, and a zero follows.
    let long_length = [&[MANIFEST, manifest[1], manifest[2] | 0x80, 0], &manifest[3..]].concat();
    let long_tag = [&[MANIFEST | 0x80, 0], &manifest[1..]].concat();
    let mut swapped = parts.clone();
    swapped.swap(at(MANIFEST), at(OPENING));
    let mut repeated = parts.clone();
    repeated.insert(at(MANIFEST), manifest);
    let continued = |more: &[u8]| [&honest[..], more].concat();
    vec![
        ("nothing", Vec::new(), "open_record"),
        ("a byte too many", continued(&[0]), "bundle"),
        ("a byte too few", honest[..honest.len() - 1].to_vec(), "bundle"),
        ("an unknown field", continued(&field(0x7A, b"more")), "bundle"),
        ("a number in place of bytes", continued(&[0x48, 1]), "bundle"),
        ("a group", continued(&[0x4B, 0x4C]), "bundle"),
        ("a length past the end", continued(&[PROOF, 5, 0]), "bundle"),
        (
            "a length of eleven bytes",
            continued(&[[PROOF].as_slice(), &[0x80; 11]].concat()),
            "bundle",
        ),
        ("a default that is written", with(at(MANIFEST), &[MANIFEST, 0]), "bundle"),
        ("a length with a byte too many", with(at(MANIFEST), &long_length), "bundle"),
        ("a tag with a byte too many", with(at(MANIFEST), &long_tag), "bundle"),
        ("fields out of order", swapped.concat(), "bundle"),
        ("a field twice", repeated.concat(), "bundle"),
        ("no receipt", with(at(0x2A), &[]), "receipt"),
        ("a short signer", with(at(ACKNOWLEDGEMENT), &envelope(3, 31)), "signed.signer"),
        ("a short signature", with(at(ACKNOWLEDGEMENT), &envelope(4, 63)), "signed.signature"),
        ("a charter's short signer", with(0, &charter(1, 31)), "signed_charter.signatures.signer"),
        (
            "a charter's short signature",
            with(0, &charter(2, 63)),
            "signed_charter.signatures.signature",
        ),
        ("a short client", with(at(OPENING), &opening_of(7, 31)), "opening.client"),
        ("an empty envelope", with(at(ACKNOWLEDGEMENT), &[ACKNOWLEDGEMENT, 0]), "signed.domain"),
        (
            "no sampling",
            with(at(OPENING), &field(OPENING, &field(0x0A, &[1; 32]))),
            "opening.sampling",
        ),
        (
            "a short salt",
            with(at(OPENING), &field(OPENING, &field(0x0A, &[1; 31]))),
            "opening.salt",
        ),
        ("no note", continued(&field(PROOF, &field(0x1A, b"no note"))), "log_proof.checkpoint"),
        ("a short hash", continued(&field(PROOF, &field(0x12, &[1; 31]))), "log_proof.hashes"),
        ("no text", continued(&field(PROOF, &field(0x1A, &[0xFF]))), "bundle"),
    ]
}

/// The acknowledgement with a field of another length.
fn envelope(number: u64, length: usize) -> Vec<u8> {
    let said = Story::new().bundle().acknowledgement.unwrap().encode();
    bytes(8, &edit(&said, number, &long(number, length)))
}

/// The opening with a field of another length.
fn opening_of(number: u64, length: usize) -> Vec<u8> {
    let bundle = Story::new().bundle().encode();
    let all = entries(&bundle);
    let (_, opening) = all.iter().find(|(number, _)| *number == 7).unwrap();
    bytes(7, &edit(content(opening), number, &long(number, length)))
}

/// The charter with one signature, of which a field has another length.
fn charter(number: u64, length: usize) -> Vec<u8> {
    let signature = edit(&[long(1, 32), long(2, 64)].concat(), number, &long(number, length));
    bytes(1, &edit(&Story::new().signed_charter().encode(), 2, &bytes(2, &signature)))
}

type Change = fn(&mut Bundle);

fn opening(bundle: &mut Bundle) -> &mut Opening {
    bundle.opening.as_mut().unwrap()
}

/// A roster so long that 256 of them make a bundle too long.
fn padded(bundle: &Bundle) -> Signed {
    Signed { payload: vec![0; 4_096].into(), ..bundle.rosters[0].clone() }
}

/// Values out of bounds, and the field that is named.
const VALUES: [(&str, Change, &str); 8] = [
    ("a temperature too high", |b| opening(b).sampling.temperature = 5_000_001, "temperature"),
    ("no top-p", |b| opening(b).sampling.top_p = 0, "top_p"),
    ("no tokens wanted", |b| opening(b).sampling.max_tokens = 0, "max_tokens"),
    ("an empty stop string", |b| opening(b).sampling.stop = vec![String::new()], "stop"),
    ("a domain too long", |b| b.receipt.domain = "x".repeat(65), "signed.domain"),
    (
        "signatures out of order",
        |b| b.charters[0].signatures.reverse(),
        "signed_charter.signatures",
    ),
    (
        "too many stage receipts",
        |b| b.stage_receipts = vec![b.stage_receipts[0].clone(); 65],
        "stage_receipts",
    ),
    ("a bundle too long", |b| b.rosters = vec![padded(b); 256], "bundle"),
];

pub(super) fn cases() -> Vec<Case> {
    let story = Story::new();
    let mut cases = vec![Case::new("honest", &story, &story.bundle())];
    for (name, bytes, field) in encodings() {
        let case = Case::new(format!("form: {name}"), &story, &story.bundle());
        cases.push(Case { bytes, ..case }.fails("E_FORMAT", field));
    }
    for (name, change, field) in VALUES {
        let mut bundle = story.bundle();
        change(&mut bundle);
        cases.push(Case::new(format!("value: {name}"), &story, &bundle).fails("E_FORMAT", field));
    }
    cases
}
