//! The tree against published roots and proofs, against a plain recursion, and against forgers.

mod forged;

use std::convert::Infallible;

use super::*;

impl Hashes for Vec<Digest> {
    type Error = Infallible;

    fn hash(&self, index: u64) -> Result<Digest, Infallible> {
        Ok(at(self, index))
    }
}

fn at(digests: &[Digest], index: u64) -> Digest {
    digests[usize::try_from(index).unwrap()]
}

/// The eight leaves of the reference implementation of Certificate Transparency, in hex.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots of the first none, one, .. eight of them.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Hashes of that tree that its published proofs name.
const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const LEAVES_2_3: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const LEAVES_4_5: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const LEAVES_6_7: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const LEAVES_4_7: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";

fn digests(hex: &[&str]) -> Vec<Digest> {
    hex.iter().map(|hex| hex.parse().unwrap()).collect()
}

/// The leaf hashes and kept hashes of `records`, and the root of each of their prefixes.
fn grown(records: &[Vec<u8>]) -> (Vec<Digest>, Vec<Digest>, Vec<Digest>) {
    let (mut frontier, mut kept) = (Frontier::default(), Vec::new());
    let (mut leaves, mut roots) = (Vec::new(), vec![frontier.root()]);
    for record in records {
        leaves.push(leaf_hash(record));
        frontier.append(leaf_hash(record), &mut kept);
        roots.push(frontier.root());
    }
    (leaves, kept, roots)
}

fn published() -> (Vec<Digest>, Vec<Digest>, Vec<Digest>) {
    grown(&LEAVES.map(|leaf| hex::decode(leaf).unwrap()))
}

fn numbered(count: u32) -> (Vec<Digest>, Vec<Digest>, Vec<Digest>) {
    grown(&(0..count).map(|number| number.to_le_bytes().to_vec()).collect::<Vec<_>>())
}

/// The root as RFC 6962 defines it.
fn defined(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&defined(left), &defined(right))
        }
    }
}

#[test]
fn eight_leaves_have_the_published_roots() {
    assert_eq!(published().2, digests(&ROOTS));
}

#[test]
fn leaves_and_nodes_have_the_published_hashes() {
    let leaf = hex::decode("101112131415161718191a1b1c1d1e1f").unwrap();
    let expected = "3bfb960453ebaebf33727da7a1f4db38acc051d381b6da20d6d4e88f0eabfd7a";
    assert_eq!(leaf_hash(&leaf).to_string(), expected);
    let left: Vec<u8> = (0..32).collect();
    let right: Vec<u8> = (32..64).collect();
    let [left, right] = [left, right].map(|bytes| Digest::try_from(&bytes[..]).unwrap());
    let expected = "1a378704c17da31e2d05b6d121c2bb2c7d76f6ee6fa8f983e596c2d034963c57";
    assert_eq!(node_hash(&left, &right).to_string(), expected);
}

#[test]
fn inclusion_proofs_are_those_published() {
    let (leaves, kept, roots) = published();
    let cases: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[LEAF_1, LEAVES_2_3, LEAVES_4_7]),
        (5, 8, &[LEAF_4, LEAVES_6_7, ROOTS[4]]),
        (2, 3, &[ROOTS[2]]),
        (1, 5, &[ROOTS[1], LEAVES_2_3, LEAF_4]),
    ];
    for (index, size, expected) in cases {
        let proof = inclusion(index, size, &kept).unwrap();
        assert_eq!(proof, digests(expected), "leaf {index} of {size}");
        let [leaf, root] = [at(&leaves, index), at(&roots, size)];
        assert_eq!(check_inclusion(&leaf, index, size, &root, &proof), Ok(()));
    }
}

#[test]
fn consistency_proofs_are_those_published() {
    let (_, kept, roots) = published();
    let cases: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[LEAF_1, LEAVES_2_3, LEAVES_4_7]),
        (6, 8, &[LEAVES_4_5, LEAVES_6_7, ROOTS[4]]),
        (2, 5, &[LEAVES_2_3, LEAF_4]),
    ];
    for (old, new, expected) in cases {
        let proof = consistency(old, new, &kept).unwrap();
        assert_eq!(proof, digests(expected), "from {old} to {new}");
        let [first, second] = [at(&roots, old), at(&roots, new)];
        assert_eq!(check_consistency((old, &first), (new, &second), &proof), Ok(()));
    }
}

#[test]
fn every_size_has_the_root_that_rfc_6962_defines() {
    let (leaves, all, roots) = numbered(300);
    for (count, root) in (0..=300_u32).zip(roots) {
        let size = u64::from(count);
        let defined = defined(&leaves[..count as usize]);
        assert_eq!(root, defined, "of {size}");
        let frontier = Frontier::open(size, &all).unwrap();
        assert_eq!((frontier.root(), frontier.size()), (defined, size), "read, of {size}");
        assert_eq!(kept(size), Some(numbered(count).1.len() as u64));
    }
}

#[test]
fn a_frontier_that_was_read_grows_like_the_one_that_was_kept() {
    let (leaves, kept, roots) = numbered(130);
    for size in [0, 1, 2, 3, 63, 64, 65, 127, 128] {
        let mut frontier = Frontier::open(size as u64, &kept).unwrap();
        let mut new = Vec::new();
        for leaf in &leaves[size..] {
            frontier.append(*leaf, &mut new);
        }
        assert_eq!(frontier.root(), roots[130]);
        assert_eq!(new, kept[kept.len() - new.len()..], "from {size}");
    }
}

#[test]
fn what_no_tree_has_is_refused_before_anything_is_read() {
    let none: Vec<Digest> = Vec::new();
    for size in [LOG_SIZE_MAX + 1, 1 << 63, u64::MAX] {
        assert_eq!(Frontier::open(size, &none), Err(TreeError::TooLarge(size)));
        assert_eq!(inclusion(0, size, &none), Err(TreeError::TooLarge(size)));
        assert_eq!(consistency(1, size, &none), Err(TreeError::TooLarge(size)));
        assert_eq!(kept(size), None);
        assert_eq!(inclusion(size, size, &none), Err(TreeError::Index { index: size, size }));
    }
    assert_eq!(inclusion(0, 0, &none), Err(TreeError::Index { index: 0, size: 0 }));
    assert_eq!(consistency(2, 1, &none), Err(TreeError::Order { old: 2, new: 1 }));
}

#[test]
fn the_largest_tree_is_read_within_its_bounds() {
    /// Hashes whose places are all that matters.
    struct Places;

    impl Hashes for Places {
        type Error = Infallible;

        fn hash(&self, index: u64) -> Result<Digest, Infallible> {
            assert!(index < kept(LOG_SIZE_MAX).unwrap());
            Ok(Digest::of(&index.to_be_bytes()))
        }
    }

    for size in [LOG_SIZE_MAX, LOG_SIZE_MAX - 1] {
        let frontier = Frontier::open(size, &Places).unwrap();
        let root = frontier.root();
        for index in [0, 1, size / 2, size - 1] {
            let proof = inclusion(index, size, &Places).unwrap();
            assert!(proof.len() <= 62);
            let leaf = Subtree { start: index, level: 0 }.read(&Places).unwrap();
            let got = check_inclusion(&leaf, index, size, &root, &proof);
            // Such hashes are no tree's, except where the last subtree is a leaf by itself.
            assert!(matches!(got, Ok(()) | Err(ProofError::Root)), "{got:?}");
        }
        for old in [1, 2, size / 2 + 1, size - 1] {
            let proof = consistency(old, size, &Places).unwrap();
            assert!(proof.len() <= crate::limits::CONSISTENCY_HASHES_MAX);
        }
    }
}
