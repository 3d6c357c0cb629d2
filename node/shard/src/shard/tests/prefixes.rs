//! Sessions that begin where an earlier one has been: the same bytes, and memory that gives way.

use comity_protocol::{
    block::BlockRange,
    id::{Digest, PeerKey, PrefixTag, SessionId},
    prefix::{PAGE_POSITIONS, RowDigests, Scope},
    time::Timestamp,
};

use super::{Fixture, SESSION, bits, tokens};
use crate::{
    Shard,
    fixture::{BLOCKS, CONTEXT},
};

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
const PAGE: u32 = PAGE_POSITIONS;
const LATER: SessionId = SessionId([8; 16]);
const TAGS: [PrefixTag; 2] = [PrefixTag([1; 16]), PrefixTag([2; 16])];

fn scope(start: u32, end: u32) -> Scope {
    let blocks = BlockRange::new(start, end).unwrap();
    Scope { home: PeerKey([1; 32]), policy: Digest([2; 32]), blocks }
}

fn digests(positions: u32) -> Vec<RowDigests> {
    let digest = |position: u32| RowDigests {
        input: Digest::of(&position.to_le_bytes()),
        output: Digest::of(&[1]),
    };
    (0..positions).map(digest).collect()
}

/// A shard that kept two pages of a session of `tokens`, and closed it.
fn kept(fixture: &Fixture, tokens: &[u32]) -> Shard {
    let mut shard = fixture.shard(0, BLOCKS);
    shard.forward(&SESSION, 0, &fixture.home().embed(tokens).unwrap()).unwrap();
    shard.keep(NOW, &SESSION, &scope(0, BLOCKS), &TAGS, &digests(2 * PAGE));
    shard.close_session(&SESSION);
    shard
}

/// Opens [`LATER`] and has it take over what is kept; returns how many positions.
fn take_over(shard: &mut Shard, positions_max: u32, tags: &[PrefixTag]) -> u32 {
    shard.open_session(LATER, positions_max).unwrap();
    let rows = shard.take_over(NOW, &LATER, &scope(0, BLOCKS), tags);
    let positions = shard.positions(&LATER).unwrap();
    assert_eq!(rows, digests(positions));
    positions
}

#[test]
fn a_session_that_takes_a_prefix_over_gives_the_bytes_of_one_that_computed_it() {
    for fixture in [Fixture::llama(), Fixture::gemma3()] {
        let (text, home) = (tokens(90), fixture.home());
        let rows = home.embed(&text).unwrap();
        let width = rows.len() / text.len();
        let whole = fixture.shard(0, BLOCKS).forward(&SESSION, 0, &rows).unwrap();
        for (tags, start) in [(&TAGS[..], 64), (&TAGS[..1], 32)] {
            // Another text after the same beginning: only its first pages are of use.
            let mut earlier = text.clone();
            earlier[80..].fill(99);
            let mut shard = kept(&fixture, &earlier);
            assert_eq!(take_over(&mut shard, CONTEXT, tags), start);
            let from = start as usize * width;
            let got = shard.forward(&LATER, start, &rows[from..]).unwrap();
            assert_eq!(bits(&got), bits(&whole[from..]));
        }
    }
}

#[test]
fn a_session_that_goes_back_into_a_shared_page_leaves_it_to_the_others_as_it_was() {
    let fixture = Fixture::llama();
    let (text, home) = (tokens(90), fixture.home());
    let rows = home.embed(&text).unwrap();
    let width = rows.len() / text.len();
    let whole = fixture.shard(0, BLOCKS).forward(&SESSION, 0, &rows).unwrap();
    let mut shard = kept(&fixture, &text);
    assert_eq!(take_over(&mut shard, CONTEXT, &TAGS), 64);
    shard.forward(&LATER, 40, &home.embed(&[99; 50]).unwrap()).unwrap();
    shard.close_session(&LATER);
    assert_eq!(take_over(&mut shard, CONTEXT, &TAGS), 64);
    let got = shard.forward(&LATER, 64, &rows[64 * width..]).unwrap();
    assert_eq!(bits(&got), bits(&whole[64 * width..]));
}

#[test]
fn nothing_is_taken_over_but_by_a_fresh_session_of_the_same_blocks_as_far_as_it_may_go() {
    let fixture = Fixture::llama();
    let mut shard = kept(&fixture, &tokens(90));
    assert_eq!(take_over(&mut shard, 63, &TAGS), 32, "two pages would be more than it may hold");
    let embedded = fixture.home().embed(&tokens(3)).unwrap();
    shard.forward(&LATER, 32, &embedded).unwrap();
    assert!(shard.take_over(NOW, &LATER, &scope(0, BLOCKS), &TAGS).is_empty(), "not fresh");
    assert_eq!(shard.positions(&LATER), Some(35));
    let part = SessionId([9; 16]);
    shard.open_session_over(part, BlockRange::new(0, 2).unwrap(), CONTEXT).unwrap();
    assert!(shard.take_over(NOW, &part, &scope(0, BLOCKS), &TAGS).is_empty(), "other blocks");
    assert!(shard.take_over(NOW, &part, &scope(0, 2), &TAGS).is_empty(), "nothing of these");
    shard.keep(NOW, &part, &scope(0, 2), &TAGS, &digests(64));
    assert_eq!(shard.take_over(NOW, &part, &scope(0, 2), &TAGS), [], "it held no positions");
}

#[test]
fn what_is_kept_gives_way_to_sessions() {
    let fixture = Fixture::llama();
    let mut shard = kept(&fixture, &tokens(90));
    let page = shard.prefix_bytes() / 2;
    assert!(page > u64::from(PAGE) * shard.kv_bytes_per_position() && shard.kv_bytes() == 0);
    let session = u64::from(CONTEXT) * shard.kv_bytes_per_position();
    shard.set_kv_budget(session + page);
    shard.open_session(SESSION, CONTEXT).unwrap();
    assert_eq!(shard.prefix_bytes(), page, "the end of the prefix went");
    shard.close_session(&SESSION);
    assert_eq!(take_over(&mut shard, CONTEXT, &TAGS), 32);
    shard.close_session(&LATER);
    shard.set_kv_budget(session);
    shard.open_session(SESSION, CONTEXT).unwrap();
    assert_eq!(shard.prefix_bytes(), 0);
    // Nor does keeping take what is promised.
    shard.forward(&SESSION, 0, &fixture.home().embed(&tokens(64)).unwrap()).unwrap();
    shard.set_kv_budget(session + page);
    shard.keep(NOW, &SESSION, &scope(0, BLOCKS), &TAGS, &digests(64));
    shard.open_session(LATER, 1).unwrap();
    assert_eq!(shard.prefix_bytes(), 0, "a page more is promised, and half a page is none");
}

#[test]
fn a_shard_on_a_device_keeps_nothing() {
    let fixture = Fixture::llama();
    let range = BlockRange::new(0, BLOCKS).unwrap();
    let place = Some(candle_core::Device::Cpu);
    let mut shard = Shard::load_at(&fixture.file, range, &fixture.manifest, place).unwrap();
    shard.open_session(SESSION, CONTEXT).unwrap();
    shard.forward(&SESSION, 0, &fixture.home().embed(&tokens(64)).unwrap()).unwrap();
    shard.keep(NOW, &SESSION, &scope(0, BLOCKS), &TAGS, &digests(64));
    assert_eq!((shard.prefix_bytes(), take_over(&mut shard, CONTEXT, &TAGS)), (0, 0));
}
