//! Order, durability and refusals at home.

mod opening;
mod prefixes;
mod windows;
mod work;

use super::*;
use crate::{
    receipt::{Sampling, StageReceipt},
    session::{
        Close, Step,
        tests::{CHARTER, NOW, key, open, rows, sign},
    },
    signed::Domain,
};

fn start(prompt: Vec<u32>, max_tokens: u32) -> Home {
    start_with(prompt, max_tokens, Drafts::default())
}

/// A greedy request without guesses and names.
fn request(open: Open, prompt: Vec<u32>, max_tokens: u32) -> Request {
    Request {
        signed: sign(&open),
        open,
        charter: CHARTER,
        prompt,
        sampler: Sampler::new(&Sampling { temperature: 0, ..Sampling::default() }).unwrap(),
        max_tokens,
        ends: vec![15],
        row_bytes: rows(1, 0.0).row_bytes(),
        drafts: Drafts::default(),
        prefix_key: None,
        institution: "inst-0".into(),
        expected: ["inst-1", "inst-2"]
            .map(|institution| Expected { institution: institution.into(), parameters: 200 })
            .into(),
    }
}

fn start_with(prompt: Vec<u32>, max_tokens: u32, drafts: Drafts) -> Home {
    let request = Request { drafts, ..request(open(), prompt, max_tokens) };
    let mut outputs = Vec::new();
    let home = Home::new(NOW, request, &mut outputs);
    assert!(matches!(
        outputs.as_slice(),
        [Output::AppendOpen, Output::First(Frame::Open { .. }, None)]
    ));
    home
}

fn feed(home: &mut Home, input: Input) -> Vec<Output> {
    let mut outputs = Vec::new();
    home.handle(NOW, input, &mut outputs);
    outputs
}

fn running(prompt: Vec<u32>, max_tokens: u32) -> (Home, Vec<Output>) {
    let mut home = start(prompt, max_tokens);
    let opened = Frame::Opened { session: home.session(), cached: 0 };
    assert!(feed(&mut home, Input::Return(opened, None)).is_empty(), "not durable yet");
    let outputs = feed(&mut home, Input::OpenDurable(Ok(())));
    (home, outputs)
}

/// Logits whose best token is `token`.
fn logits(token: u32) -> Vec<f32> {
    (0..16).map(|id| if id == token { 1.0 } else { 0.0 }).collect()
}

fn ending(outputs: &[Output]) -> &Ending {
    match outputs.last() {
        Some(Output::Ended(ending)) => ending,
        other => panic!("not ended: {other:?}"),
    }
}

/// Prefills `tokens` positions and returns the hidden state of the last to home.
fn prefill(home: &mut Home, tokens: u32) -> Vec<Output> {
    let sent = feed(home, Input::Embedded { start: 0, result: Ok(rows(tokens, 1.0)) });
    assert!(matches!(sent.as_slice(), [Output::First(Frame::Step(_), Some(_))]));
    feed(home, Input::Sent);
    let step = Step { start: tokens - 1, positions: 1, returned: 1, ..Step::default() };
    feed(home, Input::Return(Frame::Step(step), Some(rows(1, 3.0))))
}

#[test]
fn nothing_of_the_prompt_is_sent_before_the_record_is_durable_and_the_ring_closed() {
    let mut home = start(vec![1, 2], 4);
    assert!(feed(&mut home, Input::OpenDurable(Ok(()))).is_empty(), "ring not closed yet");
    let (_, outputs) = running(vec![1, 2], 4);
    assert!(matches!(
        outputs.as_slice(),
        [Output::Embed { start: 0, tokens }] if tokens == &[1, 2]
    ));
    let mut home = start(vec![1], 4);
    let refusal = Refusal::new(Cause::Storage, 2, "disk full");
    let outputs = feed(&mut home, Input::OpenDurable(Err(refusal)));
    assert_eq!(ending(&outputs).refusal.as_ref().map(|r| r.cause), Some(Cause::Storage));
}

#[test]
fn a_long_prompt_flows_in_chunks_within_a_window() {
    let (mut home, outputs) = running(vec![1; 300], 4);
    let starts = |outputs: &[Output]| -> Vec<(u32, usize)> {
        outputs
            .iter()
            .filter_map(|output| match output {
                Output::Embed { start, tokens } => Some((*start, tokens.len())),
                _ => None,
            })
            .collect()
    };
    assert_eq!(starts(&outputs), [(0, 128), (128, 128)]);
    let sent = feed(&mut home, Input::Embedded { start: 0, result: Ok(rows(128, 1.0)) });
    assert!(matches!(
        sent.as_slice(),
        [Output::First(Frame::Step(step), Some(_))] if step.returned == 0
    ));
    assert_eq!(starts(&feed(&mut home, Input::Sent)), [(256, 44)]);
}

#[test]
fn tokens_follow_until_the_bound_and_the_receipts_close_the_session() {
    let (mut home, _) = running(vec![1, 2], 2);
    let outputs = prefill(&mut home, 2);
    assert!(matches!(outputs.as_slice(), [Output::Head { position: 1, .. }]));
    let outputs = feed(&mut home, Input::Logits { position: 1, result: Ok(vec![logits(5)]) });
    assert!(matches!(outputs.as_slice(), [Output::Token { id: 5, position: 2 }]));
    let outputs = feed(&mut home, Input::Told);
    assert!(matches!(
        outputs.as_slice(),
        [Output::Embed { start: 2, tokens }] if tokens == &[5]
    ));
    feed(&mut home, Input::Embedded { start: 2, result: Ok(rows(1, 1.0)) });
    let step = Step { start: 2, positions: 1, returned: 1, ..Step::default() };
    feed(&mut home, Input::Return(Frame::Step(step), Some(rows(1, 3.0))));
    let outputs = feed(&mut home, Input::Logits { position: 2, result: Ok(vec![logits(6)]) });
    assert!(matches!(
        outputs.as_slice(),
        [Output::Token { id: 6, position: 3 }, Output::First(Frame::Close(_), None)]
    ));
    assert!(feed(&mut home, Input::FirstLost).is_empty(), "the first stage may leave now");
    let close =
        Frame::Close(Close { positions: 3, receipts: receipts(&home, None), ..Close::default() });
    let outputs = feed(&mut home, Input::Return(close, None));
    let ending = ending(&outputs);
    assert_eq!((ending.reason, ending.output.as_slice()), (FinishReason::Length, &[5, 6][..]));
    assert_eq!((ending.receipts.len(), ending.unsigned_stages.len()), (2, 0));
}

/// Receipts of both stages for all that was sent; stage `broken` claims another input.
fn receipts(home: &Home, broken: Option<u32>) -> Vec<Signed> {
    let open = &home.request.open;
    let mut boundary = home.sent.head();
    (0u32..2)
        .map(|stage| {
            let input = if broken == Some(stage) { Digest([1; 32]) } else { boundary };
            boundary = Digest::of(&[stage.to_le_bytes()[0]]);
            let receipt = StageReceipt {
                session: open.session,
                institution: format!("inst-{}", stage + 1),
                jurisdiction: "DE".parse().unwrap(),
                stage,
                blocks: open.stages[stage as usize].blocks,
                manifest: open.manifest,
                shard: Digest::ZERO,
                numeric_class: open.numeric_class.clone(),
                positions: home.sent.positions(),
                input,
                output: boundary,
                sequence: 1,
                started_at: NOW,
                signed_at: NOW,
                cached: 0,
                home: key(0).public(),
                home_institution: "inst-0".into(),
                computed: home.sent.positions().into(),
                previous: Digest::ZERO,
                parameters: 200,
            };
            let seed = u8::try_from(stage + 1).unwrap();
            key(seed).sign(Domain::STAGE_RECEIPT, &CHARTER, &receipt).unwrap()
        })
        .collect()
}

#[test]
fn a_receipt_for_other_input_than_was_sent_names_its_stage() {
    for broken in 0..2 {
        let (mut home, _) = running(vec![1, 2], 1);
        prefill(&mut home, 2);
        feed(&mut home, Input::Logits { position: 1, result: Ok(vec![logits(5)]) });
        let close = Frame::Close(Close {
            positions: 2,
            receipts: receipts(&home, Some(broken)),
            ..Close::default()
        });
        let outputs = feed(&mut home, Input::Return(close, None));
        let refusal = ending(&outputs).refusal.clone().expect("refused");
        assert_eq!((refusal.cause, refusal.stage), (Cause::Violation, broken));
    }
}

#[test]
fn a_receipt_for_positions_that_are_not_final_is_its_stages_fault() {
    let (mut home, _) = running(vec![1, 2], 4);
    feed(&mut home, Input::Embedded { start: 0, result: Ok(rows(2, 1.0)) });
    let sent = home.sent.clone();
    home.sent.append(2, rows(1, 1.0).bytes(), rows(1, 1.0).row_bytes());
    let receipts = receipts(&home, None);
    home.sent = sent;
    let step = Step { start: 1, positions: 1, returned: 1, accepted: 2, receipts };
    let outputs = feed(&mut home, Input::Return(Frame::Step(step), Some(rows(1, 3.0))));
    let refusal = ending(&outputs).refusal.clone().expect("refused");
    assert_eq!((refusal.cause, refusal.stage), (Cause::Violation, 0));
}

#[test]
fn an_end_token_stops_the_answer_and_is_no_part_of_it() {
    let (mut home, _) = running(vec![1, 2], 9);
    prefill(&mut home, 2);
    let outputs = feed(&mut home, Input::Logits { position: 1, result: Ok(vec![logits(15)]) });
    assert!(matches!(outputs.as_slice(), [Output::First(Frame::Close(_), None)]));
}

#[test]
fn what_no_honest_last_stage_sends_ends_the_session_with_its_cause() {
    let step =
        |start, positions| Frame::Step(Step { start, positions, returned: 1, ..Step::default() });
    let cases = [
        ("another position", step(0, 1), Some(rows(1, 1.0)), Cause::PositionMismatch),
        ("two rows", step(1, 2), Some(rows(2, 1.0)), Cause::Violation),
        ("NaN", step(1, 1), Some(rows(1, f32::NAN)), Cause::NotFinite),
        ("an early close", Frame::Close(Close::default()), None, Cause::Violation),
        ("an opening", Frame::Open { signed: sign(&open()), cached: 0 }, None, Cause::Violation),
    ];
    for (name, frame, hidden, expected) in cases {
        let (mut home, _) = running(vec![1, 2], 4);
        feed(&mut home, Input::Embedded { start: 0, result: Ok(rows(2, 1.0)) });
        let outputs = feed(&mut home, Input::Return(frame, hidden));
        let ending = ending(&outputs);
        assert_eq!(ending.refusal.as_ref().map(|r| r.cause), Some(expected), "{name}");
        assert_eq!(ending.reason, FinishReason::Error, "{name}");
        assert_eq!(ending.unsigned_stages, [0, 1], "{name}");
    }
}

#[test]
fn a_step_that_returns_twice_is_the_last_stages_fault() {
    let (mut home, _) = running(vec![1, 2], 4);
    prefill(&mut home, 2);
    let step = Step { start: 1, positions: 1, returned: 1, ..Step::default() };
    let outputs = feed(&mut home, Input::Return(Frame::Step(step), Some(rows(1, 3.0))));
    let refusal = ending(&outputs).refusal.clone().expect("refused");
    assert_eq!((refusal.cause, refusal.stage), (Cause::PositionMismatch, 1));
}

#[test]
fn a_lost_link_names_the_stage_at_its_other_end() {
    for (input, stage, seed) in [(Input::FirstLost, 0, 1), (Input::ReturnLost, 1, 2)] {
        let (mut home, _) = running(vec![1], 4);
        let refusal = ending(&feed(&mut home, input)).refusal.clone().expect("refused");
        assert_eq!((refusal.cause, refusal.stage), (Cause::PeerLost, stage));
        assert!(refusal.detail.contains(&key(seed).public().to_string()), "{}", refusal.detail);
    }
}

#[test]
fn a_silent_ring_times_out_and_says_what_was_waited_for() {
    let (mut home, _) = running(vec![1], 4);
    let due = home.poll_timeout().expect("a running session has a timeout");
    let mut outputs = Vec::new();
    home.handle(due, Input::Timeout, &mut outputs);
    let refusal = ending(&outputs).refusal.clone().expect("refused");
    assert_eq!(refusal.cause, Cause::Timeout);
    assert!(refusal.detail.contains("next position"), "{}", refusal.detail);
}
