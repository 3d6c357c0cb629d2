//! What receipts say of the work: home counts for itself.

use super::*;
use crate::{id::SessionId, limits::RECEIPT_INTERVAL};

/// Closes a session of three positions with receipts of stage 1 changed so.
fn closed_with(change: fn(&mut StageReceipt)) -> Ending {
    let (mut home, _) = running(vec![1, 2], 1);
    prefill(&mut home, 2);
    feed(&mut home, Input::Logits { position: 1, result: Ok(vec![logits(5)]) });
    let mut receipts = receipts(&home, None);
    let mut changed: StageReceipt =
        receipts[1].open(Domain::STAGE_RECEIPT, &CHARTER).expect("signed above");
    change(&mut changed);
    receipts[1] = key(2).sign(Domain::STAGE_RECEIPT, &CHARTER, &changed).unwrap();
    let close = Close { positions: 2, receipts, ..Close::default() };
    let mut outputs = feed(&mut home, Input::Return(Frame::Close(close), None));
    match outputs.pop() {
        Some(Output::Ended(ending)) => *ending,
        other => panic!("not ended: {other:?}"),
    }
}

#[test]
fn what_a_stage_computed_goes_into_the_ending_as_home_counted_it() {
    let ending = closed_with(|_| {});
    let work = |stage: u32| Work {
        stage,
        institution: format!("inst-{}", stage + 1),
        computed: 2,
        parameters: 200,
    };
    assert_eq!((ending.refusal, ending.work), (None, vec![work(0), work(1)]));
}

#[test]
fn a_receipt_for_other_work_or_another_home_is_its_stages_fault() {
    let changes: [fn(&mut StageReceipt); 9] = [
        |r| r.computed += 1,
        |r| r.computed -= 1,
        |r| r.parameters += 1,
        |r| r.institution = "inst-1".into(),
        |r| r.home = key(3).public(),
        |r| r.home_institution = "inst-3".into(),
        |r| r.session = SessionId([8; 16]),
        |r| r.cached = 1,
        |r| r.blocks = crate::block::BlockRange::new(1, 4).unwrap(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let ending = closed_with(change);
        let refusal = ending.refusal.unwrap_or_else(|| panic!("change {index} was taken"));
        assert_eq!((refusal.cause, refusal.stage), (Cause::Violation, 1), "change {index}");
        assert_eq!(ending.unsigned_stages, [1], "change {index}");
        assert_eq!(ending.work.len(), 1, "change {index}: home owes nothing for it");
    }
}

/// A home whose first step made one interval final and whose second sent drafts after it.
fn beyond_an_interval() -> Receipts {
    let mut receipts = Receipts::new(&request(open(), vec![1, 2], 1));
    receipts.sent(RECEIPT_INTERVAL, RECEIPT_INTERVAL);
    receipts.sent(5, RECEIPT_INTERVAL + 1);
    receipts
}

/// A receipt of the first stage.
fn partial(positions: u32, computed: u64) -> Signed {
    let (home, _) = running(vec![1, 2], 1);
    let signed = receipts(&home, None).remove(0);
    let receipt: StageReceipt = signed.open(Domain::STAGE_RECEIPT, &CHARTER).unwrap();
    let receipt = StageReceipt { positions, computed, sequence: computed, ..receipt };
    key(1).sign(Domain::STAGE_RECEIPT, &CHARTER, &receipt).unwrap()
}

#[test]
fn a_partial_receipt_counts_the_steps_up_to_its_own() {
    let taken = |positions, computed| {
        let settled = RECEIPT_INTERVAL + 1;
        beyond_an_interval().accept(partial(positions, computed), settled).is_ok()
    };
    let first = u64::from(RECEIPT_INTERVAL);
    assert!(taken(RECEIPT_INTERVAL, first));
    assert!(!taken(RECEIPT_INTERVAL, first + 5), "drafts that came after it");
    assert!(!taken(RECEIPT_INTERVAL + 1, first + 5), "no step asked for that one");
    assert!(!taken(RECEIPT_INTERVAL - 1, first));
}

#[test]
fn the_last_receipt_counts_all_drafts_and_a_partial_one_may_cross_the_close() {
    let mut receipts = beyond_an_interval();
    receipts.closed(RECEIPT_INTERVAL);
    let first = u64::from(RECEIPT_INTERVAL);
    assert!(receipts.accept(partial(RECEIPT_INTERVAL, first), RECEIPT_INTERVAL).is_ok());
    assert!(receipts.accept(partial(RECEIPT_INTERVAL, first + 5), RECEIPT_INTERVAL).is_ok());
    assert_eq!(receipts.take().0[0].computed, first + 5);
    // At the close the partial one is not enough.
    let mut receipts = beyond_an_interval();
    receipts.closed(RECEIPT_INTERVAL);
    let mut sent = Chain::new(open().salt);
    for position in 0..RECEIPT_INTERVAL {
        sent.append(position, rows(1, 1.0).bytes(), rows(1, 1.0).row_bytes());
    }
    receipts.accept(partial(RECEIPT_INTERVAL, first), RECEIPT_INTERVAL).unwrap();
    let refusal = receipts.check_chain(&sent).unwrap_err();
    assert!(refusal.detail.contains("claims other work"), "{refusal}");
}
