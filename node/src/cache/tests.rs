//! Two processes never fill one place; nothing temporary remains.

use super::*;

#[test]
fn second_holder_waits_until_the_first_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("cache"));
    let lock = cache.try_lock("m").unwrap().expect("nobody holds it");
    assert!(cache.try_lock("m").unwrap().is_none());
    assert!(cache.try_lock("other").unwrap().is_some());
    drop(lock);
    assert!(cache.try_lock("m").unwrap().is_some());
}

#[test]
fn temporary_folder_starts_empty_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().to_owned());
    let lock = cache.try_lock("m").unwrap().unwrap();
    let left = folder.path().join("temp/m");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("rest"), "of a killed process").unwrap();
    let temp = cache.temp("m", &lock).unwrap();
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    fs::write(temp.path().join("new"), "x").unwrap();
    drop(temp);
    assert!(!left.exists());
}

#[test]
fn digest_of_a_file_is_that_of_its_bytes_and_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let bytes = vec![7; CHUNK_BYTES + 1];
    fs::write(&path, &bytes).unwrap();
    assert_eq!(digest_file(&path, &|| false).unwrap(), Some(Digest::of(&bytes)));
    assert_eq!(digest_file(&path, &|| true).unwrap(), None);
}

#[test]
fn full_disk_is_told_apart() {
    let error = CacheError::write(Path::new("f"), 5, io::ErrorKind::StorageFull.into());
    assert!(error.to_string().contains("disk is full"), "{error}");
}
