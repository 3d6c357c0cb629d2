//! What an outbox does while nobody takes what it sends.

use bytes::Bytes;
use comity_protocol::{id::PeerKey, refusal::Refusal, session::Step};
use futures::FutureExt as _;

use super::*;
use crate::sessions::link::{Link, LinkReceiver};

const ROW_BYTES: usize = 8;

fn link() -> (LinkSender, LinkReceiver) {
    let (near, far) = Link::local(PeerKey([1; 32]));
    (near.sender, far.receiver)
}

fn step(start: u32) -> (Frame, Option<Hidden>) {
    let step = Step { start, positions: 1, returned: 1, accepted: 0, receipts: Vec::new() };
    let hidden = Hidden::new(Bytes::from(vec![0; ROW_BYTES]), ROW_BYTES).unwrap();
    (Frame::Step(step), Some(hidden))
}

#[tokio::test]
async fn whoever_has_steps_never_waits_and_a_place_is_free_once_its_step_has_left() {
    let (sender, mut receiver) = link();
    let mut outbox = Outbox::new(sender);
    let mut places = Places::new();
    let free = places.free();
    for start in 0..STEPS_MAX {
        places.enter(free.clone().try_acquire_owned().unwrap());
        places.computed();
        let (frame, hidden) = step(start);
        outbox.send(frame, hidden, places.leave()).unwrap();
    }
    assert_eq!(free.available_permits(), 2, "the link in memory holds two");
    // What ends a session has room behind them.
    let refusal = Frame::Refusal(Refusal::new(comity_protocol::refusal::Cause::Cancelled, 0, ""));
    outbox.send(refusal, None, None).unwrap();
    assert!(outbox.is_busy() && outbox.flush().now_or_never().is_none(), "nobody takes them");
    let received = async {
        for start in 0..STEPS_MAX {
            let (frame, _) = receiver.receive(ROW_BYTES).await.unwrap();
            assert!(matches!(frame, Frame::Step(step) if step.start == start), "in order");
        }
        let (frame, _) = receiver.receive(ROW_BYTES).await.unwrap();
        assert!(matches!(frame, Frame::Refusal(_)));
    };
    let (flushed, ()) = tokio::join!(outbox.flush(), received);
    flushed.unwrap();
    let all = free.acquire_many(STEPS_MAX).now_or_never();
    assert!(all.is_some(), "every step has left");
}

#[tokio::test]
async fn the_place_of_a_step_with_nothing_to_send_is_free_after_the_next_one() {
    let mut places = Places::new();
    let free = places.free();
    for _ in 0..2 {
        places.enter(free.clone().try_acquire_owned().unwrap());
    }
    places.computed();
    places.computed();
    assert_eq!(free.available_permits(), STEPS_MAX as usize - 1);
}

#[tokio::test]
async fn a_neighbour_that_goes_while_frames_wait_is_noticed() {
    let (sender, receiver) = link();
    let mut outbox = Outbox::new(sender);
    while !outbox.is_busy() {
        let (frame, hidden) = step(0);
        outbox.send(frame, hidden, None).unwrap();
    }
    drop(receiver);
    assert_eq!(outbox.flush().await, Err(LinkError::Lost));
    let (frame, hidden) = step(1);
    assert_eq!(outbox.send(frame, hidden, None), Err(LinkError::Lost));
}

#[tokio::test]
async fn frames_past_all_places_are_not_kept() {
    let (sender, _receiver) = link();
    let mut outbox = Outbox::new(sender);
    let kept = (0..100).take_while(|start| {
        let (frame, hidden) = step(*start);
        outbox.send(frame, hidden, None).is_ok()
    });
    // One is with the link, which holds two more.
    assert_eq!(kept.count(), CAPACITY + 3);
}

#[tokio::test]
async fn what_was_queued_arrives_before_the_link_ends() {
    let (sender, mut receiver) = link();
    let mut outbox = Outbox::new(sender);
    for start in 0..6 {
        let (frame, hidden) = step(start);
        outbox.send(frame, hidden, None).unwrap();
    }
    let received = async {
        for start in 0..6 {
            let (frame, _) = receiver.receive(ROW_BYTES).await.unwrap();
            assert!(matches!(frame, Frame::Step(step) if step.start == start), "in order");
        }
    };
    tokio::join!(outbox.finish(SEND_TIMEOUT), received);
    assert_eq!(receiver.receive(ROW_BYTES).await.unwrap_err(), LinkError::Lost, "it ended");
}
