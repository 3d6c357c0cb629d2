//! Who finds what is kept, and what is dropped first.

use std::time::Duration;

use super::*;
use crate::{limits::PREFIX_IDLE_MAX, time::Timestamp};

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

fn key() -> PrefixKey {
    PrefixKey::new(&Salt::new([1; 32]), &Digest([2; 32]), &Policy::open("nl"))
}

fn scope() -> Scope {
    let blocks = BlockRange::new(0, 2).unwrap();
    Scope { home: PeerKey([1; 32]), policy: Digest([2; 32]), blocks }
}

/// Token ids of `pages` pages, all of page `n` being `first + n`.
fn tokens(first: u32, pages: u32) -> Vec<u32> {
    (0..pages * PAGE_POSITIONS).map(|position| first + position / PAGE_POSITIONS).collect()
}

#[test]
fn a_tag_is_the_documented_hmac_of_the_tag_before_and_the_page() {
    let mut tokens: Vec<u32> = (0..32).collect();
    tokens.extend(100..132);
    // From another implementation: HMAC-SHA-256 under 32 bytes of 0x01.
    let key = PrefixKey(Salt::new([1; 32]));
    let tags: Vec<String> = key.tags(&tokens).iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["d914e54a4cf0f34cd0658ec47d090cc2", "caa4ccfb17c0c70b724669e7f66c87d2"]);
}

#[test]
fn a_tag_names_a_page_and_everything_before_it() {
    let (key, text) = (key(), tokens(0, 3));
    let tags = key.tags(&text);
    assert_eq!(tags.len(), 3);
    assert_eq!(key.tags(&text[..95]), tags[..2], "whole pages only");
    for position in 0..96 {
        let mut other = text.clone();
        other[position] += 1;
        let same = key.tags(&other).iter().zip(&tags).take_while(|(a, b)| a == b).count();
        assert_eq!(same, position / PAGE_POSITIONS as usize);
    }
    assert_eq!(key.tags(&vec![0; 64 * PREFIX_PAGES_MAX]).len(), PREFIX_PAGES_MAX);
}

#[test]
fn secret_model_and_policy_each_change_every_tag() {
    let (secret, model, policy) = (Salt::new([1; 32]), Digest([2; 32]), Policy::open("nl"));
    let tag = |key: PrefixKey| key.tags(&tokens(0, 1))[0];
    let base = tag(key());
    assert_eq!(tag(PrefixKey::new(&secret, &model, &policy)), base);
    assert_ne!(tag(PrefixKey::new(&Salt::new([3; 32]), &model, &policy)), base);
    assert_ne!(tag(PrefixKey::new(&secret, &Digest([3; 32]), &policy)), base);
    assert_ne!(tag(PrefixKey::new(&secret, &model, &Policy::open("de"))), base);
}

#[test]
fn the_longest_prefix_held_is_found_in_its_scope_alone() {
    let (mut store, key) = (PrefixStore::default(), key());
    let tags = key.tags(&tokens(0, 3));
    store.keep(NOW, &scope(), &tags, ["a", "b", "c"], 10);
    assert_eq!(store.find(NOW, &scope(), &tags), ["a", "b", "c"]);
    let mut branch = tokens(0, 3);
    branch[70] = 9;
    assert_eq!(store.find(NOW, &scope(), &key.tags(&branch)), ["a", "b"]);
    assert!(store.find(NOW, &scope(), &tags[1..2]) == ["b"], "tags alone are what is asked for");
    assert!(store.find(NOW, &scope(), &key.tags(&tokens(5, 3))).is_empty());
    let others = [
        Scope { home: PeerKey([9; 32]), ..scope() },
        Scope { policy: Digest([9; 32]), ..scope() },
        Scope { blocks: BlockRange::new(0, 1).unwrap(), ..scope() },
    ];
    for other in others {
        assert!(store.find(NOW, &other, &tags).is_empty(), "{other:?}");
    }
}

#[test]
fn a_page_held_stays_and_is_kept_once() {
    let (mut store, tags) = (PrefixStore::default(), key().tags(&tokens(0, 2)));
    store.keep(NOW, &scope(), &tags[..1], ["first"], 10);
    store.keep(NOW, &scope(), &tags, ["again", "b"], 10);
    assert_eq!((store.len(), store.find(NOW, &scope(), &tags)), (2, vec!["first", "b"]));
    store.keep(NOW, &scope(), &key().tags(&tokens(7, 2)), ["only the first"], 10);
    assert_eq!(store.len(), 3, "fewer pages than tags");
}

#[test]
fn the_end_of_what_was_used_longest_ago_goes_first() {
    let (mut store, key) = (PrefixStore::default(), key());
    let (old, new) = (key.tags(&tokens(0, 2)), key.tags(&tokens(5, 2)));
    store.keep(NOW, &scope(), &old, ["old 0", "old 1"], 10);
    store.keep(NOW, &scope(), &new, ["new 0", "new 1"], 10);
    assert_eq!(store.find(NOW, &scope(), &old).len(), 2, "used again");
    store.shrink_to(40);
    assert_eq!((store.len(), store.bytes()), (4, 40));
    store.shrink_to(39);
    assert_eq!(store.find(NOW, &scope(), &new), ["new 0"]);
    store.shrink_to(20);
    assert_eq!(store.find(NOW, &scope(), &old), ["old 0"]);
    store.shrink_to(0);
    assert!(store.is_empty() && store.bytes() == 0);
}

#[test]
fn what_nobody_used_for_long_expires() {
    let (mut store, key) = (PrefixStore::default(), key());
    let (used, idle) = (key.tags(&tokens(0, 1)), key.tags(&tokens(5, 2)));
    store.keep(NOW, &scope(), &used, ["used"], 10);
    store.keep(NOW, &scope(), &idle, ["idle", "idle"], 10);
    let later = NOW + PREFIX_IDLE_MAX / 2;
    assert_eq!(store.find(later, &scope(), &used), ["used"]);
    store.expire(NOW + (PREFIX_IDLE_MAX - Duration::from_millis(1)));
    assert_eq!(store.len(), 3);
    store.expire(NOW + PREFIX_IDLE_MAX);
    assert_eq!((store.len(), store.find(NOW, &scope(), &used).len()), (1, 1));
}
