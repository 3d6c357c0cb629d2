//! Requests that did not end well, or whose body is gone: what they show still verifies.

use comity_protocol::{
    bundle::{Bundle, Report, verify},
    receipt::{FinishReason, Opening},
    refusal::Cause,
    wire::Wire as _,
};

use super::fault;
use crate::story::Story;

fn report(bundle: &Bundle) -> Report {
    verify(&bundle.encode(), &super::genesis()).unwrap()
}

/// A request that broke after 2 of 3 tokens, when the third stage was lost.
fn broken() -> Story {
    let mut story = Story::new();
    let receipt = &mut story.receipt;
    (receipt.finish_reason, receipt.cause) = (FinishReason::Error, Some(Cause::PeerLost));
    receipt.unsigned_stages = vec![2];
    story.stages.truncate(2);
    story
}

#[test]
fn without_its_body_a_receipt_verifies_as_incomplete() {
    let mut bundle = Story::new().bundle();
    bundle.opening = None;
    bundle.acknowledgement = None;
    let report = report(&bundle);
    assert!(!report.complete && !report.opened && report.acknowledged_by.is_none());
    let unchecked = report.not_checked().join("; ");
    assert!(unchecked.contains("no opening") && unchecked.contains("countersign"), "{unchecked}");
}

#[test]
fn a_broken_answer_verifies_as_incomplete_and_names_who_did_not_sign() {
    let report = report(&broken().bundle());
    assert!(!report.complete && report.opened);
    assert_eq!(report.cause, Some(Cause::PeerLost));
    let signed: Vec<_> = report.stages.iter().map(|s| (s.signed, s.positions)).collect();
    assert_eq!(signed, [(true, 7), (true, 7), (false, 0)]);
    assert!(report.not_checked().iter().any(|line| line.contains("not every stage signed")));
}

#[test]
fn a_silent_stage_amid_others_leaves_their_receipts_where_they_belong() {
    let mut story = broken();
    story.stages = Story::new().stages;
    story.stages.remove(1);
    story.receipt.unsigned_stages = vec![1];
    let signed: Vec<_> = report(&story.bundle()).stages.iter().map(|s| s.signed).collect();
    assert_eq!(signed, [true, false, true]);
}

#[test]
fn a_stage_that_signed_less_counts_as_unsigned() {
    let mut story = broken();
    story.stages[1].positions = 4;
    assert_eq!(fault(&story.bundle()), ("E_POSITIONS", "stage_receipts[1].positions".into()));
    story.receipt.unsigned_stages = vec![1, 2];
    let report = report(&story.bundle());
    assert_eq!((report.stages[1].signed, report.stages[1].positions), (false, 4));
    // Signing as much as the others is no reason to be called unsigned, signing more is none.
    for positions in [7, 8] {
        story.stages[1].positions = positions;
        assert_eq!(fault(&story.bundle()), ("E_POSITIONS", "stage_receipts[1].positions".into()));
    }
}

#[test]
fn a_stage_that_signed_nothing_must_be_named() {
    let mut story = broken();
    story.receipt.unsigned_stages = Vec::new();
    assert_eq!(fault(&story.bundle()), ("E_UNSIGNED", "receipt.unsigned_stages".into()));
    story.receipt.unsigned_stages = vec![2, 3];
    assert_eq!(fault(&story.bundle()), ("E_UNSIGNED", "receipt.unsigned_stages".into()));
}

#[test]
fn a_whole_answer_has_no_unsigned_stage() {
    for reason in [FinishReason::Stop, FinishReason::Length] {
        let mut story = broken();
        (story.receipt.finish_reason, story.receipt.cause) = (reason, None);
        assert_eq!(fault(&story.bundle()), ("E_UNSIGNED", "receipt.unsigned_stages".into()));
    }
}

#[test]
fn a_cancelled_answer_is_incomplete_though_all_signed() {
    let mut story = Story::new();
    story.receipt.finish_reason = FinishReason::Cancelled;
    let report = report(&story.bundle());
    assert!(!report.complete && report.stages.iter().all(|stage| stage.signed));
}

#[test]
fn positions_follow_from_tokens_and_reason() {
    // Prompt 5, answer 3: the last token goes round only if the answer might have gone on.
    let table = [
        (FinishReason::Length, 6, false),
        (FinishReason::Length, 7, true),
        (FinishReason::Length, 8, false),
        (FinishReason::Stop, 6, false),
        (FinishReason::Stop, 7, true),
        (FinishReason::Stop, 8, true),
        (FinishReason::Stop, 9, false),
    ];
    for (reason, positions, fits) in table {
        let mut story = Story::new();
        story.receipt.finish_reason = reason;
        story.stages.iter_mut().for_each(|stage| stage.positions = positions);
        let verified = verify(&story.bundle().encode(), &super::genesis());
        assert_eq!(verified.is_ok(), fits, "{reason} at {positions}: {verified:?}");
    }
}

#[test]
fn stages_that_computed_fewer_rows_than_they_signed_are_refused_though_all_agree() {
    // Of 7 positions 4 were kept from an earlier session.
    for (computed, fits) in [(2, false), (3, true), (300, true)] {
        let mut story = Story::new();
        story.stages.iter_mut().for_each(|stage| stage.computed = computed);
        let verified = verify(&story.bundle().encode(), &super::genesis());
        assert_eq!(verified.is_ok(), fits, "{computed}: {verified:?}");
        if let Err(error) = verified {
            let got = (error.code(), error.field.as_str());
            assert_eq!(got, ("E_WORK", "stage_receipts[0].computed"));
        }
    }
}

#[test]
fn an_empty_answer_covers_the_prompt() {
    for (positions, fits) in [(4, false), (5, true), (6, false)] {
        let mut story = Story::new();
        story.opening = Opening { output: Vec::new(), text: String::new(), ..story.opening };
        story.receipt.commitments = story.opening.commitments();
        (story.receipt.finish_reason, story.receipt.output_tokens) = (FinishReason::Stop, 0);
        story.receipt.first_token_ms = 0;
        story.stages.iter_mut().for_each(|stage| stage.positions = positions);
        assert_eq!(verify(&story.bundle().encode(), &super::genesis()).is_ok(), fits);
    }
}
