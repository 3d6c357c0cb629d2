//! Which refusals leave another attempt, without whom, how often and how late.

use super::*;
use crate::session::tests::{NOW, key};

fn unopened(cause: Cause, suspect: u8) -> Unopened {
    let suspect = key(suspect).public();
    Unopened { refusal: Refusal::new(cause, 0, "no"), suspect }
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let retries = |cause: &Cause| Attempts::new(NOW).failed(NOW, &unopened(*cause, 1));
    let of = |retry: Option<Retry>| -> Vec<Cause> {
        Cause::ALL.iter().copied().filter(|cause| retries(cause) == retry).collect()
    };
    use Cause::{NotAdmitted, NotServed, Overloaded, PeerLost, Quota, Shutdown, Storage, Timeout};
    let passing = [PeerLost, Timeout, Overloaded, Shutdown, NotServed, NotAdmitted];
    assert_eq!(of(Some(Retry::Anywhere(PAUSE))), passing);
    assert_eq!(of(Some(Retry::Elsewhere)), [Storage, Quota]);
    assert_eq!(of(None).len(), Cause::ALL.len() - 8);
}

#[test]
fn who_refused_is_avoided_until_the_pause() {
    let mut attempts = Attempts::new(NOW);
    for suspect in [1, 2, 1] {
        attempts.failed(NOW, &unopened(Cause::Overloaded, suspect)).unwrap();
    }
    let avoided = |attempts: &Attempts| [1, 2, 3].map(|it| attempts.avoids(&key(it).public()));
    assert_eq!(avoided(&attempts), [true, true, false]);
    attempts.paused();
    assert_eq!(avoided(&attempts), [false; 3]);
}

#[test]
fn attempts_end_with_their_number_and_with_their_time() {
    let mut attempts = Attempts::new(NOW);
    let mut pauses = Vec::new();
    while let Some(retry) = attempts.failed(NOW, &unopened(Cause::PeerLost, 1)) {
        let Retry::Anywhere(pause) = retry else { panic!("{retry:?}") };
        pauses.push(pause.as_millis());
        attempts.paused();
    }
    assert_eq!(pauses, [250, 500, 1_000, 2_000, 2_000, 2_000, 2_000]);
    assert_eq!(pauses.len() + 1, OPENINGS_MAX as usize);

    let late = |after| Attempts::new(NOW).failed(NOW + after, &unopened(Cause::PeerLost, 1));
    assert!(late(OPENINGS_SPAN - Duration::from_millis(1)).is_some());
    assert_eq!(late(OPENINGS_SPAN), None);
}

#[test]
fn a_stage_that_another_does_not_reach_is_the_one_to_avoid() {
    let refusal = |cause, stage| Refusal::new(cause, stage, "no");
    let lost = |stage, heard| suspect(&refusal(Cause::PeerLost, stage), heard, 3);
    // Home's own word is on the neighbour it names.
    assert_eq!([lost(0, false), lost(2, false)], [Some(0), Some(2)]);
    assert_eq!([lost(0, true), lost(1, true), lost(2, true)], [Some(1), Some(2), Some(2)]);
    assert_eq!(suspect(&refusal(Cause::Overloaded, 1), true, 3), Some(1));
    // Home's own end, and a stage that there is not.
    for stage in [3, u32::MAX] {
        assert_eq!(suspect(&refusal(Cause::Timeout, stage), true, 3), None);
    }
}
