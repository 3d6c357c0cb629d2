//! Which ends of a session leave another try: those before a token or a hidden state left home.

use super::*;

/// Who says whose fault it is that a session ended so, if it may be tried again.
fn blamed(outputs: &[Output]) -> Option<(u8, u8)> {
    let unopened = ending(outputs).unopened.as_ref()?;
    assert_eq!(Some(&unopened.refusal), ending(outputs).refusal.as_ref());
    let seed = |peer| (0..4).find(|seed| key(*seed).public() == peer);
    Some((seed(unopened.reporter)?, seed(unopened.accused)?))
}

fn refusal(cause: Cause, stage: u32) -> Refusal {
    Refusal::new(cause, stage, "no")
}

#[test]
fn who_kept_the_ring_from_opening_is_named() {
    let first = |cause, stage| Input::First(Frame::Refusal(refusal(cause, stage)));
    let last = |cause, stage| Input::Return(Frame::Refusal(refusal(cause, stage)), None);
    let cases = [
        (first(Cause::Overloaded, 0), Some((1, 1))),
        (first(Cause::NotAdmitted, 1), Some((2, 2))),
        // The first stage does not reach the second.
        (first(Cause::PeerLost, 0), Some((1, 2))),
        (first(Cause::PeerLost, 1), Some((2, 2))),
        // The second one lost the first.
        (last(Cause::PeerLost, 1), Some((2, 1))),
        (last(Cause::PeerLost, 0), Some((1, 1))),
        // A stage does not speak for home.
        (first(Cause::Timeout, 2), Some((1, 1))),
        (last(Cause::Timeout, u32::MAX), Some((2, 2))),
        (Input::FirstLost, Some((1, 1))),
        (Input::End(refusal(Cause::PeerLost, 0)), Some((1, 1))),
        (Input::ReturnLost, Some((2, 2))),
        // Home itself.
        (Input::OpenDurable(Err(refusal(Cause::Storage, 2))), None),
        (Input::End(refusal(Cause::Shutdown, 2)), None),
        (Input::Finish(FinishReason::Cancelled), None),
    ];
    for (input, expected) in cases {
        let name = format!("{input:?}");
        let mut home = start(vec![1, 2], 4);
        assert_eq!(blamed(&feed(&mut home, input)), expected, "{name}");
    }
}

#[test]
fn a_session_that_was_fed_is_not_opened_again() {
    let (mut home, outputs) = running(vec![1, 2], 4);
    assert!(matches!(outputs.as_slice(), [Output::Embed { .. }]));
    let refusal = Frame::Refusal(refusal(Cause::Overloaded, 0));
    assert_eq!(blamed(&feed(&mut home, Input::First(refusal))), None);
}
