//! Requests against a scripted node over real sockets, and the order of events without one.

use std::time::Duration;

use comity_protocol::{
    limits::EVENT_BYTES_MAX,
    request::{self, ClientEvent},
};
use quinn::VarInt;

use super::*;
use crate::fake::{self, Exchange, Fake, finished, started, token};

/// How long the other end of a loopback connection may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(10);

fn cancelled() -> VarInt {
    VarInt::from_u32(Cause::Cancelled.code().into())
}

/// What a client makes of a node that follows `script`.
async fn outcome<F: Future<Output = ()> + Send + 'static>(
    script: impl FnOnce(Exchange) -> F + Send + 'static,
) -> Result<Finished, GenerateError> {
    let (_fake, client) = Fake::connected(script).await;
    client.generate(fake::request(8)).await?.finish().await
}

#[tokio::test]
async fn answer_streams_in_order_and_ends_with_its_proof() {
    let (fake, client) = Fake::connected(|mut node| async move {
        node.event(&ClientEvent::Started(started(4))).await;
        node.event(&token(4, "Par")).await;
        node.event(&token(5, "is")).await;
        node.event(&ClientEvent::Finished(finished("."))).await;
        // A request that ended is not cancelled: its stream closes instead.
        assert_eq!(node.recv.received_reset().await, Ok(None));
    })
    .await;
    let mut generation = client.generate(fake::request(8)).await.unwrap();
    let first = generation.next().await.unwrap().unwrap();
    assert_eq!(first, Event::Started(started(4)));
    let second = generation.next().await.unwrap().unwrap();
    assert!(matches!(second, Event::Token(token) if token.text == "Par"));
    let end = generation.finish().await.unwrap();
    assert_eq!((end.text.as_str(), end.tail.as_str()), ("Paris.", "."));
    assert_eq!(end.token_ids, [104, 105]);
    assert_eq!(end.started, Some(started(4)));
    assert_eq!(end.bundle.len(), 1_000);
    assert_eq!(end.first_token, Duration::from_millis(5));
    client.close().await;
    fake.join().await;
}

#[tokio::test]
async fn request_carries_token_and_a_nonce_of_its_own() {
    let (fake, client) = Fake::connected(|mut node| async move {
        assert_eq!(node.request.token, "secret");
        let kind = &node.request.kind;
        let request::RequestKind::Generate(generate) = kind else { panic!("{kind:?}") };
        assert_eq!(generate.nonce.len(), 16);
        node.event(&ClientEvent::Finished(finished(""))).await;
    })
    .await;
    client.generate(fake::request(8)).await.unwrap().finish().await.unwrap();
    client.close().await;
    fake.join().await;
}

#[tokio::test]
async fn dropped_generation_stops_the_request_on_the_node() {
    let (told, stopped) = tokio::sync::oneshot::channel();
    let (fake, client) = Fake::connected(|mut node| async move {
        node.event(&ClientEvent::Started(started(4))).await;
        assert_eq!(node.recv.received_reset().await, Ok(Some(cancelled())));
        assert_eq!(node.send.stopped().await, Ok(Some(cancelled())));
        told.send(()).unwrap();
    })
    .await;
    let mut generation = client.generate(fake::request(8)).await.unwrap();
    generation.next().await.unwrap().unwrap();
    drop(generation);
    // The connection stays open meanwhile: the node learns of it from the stream alone.
    tokio::time::timeout(PATIENCE, stopped).await.expect("the node hears of it").unwrap();
    client.close().await;
    fake.join().await;
}

#[tokio::test]
async fn refusal_names_cause_and_detail() {
    let error = outcome(|mut node| async move {
        let detail = "model: nobody serves block 3".to_owned();
        node.event(&ClientEvent::Refused(Refused { cause: Cause::NotServed, detail })).await;
    })
    .await
    .unwrap_err();
    assert_eq!(error.to_string(), "refused: not_served: model: nobody serves block 3");
}

#[tokio::test]
async fn bad_end_is_an_end_with_its_cause() {
    let cause = Refusal::new(Cause::PeerLost, 1, "beta");
    let sent = cause.clone();
    let end = outcome(|mut node| async move {
        node.event(&ClientEvent::Started(started(4))).await;
        node.event(&token(4, "Par")).await;
        let end =
            request::Finished { reason: FinishReason::Error, cause: Some(sent), ..finished("") };
        node.event(&ClientEvent::Finished(end)).await;
    })
    .await
    .unwrap();
    assert_eq!((end.reason, end.cause), (FinishReason::Error, Some(cause)));
    assert_eq!(end.text, "Par");
}

#[tokio::test]
async fn length_past_the_limit_is_refused_before_its_bytes_come() {
    let error = outcome(|mut node| async move {
        let length = u32::try_from(EVENT_BYTES_MAX).unwrap() + 1;
        node.send.write_all(&length.to_le_bytes()).await.unwrap();
        // The bytes never come; a client that waited for them would hang here.
        let _ = node.send.stopped().await;
    })
    .await
    .unwrap_err();
    assert!(matches!(error, GenerateError::Violation(_)), "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_event_are_refused() {
    let error = outcome(|mut node| async move {
        node.send.write_all(&[3, 0, 0, 0, 0xff, 0xff, 0xff]).await.unwrap();
        let _ = node.send.stopped().await;
    })
    .await
    .unwrap_err();
    assert!(matches!(error, GenerateError::Decode(_)), "{error}");
}

#[tokio::test]
async fn stream_that_ends_early_is_an_error_not_an_end() {
    for bytes in [&[][..], &[200, 0, 0, 0, 1]] {
        let error = outcome(move |mut node| async move {
            node.event(&ClientEvent::Started(started(4))).await;
            node.send.write_all(bytes).await.unwrap();
            node.send.finish().unwrap();
        })
        .await
        .unwrap_err();
        assert!(matches!(error, GenerateError::Truncated), "{error:?}");
    }
}

#[tokio::test]
async fn close_of_the_connection_carries_its_cause() {
    let error = outcome(|node| async move {
        let code = VarInt::from_u32(Cause::Shutdown.code().into());
        node.connection.close(code, b"maintenance");
    })
    .await
    .unwrap_err();
    assert_eq!(error.to_string(), "the node ended the request: shutdown maintenance");
}

#[tokio::test]
async fn reset_of_the_stream_carries_its_cause() {
    let error = outcome(|mut node| async move {
        node.send.reset(VarInt::from_u32(Cause::Overloaded.code().into())).unwrap();
        let _ = node.recv.received_reset().await;
    })
    .await
    .unwrap_err();
    assert!(matches!(error, GenerateError::Closed { cause: Cause::Overloaded, .. }), "{error:?}");
}

/// The first error that a sequence of events meets.
fn violation(events: Vec<ClientEvent>) -> Option<&'static str> {
    let mut progress = Progress::new(2);
    events.into_iter().find_map(|event| match progress.accept(event) {
        Ok(_) => None,
        Err(GenerateError::Violation(what)) => Some(what),
        Err(error) => panic!("{error}"),
    })
}

#[test]
fn events_out_of_order_are_violations() {
    let start = || ClientEvent::Started(started(4));
    assert_eq!(violation(vec![start(), token(4, ""), token(5, "")]), None);
    let cases = [
        (vec![token(4, "")], "a token before the start"),
        (vec![start(), start()], "the request started twice"),
        (vec![start(), token(5, "")], "a position is lost or repeated"),
        (vec![start(), token(4, ""), token(4, "")], "a position is lost or repeated"),
        (
            vec![start(), token(4, ""), token(5, ""), token(6, "")],
            "more tokens than were asked for",
        ),
        (vec![ClientEvent::Status("{}".into())], "a status amid an answer"),
    ];
    for (events, expected) in cases {
        assert_eq!(violation(events), Some(expected));
    }
}

#[test]
fn endless_text_is_a_violation() {
    let long = "x".repeat(1 << 20);
    let mut progress = Progress::new(u32::MAX);
    progress.accept(ClientEvent::Started(started(0))).unwrap();
    let refused = (0..10).find(|&position| progress.accept(token(position, &long)).is_err());
    assert_eq!(refused, Some(4));
}
