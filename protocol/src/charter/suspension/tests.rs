//! When a suspension counts.

use std::time::Duration;

use super::*;
use crate::{
    charter::tests::{NOW, consortium, country, key, member, root, roster_key},
    signed::NodeKey,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn chain() -> Chain {
    let mut charter = consortium();
    charter.institutions = (0..5).map(|owner| member(owner, country("FR"))).collect();
    let roots: Vec<_> = (0..5).map(root).collect();
    Chain::verify(&[charter.sign_all(&roots).unwrap()], None).unwrap()
}

fn suspension(of: u8, from: Timestamp) -> Suspension {
    let until = from + SUSPENSION_LIFE_MAX;
    Suspension { institution: format!("inst-{of}"), from, until, reason: "leaked".into() }
}

fn sign(suspension: &Suspension, key: &NodeKey) -> Signed {
    key.sign(Domain::SUSPENSION, &chain().genesis(), suspension).unwrap()
}

fn in_force(suspensions: &Suspensions, now: Timestamp) -> Vec<String> {
    suspensions.in_force(now, chain().current()).into_keys().collect()
}

/// What is in force at `now` if these come in this order.
fn after(now: Timestamp, votes: &[(u8, Timestamp, u8)]) -> Vec<String> {
    let mut suspensions = Suspensions::default();
    for (of, from, by) in votes {
        let signed = sign(&suspension(*of, *from), &root(*by));
        suspensions.insert(now, &chain(), &signed).unwrap();
    }
    in_force(&suspensions, now)
}

#[test]
fn two_others_suspend_an_institution_for_three_days() {
    let (chain, mut suspensions) = (chain(), Suspensions::default());
    let decision = suspension(4, NOW);
    assert_eq!(suspensions.insert(NOW, &chain, &sign(&decision, &root(0))), Ok(true));
    assert!(in_force(&suspensions, NOW).is_empty(), "one is not enough");
    // Signing again, or the one it is about, does not make two.
    assert_eq!(suspensions.insert(NOW, &chain, &sign(&decision, &root(0))), Ok(false));
    suspensions.insert(NOW, &chain, &sign(&decision, &root(4))).unwrap();
    assert!(in_force(&suspensions, NOW).is_empty());
    suspensions.insert(NOW, &chain, &sign(&decision, &root(1))).unwrap();
    assert_eq!(in_force(&suspensions, NOW), ["inst-4"]);
    assert_eq!(suspensions.next_change(NOW), Some(NOW + 72 * HOUR));
    let last = Timestamp::from_ms((NOW + 72 * HOUR).as_ms() - 1);
    assert_eq!(in_force(&suspensions, last), ["inst-4"]);
    assert!(in_force(&suspensions, NOW + 72 * HOUR).is_empty());
}

#[test]
fn two_cannot_silence_the_rest_one_by_one() {
    let second = NOW + HOUR;
    let by_the_same = [(4, NOW, 0), (4, NOW, 1), (3, second, 0), (3, second, 1)];
    assert_eq!(after(second, &by_the_same), ["inst-4"]);
    let by_one_of_them = [(4, NOW, 0), (4, NOW, 1), (3, second, 1), (3, second, 2)];
    assert_eq!(after(second, &by_one_of_them), ["inst-4"]);
    let by_others = [(4, NOW, 0), (4, NOW, 1), (3, second, 2), (3, second, 4)];
    assert_eq!(after(second, &by_others), ["inst-3", "inst-4"]);
    let (rested, before) = (NOW + 168 * HOUR, NOW + 167 * HOUR);
    let later = |from| [(4, NOW, 0), (4, NOW, 1), (3, from, 0), (3, from, 1)];
    for (from, expected) in [(before, 0), (rested, 1)] {
        let mut suspensions = Suspensions::default();
        for (of, from, by) in later(from) {
            suspensions.insert(from, &chain(), &sign(&suspension(of, from), &root(by))).unwrap();
        }
        assert_eq!(in_force(&suspensions, from).len(), expected);
    }
}

#[test]
fn nobody_is_suspended_again_within_a_week() {
    let again = NOW + 73 * HOUR;
    assert!(after(again, &[(4, NOW, 0), (4, NOW, 1), (4, again, 2), (4, again, 3)]).is_empty());
}

#[test]
fn the_order_in_which_signatures_come_does_not_matter() {
    let second = NOW + HOUR;
    let votes = [(4, NOW, 0), (4, NOW, 1), (3, second, 1), (3, second, 2), (3, second, 4)];
    let expected = after(second, &votes);
    assert_eq!(expected, ["inst-3", "inst-4"]);
    let mut orders = vec![votes.to_vec()];
    for _ in 0..votes.len() {
        let mut next = orders[orders.len() - 1].clone();
        next.rotate_left(2);
        next.swap(0, 1);
        orders.push(next);
    }
    for order in orders {
        assert_eq!(after(second, &order), expected, "{order:?}");
    }
}

#[test]
fn what_is_not_signed_by_a_member_or_not_now_is_refused() {
    let (chain, mut suspensions) = (chain(), Suspensions::default());
    let mut insert = |suspension: &Suspension, key: &NodeKey| {
        suspensions.insert(NOW, &chain, &sign(suspension, key)).unwrap_err()
    };
    let decision = suspension(4, NOW);
    for stranger in [key(9, 9), roster_key(0)] {
        assert_eq!(insert(&decision, &stranger), SuspensionError::Foreign(stranger.public()));
    }
    let nobody = Suspension { institution: "inst-9".into(), ..decision.clone() };
    assert_eq!(insert(&nobody, &root(0)), SuspensionError::Institution("inst-9".into()));
    let long = Suspension { until: decision.until + HOUR, ..decision.clone() };
    let future = suspension(4, NOW + HOUR);
    let past = suspension(4, Timestamp::from_ms(NOW.as_ms() - 169 * 3_600_000));
    for wrong in [long, future, past] {
        let error = insert(&wrong, &root(0));
        assert!(matches!(error, SuspensionError::Validity { .. }), "{error}");
    }
    let mut forged = sign(&decision, &root(0));
    forged.signer = root(1).public();
    let error = suspensions.insert(NOW, &chain, &forged).unwrap_err();
    assert!(matches!(error, SuspensionError::Signed { .. }), "{error}");
    let elsewhere = root(0).sign(Domain::SUSPENSION, &Digest::ZERO, &decision).unwrap();
    let error = suspensions.insert(NOW, &chain, &elsewhere).unwrap_err();
    assert!(matches!(error, SuspensionError::Signed { .. }), "{error}");
}

#[test]
fn one_signer_cannot_fill_the_list() {
    let (chain, mut suspensions) = (chain(), Suspensions::default());
    let mut insert = |number: usize| {
        let reason = format!("reason {number}");
        let signed = sign(&Suspension { reason, ..suspension(4, NOW) }, &root(0));
        suspensions.insert(NOW, &chain, &signed)
    };
    for number in 0..SUSPENSIONS_OF_ONE_MAX {
        assert_eq!(insert(number), Ok(true));
    }
    let institution = "inst-0".to_owned();
    assert_eq!(insert(99), Err(SuspensionError::TooMany { institution }));
}
