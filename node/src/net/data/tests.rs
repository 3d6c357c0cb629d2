//! Links between data planes on loopback.

mod chunks;

use std::{collections::HashSet, net::Ipv4Addr, time::Duration};

use bytes::Bytes;
use comity_protocol::limits::{FRAME_HEADER_BYTES_MAX, REQUEST_BYTES_MAX, STEP_BYTES_MAX};
use futures::{FutureExt as _, future::join_all};
use quinn::{ConnectionError, SendStream};
use tokio::sync::watch;

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

fn peers(seeds: &[u8]) -> Arc<HashSet<PeerKey>> {
    Arc::new(seeds.iter().map(|&seed| key(seed).public()).collect())
}

/// A data plane and what its node would hold.
struct Member {
    plane: DataPlane,
    links: mpsc::Receiver<Incoming>,
    admitted: watch::Sender<Arc<HashSet<PeerKey>>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Member {
    fn new(seed: u8, admitted: &[u8]) -> Self {
        let (admitted, admission) = watch::channel(peers(admitted));
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let config = DataConfig { listen: LOOPBACK, key: key(seed) };
        let (plane, links) = DataPlane::bind(config, admission, &tasks, cancel.clone()).unwrap();
        Self { plane, links, admitted, tasks, cancel }
    }

    async fn open(&self, seed: u8, to: &Self) -> Result<Link, ConnectError> {
        self.plane.open(key(seed).public(), &[to.plane.local_address()]).await
    }
}

/// A stream of a peer that writes whatever bytes it likes.
#[derive(Debug)]
struct Raw {
    connection: quinn::Connection,
    send: SendStream,
    _receive: quinn::RecvStream,
}

async fn raw_stream(seed: u8, alpn: &[u8], to: (u8, SocketAddr)) -> Result<Raw, ConnectionError> {
    let tls = tls::client_config(&key(seed), alpn, &key(to.0).public()).unwrap();
    let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
    let config = endpoint::client_config(tls).unwrap();
    let connection = endpoint.connect_with(config, to.1, "comity").unwrap().await?;
    let (send, _receive) = connection.open_bi().await?;
    Ok(Raw { connection, send, _receive })
}

/// A stream of raw bytes into a member's receiver, which has read a first header already.
async fn hostile() -> (Member, Raw, FrameReceiver) {
    let mut home = Member::new(1, &[1, 2]);
    let to = (1, home.plane.local_address());
    let mut raw = raw_stream(2, tls::STAGE_ALPN, to).await.unwrap();
    raw.send.write_all(b"\x02\0\0\0hi").await.unwrap();
    let (_, mut receiver) = home.links.recv().await.unwrap().link.split();
    assert_eq!(receiver.receive_header().await.unwrap().unwrap(), b"hi"[..]);
    (home, raw, receiver)
}

#[tokio::test]
async fn frames_arrive_whole_both_ways() {
    let (home, mut stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let tensor = Bytes::from((0..3 << 20).map(|i: u32| i.to_le_bytes()[0]).collect::<Vec<_>>());
    let (mut sender, mut receiver) = home.open(2, &stage).await.unwrap().split();
    let sending = async {
        sender.send(b"open", &Bytes::new()).await.unwrap();
        sender.send(b"step", &tensor).await.unwrap();
        sender.finish();
        receiver.receive_header().await.unwrap().unwrap()
    };
    let receiving = async {
        let incoming = stage.links.recv().await.unwrap();
        assert_eq!(incoming.peer, key(1).public());
        let (mut back, mut receiver) = incoming.link.split();
        assert_eq!(receiver.receive_header().await.unwrap().unwrap(), b"open"[..]);
        assert_eq!(receiver.receive_header().await.unwrap().unwrap(), b"step"[..]);
        assert!(receiver.receive_tensor(tensor.len()).await.unwrap() == tensor);
        assert!(receiver.receive_header().await.unwrap().is_none());
        back.send(b"done", &Bytes::new()).await.unwrap();
        back.finish();
    };
    assert_eq!(tokio::join!(sending, receiving).0, b"done"[..]);
}

#[tokio::test]
async fn sessions_opened_together_share_one_connection_in_both_directions() {
    let (home, mut stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let links = join_all((0..8).map(|_| home.open(2, &stage))).await;
    assert!(links.iter().all(Result::is_ok));
    let (mut sender, mut receiver) = links.into_iter().next().unwrap().unwrap().split();
    sender.send(b"one", &Bytes::new()).await.unwrap();
    stage.links.recv().await.unwrap();
    // Stage opens towards home without an address: the connection home dialed serves.
    let back = stage.plane.open(key(1).public(), &[]).await.unwrap();
    assert_eq!(back.peer(), key(1).public());
    assert_eq!(home.plane.shared.endpoint.open_connections(), 1);
    assert!(receiver.receive_header().await.is_err(), "stage dropped the link");
}

#[tokio::test]
async fn a_peer_with_another_key_is_not_connected() {
    let (home, stage) = (Member::new(1, &[1, 2, 3]), Member::new(2, &[1, 2, 3]));
    let error = home.open(3, &stage).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake { peer, .. } if peer == key(3).public()));
}

#[tokio::test]
async fn an_address_that_answers_wins_over_one_that_does_not() {
    let (home, stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    // A bound socket that never answers.
    let silent = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    let addresses = [silent.local_addr().unwrap(), stage.plane.local_address()];
    home.plane.open(key(2).public(), &addresses).await.unwrap();
    let error = home.plane.open(key(1).public(), &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoAddress(_)));
}

#[tokio::test]
async fn a_stranger_is_refused_right_after_the_handshake() {
    let (stranger, mut home) = (Member::new(9, &[1, 9]), Member::new(1, &[1, 2]));
    let link = stranger.open(1, &home).await;
    // The refusal may come while the stream is opened, or on it.
    if let Ok(link) = link {
        let (mut sender, mut receiver) = link.split();
        let _ = sender.send(b"let me in", &Bytes::new()).await;
        let error = receiver.receive_header().await.unwrap_err();
        assert_eq!(error.cause(), Cause::NotAdmitted, "{error}");
    }
    home.cancel.cancel();
    home.tasks.close();
    home.tasks.wait().await;
    assert!(home.links.try_recv().is_err());
    assert!(matches!(home.open(9, &stranger).await, Err(ConnectError::NotAdmitted(_))));
}

#[tokio::test]
async fn a_peer_that_leaves_the_admitted_set_is_cut_off_at_once() {
    let (home, mut stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut sender, mut receiver) = home.open(2, &stage).await.unwrap().split();
    sender.send(b"open", &Bytes::new()).await.unwrap();
    let (_held, mut theirs) = stage.links.recv().await.unwrap().link.split();
    theirs.receive_header().await.unwrap().unwrap();

    stage.admitted.send(peers(&[2])).unwrap();
    let error = receiver.receive_header().await.unwrap_err();
    assert_eq!(error.cause(), Cause::NotAdmitted, "{error}");
    assert!(matches!(theirs.receive_header().await, Err(StreamError::Closed)));
    assert!(matches!(stage.open(1, &home).await, Err(ConnectError::NotAdmitted(_))));
}

#[tokio::test]
async fn lengths_beyond_the_limit_are_refused_unread() {
    for length in [0, 1 + u32::try_from(FRAME_HEADER_BYTES_MAX).unwrap(), u32::MAX - 1] {
        let (_home, mut raw, mut receiver) = hostile().await;
        // Nothing follows: a receiver that waits for the bytes hangs here.
        raw.send.write_all(&length.to_le_bytes()).await.unwrap();
        let error = receiver.receive_header().await.unwrap_err();
        assert!(matches!(error, StreamError::Length { .. }), "{error}");
        assert_eq!(error.cause(), Cause::Violation);
    }
    let (_home, _raw, mut receiver) = hostile().await;
    let error = receiver.receive_tensor(STEP_BYTES_MAX + 1).await.unwrap_err();
    assert!(matches!(error, StreamError::Length { .. }), "{error}");
}

#[tokio::test]
async fn the_longest_header_is_accepted_and_a_longer_one_not_sent() {
    let (home, mut stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut sender, _receiver) = home.open(2, &stage).await.unwrap().split();
    let longest = vec![7; FRAME_HEADER_BYTES_MAX];
    let longer = vec![7; FRAME_HEADER_BYTES_MAX + 1];
    for wrong in [&longer[..], &[]] {
        let error = sender.send(wrong, &Bytes::new()).await.unwrap_err();
        assert!(matches!(error, StreamError::TooLong { .. }), "{error}");
    }
    sender.send(&longest, &Bytes::new()).await.unwrap();
    let (_sender, mut receiver) = stage.links.recv().await.unwrap().link.split();
    assert!(receiver.receive_header().await.unwrap().unwrap() == longest);
}

#[tokio::test]
async fn a_frame_cut_short_is_an_error_and_an_end_between_frames_is_none() {
    for (part, whole) in [(&b"\x04\0"[..], false), (b"\x04\0\0\0abc", false), (b"", true)] {
        let (_home, mut raw, mut receiver) = hostile().await;
        raw.send.write_all(part).await.unwrap();
        raw.send.finish().unwrap();
        match receiver.receive_header().await {
            Ok(None) => assert!(whole),
            Err(StreamError::Truncated { .. }) => assert!(!whole),
            other => panic!("{other:?}"),
        }
    }
    let (_home, mut raw, mut receiver) = hostile().await;
    raw.send.write_all(&[1; 99]).await.unwrap();
    raw.send.finish().unwrap();
    let error = receiver.receive_tensor(100).await.unwrap_err();
    assert!(matches!(error, StreamError::Truncated { expected: 100, got: 99 }), "{error}");
}

#[tokio::test]
async fn a_dropped_sender_never_looks_finished() {
    let (home, mut stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut sender, _receiver) = home.open(2, &stage).await.unwrap().split();
    sender.send(b"open", &Bytes::new()).await.unwrap();
    let (_sender, mut receiver) = stage.links.recv().await.unwrap().link.split();
    receiver.receive_header().await.unwrap().unwrap();
    drop(sender);
    assert_eq!(receiver.receive_header().await.unwrap_err().cause(), Cause::Cancelled);
}

#[tokio::test]
async fn a_receive_that_is_dropped_loses_nothing() {
    let (_home, mut raw, mut receiver) = hostile().await;
    for &byte in b"\x04\0\0\0step" {
        let arrived = tokio::select! { biased;
            header = receiver.receive_header() => Some(header),
            () = async { raw.send.write_all(&[byte]).await.unwrap() } => None,
        };
        assert!(arrived.is_none());
        // Lets what was sent arrive, in part, before the next attempt is dropped.
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.receive_header().await.unwrap().unwrap(), b"step"[..]);
}

#[tokio::test]
async fn links_nobody_takes_are_reset() {
    let (home, stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let mut kept = Vec::new();
    for _ in 0..=INCOMING_CAPACITY {
        let (mut sender, receiver) = home.open(2, &stage).await.unwrap().split();
        sender.send(b"open", &Bytes::new()).await.unwrap();
        kept.push((sender, receiver));
    }
    let waits = kept.iter_mut().map(|(_, receiver)| Box::pin(receiver.receive_header()));
    let (first, _, _) = futures::future::select_all(waits).await;
    assert_eq!(first.unwrap_err().cause(), Cause::Overloaded);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_plane() {
    let home = Member::new(1, &[1]);
    let listen = home.plane.local_address();
    let config = DataConfig { listen, key: key(2) };
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (_admitted, admission) = watch::channel(peers(&[]));
    let error = ClientPlane::bind(&config, &tasks, cancel.clone()).unwrap_err().to_string();
    assert!(error.contains("client plane") && error.contains(&listen.to_string()), "{error}");
    let error = DataPlane::bind(config, admission, &tasks, cancel).unwrap_err().to_string();
    assert!(error.contains("data plane") && error.contains("in use"), "{error}");
}

#[tokio::test]
async fn stopping_tells_peers_and_ends_every_task() {
    let (home, mut stage) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut sender, mut receiver) = home.open(2, &stage).await.unwrap().split();
    sender.send(b"open", &Bytes::new()).await.unwrap();
    let _link = stage.links.recv().await.unwrap();
    stage.cancel.cancel();
    assert_eq!(receiver.receive_header().await.unwrap_err().cause(), Cause::Shutdown);
    stage.tasks.close();
    stage.tasks.wait().await;
}

#[tokio::test]
async fn who_connects_is_met_and_who_leaves_or_does_not_answer_is_lost() {
    let (home, stage) = (Member::new(1, &[1, 2, 3]), Member::new(2, &[1, 2, 3]));
    let mut contacts = home.plane.contacts();
    let _link = home.open(2, &stage).await.unwrap();
    assert_eq!(contacts.recv().await.unwrap(), Contact::Met(key(2).public()));
    assert_eq!((home.plane.connections(), stage.plane.connections()), (1, 1));
    // Somebody else answers at the address of the third.
    home.open(3, &stage).await.unwrap_err();
    let third = contacts.recv().await.unwrap();
    assert!(matches!(third, Contact::Lost { peer, .. } if peer == key(3).public()), "{third:?}");

    stage.cancel.cancel();
    let lost = Contact::Lost { peer: key(2).public(), silent: Duration::ZERO };
    assert_eq!(contacts.recv().await.unwrap(), lost);
    assert_eq!(contacts.try_recv(), Err(broadcast::error::TryRecvError::Empty));
}

#[tokio::test]
async fn any_client_key_may_ask_and_is_named() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let config = DataConfig { listen: LOOPBACK, key: key(1) };
    let (plane, mut requests) = ClientPlane::bind(&config, &tasks, cancel).unwrap();
    let to = (1, plane.local_address());

    let mut raw = raw_stream(200, tls::CLIENT_ALPN, to).await.unwrap();
    raw.send.write_all(b"\x05\0\0\0hello").await.unwrap();
    let request = requests.recv().await.unwrap();
    assert_eq!(request.peer, key(200).public());
    let mut link = request.link;
    assert_eq!(link.receive().await.unwrap().unwrap(), b"hello"[..]);
    link.send(b"event").await.unwrap();

    raw.send.write_all(&u32::try_from(REQUEST_BYTES_MAX + 1).unwrap().to_le_bytes()).await.unwrap();
    assert!(matches!(link.receive().await, Err(StreamError::Length { .. })));
    raw.send.finish().unwrap();
    assert!(link.gone().now_or_never().is_none(), "a client that has asked still listens");
    raw.connection.close(0u32.into(), b"");
    link.gone().await;

    let error = raw_stream(200, tls::STAGE_ALPN, to).await.unwrap_err();
    assert!(error.to_string().contains("protocol"), "the planes' names keep them apart: {error}");
}

/// Both directions of one end of a link.
type Split = (FrameSender, FrameReceiver);

/// A link from one member to another, by both its ends; the receiving one has seen a first frame.
async fn through(left: &Member, right: &mut Member, seed: u8) -> (Split, Split) {
    let mut near = left.open(seed, right).await.unwrap().split();
    near.0.send(b"first", &Bytes::new()).await.unwrap();
    let mut far = right.links.recv().await.unwrap().link.split();
    assert_eq!(far.1.receive_header().await.unwrap().unwrap(), b"first"[..]);
    (near, far)
}

#[tokio::test]
async fn a_row_goes_before_a_chunk_that_is_on_its_way() {
    let (left, mut right) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut bulk, mut bulk_end) = through(&left, &mut right, 2).await;
    let (mut decode, mut decode_end) = through(&left, &mut right, 2).await;
    // QUIC takes all of it at once; the row comes when its first part has arrived.
    let chunk = Bytes::from(vec![1; 8 << 20]);
    bulk.0.send(b"chunk", &chunk).now_or_never().unwrap().unwrap();
    assert_eq!(bulk_end.1.receive_header().await.unwrap().unwrap(), b"chunk"[..]);
    decode.0.send(b"row", &Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(decode_end.1.receive_header().await.unwrap().unwrap(), b"row"[..]);
    assert!(bulk_end.1.receive_tensor(chunk.len()).now_or_never().is_none());
    assert_eq!(bulk_end.1.receive_tensor(chunk.len()).await.unwrap(), chunk);
}

#[test]
fn chunks_keep_their_order_and_never_go_before_rows() {
    let chunks = AtomicU32::new(u32::MAX - 1);
    let turns: Vec<i32> = (0..4).map(|_| link::priority(&chunks, 256 << 10)).collect();
    assert!(turns.iter().all(|turn| *turn < link::priority(&chunks, 65_536)), "{turns:?}");
    let chunks = AtomicU32::new(0);
    let turns: Vec<i32> = (0..4).map(|_| link::priority(&chunks, 256 << 10)).collect();
    assert!(turns.windows(2).all(|pair| pair[1] < pair[0]), "{turns:?}");
}

#[tokio::test]
async fn frames_arrive_once_where_packets_are_repeated() {
    let (left, mut right) = (Member::new(1, &[1, 2]), Member::new(2, &[1, 2]));
    let (mut near, mut far) = through(&left, &mut right, 2).await;
    // More packets than this test sends were lost before, as far as the socket is told.
    left.plane.shared.losses.note(std::time::Instant::now(), right.plane.local_address(), 0, 7);
    for round in 0u8..50 {
        let row = Bytes::from(vec![round; 2_304]);
        near.0.send(&[round], &row).await.unwrap();
        assert_eq!(far.1.receive_header().await.unwrap().unwrap(), [round][..]);
        assert_eq!(far.1.receive_tensor(row.len()).await.unwrap(), row);
    }
    near.0.finish();
    assert_eq!(far.1.receive_header().await.unwrap(), None, "and nothing behind them");
}
