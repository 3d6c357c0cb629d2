//! What a stage says it computed: every row it ran, and no other.

use super::*;

fn run(stage: &mut Stage, step: Step) -> Vec<Output> {
    let positions = step.positions;
    feed(stage, Input::Upstream(Frame::Step(step), Some(rows(positions, 1.0))));
    feed(stage, Input::Computed(Ok(rows(positions, 2.0))))
}

fn signed_at(stage: &mut Stage, positions: u32) -> StageReceipt {
    let outputs = feed(stage, Input::Upstream(Frame::Close(close(positions)), None));
    match outputs.as_slice() {
        [Output::Sign { draft, last: true }] => StageReceipt::clone(draft),
        other => panic!("not signed: {other:?}"),
    }
}

#[test]
fn rows_that_home_took_back_were_computed_all_the_same() {
    let mut stage = running();
    run(&mut stage, step(0, 10));
    run(&mut stage, step(4, 3));
    run(&mut stage, step(5, 1));
    let receipt = signed_at(&mut stage, 5);
    assert_eq!((receipt.positions, receipt.cached, receipt.computed), (5, 0, 14));
}

#[test]
fn a_receipt_names_home_and_the_parameters_of_the_blocks_run() {
    let receipt = signed_at(&mut running(), 0);
    assert_eq!((receipt.home, receipt.home_institution.as_str()), (key(0).public(), "inst-0"));
    assert_eq!((receipt.parameters, receipt.computed), (200, 0));
}

#[test]
fn a_step_not_computed_yet_is_not_counted() {
    let mut stage = running();
    feed(&mut stage, Input::Upstream(Frame::Step(step(0, 4)), Some(rows(4, 1.0))));
    feed(&mut stage, Input::Upstream(Frame::Step(step(4, 2)), Some(rows(2, 1.0))));
    feed(&mut stage, Input::Computed(Ok(rows(4, 2.0))));
    assert_eq!(stage.computed, 4);
}
