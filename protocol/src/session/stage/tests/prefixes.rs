//! What a stage takes over from an earlier session, and what it keeps for later ones.

use super::*;
use crate::{
    id::PrefixTag,
    prefix::{PAGE_POSITIONS, RowDigests},
};

const TAGS: [PrefixTag; 2] = [PrefixTag([1; 16]), PrefixTag([2; 16])];
const PAGE: u32 = PAGE_POSITIONS;

/// An opening of a prompt of at least two pages.
fn open_named() -> Open {
    Open { prefix: TAGS.to_vec(), positions_max: 64, ..open() }
}

/// Digests of positions that brought `rows(1, value)` and sent `rows(1, 2.0 * value)`.
fn digests(positions: u32, value: f32) -> Vec<RowDigests> {
    let digest = |value| Digest::of(rows(1, value).bytes());
    let row = RowDigests { input: digest(value), output: digest(value * 2.0) };
    vec![row; positions as usize]
}

/// A stage that took over one page.
fn taken_over() -> Stage {
    let admitted = admit_cached(sign(&open_named()), PAGE, 0, &[serving(0, 2)]);
    let (mut stage, _) = admitted.unwrap();
    let outputs = feed(&mut stage, Input::ShardOpened(Ok(digests(PAGE, 1.0))));
    let [Output::Downstream(Frame::Open { cached, .. }, None)] = outputs.as_slice() else {
        panic!("{outputs:?}");
    };
    assert_eq!(*cached, PAGE);
    stage
}

/// What it signs and keeps once closed at `positions`, home naming both pages.
fn closed(stage: &mut Stage, positions: u32) -> (StageReceipt, usize, Vec<RowDigests>) {
    let close = Close { prefix: TAGS.to_vec(), ..close(positions) };
    let outputs = feed(stage, Input::Upstream(Frame::Close(close), None));
    let [Output::Sign { draft, last: true }] = outputs.as_slice() else {
        panic!("{outputs:?}");
    };
    let receipt = key(1).sign(Domain::STAGE_RECEIPT, &CHARTER, &**draft).unwrap();
    let mut outputs = feed(stage, Input::Signed { receipt: Ok(receipt), last: true });
    let Output::Keep { scope, prefix, rows } = outputs.remove(1) else {
        panic!("{outputs:?}");
    };
    let policy = open().policy.digest();
    assert_eq!(scope, Scope { home: key(0).public(), policy, blocks: stage_blocks() });
    assert_eq!(prefix, TAGS[..prefix.len()]);
    (StageReceipt::clone(draft), prefix.len(), rows)
}

fn stage_blocks() -> crate::block::BlockRange {
    open().stages[0].blocks
}

fn run(stage: &mut Stage, start: u32, positions: u32, value: f32) {
    let input = Frame::Step(step(start, positions));
    feed(stage, Input::Upstream(input, Some(rows(positions, value))));
    feed(stage, Input::Computed(Ok(rows(positions, value * 2.0))));
}

#[test]
fn a_prefix_taken_over_is_committed_to_like_one_computed() {
    let mut computed = running();
    run(&mut computed, 0, PAGE, 1.0);
    run(&mut computed, PAGE, 5, 3.0);
    let (all, pages, kept) = closed(&mut computed, PAGE + 5);
    assert_eq!((all.cached, pages, &kept), (0, 1, &digests(PAGE, 1.0)));

    let mut stage = taken_over();
    run(&mut stage, PAGE, 5, 3.0);
    let (rest, pages, kept) = closed(&mut stage, PAGE + 5);
    assert_eq!((rest.cached, pages, &kept), (PAGE, 1, &digests(PAGE, 1.0)));
    assert_eq!((all.computed, rest.computed), (u64::from(PAGE) + 5, 5));
    assert_eq!((rest.input, rest.output), (all.input, all.output));
}

#[test]
fn only_whole_final_pages_are_kept() {
    for (positions, pages) in [(31, 0), (32, 1), (63, 1), (64, 2)] {
        let mut stage = running();
        run(&mut stage, 0, 64, 1.0);
        let (_, kept, rows) = closed(&mut stage, positions);
        assert_eq!((kept, rows.len()), (pages, pages * PAGE as usize), "{positions}");
    }
}

#[test]
fn home_may_begin_before_the_end_of_what_is_held() {
    let mut stage = taken_over();
    run(&mut stage, 0, PAGE, 9.0);
    let (receipt, _, kept) = closed(&mut stage, PAGE);
    assert_eq!((receipt.cached, kept), (0, digests(PAGE, 9.0)));
    let (receipt, _, kept) = closed(&mut taken_over(), PAGE);
    assert_eq!((receipt.cached, kept), (PAGE, digests(PAGE, 1.0)), "nothing was computed");
}

#[test]
fn a_stage_looks_for_what_every_node_before_it_holds() {
    let asked = |cached| {
        let admitted = admit_cached(sign(&open_named()), cached, 0, &[serving(0, 2)]);
        admitted.map(|(_, outputs)| match outputs.as_slice() {
            [Output::OpenShard { prefix, .. }] => prefix.clone(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(asked(0).unwrap(), []);
    assert_eq!(asked(PAGE).unwrap(), TAGS[..1]);
    for wrong in [1, 33, 64, 96, 640] {
        assert_eq!(asked(wrong).unwrap_err().cause, Cause::Violation, "{wrong}");
    }
    let admitted = admit_cached(sign(&open_named()), PAGE, 0, &[serving(0, 2)]);
    let (mut stage, _) = admitted.unwrap();
    let outputs = feed(&mut stage, Input::ShardOpened(Ok(digests(31, 1.0))));
    assert!(matches!(
        outputs.last(),
        Some(Output::Ended(Some(refusal))) if refusal.cause == Cause::Bug
    ));
}
