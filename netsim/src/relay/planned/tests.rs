//! Which links a scenario comes to, and which it cannot.

use std::{
    net::{Ipv4Addr, UdpSocket},
    path::Path as File,
};

use super::*;
use crate::{
    relay::{Relay, scenario::Scenario},
    scenario::ScenarioFile,
};

const BEGIN: &str = "name = 'three'\n\
    [[model]]\nname = 'm'\nblock_count = 3\nhidden_bytes = 8\n\
    [[device]]\nname = 'd'\n[device.time.measured]\npass_us = 1\nblock_us = 1\ndecode_us = 1\n\
    prompt_us = 1\nkv_positions = 10\nblocks_max = 3\n\
    [[workload]]\ninstitution = 'i'\nmodel = 'm'\narrivals = { poisson = { per_s = 1 } }\n\
    lengths = { drawn = { prompt = { fixed = 1 }, output = { fixed = 1 } } }\n\
    [[institution]]\nname = 'i'\n";

/// Three nodes at sites of these names, `links` between the sites, and more.
fn world(sites: [&str; 3], links: &[(&str, &str, f64, f64)], more: &str) -> World {
    let mut text = BEGIN.to_owned();
    for (node, site) in sites.iter().enumerate() {
        if !sites[..node].contains(site) {
            text.push_str(&format!("[[site]]\nname = '{site}'\ncountry = 'NL'\n"));
        }
        text.push_str(&format!(
            "[[node]]\nname = 'n{node}'\ninstitution = 'i'\nsite = '{site}'\ndevice = 'd'\n\
             model = 'm'\nblocks = [{node}, {}]\n",
            node + 1
        ));
    }
    for (one, other, round_trip, rate) in links {
        text.push_str(&format!(
            "[[link]]\nbetween = ['{one}', '{other}']\nround_trip_ms = {round_trip}\n\
             rate_mbit = {rate}\nloss = 0.25\njitter_ms = 1\n"
        ));
    }
    text.push_str(more);
    World::resolve(&ScenarioFile::parse(File::new("s.toml"), text).unwrap(), None).unwrap()
}

fn place(port: u16) -> Option<Place> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Some(Place { listen: at(port), advertise: at(port + 1_000) })
}

// The way over the third site is longer than the direct one.
const TRIANGLE: [(&str, &str, f64, f64); 3] =
    [("a", "b", 10.0, 20.0), ("b", "c", 30.0, 40.0), ("a", "c", 36.0, 100.0)];

/// A link that took another pair's delay or rate would be measured as a wrong simulation.
#[test]
fn each_pair_has_the_link_of_its_sites_both_ways() {
    let world = world(["a", "b", "c"], &TRIANGLE, "");
    let links = links(&world, &[place(1), place(2), place(3)]).unwrap();
    let named = |name: &str| links.iter().find(|link| link.name == name).unwrap();
    assert_eq!(links.len(), 6);
    for (name, ms, mbit, from, to) in [
        ("n0 to n1", 5, 20, 1, 2),
        ("n1 to n0", 5, 20, 2, 1),
        ("n1 to n2", 15, 40, 2, 3),
        ("n2 to n0", 18, 100, 3, 1),
    ] {
        let link = named(name);
        assert_eq!((link.from.unwrap().port(), link.target.port()), (from, to), "{name}");
        assert_eq!(link.listen.port(), to + 1_000, "{name}");
        for way in [link.forward.path, link.back.path] {
            assert_eq!(way.delay, Duration::from_millis(ms), "{name}");
            assert_eq!(way.bandwidth, mbit * 125_000, "{name}");
            assert_eq!(way.queue, mbit * 125_000 / 20, "50 ms of {name}");
            assert_eq!((way.loss, way.jitter), (250_000, Duration::from_millis(1)), "{name}");
        }
    }
}

/// A rate that two pairs share would be there twice.
#[test]
fn what_several_pairs_share_is_refused() {
    let through = [TRIANGLE[0], TRIANGLE[1]];
    let places = [place(1), place(2), place(3)];
    let refused = links(&world(["a", "b", "c"], &through, ""), &places).unwrap_err();
    assert_eq!(refused, PlannedError::Shared { line: "a to b".into() });
    let slow = world(["a", "b", "c"], &TRIANGLE, "[network]\nnode_mbit = 119\n");
    let refused = links(&slow, &places).unwrap_err();
    assert_eq!(refused, PlannedError::Interface { line: "out of node n0".into() });
    let fast = world(["a", "b", "c"], &TRIANGLE, "[network]\nnode_mbit = 140\n");
    assert_eq!(links(&fast, &places).unwrap().len(), 6);
}

/// Links that share an address must not take each other's packets.
#[test]
fn packets_take_the_link_of_whoever_sent_them() {
    let world = world(["a", "b", "c"], &TRIANGLE, "");
    let sockets = [(); 3].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let free = [(); 3].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let places = [0, 1, 2].map(|node| {
        let listen = sockets[node].local_addr().unwrap();
        Some(Place { listen, advertise: free[node].local_addr().unwrap() })
    });
    let third = free[2].local_addr().unwrap();
    drop(free);
    let mut links = links(&world, &places).unwrap();
    for link in &mut links {
        (link.forward, link.back) = (Direction::default(), Direction::default());
    }
    let relay = Relay::start(&Scenario { seed: 1, links }).unwrap();
    for (count, sender, mark) in [(3, 0, b'a'), (2, 1, b'b')] {
        for _ in 0..count {
            let mut read = [0; 8];
            sockets[sender].send_to(&[mark], third).unwrap();
            let (_, back) = sockets[2].recv_from(&mut read).unwrap();
            assert_eq!(read[0], mark);
            sockets[2].send_to(&[7], back).unwrap();
            let (_, from) = sockets[sender].recv_from(&mut read).unwrap();
            assert_eq!((from, read[0]), (third, 7));
        }
    }
    let statistics = relay.stop().unwrap();
    let counted = |name: &str| {
        let link = statistics.links.iter().find(|link| link.name == name).unwrap();
        (link.forward.received, link.back.received)
    };
    assert_eq!([counted("n0 to n2"), counted("n1 to n2")], [(3, 3), (2, 2)]);
    assert_eq!(counted("n2 to n0"), (0, 0));
}
