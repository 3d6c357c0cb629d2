//! A ring whose hops cross links. Not what is asked of it.
//!
//! Each node announces the address of a relay's link in place of its own, so whoever dials it goes
//! through that link; answers on the same connection come back through it too. A connection is
//! shared by both directions of a hop whichever side dialed, so it crosses one link and never two,
//! and one way through it costs half the round trip.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use comity_netsim::relay::{Relay, scenario::Scenario};
use comity_node::demo::DataPlace;

use crate::{
    RATE_MBIT, STAGES,
    harness::{Bench, say},
    ring::{Ring, Shortcuts},
};

/// Queue before the rate, milliseconds: what a common access link holds.
const QUEUE_MS: f64 = 50.0;

/// What stands between any two nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Link {
    /// Round trip, milliseconds.
    pub(crate) round_trip: f64,
    /// Share of packets lost, each way.
    pub(crate) loss: f64,
}

impl Link {
    pub(crate) fn name(self) -> String {
        format!("{} ms, {} % loss", self.round_trip, self.loss * 100.0)
    }

    /// Seconds that `bytes` take through every hop of the ring, one after the other.
    pub(crate) fn traversal(self, bytes: usize) -> f64 {
        let hop = self.round_trip / 2e3 + bytes as f64 * 8.0 / (RATE_MBIT * 1e6);
        f64::from(STAGES) * hop
    }
}

/// A ring and its relay; without links there is none.
pub(crate) struct Network {
    pub(crate) ring: Ring,
    pub(crate) link: Option<Link>,
    relay: Option<Relay>,
}

impl Network {
    /// A ring on loopback.
    pub(crate) async fn direct(bench: &Bench) -> Self {
        Self { ring: Ring::start(bench, STAGES).await, link: None, relay: None }
    }

    pub(crate) async fn start(bench: &Bench, link: Link) -> Self {
        Self::with(bench, link, Shortcuts::default()).await
    }

    pub(crate) async fn with(bench: &Bench, link: Link, shortcuts: Shortcuts) -> Self {
        let nodes: Vec<SocketAddr> = (0..STAGES).map(|_| free_port()).collect();
        let relay = Relay::start(&scenario(&nodes, link)).expect("the relay starts");
        let places = nodes.iter().zip(relay.addresses());
        let places =
            places.map(|(&listen, &shown)| DataPlace { listen, advertise: vec![shown] }).collect();
        let ring = Ring::start_at(bench, STAGES, places, shortcuts).await;
        Self { ring, link: Some(link), relay: Some(relay) }
    }

    /// Prints what the sending end of each hop measured of its connection.
    pub(crate) fn report(&self) {
        let nodes = &self.ring.demo.nodes;
        for (from, node) in nodes.iter().enumerate() {
            let to = (from + 1) % nodes.len();
            let paths = node.context().data.paths();
            for (_, path) in paths.into_iter().filter(|(peer, _)| *peer == nodes[to].peer()) {
                say(&format!(
                    "  {:<20} hop {from} to {to}, {:<5}: {:>6.1} ms measured; {} packets sent, {} given \
                     up as lost, window {} KiB",
                    self.link.map_or_else(|| "no link".to_owned(), Link::name),
                    path.lane.as_str(),
                    path.round_trip.as_secs_f64() * 1e3,
                    path.sent,
                    path.lost,
                    path.window >> 10,
                ));
            }
        }
    }

    pub(crate) async fn stop(self) {
        self.ring.stop().await;
        if let Some(relay) = self.relay {
            let statistics = relay.stop().expect("the relay went on to the end");
            let overflowed: u64 = statistics
                .links
                .iter()
                .map(|link| link.forward.overflowed + link.back.overflowed)
                .sum();
            assert_eq!(overflowed, 0, "the system dropped packets before the relay saw them");
        }
    }
}

/// A port that nobody listens on now.
fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.local_addr().expect("it is bound")
}

/// One link before each of `nodes`.
pub(crate) fn scenario(nodes: &[SocketAddr], link: Link) -> Scenario {
    let way = format!(
        "delay_ms = {:?}\nrate_mbit = {RATE_MBIT:?}\nqueue_ms = {QUEUE_MS:?}\nloss = {:?}\n",
        link.round_trip / 2.0,
        link.loss
    );
    let section = |(index, node): (usize, &SocketAddr)| {
        format!(
            "[[link]]\nname = 'to {index}'\nlisten = '127.0.0.1:0'\ntarget = '{node}'\n\
             [link.forward]\n{way}[link.back]\n{way}"
        )
    };
    let text: String = nodes.iter().enumerate().map(section).collect();
    Scenario::parse("links".as_ref(), &text).expect("the scenario is one")
}
