//! Makes proofs from kept hashes. Not their checks (`check`).

use super::{Hashes, Subtree, TreeError, node_hash, subtrees};
use crate::{id::Digest, limits::LOG_SIZE_MAX};

/// The hashes that lead from leaf `index` to the root of the first `size` leaves, the leaf's
/// neighbour first; at most 62. Reads O(log² size) hashes.
///
/// # Errors
/// [`TreeError`] if there is no such leaf, the tree is too large or a hash cannot be read.
pub fn inclusion<H: Hashes>(
    index: u64,
    size: u64,
    hashes: &H,
) -> Result<Vec<Digest>, TreeError<H::Error>> {
    if index >= size {
        return Err(TreeError::Index { index, size });
    }
    if size > LOG_SIZE_MAX {
        return Err(TreeError::TooLarge(size));
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        let other = if index < middle {
            let other = (middle, end);
            end = middle;
            other
        } else {
            let other = (start, middle);
            start = middle;
            other
        };
        proof.push(range(other, hashes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show the first `new` leaves to begin with the first `old`; at most 63, none if
/// `old` is 0 or `new`. Reads O(log² new) hashes.
///
/// # Errors
/// [`TreeError`] if `old` passes `new`, the tree is too large or a hash cannot be read.
pub fn consistency<H: Hashes>(
    old: u64,
    new: u64,
    hashes: &H,
) -> Result<Vec<Digest>, TreeError<H::Error>> {
    if old > new {
        return Err(TreeError::Order { old, new });
    }
    if new > LOG_SIZE_MAX {
        return Err(TreeError::TooLarge(new));
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range((middle, end), hashes)?);
            end = middle;
        } else {
            proof.push(range((start, middle), hashes)?);
            start = middle;
        }
    }
    // What begins at 0 is the older tree itself, whose root the checker knows.
    if start > 0 {
        proof.push(range((start, end), hashes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Leaves of the left part of a tree of `size`: the largest power of two below `size`, which is at
/// least 2.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root over a range of leaves that is a node of the tree.
fn range<H: Hashes>((start, end): (u64, u64), hashes: &H) -> Result<Digest, TreeError<H::Error>> {
    let mut parts = [Subtree { start, level: 0 }; u64::BITS as usize];
    let mut count = 0;
    for subtree in subtrees(start, end) {
        parts[count] = subtree;
        count += 1;
    }
    let mut root = None;
    for subtree in parts[..count].iter().rev() {
        let left = subtree.read(hashes)?;
        root = Some(root.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(root.expect("a range that is a node has leaves"))
}
