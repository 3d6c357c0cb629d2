//! Secrets are read only from files that nobody else can read.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

#[test]
fn key_file_gives_the_key_of_its_seed() {
    let (_folder, path) = file(&format!("{}\n", "07".repeat(32)), 0o600);
    let credentials = Credentials::key_file(&path).unwrap();
    assert_eq!(credentials.key.public(), NodeKey::from_seed(&[7; 32]).public());
    assert!(credentials.token.is_empty());
}

#[test]
fn secret_others_may_read_is_refused_with_its_mode() {
    for mode in [0o644, 0o640, 0o604] {
        let (_folder, path) = file("token", mode);
        let error = Credentials::token_file(&path).unwrap_err();
        assert!(matches!(error, CredentialsError::Exposed { mode: got, .. } if got == mode));
        assert!(error.to_string().contains(&format!("{mode:o}")));
    }
}

#[test]
fn token_file_must_hold_one_short_word() {
    for bad in ["", "  \n", "two words", "é", &"x".repeat(65)] {
        let (_folder, path) = file(bad, 0o600);
        let error = Credentials::token_file(&path).unwrap_err();
        assert!(matches!(error, CredentialsError::NotToken { .. }), "{bad:?}: {error}");
    }
    let (_folder, path) = file("abc\n", 0o600);
    assert_eq!(Credentials::token_file(&path).unwrap().token, "abc");
}

#[test]
fn key_file_without_a_key_names_the_file() {
    for bad in ["", "07", &"zz".repeat(32), &"07".repeat(33)] {
        let (_folder, path) = file(bad, 0o600);
        let error = Credentials::key_file(&path).unwrap_err();
        assert!(matches!(error, CredentialsError::NotKey { .. }), "{bad:?}: {error}");
    }
}

#[test]
fn debug_output_never_shows_the_token() {
    let credentials = Credentials::token("hunter2".into()).unwrap();
    assert!(!format!("{credentials:?}").contains("hunter2"));
}
