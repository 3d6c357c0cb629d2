//! Which refusals leave another attempt, without whom, how often and how late.

use super::*;
use crate::session::tests::{NOW, key};

/// What stage `reporter` says of `accused`.
fn said(cause: Cause, reporter: u8, accused: u8) -> Unopened {
    let [reporter, accused] = [reporter, accused].map(|seed| key(seed).public());
    Unopened { refusal: Refusal::new(cause, 0, "no"), reporter, accused }
}

fn unopened(cause: Cause, suspect: u8) -> Unopened {
    said(cause, suspect, suspect)
}

fn attempts() -> Attempts {
    Attempts::new(NOW, key(0).public())
}

fn after(least: Duration) -> Option<Retry> {
    Some(Retry::Anywhere(Pause { least }))
}

/// Which of the nodes 1, 2 and 3 are avoided.
fn avoided(attempts: &Attempts) -> [bool; 3] {
    [1, 2, 3].map(|it| attempts.avoids(&key(it).public()))
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let retries = |cause: &Cause| attempts().failed(NOW, &unopened(*cause, 1));
    let of = |retry: Option<Retry>| -> Vec<Cause> {
        Cause::ALL.iter().copied().filter(|cause| retries(cause) == retry).collect()
    };
    use Cause::{NotAdmitted, NotServed, Overloaded, PeerLost, Quota, Shutdown, Storage, Timeout};
    assert_eq!(of(after(PAUSE)), [PeerLost, Timeout, Overloaded, Shutdown]);
    assert_eq!(of(after(NEWS[0])), [NotServed, NotAdmitted]);
    assert_eq!(of(Some(Retry::Elsewhere)), [Storage, Quota]);
    assert_eq!(of(None).len(), Cause::ALL.len() - 8);
}

#[test]
fn who_refused_is_avoided_until_the_pause() {
    let mut attempts = attempts();
    for suspect in [1, 2, 1] {
        attempts.failed(NOW, &unopened(Cause::Overloaded, suspect)).unwrap();
    }
    assert_eq!(avoided(&attempts), [true, true, false]);
    attempts.paused();
    assert_eq!(avoided(&attempts), [false; 3]);
}

#[test]
fn what_lasts_is_avoided_to_the_end_and_ends_no_wait_for_what_passes() {
    for [first, second] in
        [[(Cause::Quota, 1), (Cause::PeerLost, 2)], [(Cause::PeerLost, 2), (Cause::Storage, 1)]]
    {
        let mut attempts = attempts();
        attempts.failed(NOW, &unopened(first.0, first.1)).unwrap();
        let retry = attempts.failed(NOW, &unopened(second.0, second.1));
        assert_eq!(retry, after(PAUSE), "{first:?} {second:?}");
        assert_eq!(avoided(&attempts), [true, true, false]);
        attempts.paused();
        assert_eq!(avoided(&attempts), [true, false, false]);
    }
    let mut attempts = attempts();
    attempts.failed(NOW, &unopened(Cause::PeerLost, 2)).unwrap();
    attempts.paused();
    let retry = attempts.failed(NOW, &unopened(Cause::Quota, 1));
    assert_eq!(retry, Some(Retry::Elsewhere), "nobody is left to wait for");
}

#[test]
fn who_reports_losses_twice_is_avoided_as_long_as_others_serve() {
    let mut attempts = attempts();
    attempts.failed(NOW, &said(Cause::PeerLost, 1, 2)).unwrap();
    assert_eq!(avoided(&attempts), [false, true, false]);
    assert!(!attempts.relent(), "said once");
    attempts.paused();
    attempts.failed(NOW, &said(Cause::PeerLost, 1, 3)).unwrap();
    assert_eq!(avoided(&attempts), [true, false, true]);
    attempts.paused();
    assert_eq!(avoided(&attempts), [true, false, false]);
    assert!(attempts.relent());
    assert_eq!(avoided(&attempts), [false; 3]);
    attempts.failed(NOW, &said(Cause::PeerLost, 1, 2)).unwrap();
    assert_eq!(avoided(&attempts), [true, true, false]);
}

#[test]
fn a_home_that_is_full_itself_does_not_try_again() {
    let mut attempts = attempts();
    assert_eq!(attempts.failed(NOW, &unopened(Cause::Overloaded, 0)), None);
}

#[test]
fn a_stage_that_says_a_third_time_what_news_would_have_changed_ends_it() {
    let mut attempts = attempts();
    let mut failed = |cause, suspect| attempts.failed(NOW, &unopened(cause, suspect));
    assert_eq!(failed(Cause::NotAdmitted, 1), after(NEWS[0]));
    assert_eq!(failed(Cause::NotServed, 1), after(NEWS[0]));
    assert_eq!(failed(Cause::NotAdmitted, 2), after(NEWS[0]));
    assert_eq!(failed(Cause::NotAdmitted, 1), after(NEWS[1]));
    assert_eq!(failed(Cause::NotAdmitted, 1), None);
}

#[test]
fn attempts_end_with_their_number_and_with_their_time() {
    let mut tried = attempts();
    let mut pauses = Vec::new();
    while let Some(retry) = tried.failed(NOW, &unopened(Cause::PeerLost, 1)) {
        let Retry::Anywhere(pause) = retry else { panic!("{retry:?}") };
        pauses.push(pause.drawn(0).as_millis());
        tried.paused();
    }
    assert_eq!(pauses, [250, 500, 1_000, 2_000, 2_000, 2_000, 2_000]);
    assert_eq!(pauses.len() + 1, OPENINGS_MAX as usize);

    let late = |after| attempts().failed(NOW + after, &unopened(Cause::PeerLost, 1));
    assert!(late(OPENINGS_SPAN - Duration::from_millis(1)).is_some());
    assert_eq!(late(OPENINGS_SPAN), None);
}

#[test]
fn a_pause_is_drawn_between_its_least_and_half_as_long_again() {
    let pause = Pause { least: PAUSE };
    assert_eq!([0, u32::MAX].map(|draw| pause.drawn(draw)), [PAUSE, PAUSE * 3 / 2]);
}

#[test]
fn a_stage_that_another_does_not_reach_is_the_one_to_blame() {
    let refusal = |cause, stage| Refusal::new(cause, stage, "no");
    let lost =
        |source| [0, 1, 2].map(|it| blame(&refusal(Cause::PeerLost, it), source, 3).unwrap());
    // Home's own word is on the neighbour it names.
    assert_eq!(lost(Source::Home), [(0, 0), (1, 1), (2, 2)]);
    // Refusals go away from who is lost; beyond both ends is home.
    assert_eq!(lost(Source::First), [(0, 1), (1, 2), (2, 2)]);
    assert_eq!(lost(Source::Last), [(0, 0), (1, 0), (2, 1)]);
    for source in [Source::Home, Source::First, Source::Last] {
        assert_eq!(blame(&refusal(Cause::Overloaded, 1), source, 3), Some((1, 1)));
    }
}

#[test]
fn a_stage_that_there_is_not_is_home_only_in_what_home_says() {
    for stage in [3, u32::MAX] {
        assert_eq!(blame(&Refusal::new(Cause::Timeout, stage, "no"), Source::Home, 3), None);
        let places = [Source::Home, Source::First, Source::Last].map(|it| it.place(stage, 3));
        assert_eq!(places, [stage, 0, 2]);
    }
    assert_eq!(Source::Last.place(1, 3), 1);
}
