//! Which stages home goes back to.

use comity_protocol::{block::BlockRange, id::PeerKey, prefix::PAGE_POSITIONS};

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

fn scope() -> Scope {
    let blocks = BlockRange::new(0, 8).unwrap();
    Scope { home: PeerKey([1; 32]), policy: Digest([2; 32]), blocks }
}

fn tags(count: u8) -> Vec<PrefixTag> {
    (0..count).map(|page| PrefixTag([page; 16])).collect()
}

fn stage(peer: u8) -> [RouteStage; 1] {
    [RouteStage { peer: PeerKey([peer; 32]), blocks: BlockRange::new(0, 8).unwrap() }]
}

/// Who keeps the beginning of a prompt of so many pages, and how many positions of it.
fn kept(prefixes: &Prefixes, pages: u8) -> Option<(u8, u32)> {
    let known = prefixes.known(NOW, &scope(), tags(pages));
    known.kept(10).map(|kept| (kept.stages[0].peer.0[0], kept.positions))
}

#[test]
fn the_last_stages_that_kept_all_that_is_known_are_gone_back_to() {
    let prefixes = Prefixes::new().unwrap();
    assert_eq!(kept(&prefixes, 9), None);
    prefixes.remember(NOW, &scope(), &tags(3), &stage(1));
    assert_eq!(kept(&prefixes, 9), Some((1, 3 * PAGE_POSITIONS)));
    prefixes.remember(NOW, &scope(), &tags(5), &stage(2));
    assert_eq!(kept(&prefixes, 9), Some((2, 5 * PAGE_POSITIONS)));
    assert_eq!(kept(&prefixes, 2), Some((2, 2 * PAGE_POSITIONS)), "they have the beginning too");
}

#[test]
fn stages_that_failed_are_not_gone_back_to_until_they_keep_something_again() {
    let prefixes = Prefixes::new().unwrap();
    prefixes.remember(NOW, &scope(), &tags(3), &stage(1));
    prefixes.doubt(&scope(), &tags(9), &stage(2));
    assert_eq!(kept(&prefixes, 9), Some((1, 3 * PAGE_POSITIONS)), "others failed");
    prefixes.doubt(&scope(), &tags(9), &stage(1));
    assert_eq!(kept(&prefixes, 9), None);
    let known = prefixes.known(NOW, &scope(), tags(9));
    assert_eq!(known.tags, tags(3), "they may have it still");
    assert!(!known.is_at(&stage(1)));
    prefixes.remember(NOW, &scope(), &tags(4), &stage(1));
    assert_eq!(kept(&prefixes, 9), Some((1, 4 * PAGE_POSITIONS)));
    assert!(prefixes.known(NOW, &scope(), tags(9)).is_at(&stage(1)));
}
