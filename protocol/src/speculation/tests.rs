//! What is guessed, and when it pays.

use super::*;

const DRAFTS: Drafts = Drafts { most: DRAFTS_MAX, model: false };

/// A speculator for `prompt` on a ring that takes `base` and `step` milliseconds.
fn on_ring(drafts: Drafts, prompt: &[u32], base: u64, step: u64) -> Speculator {
    let mut speculator = Speculator::new(drafts, prompt);
    for round in 0..200_u32 {
        let guesses = round % 5;
        let took = base + step * u64::from(guesses);
        speculator.traversed(guesses, Duration::from_millis(took));
    }
    speculator
}

fn tokens(choice: Choice) -> Vec<u32> {
    match choice {
        Choice::Guesses(guesses) => guesses.iter().map(|guess| guess.token).collect(),
        Choice::Ask(most) => panic!("asked for {most}"),
    }
}

/// Draws `answer` token by token, as if nothing had been guessed; returns all tokens.
fn answered(speculator: &mut Speculator, prompt: &[u32], answer: &[u32]) -> Vec<u32> {
    let mut all = prompt.to_vec();
    for token in answer {
        speculator.observe(&all, None, *token);
        all.push(*token);
        speculator.push(&all);
    }
    all
}

/// Numbers that never repeat a pair.
fn novel(count: u32) -> Vec<u32> {
    (0..count).map(|i| 1_000 + i).collect()
}

#[test]
fn what_followed_the_longest_repetition_is_guessed() {
    let prompt = [1, 2, 3, 4, 5, 6, 9, 9, 3, 4, 7, 8, 2, 3, 4, 5];
    let mut speculator = on_ring(DRAFTS, &prompt, 100, 0);
    // "2 3 4 5" came before; the pair "4 5" only there, "3 4" later too.
    assert_eq!(tokens(speculator.draft(&prompt, 3)), [6, 9, 9]);
    assert!(tokens(speculator.draft(&prompt, 0)).is_empty(), "no room");
    let circle = [1, 2, 3, 1, 2, 3, 1, 2];
    let mut speculator = on_ring(DRAFTS, &circle, 100, 0);
    assert_eq!(tokens(speculator.draft(&circle, 6)), [3, 1, 2, 3, 1, 2], "past the text's end");
    let nothing = novel(20);
    let mut speculator = on_ring(DRAFTS, &nothing, 100, 0);
    assert!(tokens(speculator.draft(&nothing, 9)).is_empty());
}

#[test]
fn no_guess_before_the_ring_was_measured_or_where_none_is_allowed() {
    let circle = [1, 2, 3, 1, 2, 3, 1, 2];
    let mut unmeasured = Speculator::new(DRAFTS, &circle);
    assert!(tokens(unmeasured.draft(&circle, 9)).is_empty());
    let none = Drafts { most: 0, model: true };
    assert!(tokens(on_ring(none, &circle, 100, 0).draft(&circle, 9)).is_empty());
}

#[test]
fn guesses_deepen_while_right_and_stop_while_wrong() {
    let poem = novel(40);
    let quoted = [&poem[..], &[7, 7], &poem[..8]].concat();
    let mut speculator = on_ring(DRAFTS, &quoted, 75, 2);
    let first = tokens(speculator.draft(&quoted, 15)).len();
    let all = answered(&mut speculator, &quoted, &poem[8..25]);
    let later = tokens(speculator.draft(&all, 15)).len();
    assert!(first < later && later == 15, "{first}, then {later}");
    // The same pairs again and again, each time followed by something new.
    let mut speculator = on_ring(DRAFTS, &[1, 2, 3], 8, 3);
    let never: Vec<u32> = (0..30).flat_map(|i| [1, 2, 100 + i]).collect();
    let all = answered(&mut speculator, &[1, 2, 3], &[&never[..], &[1, 2]].concat());
    assert!(tokens(speculator.draft(&all, 15)).is_empty());
}

#[test]
fn another_window_follows_only_what_is_almost_sure() {
    let circle: Vec<u32> = (0..200).map(|i| i % 10).collect();
    let mut speculator = on_ring(DRAFTS, &circle[..30], 75, 1);
    let Choice::Guesses(guesses) = speculator.draft(&circle[..30], 15) else { panic!() };
    assert!(speculator.further(&circle[..30], &guesses.into(), 15).is_empty(), "not measured yet");
    let all = answered(&mut speculator, &circle[..30], &circle[30..130]);
    let Choice::Guesses(guesses) = speculator.draft(&all, 15) else { panic!() };
    let further = speculator.further(&all, &guesses.into(), 15);
    let further: Vec<_> = further.iter().map(|guess| guess.token).collect();
    assert_eq!(further, &circle[145..160]);
}

#[test]
fn the_draft_model_is_asked_while_it_pays_and_now_and_then_else() {
    let drafts = Drafts { most: 8, model: true };
    let prompt = novel(10);
    let mut speculator = on_ring(drafts, &prompt, 75, 1);
    let ask = |speculator: &mut Speculator| match speculator.draft(&prompt, 8) {
        Choice::Ask(most) => most,
        Choice::Guesses(guesses) => u32::try_from(guesses.len()).unwrap_or(u32::MAX) + 1_000,
    };
    assert!((1..=8).contains(&ask(&mut speculator)));
    // The first draft reads the prompt, however long that takes.
    let guesses = speculator.drafted(vec![5; 4], 8, Duration::from_secs(9));
    assert_eq!(guesses.len(), 4);
    for _ in 0..60 {
        speculator.observe(&prompt, Some(&guesses[0]), 6);
    }
    assert_eq!(ask(&mut speculator), 1_000, "always wrong");
    for _ in 0..ASK_AGAIN {
        speculator.observe(&prompt, None, 6);
    }
    assert_eq!(ask(&mut speculator), ASK_AGAIN_GUESSES);
    for _ in 0..60 {
        speculator.observe(&prompt, Some(&guesses[0]), 5);
    }
    assert_eq!(ask(&mut speculator), 8, "always right");
    // A draft model as slow as the ring itself is worth nothing.
    for _ in 0..60 {
        let _ = speculator.drafted(vec![5], 8, Duration::from_millis(80));
    }
    assert_eq!(ask(&mut speculator), 1_000);
}

#[test]
fn the_pace_of_a_ring_is_learnt_from_rough_times_and_outlives_a_hiccup() {
    let mut pace = Pace::default();
    for round in 0..400_u64 {
        let guesses = round % 4;
        let noise = (round * 7) % 3;
        pace.observe(
            u32::try_from(guesses).unwrap(),
            Duration::from_millis(19 + noise + 2 * guesses),
        );
    }
    let close = |pace: &Pace, guesses, expected: f64| {
        let got = pace.seconds(guesses, false);
        assert!((got - expected).abs() < expected * 0.1, "{got} for {expected}");
    };
    close(&pace, 0, 0.020);
    close(&pace, 10, 0.040);
    pace.observe(2, Duration::from_secs(30));
    assert!(pace.seconds(0, false) < 0.025);
}
