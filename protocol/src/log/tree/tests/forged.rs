//! Every proof of small trees, what is left of each when it is changed, and trees of any size.

use proptest::prelude::*;

use super::*;

/// Largest tree of which every proof is tried.
const SIZE: u32 = 300;
/// Largest tree of which every proof is also changed in many ways.
const CHANGED: u32 = 70;

fn flipped(mut digest: Digest) -> Digest {
    digest.0[31] ^= 1;
    digest
}

/// Checks that no change of one hash, and no hash more or less, is taken.
fn refuses_changes(proof: &[Digest], holds: impl Fn(&[Digest]) -> bool) {
    for index in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[index] = flipped(changed[index]);
        assert!(!holds(&changed), "hash {index} changed");
        changed.remove(index);
        assert!(!holds(&changed), "hash {index} left out");
    }
    for extra in [Digest::ZERO, proof.last().copied().unwrap_or(Digest::ZERO)] {
        assert!(!holds(&[proof, &[extra]].concat()), "a hash more at the end");
        assert!(!holds(&[&[extra], proof].concat()), "a hash more at the start");
    }
}

#[test]
fn every_proof_of_every_tree_holds() {
    let (leaves, kept, roots) = numbered(SIZE);
    for size in 1..=u64::from(SIZE) {
        let root = &at(&roots, size);
        for old in 0..size {
            let proof = inclusion(old, size, &kept).unwrap();
            assert_eq!(check_inclusion(&at(&leaves, old), old, size, root, &proof), Ok(()));
            let proof = consistency(old, size, &kept).unwrap();
            let old = (old, &at(&roots, old));
            assert_eq!(check_consistency(old, (size, root), &proof), Ok(()));
        }
    }
}

#[test]
fn every_inclusion_proof_shows_its_leaf_and_nothing_else() {
    let (leaves, kept, roots) = numbered(CHANGED);
    for size in 1..=u64::from(CHANGED) {
        let root = at(&roots, size);
        for index in 0..size {
            let proof = inclusion(index, size, &kept).unwrap();
            let leaf = at(&leaves, index);
            assert_eq!(check_inclusion(&leaf, index, size, &root, &proof), Ok(()));
            let other = check_inclusion(&flipped(leaf), index, size, &root, &proof);
            assert_eq!(other, Err(ProofError::Root), "leaf {index} of {size}");
            refuses_changes(&proof, |proof| {
                check_inclusion(&leaf, index, size, &root, proof).is_ok()
            });
            for other in (0..size).filter(|other| *other != index) {
                let got = check_inclusion(&leaf, other, size, &root, &proof);
                assert!(got.is_err(), "leaf {index} of {size} passes for {other}");
            }
            let got = check_inclusion(&leaf, size, size, &root, &proof);
            assert_eq!(got, Err(ProofError::Index { index: size, size }));
        }
    }
}

#[test]
fn every_consistency_proof_shows_its_growth_and_nothing_else() {
    let (_, kept, roots) = numbered(CHANGED);
    for new in 0..=u64::from(CHANGED) {
        let root = &at(&roots, new);
        for old in 0..=new {
            let proof = consistency(old, new, &kept).unwrap();
            let old_root = &at(&roots, old);
            assert_eq!(check_consistency((old, old_root), (new, root), &proof), Ok(()));
            refuses_changes(&proof, |proof| {
                check_consistency((old, old_root), (new, root), proof).is_ok()
            });
            let rewritten = flipped(*old_root);
            let got = check_consistency((old, &rewritten), (new, root), &proof);
            assert_eq!(got, Err(ProofError::Root), "from {old} to {new}, another past");
            if old > 0 {
                let got = check_consistency((old, old_root), (new, &flipped(*root)), &proof);
                assert_eq!(got, Err(ProofError::Root), "from {old} to {new}, another present");
            }
            if old < new {
                let got = check_consistency((new, root), (old, old_root), &proof);
                assert_eq!(got, Err(ProofError::Order { old: new, new: old }), "backwards");
            }
        }
    }
}

#[test]
fn a_past_that_was_rewritten_is_not_consistent() {
    let (_, honest, roots) = numbered(40);
    let mut records: Vec<_> = (0..64_u32).map(|number| number.to_le_bytes().to_vec()).collect();
    records[17] = b"rewritten".to_vec();
    let (_, rewritten, new_roots) = grown(&records);
    for new in 41..=64_u64 {
        for proof in [consistency(40, new, &rewritten).unwrap(), honest[..3].to_vec(), vec![]] {
            let got = check_consistency((40, &roots[40]), (new, &at(&new_roots, new)), &proof);
            assert!(got.is_err(), "grows to {new}");
        }
    }
}

#[test]
fn a_proof_cut_short_is_refused_even_where_it_leads_to_the_root_given() {
    let (leaves, kept, roots) = numbered(8);
    // A log that claims to have grown and shows its old root again.
    for old in [1, 2, 4] {
        let root = &roots[old];
        let got = check_consistency((old as u64, root), (8, root), &[]);
        assert_eq!(got, Err(ProofError::Length(0)), "from {old}");
    }
    let proof = consistency(3, 8, &kept).unwrap();
    let got = check_consistency((3, &roots[3]), (8, &roots[4]), &proof[..3]);
    assert_eq!(got, Err(ProofError::Length(3)));
    let proof = inclusion(2, 8, &kept).unwrap();
    let got = check_inclusion(&leaves[2], 2, 8, &roots[4], &proof[..2]);
    assert_eq!(got, Err(ProofError::Length(2)));
}

/// The hash of a node that nobody looks into. Kinds of nodes have hashes of their own.
fn made_up(start: u64, end: u64, kind: u32) -> Digest {
    Digest::of_parts(&[&start.to_be_bytes(), &end.to_be_bytes(), &kind.to_be_bytes()])
}

fn middle(start: u64, end: u64) -> u64 {
    start + (1 << (end - start - 1).ilog2())
}

/// RFC 6962's PATH over made-up hashes: the proof of leaf `index`, and the root it leads to.
fn path(index: u64, start: u64, end: u64) -> (Vec<Digest>, Digest) {
    if end - start == 1 {
        return (Vec::new(), made_up(start, end, 0));
    }
    let middle = middle(start, end);
    let (mut proof, other, root);
    if index < middle {
        let inner;
        (proof, inner) = path(index, start, middle);
        other = made_up(middle, end, 1);
        root = node_hash(&inner, &other);
    } else {
        let inner;
        (proof, inner) = path(index, middle, end);
        other = made_up(start, middle, 1);
        root = node_hash(&other, &inner);
    }
    proof.push(other);
    (proof, root)
}

/// RFC 6962's SUBPROOF over made-up hashes: the proof, and the roots of the part before `old` and of
/// all of it.
fn subproof(old: u64, start: u64, end: u64) -> (Vec<Digest>, Digest, Digest) {
    if old == end {
        let root = made_up(start, end, 2);
        let proof = if start == 0 { Vec::new() } else { vec![root] };
        return (proof, root, root);
    }
    let middle = middle(start, end);
    if old <= middle {
        let (mut proof, before, left) = subproof(old, start, middle);
        let right = made_up(middle, end, 1);
        proof.push(right);
        (proof, before, node_hash(&left, &right))
    } else {
        let (mut proof, before, right) = subproof(old, middle, end);
        let left = made_up(start, middle, 1);
        proof.push(left);
        (proof, node_hash(&left, &before), node_hash(&left, &right))
    }
}

/// Sizes over the whole range, with many near its powers of two.
fn size() -> impl Strategy<Value = u64> {
    let near = (0..64_u32, -2..=2_i64)
        .prop_map(|(bit, off)| (1_u64 << bit).saturating_add_signed(off).max(1));
    prop_oneof![any::<u64>().prop_map(|size| size.max(1)), near, Just(u64::MAX)]
}

proptest! {
    #[test]
    fn inclusion_is_checked_for_sizes_of_64_bits(size in size(), any in any::<u64>()) {
        let index = any % size;
        let (proof, root) = path(index, 0, size);
        prop_assert!(proof.len() <= crate::limits::INCLUSION_HASHES_MAX);
        let leaf = made_up(index, index + 1, 0);
        prop_assert_eq!(check_inclusion(&leaf, index, size, &root, &proof), Ok(()));
        refuses_changes(&proof, |proof| check_inclusion(&leaf, index, size, &root, proof).is_ok());
    }

    #[test]
    fn consistency_is_checked_for_sizes_of_64_bits(new in size(), any in any::<u64>()) {
        let old = any % new + 1;
        let (proof, old_root, root) = subproof(old, 0, new);
        let got = check_consistency((old, &old_root), (new, &root), &proof);
        if proof.len() <= crate::limits::CONSISTENCY_HASHES_MAX {
            prop_assert_eq!(got, Ok(()));
        } else {
            prop_assert!(new > LOG_SIZE_MAX);
            prop_assert_eq!(got, Err(ProofError::Length(proof.len())));
        }
        refuses_changes(&proof, |proof| {
            check_consistency((old, &old_root), (new, &root), proof).is_ok()
        });
    }

    #[test]
    fn no_numbers_and_no_length_panic(
        sizes in (size(), size(), any::<u64>()),
        length in 0..130_usize,
    ) {
        let (old, new, index) = sizes;
        let proof = vec![Digest([7; 32]); length];
        let root = Digest([8; 32]);
        for size in [0, old, new, 1 << 63] {
            prop_assert!(check_inclusion(&root, index, size, &root, &proof).is_err() || size == 1);
        }
        let _ = check_consistency((old, &root), (new, &root), &proof);
        let _ = check_consistency((0, &root), (new, &root), &proof);
        let _ = check_consistency((old, &root), (0, &root), &proof);
    }
}

#[test]
fn a_consistency_proof_of_64_hashes_is_refused_even_where_it_would_hold() {
    let (old, new) = (1 | 1 << 61, 1 << 63);
    let (proof, old_root, root) = subproof(old, 0, new);
    assert_eq!(proof.len(), 64);
    let got = check_consistency((old, &old_root), (new, &root), &proof);
    assert_eq!(got, Err(ProofError::Length(64)));
}
