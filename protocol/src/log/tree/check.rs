//! Checks proofs against roots, with nothing but the proof. Not the signatures on the roots.
//!
//! Source: RFC 9162, §2.1.3.2 and §2.1.4.2. Sizes and indices may be any number of 64 bits.

use super::node_hash;
use crate::{id::Digest, limits::CONSISTENCY_HASHES_MAX};

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// No such leaf.
    #[error("no leaf {index} in a tree of {size}")]
    Index {
        /// Leaf, counted from 0.
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
    /// Too few or too many hashes for these sizes.
    #[error("{0} hashes are too few or too many for the sizes")]
    Length(usize),
    /// The hashes lead elsewhere.
    #[error("the hashes do not lead to the root")]
    Root,
}

/// Checks that the leaf with hash `leaf` is number `index`, counted from 0, of the `size` leaves
/// under `root`.
///
/// # Errors
/// [`ProofError`] if `proof` does not show it.
pub fn check_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    root: &Digest,
    proof: &[Digest],
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let mut place = Place { node: index, last: size - 1 };
    let mut hash = *leaf;
    for other in proof {
        hash = match place.rise() {
            None => return Err(ProofError::Length(proof.len())),
            Some(Side::Left) => node_hash(other, &hash),
            Some(Side::Right) => node_hash(&hash, other),
        };
    }
    if place.last != 0 {
        return Err(ProofError::Length(proof.len()));
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the `new.0` leaves under root `new.1` begin with the `old.0` leaves under root
/// `old.1`.
///
/// # Errors
/// [`ProofError`] if `proof` does not show it, or has more than [`CONSISTENCY_HASHES_MAX`] hashes.
pub fn check_consistency(
    old: (u64, &Digest),
    new: (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ProofError> {
    let wrong_length = Err(ProofError::Length(proof.len()));
    let ((old, old_root), (new, new_root)) = (old, new);
    if old > new {
        return Err(ProofError::Order { old, new });
    }
    if old == 0 || old == new {
        // Nothing is to be shown, so nothing may be said.
        let known = if old == 0 { &Digest::of(&[]) } else { new_root };
        return match proof {
            [] if old_root == known => Ok(()),
            [] => Err(ProofError::Root),
            _ => wrong_length,
        };
    }
    if proof.len() > CONSISTENCY_HASHES_MAX {
        return wrong_length;
    }
    // The proof begins at the largest complete subtree that ends the older tree.
    let level = (old - 1).trailing_ones();
    let mut place = Place { node: (old - 1) >> level, last: (new - 1) >> level };
    let (first, rest) = match proof.split_first() {
        // That subtree is the older tree itself, whose root is known.
        _ if old.is_power_of_two() => (old_root, proof),
        Some(split) => split,
        None => return wrong_length,
    };
    let (mut from_old, mut from_new) = (*first, *first);
    for other in rest {
        match place.rise() {
            None => return wrong_length,
            Some(Side::Left) => {
                from_old = node_hash(other, &from_old);
                from_new = node_hash(other, &from_new);
            }
            Some(Side::Right) => from_new = node_hash(&from_new, other),
        }
    }
    if place.last != 0 {
        return wrong_length;
    }
    if from_old == *old_root && from_new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// Where the next hash of a proof stands, seen from the node reached.
enum Side {
    Left,
    Right,
}

/// A node on the way to the root: its number on its level, and the number of the last one there.
struct Place {
    node: u64,
    last: u64,
}

impl Place {
    /// Goes up past the next hash of the proof; `None` at the root.
    const fn rise(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        if self.node == self.last {
            // A last node without left neighbour is its own parent, and no hash tells of that.
            let levels = self.node.trailing_zeros();
            self.node >>= levels;
            self.last >>= levels;
        }
        let side = if self.node % 2 == 1 { Side::Left } else { Side::Right };
        self.node /= 2;
        self.last /= 2;
        Some(side)
    }
}
