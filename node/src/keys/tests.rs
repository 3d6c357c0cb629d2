//! Key files: made once, never shared, never overwritten.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_same_key_comes_back() {
    let folder = folder();
    let path = folder.path().join("new/node.key");
    let made = load_or_create(&path).unwrap();
    assert_eq!(load_or_create(&path).unwrap().public(), made.public());
    assert_eq!(load(&path).unwrap().public(), made.public());
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "only the key is left");
}

#[test]
fn a_new_file_is_its_owners_alone() {
    let folder = folder();
    let path = folder.path().join("node.key");
    create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let folder = folder();
    let path = folder.path().join("node.key");
    let made = create(&path).unwrap();
    assert!(matches!(create(&path), Err(KeyError::Create { source, .. })
        if source.kind() == io::ErrorKind::AlreadyExists));
    assert_eq!(load(&path).unwrap().public(), made.public());
}

#[test]
fn a_readable_file_is_refused_with_a_way_to_mend_it() {
    let folder = folder();
    let path = folder.path().join("node.key");
    create(&path).unwrap();
    for mode in [0o640, 0o604, 0o610] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = load_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Shared { mode: got, .. } if got == mode), "{error}");
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
}

#[test]
fn anything_but_a_whole_seed_is_refused_and_kept() {
    let folder = folder();
    let path = folder.path().join("node.key");
    create(&path).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let digits = whole.trim();
    for text in ["", "\n", &digits[..62], &digits[..63], &format!("{digits}00"), &"x".repeat(64)] {
        fs::write(&path, text).unwrap();
        let error = load_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Malformed { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(text.len() < 60 || !error.to_string().contains(&text[..16]), "prints the secret");
    }
    assert!(matches!(load(folder.path()), Err(KeyError::NotAFile(_) | KeyError::Shared { .. })));
}
