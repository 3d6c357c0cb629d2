//! Which bursts go out twice: the rules with the time passed in, and datagrams on loopback.

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use quinn::{Runtime as _, TokioRuntime};

use super::*;

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn peer(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[test]
fn only_a_path_that_lost_a_packet_of_late_is_lossy() {
    let (losses, now) = (Losses::default(), Instant::now());
    losses.note(now, peer(1), 500, 0);
    assert!(!losses.take(now, peer(1), 100), "nothing was lost");
    losses.note(now, peer(1), 600, 1);
    assert!(losses.take(now, peer(1), 100));
    assert!(!losses.take(now, peer(2), 100), "another path");
    losses.note(now, peer(1), 600 + SOUND_AFTER - 1, 1);
    assert!(losses.take(now, peer(1), 100));
    losses.note(now, peer(1), 600 + SOUND_AFTER, 1);
    assert!(!losses.take(now, peer(1), 100), "it was sound for long enough");
    losses.note(now, peer(1), 9_000, 2);
    assert!(losses.take(now, peer(1), 100), "it lost another one");
    losses.forget(peer(1));
    assert!(!losses.take(now, peer(1), 100), "its connection ended");
}

#[test]
fn copies_are_small_and_stay_under_their_rate() {
    let (losses, now) = (Losses::default(), Instant::now());
    losses.note(now, peer(1), 600, 1);
    assert!(!losses.take(now, peer(1), BURST_MAX + 1), "bulk");
    let all = (0..1_000).filter(|_| losses.take(now, peer(1), 4 << 10)).count();
    assert_eq!(all as u64, BUCKET / (4 << 10));
    // A second in steps of less than the clock of the bucket; it rounds down.
    let steps = (1..=10_000).map(|step| now + Duration::from_micros(100) * step);
    let all = steps.filter(|at| losses.take(*at, peer(1), 4 << 10)).count();
    let most = RATE / (4 << 10);
    assert!((most - 1..=most).contains(&(all as u64)), "{all}");
}

#[test]
fn no_more_paths_are_remembered_than_there_can_be_connections() {
    let (losses, now) = (Losses::default(), Instant::now());
    (0..2_000).for_each(|port| losses.note(now, peer(port), 1, 1));
    assert_eq!(losses.lock().len(), PATHS_MAX);
}

#[tokio::test]
async fn the_socket_sends_bursts_to_a_lossy_neighbour_twice() {
    let receiver = UdpSocket::bind(LOOPBACK).unwrap();
    let destination = receiver.local_addr().unwrap();
    let socket = TokioRuntime.wrap_udp_socket(UdpSocket::bind(LOOPBACK).unwrap()).unwrap();
    let losses = Arc::new(Losses::default());
    let socket = Arc::new(RepeatingSocket::new(socket, Arc::clone(&losses)));
    let mut poller = Arc::clone(&socket).create_io_poller();
    std::future::poll_fn(|cx| poller.as_mut().poll_writable(cx)).await.unwrap();
    let send = |contents: &[u8]| {
        let (ecn, segment_size, src_ip) = (None, None, None);
        socket.try_send(&Transmit { destination, ecn, contents, segment_size, src_ip }).unwrap();
    };
    send(b"sound");
    losses.note(Instant::now(), destination, 1, 1);
    send(b"lossy");
    losses.forget(destination);
    send(b"end");
    let mut buffer = [0; 16];
    for expected in [&b"sound"[..], b"lossy", b"lossy", b"end"] {
        let length = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], expected);
    }
}
