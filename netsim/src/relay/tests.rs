//! Real packets over loopback: what arrives, in which order, of which size. Not when.

use std::{
    io::IoSlice,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    time::Duration,
};

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg};

use super::*;
use crate::relay::scenario::{Direction, LinkSection};

/// Ends a test that would else wait for ever; no test that passes comes near it.
const HANG: Duration = Duration::from_secs(60);

/// A relay, a client and a target.
struct Fixture {
    relay: Relay,
    client: UdpSocket,
    target: UdpSocket,
}

impl Fixture {
    fn new(change: impl FnOnce(&mut LinkSection)) -> Self {
        let target = socket();
        let mut link = LinkSection {
            name: "a".into(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            from: None,
            target: target.local_addr().unwrap(),
            flows_max: 8,
            idle_s: 60,
            forward: Direction::default(),
            back: Direction::default(),
        };
        change(&mut link);
        let relay = Relay::start(&Scenario { seed: 7, links: vec![link] }).unwrap();
        Self { client: client_of(&relay), relay, target }
    }

    /// Ends the relay; what its link counted.
    fn stop(self) -> LinkStatistics {
        let mut statistics = self.relay.stop().unwrap();
        statistics.links.remove(0)
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    socket
}

fn client_of(relay: &Relay) -> UdpSocket {
    let client = socket();
    client.connect(relay.addresses()[0]).unwrap();
    client
}

/// The next packet of a socket and its sender.
fn next(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut payload = vec![0; 65_536];
    let (len, from) = socket.recv_from(&mut payload).unwrap();
    payload.truncate(len);
    (payload, from)
}

fn has_none(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(true).unwrap();
    let error = socket.recv(&mut [0; 1]).unwrap_err();
    error.kind() == io::ErrorKind::WouldBlock
}

#[test]
fn datagrams_of_every_size_cross_both_ways_byte_by_byte() {
    let fixture = Fixture::new(|link| {
        link.forward.path.delay = Duration::from_millis(1);
        link.back.path.bandwidth = 125_000_000;
    });
    let sizes = [0, 1, 1_200, 1_252, 1_452, 1_472, 1_473, 9_000, 65_506, 65_507];
    for size in sizes {
        let sent: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
        fixture.client.send(&sent).unwrap();
        let (received, from) = next(&fixture.target);
        assert!(received == sent, "{size} bytes forward");
        fixture.target.send_to(&received, from).unwrap();
        assert!(next(&fixture.client).0 == sent, "{size} bytes back");
    }
    let link = fixture.stop();
    for way in [link.forward, link.back] {
        let all = (10, sizes.iter().sum::<usize>() as u64);
        assert_eq!((way.received, way.received_bytes), all);
        assert_eq!((way.delivered, way.delivered_bytes), all);
    }
}

#[test]
fn what_a_sender_hands_over_in_one_piece_arrives_as_the_datagrams_it_stands_for() {
    let fixture = Fixture::new(|_| {});
    let SocketAddr::V4(address) = fixture.relay.addresses()[0] else { panic!("bound to IPv4") };
    let sent: Vec<u8> = (0..10 * 1_200 + 7).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let message = [IoSlice::new(&sent)];
    let segments = [ControlMessage::UdpGsoSegments(&1_200)];
    let to: SockaddrIn = SocketAddrV4::into(address);
    let fd = fixture.client.as_raw_fd();
    sendmsg(fd, &message, &segments, MsgFlags::empty(), Some(&to)).unwrap();
    for segment in sent.chunks(1_200) {
        assert!(next(&fixture.target).0 == segment);
    }
    assert_eq!(fixture.stop().forward.received, 11);
}

#[test]
fn order_is_kept_under_jitter_and_rate_and_nothing_is_lost_where_loss_is_0() {
    let fixture = Fixture::new(|link| {
        link.forward.path.jitter = Duration::from_millis(3);
        link.forward.path.bandwidth = 12_500_000;
    });
    // No more at a time than the target's buffer holds, for they may all come at once.
    for start in (0..500u32).step_by(50) {
        for number in start..start + 50 {
            fixture.client.send(&number.to_le_bytes()).unwrap();
        }
        for number in start..start + 50 {
            assert_eq!(next(&fixture.target).0, number.to_le_bytes());
        }
    }
    let link = fixture.stop();
    assert_eq!((link.forward.delivered, link.forward.lost), (500, 0));
}

#[test]
fn jitter_that_may_reorder_still_delivers_each_packet_once() {
    let fixture = Fixture::new(|link| {
        link.forward.path.jitter = Duration::from_millis(20);
        link.forward.reorder = true;
    });
    for number in 0..100u8 {
        fixture.client.send(&[number]).unwrap();
    }
    let mut numbers: Vec<u8> = (0..100).map(|_| next(&fixture.target).0[0]).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..100));
}

#[test]
fn all_is_lost_where_loss_is_1_and_the_other_way_is_not_touched() {
    let fixture = Fixture::new(|link| link.back.path.loss = 1_000_000);
    fixture.client.send(b"hello").unwrap();
    let (_, upstream) = next(&fixture.target);
    for _ in 0..100 {
        fixture.target.send_to(b"lost", upstream).unwrap();
    }
    let client = fixture.client.try_clone().unwrap();
    let link = fixture.stop();
    assert_eq!((link.back.received, link.back.lost, link.back.delivered), (100, 100, 0));
    assert_eq!((link.forward.delivered, link.forward.lost), (1, 0));
    assert!(has_none(&client));
}

#[test]
fn clients_of_one_port_each_get_their_own_replies() {
    let fixture = Fixture::new(|_| {});
    let clients: Vec<_> = (0..5).map(|_| client_of(&fixture.relay)).collect();
    for (number, client) in (0..).zip(&clients) {
        client.send(&[number]).unwrap();
    }
    for _ in &clients {
        let (payload, from) = next(&fixture.target);
        fixture.target.send_to(&[payload[0], payload[0]], from).unwrap();
    }
    for (number, client) in (0..).zip(&clients) {
        let (payload, from) = next(client);
        assert_eq!(payload, [number, number]);
        assert_eq!(from, fixture.relay.addresses()[0], "replies come from where it was sent to");
    }
    assert_eq!(fixture.stop().clients, 5);
}

#[test]
fn a_client_too_many_is_counted_and_not_served() {
    let fixture = Fixture::new(|link| link.flows_max = 1);
    fixture.client.send(b"first").unwrap();
    assert_eq!(next(&fixture.target).0, b"first");
    client_of(&fixture.relay).send(b"second").unwrap();
    fixture.client.send(b"third").unwrap();
    assert_eq!(next(&fixture.target).0, b"third");
    let link = fixture.stop();
    assert_eq!((link.clients, link.forward.dropped_flows, link.forward.received), (1, 1, 3));
}

#[test]
fn what_finds_the_queue_full_is_dropped_and_counted() {
    let fixture = Fixture::new(|link| {
        // 28 + 972 bytes take a second each: two wait, however slow this machine is.
        (link.forward.path.bandwidth, link.forward.path.queue) = (1_000, 2_000);
    });
    for _ in 0..50 {
        fixture.client.send(&[0; 972]).unwrap();
    }
    let way = fixture.stop().forward;
    assert_eq!(way.received, 50);
    assert!(way.dropped_queue > 0 && way.lost == 0);
    assert_eq!(way.delivered + way.dropped_queue + way.under_way, 50);
}

#[test]
fn a_target_that_is_not_there_yet_is_reached_once_it_is() {
    let fixture = Fixture::new(|_| {});
    let address = fixture.target.local_addr().unwrap();
    let Fixture { relay, client, target } = fixture;
    drop(target);
    for _ in 0..3 {
        client.send(b"nobody").unwrap();
    }
    let target = UdpSocket::bind(address).unwrap();
    target.set_read_timeout(Some(HANG)).unwrap();
    client.send(b"somebody").unwrap();
    while next(&target).0 != b"somebody" {}
    assert_eq!(relay.stop().unwrap().links[0].forward.received, 4);
}

#[test]
fn two_links_have_ports_and_counts_of_their_own_and_a_taken_port_is_named() {
    let fixture = Fixture::new(|_| {});
    let taken = fixture.relay.addresses()[0];
    let listen: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let link = |listen| LinkSection {
        name: "b".into(),
        listen,
        from: None,
        target: fixture.target.local_addr().unwrap(),
        flows_max: 1,
        idle_s: 1,
        forward: Direction::default(),
        back: Direction::default(),
    };
    let refused = Relay::start(&Scenario { seed: 1, links: vec![link(listen), link(taken)] });
    let error = refused.unwrap_err().to_string();
    assert_eq!(error, format!("link b cannot listen on {taken}"));
    let relay = Relay::start(&Scenario { seed: 1, links: vec![link(listen), link(listen)] });
    let relay = relay.unwrap();
    let second = socket();
    second.send_to(b"x", relay.addresses()[1]).unwrap();
    assert_eq!(next(&fixture.target).0, b"x");
    let counts = relay.stop().unwrap().links;
    let counts: Vec<u64> = counts.iter().map(|link| link.forward.delivered).collect();
    assert_eq!(counts, [0, 1]);
}
