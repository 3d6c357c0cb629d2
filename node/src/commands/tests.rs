//! Files of the command line.

use super::*;

#[test]
fn file_past_its_bound_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, b"12345").unwrap();
    assert_eq!(read(&path, 5).unwrap(), b"12345");
    assert!(matches!(read(&path, 4), Err(FileError::TooLong { max: 4, .. })));
}

#[test]
fn file_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A folder stands in the place of the file.
    let path = folder.path().join("taken");
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(write(&path, b"x"), Err(FileError::Write { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn times_are_shown_in_utc_whatever_they_are() {
    assert_eq!(date(Timestamp::from_ms(1_790_000_000_999)), "Mon, 21 Sep 2026 14:13:20 GMT");
    assert_eq!(date(Timestamp::from_ms(u64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
}
