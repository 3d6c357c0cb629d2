//! Chunks of prefill on a connection of their own.

use super::*;

/// Enough bytes for a chunk.
const CHUNK: usize = 1 << 20;

/// Connects `left` to `right` for chunks too: the first chunk goes with the other frames, and dials.
async fn warm(left: &Member, near: &mut FrameSender, far: &mut FrameReceiver, right: u8) {
    let chunk = Bytes::from(vec![7; CHUNK]);
    near.send(b"warm", &chunk).await.unwrap();
    assert_eq!(far.receive_header().await.unwrap().unwrap(), b"warm"[..]);
    assert_eq!(far.receive_tensor(CHUNK).await.unwrap(), chunk);
    while left.plane.shared.neighbours.live(key(right).public(), Lane::Bulk).is_none() {
        tokio::task::yield_now().await;
    }
}

/// Packets sent to the peer of `seed` in `lane`.
fn sent(member: &Member, seed: u8, lane: Lane) -> u64 {
    let paths = member.plane.paths();
    let path = paths.iter().find(|(peer, path)| *peer == key(seed).public() && path.lane == lane);
    path.unwrap().1.sent
}

#[tokio::test]
async fn a_chunk_goes_over_its_own_connection_and_keeps_its_place() {
    let (left, mut right) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut near, mut far) = through(&left, &mut right, 2).await;
    warm(&left, &mut near.0, &mut far.1, 2).await;
    let before = (sent(&left, 2, Lane::Steps), sent(&left, 2, Lane::Bulk));
    let sending = async {
        for round in 0u8..3 {
            near.0.send(b"row", &Bytes::from(vec![round; 64])).await.unwrap();
            near.0.send(b"chunk", &Bytes::from(vec![round; CHUNK])).await.unwrap();
        }
        near.0.finish();
    };
    let receiving = async {
        for round in 0u8..3 {
            for (header, length) in [(&b"row"[..], 64), (b"chunk", CHUNK)] {
                assert_eq!(far.1.receive_header().await.unwrap().unwrap(), *header);
                assert!(far.1.receive_tensor(length).await.unwrap() == vec![round; length]);
            }
        }
        assert!(far.1.receive_header().await.unwrap().is_none());
    };
    tokio::join!(sending, receiving);
    let (steps, bulk) = (sent(&left, 2, Lane::Steps), sent(&left, 2, Lane::Bulk));
    assert!(bulk - before.1 > 3 * CHUNK as u64 / 1_500, "{bulk} packets");
    assert!(steps - before.0 < CHUNK as u64 / 1_500, "{steps} packets beside the chunks");
}

#[tokio::test]
async fn a_receive_of_a_chunk_that_is_dropped_loses_nothing() {
    let (left, mut right) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut near, mut far) = through(&left, &mut right, 2).await;
    warm(&left, &mut near.0, &mut far.1, 2).await;
    let chunk = Bytes::from(vec![9; CHUNK]);
    let send = near.0.send(b"chunk", &chunk);
    let receive = async {
        let header = loop {
            tokio::task::yield_now().await;
            if let Some(header) = far.1.receive_header().now_or_never() {
                break header.unwrap().unwrap();
            }
        };
        assert_eq!(header, b"chunk"[..]);
        loop {
            tokio::task::yield_now().await;
            if let Some(tensor) = far.1.receive_tensor(CHUNK).now_or_never() {
                break tensor.unwrap();
            }
        }
    };
    let (sent, received) = tokio::join!(send, receive);
    sent.unwrap();
    assert!(received == chunk);
}

/// A link whose sender is gone must not wait for a chunk that never comes.
#[tokio::test]
async fn a_link_that_is_reset_waits_for_no_chunk() {
    let (_home, mut raw, mut receiver) = hostile().await;
    raw.send.write_all(&[&[0xff; 4][..], &7u64.to_le_bytes()].concat()).await.unwrap();
    assert!(receiver.receive_header().now_or_never().is_none());
    raw.send.reset(code(Cause::Cancelled)).unwrap();
    let error = receiver.receive_header().await.unwrap_err();
    assert!(matches!(error, StreamError::Ended(Cause::Cancelled)), "{error}");
}

#[tokio::test]
async fn a_chunk_longer_than_a_frame_may_be_is_refused_unread() {
    let (home, mut raw, mut receiver) = hostile().await;
    let address = home.plane.local_address();
    let tls = tls::client_config(&key(2), Lane::Bulk.alpn(), &key(1).public()).unwrap();
    let config = endpoint::client_config(tls).unwrap();
    let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
    let bulk = endpoint.connect_with(config, address, "comity").unwrap().await.unwrap();
    let mut chunk = bulk.open_uni().await.unwrap();
    let length = u32::try_from(FRAME_HEADER_BYTES_MAX + 1).unwrap();
    chunk.write_all(&[&7u64.to_le_bytes()[..], &length.to_le_bytes()].concat()).await.unwrap();
    raw.send.write_all(&[&[0xff; 4][..], &7u64.to_le_bytes()].concat()).await.unwrap();
    let error = receiver.receive_header().await.unwrap_err();
    assert!(matches!(error, StreamError::Length { .. }), "{error}");
}

#[tokio::test]
async fn what_does_not_belong_in_a_lane_ends_its_connection() {
    let home = Member::new(1, &[1, 2]);
    for (lane, both_ways) in [(Lane::Steps, false), (Lane::Bulk, true)] {
        let to = (1, home.plane.local_address());
        let tls = tls::client_config(&key(2), lane.alpn(), &key(to.0).public()).unwrap();
        let config = endpoint::client_config(tls).unwrap();
        let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
        let connection = endpoint.connect_with(config, to.1, "comity").unwrap().await.unwrap();
        if both_ways {
            connection.open_bi().await.unwrap().0.write_all(b"x").await.unwrap();
        } else {
            connection.open_uni().await.unwrap().write_all(b"x").await.unwrap();
        }
        let error = StreamError::from(connection.closed().await);
        assert!(matches!(error, StreamError::Ended(Cause::Violation)), "{lane:?}: {error}");
    }
}

#[tokio::test]
async fn a_peer_that_leaves_loses_both_connections_and_is_lost_once() {
    let (left, mut right) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let mut contacts = right.plane.contacts();
    let (mut near, mut far) = through(&left, &mut right, 2).await;
    warm(&left, &mut near.0, &mut far.1, 2).await;
    let live = |lane| left.plane.shared.neighbours.live(key(2).public(), lane).unwrap();
    let connections = [live(Lane::Steps), live(Lane::Bulk)];
    right.admitted.send(peers(&[2])).unwrap();
    for connection in connections {
        let error = StreamError::from(connection.closed().await);
        assert!(matches!(error, StreamError::Ended(Cause::NotAdmitted)), "{error}");
    }
    assert_eq!(contacts.recv().await.unwrap(), Contact::Met(key(1).public()));
    assert_eq!(contacts.try_recv(), Err(broadcast::error::TryRecvError::Empty));
}
