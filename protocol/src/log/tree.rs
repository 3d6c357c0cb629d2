//! The Merkle tree over a log's records, and where its hashes are kept. Not their file.
//!
//! Hashes are kept in one append-only list: each leaf, followed by the inner nodes it completes.
//! The list is a function of the leaves, so it can be rebuilt, and no hash in it ever changes.
//!
//! Source: RFC 6962, §2.1; the order of the list is that of Russ Cox, "Transparent Logs for
//! Skeptical Clients", appendix B.

mod check;
mod prove;
#[cfg(test)]
mod tests;

pub use check::{ProofError, check_consistency, check_inclusion};
pub use prove::{consistency, inclusion};

use crate::{id::Digest, limits::LOG_SIZE_MAX};

/// Where the kept hashes are read.
pub trait Hashes {
    /// Why a hash cannot be read.
    type Error;

    /// The hash at `index` of the list, counted from 0.
    ///
    /// # Errors
    /// If it cannot be read.
    fn hash(&self, index: u64) -> Result<Digest, Self::Error>;
}

/// Why something about a tree cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError<E> {
    /// Larger than a log may grow.
    #[error("tree of {0} leaves, more than {LOG_SIZE_MAX}")]
    TooLarge(u64),
    /// No such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    Index {
        /// Leaf asked for, counted from 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The older tree has more leaves than the newer one.
    #[error("a tree of {new} leaves did not grow from one of {old}")]
    Order {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// A kept hash cannot be read.
    #[error("hash {index} of the log: {source}")]
    Read {
        /// Place in the list, counted from 0.
        index: u64,
        /// What went wrong.
        source: E,
    },
}

/// The hash of a leaf: SHA-256 of `0 ‖ record`.
#[must_use]
pub fn leaf_hash(record: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], record])
}

/// The hash of an inner node: SHA-256 of `1 ‖ left ‖ right`.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], &left.0, &right.0])
}

/// Hashes kept for a tree of `size` leaves; `None` past [`LOG_SIZE_MAX`].
#[must_use]
pub fn kept(size: u64) -> Option<u64> {
    // Leaf n completes as many nodes as n has trailing ones, which adds up to this.
    (size <= LOG_SIZE_MAX).then(|| 2 * size - u64::from(size.count_ones()))
}

/// The roots of the complete subtrees that make up a tree: all it takes to append to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One for each bit set in `size`, the largest subtree first.
    roots: Vec<Digest>,
}

impl Frontier {
    /// The frontier of the first `size` leaves; reads at most 62 hashes.
    ///
    /// # Errors
    /// [`TreeError::TooLarge`] or [`TreeError::Read`].
    pub fn open<H: Hashes>(size: u64, hashes: &H) -> Result<Self, TreeError<H::Error>> {
        if size > LOG_SIZE_MAX {
            return Err(TreeError::TooLarge(size));
        }
        let mut roots = Vec::new();
        for subtree in subtrees(0, size) {
            roots.push(subtree.read(hashes)?);
        }
        Ok(Self { size, roots })
    }

    /// Leaves of the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; adds to `new` the hashes to keep for it, in order.
    ///
    /// Reads nothing and hashes twice on average, at most 63 times.
    pub fn append(&mut self, leaf: Digest, new: &mut Vec<Digest>) {
        let mut hash = leaf;
        new.push(hash);
        // The leaf completes as many subtrees as the size has trailing ones.
        let rest = self.roots.len() - self.size.trailing_ones() as usize;
        for left in self.roots.drain(rest..).rev() {
            hash = node_hash(&left, &hash);
            new.push(hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root of the tree; of an empty one, SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let join = |right: Digest, left: &Digest| node_hash(left, &right);
        match self.roots.split_last() {
            None => Digest::of(&[]),
            Some((last, rest)) => rest.iter().rev().fold(*last, join),
        }
    }
}

/// A complete subtree: leaves `start` to `start + 2^level`, `start` being a multiple of `2^level`.
#[derive(Clone, Copy)]
struct Subtree {
    start: u64,
    level: u32,
}

impl Subtree {
    fn read<H: Hashes>(self, hashes: &H) -> Result<Digest, TreeError<H::Error>> {
        // It is complete with its last leaf, and stands `level` places after that.
        let last = self.start + ((1 << self.level) - 1);
        let index = 2 * last - u64::from(last.count_ones()) + u64::from(self.level);
        hashes.hash(index).map_err(|source| TreeError::Read { index, source })
    }
}

/// The complete subtrees that make up leaves `start` to `end`, the largest first. `start` is a
/// multiple of a power of two that is at least `end - start`.
fn subtrees(start: u64, end: u64) -> impl Iterator<Item = Subtree> {
    let mut start = start;
    std::iter::from_fn(move || {
        let level = (end - start).checked_ilog2()?;
        let subtree = Subtree { start, level };
        start += 1 << level;
        Some(subtree)
    })
}
