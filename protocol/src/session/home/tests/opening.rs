//! Which ends of a session leave another try: those before anything was made of the prompt.

use super::*;

/// Whom a session that ended so is to be tried without, if it is.
fn suspect(outputs: &[Output]) -> Option<u8> {
    let unopened = ending(outputs).unopened.as_ref()?;
    assert_eq!(Some(&unopened.refusal), ending(outputs).refusal.as_ref());
    (0..4).find(|seed| key(*seed).public() == unopened.suspect)
}

fn refusal(cause: Cause, stage: u32) -> Refusal {
    Refusal::new(cause, stage, "no")
}

#[test]
fn who_kept_the_ring_from_opening_is_named() {
    let first = |cause, stage| Input::First(Frame::Refusal(refusal(cause, stage)));
    let cases = [
        (first(Cause::Overloaded, 0), Some(1)),
        (first(Cause::NotAdmitted, 0), Some(1)),
        // The first stage does not reach the second.
        (first(Cause::PeerLost, 0), Some(2)),
        (first(Cause::PeerLost, 1), Some(2)),
        (Input::FirstLost, Some(1)),
        (Input::End(refusal(Cause::PeerLost, 0)), Some(1)),
        (Input::ReturnLost, Some(2)),
        // Home itself.
        (Input::OpenDurable(Err(refusal(Cause::Storage, 2))), None),
        (Input::End(refusal(Cause::Shutdown, 2)), None),
        (Input::Finish(FinishReason::Cancelled), None),
    ];
    for (input, expected) in cases {
        let name = format!("{input:?}");
        let mut home = start(vec![1, 2], 4);
        assert_eq!(suspect(&feed(&mut home, input)), expected, "{name}");
    }
}

#[test]
fn a_session_that_was_fed_is_not_opened_again() {
    let (mut home, outputs) = running(vec![1, 2], 4);
    assert!(matches!(outputs.as_slice(), [Output::Embed { .. }]));
    let refusal = Frame::Refusal(refusal(Cause::Overloaded, 0));
    assert_eq!(suspect(&feed(&mut home, Input::First(refusal))), None);
}
