//! Admission, order and refusals at a stage.

mod prefixes;
mod work;

use super::*;
use crate::{
    policy::Policy,
    route::RouteStage,
    session::tests::{CHARTER, NOW, key, member, open, rows, serving, sign, stage},
    signed::Domain,
};

fn admit(open: &Open) -> Result<(Stage, Vec<Output>), Refusal> {
    admit_signed(sign(open), 0, &[serving(0, 2)])
}

fn admit_signed(
    signed: Signed,
    from: u8,
    serving: &[Serving],
) -> Result<(Stage, Vec<Output>), Refusal> {
    admit_cached(signed, 0, from, serving)
}

/// Stage 1 of the test's consortium, asked by node `from`, which holds `cached` positions.
fn admit_cached(
    signed: Signed,
    cached: u32,
    from: u8,
    serving: &[Serving],
) -> Result<(Stage, Vec<Output>), Refusal> {
    let admission = Admission {
        charter: CHARTER,
        me: key(1).public(),
        from: key(from).public(),
        member: &member,
        policy: &agreed,
        serving,
    };
    let mut outputs = Vec::new();
    let stage = Stage::admit(NOW, signed, cached, &admission, &mut outputs)?;
    Ok((stage, outputs))
}

/// The charter's policies: "eu", which restricts nothing, "strict", and the open one.
fn agreed(name: &str) -> Option<Policy> {
    let mut policy = Policy::open(name);
    match name {
        "strict" => drop(policy.forbidden_jurisdictions.insert("BR".parse().unwrap())),
        "eu" | Policy::OPEN => {}
        _ => return None,
    }
    Some(policy)
}

fn cause(open: &Open) -> Cause {
    admit(open).map(|_| ()).expect_err("refused").cause
}

fn running() -> Stage {
    let (mut stage, mut outputs) = admit(&open()).unwrap();
    assert!(matches!(outputs.remove(0), Output::OpenShard { positions_max: 64, .. }));
    stage.handle(NOW, Input::ShardOpened(Ok(Vec::new())), &mut outputs);
    assert!(matches!(outputs.as_slice(), [Output::Downstream(Frame::Open { .. }, None)]));
    stage
}

/// Rows of drafts: only what comes before them is final.
fn step(start: u32, positions: u32) -> Step {
    Step { start, positions, returned: 1, accepted: start, receipts: Vec::new() }
}

fn close(positions: u32) -> Close {
    Close { positions, ..Close::default() }
}

fn feed(stage: &mut Stage, input: Input) -> Vec<Output> {
    let mut outputs = Vec::new();
    stage.handle(NOW, input, &mut outputs);
    outputs
}

/// The cause with which the session ended, told to both neighbours.
fn refused_both_ways(outputs: &[Output]) -> Cause {
    let [
        Output::Upstream(Frame::Refusal(up)),
        Output::Downstream(Frame::Refusal(down), None),
        Output::Ended(Some(end)),
    ] = outputs
    else {
        panic!("not refused both ways: {outputs:?}");
    };
    assert_eq!((up, down), (end, end));
    end.cause
}

#[test]
fn an_opening_is_admitted_only_from_its_place_in_a_route_within_policy() {
    assert!(admit(&open()).is_ok());
    let forged = key(3).sign(Domain::RECEIPT, &CHARTER, &open()).unwrap();
    let refused = |signed, from| admit_signed(signed, from, &[serving(0, 2)]).unwrap_err().cause;
    assert_eq!(refused(forged, 0), Cause::Violation, "signed as something else");
    assert_eq!(refused(sign(&open()), 2), Cause::Violation, "from another than the upstream");
    let elsewhere = Open { stages: vec![stage(2, 0, 2), stage(3, 2, 4)], ..open() };
    assert_eq!(cause(&elsewhere), Cause::Violation, "route without this node");
    let gap = Open { stages: vec![stage(1, 0, 2), stage(2, 3, 4)], ..open() };
    assert_eq!(cause(&gap), Cause::Violation, "route with a gap");
    let stranger = RouteStage { peer: key(8).public(), ..stage(2, 2, 4) };
    let stranger = Open { stages: vec![stage(1, 0, 2), stranger], ..open() };
    assert_eq!(cause(&stranger), Cause::NotAdmitted);
    let mut policy = Policy::open("eu");
    policy.forbidden_jurisdictions.insert("US".parse().unwrap());
    assert!(admit(&Open { policy: policy.clone(), ..open() }).is_ok());
    let foreign = Open { policy, stages: vec![stage(1, 0, 2), stage(3, 2, 4)], ..open() };
    assert_eq!(cause(&foreign), Cause::Policy, "a parent company outside the policy");
    for name in ["strict", "unknown"] {
        let loosened = Open { policy: Policy::open(name), ..open() };
        assert_eq!(cause(&loosened), Cause::Policy, "not what the charter says of {name}");
    }
    let class = Open { numeric_class: "other".into(), ..open() };
    assert_eq!(cause(&class), Cause::NotServed);
    let unheld = admit_signed(sign(&open()), 0, &[serving(2, 4)]).unwrap_err();
    assert_eq!(unheld.cause, Cause::NotServed);
    assert_eq!(cause(&Open { positions_max: 65, ..open() }), Cause::Limit);
    assert_eq!(cause(&Open { deadline: NOW, ..open() }), Cause::Timeout);
}

#[test]
fn steps_are_computed_forwarded_and_signed_for() {
    let mut stage = running();
    let outputs = feed(&mut stage, Input::Upstream(Frame::Step(step(0, 3)), Some(rows(3, 1.0))));
    assert!(matches!(outputs.as_slice(), [Output::Compute { start: 0, .. }]));
    let outputs = feed(&mut stage, Input::Upstream(Frame::Close(close(3)), None));
    assert!(outputs.is_empty(), "waits for the step under way");
    let outputs = feed(&mut stage, Input::Computed(Ok(rows(3, 2.0))));
    let [Output::Downstream(Frame::Step(sent), Some(hidden)), Output::Sign { draft, last: true }] =
        outputs.as_slice()
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((sent.start, sent.positions, hidden.positions()), (0, 3, 3));
    assert_eq!((draft.positions, draft.stage), (3, 0));
    assert_ne!(draft.input, draft.output);
    // The upstream leaves once it has passed Close on; that must not end the session.
    assert!(feed(&mut stage, Input::UpstreamLost).is_empty());
    let receipt = key(1).sign(Domain::STAGE_RECEIPT, &CHARTER, &**draft).unwrap();
    let outputs = feed(&mut stage, Input::Signed { receipt: Ok(receipt.clone()), last: true });
    let [Output::Downstream(Frame::Close(close), None), Output::Keep { .. }, Output::Ended(None)] =
        outputs.as_slice()
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((close.positions, &close.receipts[..]), (3, &[receipt][..]));
}

#[test]
fn what_no_honest_neighbour_sends_ends_the_session_with_its_cause() {
    let nan = rows(1, f32::NAN);
    let cases: Vec<(&str, Input, Cause)> = vec![
        (
            "a gap",
            Input::Upstream(Frame::Step(step(1, 1)), Some(rows(1, 0.0))),
            Cause::PositionMismatch,
        ),
        (
            "a wrong length",
            Input::Upstream(Frame::Step(step(0, 2)), Some(rows(1, 0.0))),
            Cause::Violation,
        ),
        ("no tensor", Input::Upstream(Frame::Step(step(0, 1)), None), Cause::Violation),
        ("NaN", Input::Upstream(Frame::Step(step(0, 1)), Some(nan)), Cause::NotFinite),
        (
            "past the bound",
            Input::Upstream(Frame::Step(step(0, 65)), Some(rows(65, 0.0))),
            Cause::Limit,
        ),
        (
            "a second opening",
            Input::Upstream(Frame::Open { signed: sign(&open()), cached: 0 }, None),
            Cause::Violation,
        ),
        (
            "a missing receipt",
            Input::Upstream(
                Frame::Close(Close { receipts: vec![sign(&open())], ..close(0) }),
                None,
            ),
            Cause::Violation,
        ),
        (
            "final rows that were not sent",
            Input::Upstream(Frame::Step(Step { accepted: 2, ..step(0, 1) }), Some(rows(1, 0.0))),
            Cause::Violation,
        ),
        (
            "a close past what was sent",
            Input::Upstream(Frame::Close(close(1)), None),
            Cause::PositionMismatch,
        ),
        ("a step backwards", Input::Downstream(Frame::Step(step(0, 1))), Cause::Violation),
    ];
    for (name, input, expected) in cases {
        let outputs = feed(&mut running(), input);
        assert_eq!(refused_both_ways(&outputs), expected, "{name}");
    }
}

#[test]
fn an_earlier_position_rolls_back_and_is_signed_for_as_resent() {
    let sign_after = |steps: &[(u32, f32)]| {
        let mut stage = running();
        for (start, value) in steps {
            let input = Input::Upstream(Frame::Step(step(*start, 1)), Some(rows(1, *value)));
            feed(&mut stage, input);
            feed(&mut stage, Input::Computed(Ok(rows(1, value * 2.0))));
        }
        match feed(&mut stage, Input::Upstream(Frame::Close(close(2)), None)).remove(0) {
            Output::Sign { draft, .. } => (draft.positions, draft.input, draft.output),
            other => panic!("{other:?}"),
        }
    };
    let direct = sign_after(&[(0, 1.0), (1, 2.0)]);
    assert_eq!(sign_after(&[(0, 1.0), (1, 9.0), (1, 2.0)]), direct);
    assert_ne!(sign_after(&[(0, 1.0), (1, 9.0)]), direct);
}

#[test]
fn a_refusal_that_comes_back_is_not_from_before_the_stage_that_passes_it_on() {
    for (said, told) in [(0, 1), (1, 1), (2, 2)] {
        let mut stage = running();
        let refusal = Refusal::new(Cause::Overloaded, said, "no session slot is free");
        let outputs = feed(&mut stage, Input::Downstream(Frame::Refusal(refusal)));
        assert!(matches!(
            outputs.as_slice(),
            [Output::Upstream(Frame::Refusal(refusal)), Output::Ended(Some(_))]
                if refusal.stage == told
        ));
    }
    // What the last stage hears is home's own, and names whom home gave up.
    let alone = Open { stages: vec![stage(1, 0, 4)], ..open() };
    let (mut last, _) = admit_signed(sign(&alone), 0, &[serving(0, 4)]).unwrap();
    let refusal = Refusal::new(Cause::PeerLost, 0, "the link is gone");
    let outputs = feed(&mut last, Input::Downstream(Frame::Refusal(refusal.clone())));
    assert!(matches!(outputs.last(), Some(Output::Ended(Some(ended))) if *ended == refusal));
}

#[test]
fn a_lost_neighbour_is_named_to_the_other_side_only() {
    let names = |refusal: &Refusal, seed| refusal.detail.contains(&key(seed).public().to_string());
    let outputs = feed(&mut running(), Input::UpstreamLost);
    assert!(matches!(
        outputs.as_slice(),
        [Output::Downstream(Frame::Refusal(refusal), None), Output::Ended(Some(_))]
            if refusal.cause == Cause::PeerLost && names(refusal, 0)
    ));
    let outputs = feed(&mut running(), Input::DownstreamLost);
    assert!(matches!(
        outputs.as_slice(),
        [Output::Upstream(Frame::Refusal(refusal)), Output::Ended(Some(_))]
            if refusal.cause == Cause::PeerLost && names(refusal, 2)
    ));
}

#[test]
fn a_session_in_which_nothing_moves_ends() {
    let mut stage = running();
    let due = stage.poll_timeout().expect("a running session has a timeout");
    let mut outputs = Vec::new();
    stage.handle(due, Input::Timeout, &mut outputs);
    assert_eq!(refused_both_ways(&outputs), Cause::Timeout);
    assert_eq!(stage.poll_timeout(), None);
}

#[test]
fn a_partial_receipt_rides_with_a_later_step() {
    let mut stage = running();
    stage.open.positions_max = 1_024;
    let prompt = Step { accepted: 256, ..step(0, 256) };
    let outputs = feed(&mut stage, Input::Upstream(Frame::Step(prompt), Some(rows(256, 1.0))));
    assert!(matches!(outputs.as_slice(), [Output::Compute { .. }]));
    let outputs = feed(&mut stage, Input::Computed(Ok(rows(256, 2.0))));
    let draft = match &outputs[0] {
        Output::Sign { draft, last: false } => draft,
        other => panic!("{other:?}"),
    };
    let receipt = key(1).sign(Domain::STAGE_RECEIPT, &CHARTER, &**draft).unwrap();
    feed(&mut stage, Input::Signed { receipt: Ok(receipt.clone()), last: false });
    feed(&mut stage, Input::Upstream(Frame::Step(step(256, 1)), Some(rows(1, 1.0))));
    let outputs = feed(&mut stage, Input::Computed(Ok(rows(1, 2.0))));
    assert!(matches!(
        outputs.as_slice(),
        [Output::Downstream(Frame::Step(step), Some(_))] if step.receipts == [receipt]
    ));
}

#[test]
fn drafts_are_signed_for_only_once_they_are_final() {
    let mut stage = running();
    stage.open.positions_max = 1_024;
    let mut send = |step: Step, value: f32| {
        let count = step.positions;
        feed(&mut stage, Input::Upstream(Frame::Step(step), Some(rows(count, value))));
        let outputs = feed(&mut stage, Input::Computed(Ok(rows(count, value * 2.0))));
        outputs.into_iter().find_map(|output| match output {
            Output::Sign { draft, .. } => Some((draft.positions, draft.input)),
            _ => None,
        })
    };
    let prompt = Step { accepted: 250, ..step(0, 250) };
    assert_eq!(send(prompt, 1.0), None);
    assert_eq!(send(step(250, 10), 9.0), None, "past 256, but nothing of it is final");
    assert_eq!(send(Step { accepted: 252, ..step(252, 8) }, 7.0), None, "the rest of it was wrong");
    let (positions, mixed) = send(Step { accepted: 258, ..step(258, 1) }, 5.0).expect("signed");
    assert_eq!(positions, 258);
    let mut expected = Chain::new(open().salt);
    let row = rows(1, 0.0).row_bytes();
    for (start, count, value) in [(0, 250, 1.0), (250, 2, 9.0), (252, 6, 7.0)] {
        expected.append(start, rows(count, value).bytes(), row);
    }
    assert_eq!(mixed, expected.head());
}

#[test]
fn what_was_final_is_never_taken_back() {
    let taken_back = |input: Input| {
        let mut stage = running();
        let first = Step { accepted: 3, ..step(0, 4) };
        feed(&mut stage, Input::Upstream(Frame::Step(first), Some(rows(4, 1.0))));
        feed(&mut stage, Input::Computed(Ok(rows(4, 2.0))));
        feed(&mut stage, input)
    };
    let send = |step: Step| Input::Upstream(Frame::Step(step), Some(rows(1, 1.0)));
    assert_eq!(refused_both_ways(&taken_back(send(step(2, 1)))), Cause::PositionMismatch);
    let shrunk = Step { accepted: 2, ..step(3, 1) };
    assert_eq!(refused_both_ways(&taken_back(send(shrunk))), Cause::Violation);
    let closed = Input::Upstream(Frame::Close(close(2)), None);
    assert_eq!(refused_both_ways(&taken_back(closed)), Cause::PositionMismatch);
    let outputs = taken_back(Input::Upstream(Frame::Close(close(3)), None));
    assert!(matches!(
        outputs.as_slice(),
        [Output::Sign { draft, last: true }] if draft.positions == 3
    ));
}
