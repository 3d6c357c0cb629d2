//! The bound of a file's length, and what cannot be read.

use std::{env, fs, process};

use super::*;

/// A file with this in it, and its own name.
fn with(name: &str, bytes: &[u8], check: impl FnOnce(&Path)) {
    let path = env::temp_dir().join(format!("comity-netsim-{}-{name}", process::id()));
    fs::write(&path, bytes).unwrap();
    check(&path);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_file_may_be_as_long_as_its_bound_and_no_longer() {
    // The bound goes through its last character.
    with("long.toml", "a = 'é'".as_bytes(), |path| {
        assert_eq!(read(path, 8).unwrap(), "a = 'é'");
        for bytes_max in [7, 6, 5, 0] {
            let error = read(path, bytes_max).unwrap_err().to_string();
            assert_eq!(error, format!("{} has more than {bytes_max} bytes", path.display()));
        }
    });
}

#[test]
fn what_is_no_text_is_refused_with_its_file() {
    with("bytes.toml", &[0xff], |path| {
        let error = read(path, 8).unwrap_err();
        assert_eq!(error.to_string(), format!("{} cannot be read", path.display()));
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.contains("invalid utf-8"), "{why}");
    });
}
