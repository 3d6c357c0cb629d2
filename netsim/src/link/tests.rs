//! Delays and losses against closed forms.

use super::*;

const MS: u64 = 1_000_000;

fn link(jitter: u64, loss: u32) -> Link {
    let path = Path {
        delay: Duration::from_millis(10),
        bandwidth: 1_000_000,
        queue: u64::MAX,
        jitter: Duration::from_millis(jitter),
        loss,
        retransmission: Duration::from_millis(200),
    };
    Link::new(path, Random::new(1, 2))
}

#[test]
fn a_message_takes_its_size_over_bandwidth_plus_delay_and_waits_for_those_before_it() {
    let mut link = link(0, 0);
    let passage = |sent, arrives| Some(Passage { sent: Instant(sent), arrives: Instant(arrives) });
    assert_eq!(link.send(Instant(0), 5_000), passage(5 * MS, 15 * MS));
    assert_eq!(link.send(Instant(MS), 1_000), passage(6 * MS, 16 * MS));
    assert_eq!(link.send(Instant(50 * MS), 1_000), passage(51 * MS, 61 * MS));
    link.cut();
    assert_eq!(link.send(Instant(60 * MS), 1), None);
}

#[test]
fn jitter_and_loss_delay_messages_but_never_reorder_them() {
    let mut link = link(50, 200_000);
    let times: Vec<_> =
        (0..200).map(|i| link.send(Instant(i * MS), 100).unwrap().arrives).collect();
    assert!(times.is_sorted());
    assert!(times.iter().any(|at| at.0 > 400 * MS), "a loss costs a timeout");
}

#[test]
fn what_finds_the_queue_full_comes_a_retransmission_later() {
    let mut link = link(0, 0);
    link.path.queue = 10_000;
    let mut arrives = || link.send(Instant(0), 10_000).unwrap().arrives;
    assert_eq!(arrives(), Instant(20 * MS), "nothing waits");
    assert_eq!(arrives(), Instant(30 * MS), "as much waits as may");
    assert_eq!(arrives(), Instant(240 * MS), "more waits than may");
}
