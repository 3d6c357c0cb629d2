//! Whose prompt is next.

use super::*;

/// A prompt of 100 positions of an institution, called by a number.
fn prompt(session: u32, institution: u32) -> Step {
    Step {
        session,
        last: session,
        epoch: 0,
        positions: 100,
        left: 100,
        piece: 0,
        context: 0,
        node: 0,
        blocks: 1,
        institution,
        stage: 0,
        prompt: true,
        returns: true,
    }
}

/// Who is served, in pieces of 50 positions, until nothing waits.
fn served(mut prompts: Prompts, share: impl Fn(u32) -> u32 + Copy) -> Vec<u32> {
    let mut order = Vec::new();
    while let Some(mut step) = prompts.take(50, share) {
        order.push(step.session);
        step.left -= step.piece;
        if step.left > 0 {
            prompts.put_back(step);
        }
    }
    assert!(prompts.is_empty());
    order
}

#[test]
fn who_had_least_for_its_share_is_next_and_what_has_begun_before_the_rest() {
    let waiting = || {
        let mut prompts = Prompts::default();
        [prompt(1, 7), prompt(2, 7), prompt(3, 9)].into_iter().for_each(|it| prompts.push(it));
        prompts
    };
    assert_eq!(served(waiting(), |_| 1), [1, 3, 1, 3, 2, 2]);
    // Twice the share of the second: two pieces for each of the first.
    let share = |institution| if institution == 9 { 2 } else { 1 };
    assert_eq!(served(waiting(), share), [1, 3, 3, 1, 2, 2]);
}

#[test]
fn of_those_that_had_as_much_what_has_begun_is_next() {
    let mut prompts = Prompts::default();
    prompts.push(Step { positions: 50, left: 50, ..prompt(1, 7) });
    [prompt(2, 7), prompt(3, 9)].into_iter().for_each(|it| prompts.push(it));
    assert_eq!(served(prompts, |_| 1), [1, 3, 3, 2, 2]);
}

#[test]
fn what_is_dropped_no_longer_waits() {
    let mut prompts = Prompts::default();
    [prompt(1, 7), prompt(2, 9)].into_iter().for_each(|it| prompts.push(it));
    prompts.retain(|step| step.session == 2);
    assert_eq!(served(prompts, |_| 1), [2, 2]);
}
