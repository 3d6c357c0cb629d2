//! The committed vectors: text files of hexadecimal bytes, blanks ignored.

use std::{env, fs, path::PathBuf};

/// Bytes of one line of a vector file.
const LINE_BYTES: usize = 48;

pub(crate) fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/conformance/vectors", name].iter().collect()
}

pub(crate) fn text(name: &str) -> String {
    let path = path(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes in the vector `name`.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let digits: String = text(name).split_whitespace().collect();
    bytes(&digits)
}

/// Compares `bytes` with the vector `name`, or writes it if asked to.
pub(crate) fn check(name: &str, bytes: &[u8]) {
    if env::var_os("COMITY_BLESS").is_some() {
        let lines: Vec<String> = bytes.chunks(LINE_BYTES).map(hex).collect();
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), lines.join("\n") + "\n").unwrap();
    }
    assert_eq!(hex(&read(name)), hex(bytes), "bytes of {name}");
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}
