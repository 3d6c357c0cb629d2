//! What home names to stages, and what it makes of their holding it already.

use super::*;
use crate::{
    commitment::Salt,
    prefix::{PAGE_POSITIONS, PrefixKey},
};

const PAGE: u32 = PAGE_POSITIONS;

fn prefix_key() -> PrefixKey {
    PrefixKey::new(&Salt::new([1; 32]), &open().manifest, &open().policy)
}

/// A prompt of one page and two tokens.
fn prompt() -> Vec<u32> {
    (0..PAGE + 2).map(|position| position % 14).collect()
}

/// Home that names the prompt's page, and what it does at first.
fn start_named() -> (Home, Vec<Output>) {
    start_with_prompt(prompt())
}

fn start_with_prompt(prompt: Vec<u32>) -> (Home, Vec<Output>) {
    let key = prefix_key();
    let open = Open { prefix: key.tags(&prompt), ..open() };
    let request = Request { prefix_key: Some(key), ..request(open, prompt, 1) };
    let mut outputs = Vec::new();
    let home = Home::new(NOW, request, &mut outputs);
    (home, outputs)
}

fn opened(home: &mut Home, cached: u32) -> Vec<Output> {
    feed(home, Input::OpenDurable(Ok(())));
    let opened = Frame::Opened { session: home.session(), cached };
    feed(home, Input::Return(opened, None))
}

#[test]
fn pages_are_named_to_stages_only_once_the_record_is_durable() {
    let (mut home, outputs) = start_named();
    assert!(matches!(outputs.as_slice(), [Output::AppendOpen]));
    let outputs = feed(&mut home, Input::OpenDurable(Ok(())));
    assert!(matches!(outputs.as_slice(), [Output::First(Frame::Open { cached: PAGE, .. }, None)]));
}

#[test]
fn what_stages_hold_is_committed_to_and_not_sent() {
    let (mut home, _) = start_named();
    let outputs = opened(&mut home, PAGE);
    let [Output::Embed { start: 0, tokens: held }, Output::Embed { start: PAGE, tokens }] =
        outputs.as_slice()
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((&held[..], &tokens[..]), (&prompt()[..32], &prompt()[32..]));
    let held = Input::Embedded { start: 0, result: Ok(rows(PAGE, 1.0)) };
    assert!(feed(&mut home, held).is_empty());
    let sent = feed(&mut home, Input::Embedded { start: PAGE, result: Ok(rows(2, 2.0)) });
    let [Output::First(Frame::Step(step), Some(_))] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!((step.start, step.positions, step.returned, step.accepted), (32, 2, 1, 34));
    let mut expected = Chain::new(open().salt);
    expected.append(0, rows(PAGE, 1.0).bytes(), rows(1, 0.0).row_bytes());
    expected.append(PAGE, rows(2, 2.0).bytes(), rows(1, 0.0).row_bytes());
    assert_eq!(home.sent.head(), expected.head());
}

#[test]
fn the_whole_answer_closes_with_the_names_of_its_pages() {
    let (mut home, _) = start_named();
    opened(&mut home, 0);
    feed(&mut home, Input::Embedded { start: 0, result: Ok(rows(PAGE + 2, 1.0)) });
    let step = Step { start: PAGE + 1, positions: 1, returned: 1, ..Step::default() };
    feed(&mut home, Input::Return(Frame::Step(step), Some(rows(1, 3.0))));
    let logits = Input::Logits { position: PAGE + 1, result: Ok(vec![logits(5)]) };
    let outputs = feed(&mut home, logits);
    let Some(Output::First(Frame::Close(close), None)) = outputs.last() else {
        panic!("{outputs:?}");
    };
    let tags = prefix_key().tags(&prompt());
    assert_eq!((close.positions, &close.prefix), (PAGE + 2, &tags));
    let good = Close { receipts: receipts(&home, None), ..close.clone() };
    let outputs = feed(&mut home, Input::Return(Frame::Close(good), None));
    assert_eq!((ending(&outputs).cached, &ending(&outputs).kept), (0, &tags));
}

#[test]
fn what_a_broken_session_had_kept_is_not_counted_on() {
    let (mut home, _) = start_named();
    opened(&mut home, 0);
    feed(&mut home, Input::Embedded { start: 0, result: Ok(rows(PAGE + 2, 1.0)) });
    feed(&mut home, Input::Finish(FinishReason::Cancelled));
    let outputs = feed(&mut home, Input::Return(Frame::Close(Close::default()), None));
    assert!(ending(&outputs).refusal.is_some(), "no receipts");
    assert!(ending(&outputs).kept.is_empty());
}

#[test]
fn a_ring_that_holds_what_was_not_named_is_refused() {
    for cached in [1, PAGE - 1, PAGE + 2, 2 * PAGE, 64 * PAGE] {
        let (mut home, _) = start_named();
        let outputs = opened(&mut home, cached);
        let refusal = ending(&outputs).refusal.as_ref().expect("refused");
        assert_eq!((refusal.cause, refusal.stage), (Cause::Violation, 1), "{cached}");
    }
    // Nor all of the prompt: what follows its last token is asked for.
    let (mut home, _) = start_with_prompt(prompt()[..32].to_vec());
    let outputs = opened(&mut home, PAGE);
    assert!(ending(&outputs).refusal.is_some());
}

#[test]
fn a_receipt_that_claims_work_which_was_not_asked_is_its_stages_fault() {
    let (mut home, _) = start_named();
    opened(&mut home, PAGE);
    feed(&mut home, Input::Embedded { start: 0, result: Ok(rows(PAGE, 1.0)) });
    feed(&mut home, Input::Embedded { start: PAGE, result: Ok(rows(2, 1.0)) });
    // These say that all positions were computed.
    let receipts = receipts(&home, None);
    let step = Step { start: PAGE + 1, positions: 1, returned: 1, accepted: PAGE + 2, receipts };
    let outputs = feed(&mut home, Input::Return(Frame::Step(step), Some(rows(1, 3.0))));
    let refusal = ending(&outputs).refusal.as_ref().expect("refused");
    assert_eq!((refusal.cause, refusal.stage), (Cause::Violation, 0));
    assert!(ending(&outputs).kept.is_empty());
}
