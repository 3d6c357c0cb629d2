//! The hashes beside the log under crashes, damage and loss.

use std::fs;

use comity_protocol::log::tree::{check_consistency, check_inclusion};
use tempfile::TempDir;

use super::{super::Log, *};

fn record(number: u64) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

/// A log of `size` records, opened and closed.
async fn written(size: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(folder.path()).unwrap();
    append(&log, 0..size).await;
    log.close().await;
    folder
}

/// Appends and waits until others may see the hashes.
async fn append(log: &Log, numbers: std::ops::Range<u64>) {
    let mut grown = log.grown();
    for number in numbers.clone() {
        log.append(record(number)).await.unwrap();
    }
    grown.wait_for(|tree| tree.size() >= numbers.end).await.unwrap();
}

fn frontier(size: u64) -> (Frontier, Vec<Digest>) {
    let (mut frontier, mut list) = (Frontier::default(), Vec::new());
    (0..size).for_each(|number| frontier.append(leaf_hash(&record(number)), &mut list));
    (frontier, list)
}

#[tokio::test]
async fn proofs_hold_for_every_record_and_every_size_the_log_had() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(folder.path()).unwrap();
    assert_eq!(log.tree(), (0, Digest::of(&[])));
    append(&log, 0..21).await;
    let ((size, root), hashes) = (log.tree(), log.hashes().unwrap());
    assert_eq!((size, root), (21, frontier(21).0.root()));
    for index in 0..size {
        let proof = hashes.inclusion(index, size).unwrap();
        check_inclusion(&leaf_hash(&record(index)), index, size, &root, &proof).unwrap();
        let (old, proof) = (frontier(index).0.root(), hashes.consistency(index, size).unwrap());
        check_consistency((index, &old), (size, &root), &proof).unwrap();
    }
    assert!(matches!(hashes.inclusion(21, 21), Err(TreeError::Index { .. })));
}

#[tokio::test]
async fn a_file_that_is_missing_short_torn_long_or_damaged_is_mended() {
    let good = bytes(&frontier(21).1);
    let folder = written(21).await;
    let path = folder.path().join(HASHES_FILE);
    assert_eq!(fs::read(&path).unwrap(), good);
    let mut cases = vec![Vec::new(), [&good[..], &[7; 40]].concat(), vec![0; good.len()]];
    // Also what a crash leaves that kept the records and not their hashes.
    cases.extend([1, 31, 32, 700, good.len() - 1].map(|cut| good[..cut].to_vec()));
    for at in [0, 600, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        cases.push(damaged);
    }
    let reopened = async || {
        let (log, _) = Log::open(folder.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), good);
        assert_eq!(log.tree(), (21, frontier(21).0.root()));
        log.close().await;
    };
    for case in cases {
        fs::write(&path, case).unwrap();
        reopened().await;
    }
    fs::remove_file(&path).unwrap();
    reopened().await;
}

#[tokio::test]
async fn a_log_goes_on_from_the_hashes_it_has() {
    let folder = written(5).await;
    let (log, _) = Log::open(folder.path()).unwrap();
    append(&log, 5..12).await;
    assert_eq!(log.tree(), (12, frontier(12).0.root()));
    assert_eq!(fs::read(folder.path().join(HASHES_FILE)).unwrap(), bytes(&frontier(12).1));
    log.close().await;
}

#[test]
fn a_long_log_is_compared_in_parts() {
    let file = || tempfile::tempfile().unwrap();
    let (mut tree, size) = (Tree::new(file()), CHUNK_HASHES as u64 + 3);
    (0..size).for_each(|number| tree.mend(&record(number)).unwrap());
    tree.mended().unwrap();
    let (frontier, list) = frontier(size);
    assert_eq!((tree.frontier(), tree.kept), (&frontier, list.len() as u64));
    let mut there = vec![0; list.len() * 32];
    tree.file.read_exact_at(&mut there, 0).unwrap();
    assert!(there == bytes(&list));
}
