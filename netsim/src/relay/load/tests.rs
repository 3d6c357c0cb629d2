//! Both kinds of files over real sockets, and what is refused of a planner's.

use std::{
    env, fs,
    net::{Ipv4Addr, UdpSocket},
    process,
    time::Duration,
};

use super::*;
use crate::relay::Relay;

/// Ends a test that would else wait for ever; no test that passes comes near it.
const HANG: Duration = Duration::from_secs(60);

/// Three nodes at sites a, b and c, each pair with a line of its own, and `more` keys of each.
fn planners(more: [&str; 3]) -> String {
    let mut text = "name = 'three'\nseed = 5\n\
        [[model]]\nname = 'm'\nblock_count = 3\nhidden_bytes = 8\n\
        [[device]]\nname = 'd'\n[device.time.measured]\npass_us = 1\nblock_us = 1\ndecode_us = 1\n\
        prompt_us = 1\nkv_positions = 10\nblocks_max = 3\n\
        [[workload]]\ninstitution = 'i'\nmodel = 'm'\narrivals = { poisson = { per_s = 1 } }\n\
        lengths = { drawn = { prompt = { fixed = 1 }, output = { fixed = 1 } } }\n\
        [[institution]]\nname = 'i'\n"
        .to_owned();
    for (site, more) in ["a", "b", "c"].iter().zip(more) {
        text.push_str(&format!(
            "[[site]]\nname = '{site}'\ncountry = 'NL'\n[[node]]\nname = 'n{site}'\n\
             institution = 'i'\nsite = '{site}'\ndevice = 'd'\nmodel = 'm'\n{more}\n"
        ));
    }
    for (one, other, line) in [
        ("a", "b", "round_trip_ms = 2\nrate_mbit = 20"),
        ("b", "c", "round_trip_ms = 4\nrate_mbit = 40\njitter_ms = 1"),
        ("a", "c", "round_trip_ms = 5\nrate_mbit = 100\nloss = 0.999999"),
    ] {
        text.push_str(&format!("[[link]]\nbetween = ['{one}', '{other}']\n{line}\n"));
    }
    text
}

/// Places on ports that follow from a number.
fn place(number: u16) -> String {
    let (listen, advertise) = (number, number + 10);
    format!("listen = '127.0.0.1:{listen}'\nadvertise = '127.0.0.1:{advertise}'")
}

fn placed() -> String {
    planners([&place(1), &place(2), &place(3)])
}

/// Loads a text as a file.
fn load_text(name: &str, text: &str) -> Result<Scenario, String> {
    let path = env::temp_dir().join(format!("comity-netsim-load-{}-{name}", process::id()));
    fs::write(&path, text).unwrap();
    let loaded = load(&path, None).map_err(|error| {
        let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
        format!("{error}{}", why.unwrap_or_default())
    });
    fs::remove_file(&path).unwrap();
    loaded.map_err(|error| error.replace(&path.display().to_string(), "x.toml"))
}

fn refusal(text: &str) -> String {
    load_text("refused.toml", text).unwrap_err()
}

/// Packets take the line of whoever sent them: nearly none gets from a to c (none, with this seed).
#[test]
fn a_planners_scenario_puts_its_lines_between_the_sockets_of_its_nodes() {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (nodes, free) = ([(); 3].map(|()| bind()), [(); 3].map(|()| bind()));
    let advertised = free.each_ref().map(|socket| socket.local_addr().unwrap());
    let keys = [0, 1, 2].map(|node: usize| {
        let listen = nodes[node].local_addr().unwrap();
        format!("listen = '{listen}'\nadvertise = '{}'", advertised[node])
    });
    drop(free);
    let text = planners(keys.each_ref().map(String::as_str));
    let scenario = load_text("sockets.toml", &text).unwrap();
    let relay = Relay::start(&scenario).unwrap();
    for socket in &nodes {
        socket.set_read_timeout(Some(HANG)).unwrap();
    }
    let next = |node: usize| {
        let mut read = [0; 8];
        let (len, from) = nodes[node].recv_from(&mut read).unwrap();
        (read[..len].to_vec(), from)
    };
    // All that a sends to c is lost; what it sends to b gets there, and the answer comes from where
    // b is advertised.
    for _ in 0..5 {
        nodes[0].send_to(b"to c", advertised[2]).unwrap();
    }
    nodes[0].send_to(b"to b", advertised[1]).unwrap();
    let (payload, back) = next(1);
    assert_eq!(payload, b"to b");
    nodes[1].send_to(b"answer", back).unwrap();
    assert_eq!(next(0), (b"answer".to_vec(), advertised[1]));
    // b reaches c at the address that a sent to in vain.
    nodes[1].send_to(b"from b", advertised[2]).unwrap();
    assert_eq!(next(2).0, b"from b");
    let statistics = relay.stop().unwrap();
    let counted = |name: &str| {
        let link = statistics.links.iter().find(|link| link.name == name).unwrap();
        [link.forward.received, link.forward.delivered, link.forward.lost, link.back.delivered]
    };
    assert_eq!(counted("na to nc"), [5, 0, 5, 0]);
    assert_eq!(counted("na to nb"), [1, 1, 0, 1]);
    assert_eq!(counted("nb to nc"), [1, 1, 0, 0]);
    assert_eq!(statistics.links.len(), 6);
}

#[test]
fn each_pair_of_nodes_has_its_round_trip_rate_loss_and_jitter() {
    let scenario = load_text("lines.toml", &placed()).unwrap();
    assert_eq!(scenario.seed, 5);
    let port = |address: SocketAddr| address.port();
    for (name, ports, [delay_us, jitter_us], mbit, loss) in [
        ("na to nb", (1, 12, 2), [1_000, 0], 20, 0),
        ("nb to na", (2, 11, 1), [1_000, 0], 20, 0),
        ("nc to nb", (3, 12, 2), [2_000, 1_000], 40, 0),
        ("na to nc", (1, 13, 3), [2_500, 0], 100, 999_999),
    ] {
        let link = scenario.links.iter().find(|link| link.name == name).unwrap();
        let found = (port(link.from.unwrap()), port(link.listen), port(link.target));
        assert_eq!(found, ports, "{name}");
        for way in [link.forward.path, link.back.path] {
            let times = [way.delay, way.jitter];
            assert_eq!(times, [delay_us, jitter_us].map(Duration::from_micros), "{name}");
            assert_eq!((way.bandwidth, way.loss), (mbit * 125_000, loss), "{name}");
        }
    }
}

#[test]
fn the_relays_own_scenarios_are_read_as_before() {
    let loaded = load_text("own.toml", Scenario::example()).unwrap();
    assert_eq!(loaded, Scenario::parse(Path::new("x.toml"), Scenario::example()).unwrap());
    assert!(refusal("sede = 1").starts_with("x.toml:1: unknown field `sede`"));
    assert!(refusal("a = ").starts_with("x.toml:1: "));
    let error = load(Path::new("no-such-scenario.toml"), None).unwrap_err();
    assert_eq!(error.to_string(), "no-such-scenario.toml cannot be read");
}

#[test]
fn the_scenario_that_the_readme_names_can_be_relayed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/two-universities.toml");
    let links = load(&file, None).unwrap().links;
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["delft-1 to ghent-1", "ghent-1 to delft-1"]);
}

/// A node that is taken for another would get another's packets.
#[test]
fn what_names_no_place_for_each_node_is_refused_with_its_line() {
    let good = placed();
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let ten = (4..=10).map(|number| {
        let place = place(100 * number);
        format!(
            "[[node]]\nname = 'n{number}'\ninstitution = 'i'\nsite = 'a'\ndevice = 'd'\n\
             model = 'm'\n{place}\n"
        )
    });
    // The section of the node at b, its keys after six others, and the first line of the text.
    let (node, keys) = ("[[node]]\nname = 'nb'", "listen = '127.0.0.1:2'");
    let home = "home_site = 'c'\nmodel = 'm'\narrivals";
    let cases = [
        (
            change("listen = '127.0.0.1:2'\n", ""),
            node,
            "node \"nb\" does not say where it is: add listen",
        ),
        (
            change("advertise = '127.0.0.1:12'\n", ""),
            node,
            "node \"nb\" does not say where it is: add advertise",
        ),
        (
            change(node, &format!("{node}\ncount = 2")),
            node,
            "2 nodes \"nb\" cannot be at one address",
        ),
        (
            change(keys, "listen = '127.0.0.1:1'"),
            "listen = '127.0.0.1:1'\nadvertise = '127.0.0.1:12'",
            "listen = 127.0.0.1:1 is node \"na\"'s",
        ),
        (change(keys, "listen = '0.0.0.0:2'"), "listen = '0", "listen = 0.0.0.0:2 names no single"),
        (change(keys, "listen = 'nb:2'"), "listen = 'nb", "invalid socket address"),
        (
            change("advertise = '127.0.0.1:12'", "advertise = '127.0.0.1:0'"),
            "advertise = '127.0.0.1:0",
            "advertise = 127.0.0.1:0 names no single",
        ),
        (
            change("advertise = '127.0.0.1:12'", "advertise = '10.0.0.1:12'"),
            "advertise = '10",
            "advertise = 10.0.0.1:12 is not on loopback",
        ),
        (
            change("model = 'm'\narrivals", home),
            "home_site",
            "nobody says where the home at site \"c\"",
        ),
        (
            good.clone() + &ten.collect::<String>(),
            "name = 'three'",
            "90 links between 10 nodes are not",
        ),
        (change("name = 'three'\n", ""), "seed", "missing field `name`"),
    ];
    for (text, at, expected) in cases {
        let line = text[..text.find(at).unwrap()].matches('\n').count() + 1;
        let error = refusal(&text);
        assert!(
            error.starts_with(&format!("x.toml:{line}: {expected}")),
            "{line} {expected}\n{error}"
        );
    }
}

#[test]
fn a_line_that_several_pairs_share_is_refused_with_the_file() {
    let text = placed();
    let at = text.rfind("[[link]]").unwrap();
    let error = refusal(&text[..at]);
    assert_eq!(
        error,
        "x.toml cannot be relayed: several pairs of nodes share what leads a to b: the relay has a \
         link for each pair"
    );
}
