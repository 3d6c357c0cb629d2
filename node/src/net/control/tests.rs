//! Control planes that meet on loopback.

use std::{convert::Infallible, time::Duration};

use comity_protocol::{control::Hello, id::Digest, wire::Wire as _};
use libp2p::{
    futures::io::Cursor,
    request_response::{Event as HelloEvent, Message},
    swarm::dial_opts::DialOpts,
};
use tokio::time::Instant;

use super::{
    behaviour::BehaviourEvent,
    dialer::{self, Dialer},
    *,
};
use crate::directory::tests::{CLASS, Consortium, MODEL, node_key};

/// Far longer than anything here takes; a test that needs it fails.
const PATIENCE: Duration = Duration::from_secs(60);

struct Member {
    control: Control,
    directory: Directory,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Member {
    async fn new(consortium: &Consortium, number: u8, peers: Vec<String>) -> Self {
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let directory = consortium.directory(&tasks, &cancel);
        directory.insert_roster(consortium.own_roster(number)).await.unwrap();
        directory.insert_announcement(consortium.announcement(number, 1)).await.unwrap();
        let config = ControlConfig {
            listen: vec![loopback(), "/ip4/127.0.0.1/tcp/0".to_owned()],
            advertise: Vec::new(),
            peers,
            key: node_key(number),
            witness: None,
            countersign: mpsc::channel(1).0,
        };
        let control = Control::spawn(config, directory.clone(), &tasks, cancel.clone());
        Self { control: control.await.unwrap(), directory, cancel, tasks }
    }

    /// Waits until `known` holds of the directory.
    async fn until<F: Future<Output = bool>>(&self, known: impl Fn(Directory) -> F) {
        let mut changes = self.directory.changes();
        let waiting = async {
            while !known(self.directory.clone()).await {
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, waiting).await.expect("the directory never got there");
    }

    async fn until_candidates(&self, count: usize) {
        self.until(|it| async move { it.candidates(MODEL, CLASS).await.len() == count }).await;
    }
}

/// Three nodes; the second and third know only the first's address, one over QUIC, one over TCP.
async fn three(consortium: &Consortium) -> [Member; 3] {
    let first = Member::new(consortium, 1, Vec::new()).await;
    let [quic, tcp] = &first.control.addresses()[..] else { panic!("two listeners") };
    let second = Member::new(consortium, 2, vec![quic.clone()]).await;
    let third = Member::new(consortium, 3, vec![tcp.clone()]).await;
    let members = [first, second, third];
    for member in &members {
        member.until_candidates(3).await;
    }
    members
}

#[tokio::test]
async fn nodes_find_each_other_from_one_address_and_hear_news() {
    let consortium = Consortium::new();
    let [first, second, third] = three(&consortium).await;
    // The third is not connected to the second: gossip must pass through the first.
    let news = consortium.announcement(3, 2);
    third.directory.insert_announcement(news.clone()).await.unwrap();
    third.control.announce(news).await;
    for member in [&first, &second] {
        member
            .until(|it| async move {
                let addresses = it.data_addresses(node_key(3).public()).await;
                addresses.first().is_some_and(|address| address.port() == 2)
            })
            .await;
    }
}

#[tokio::test]
async fn a_new_roster_reaches_nodes_that_are_connected_already() {
    let consortium = Consortium::new();
    let [_first, second, third] = three(&consortium).await;
    let newer = consortium.roster(2, 2, &[2, 4], Duration::from_secs(60));
    second.directory.insert_roster(newer).await.unwrap();
    third.until(|it| async move { it.member(node_key(4).public()).await.is_some() }).await;
}

#[tokio::test]
async fn a_node_that_was_down_is_called_again() {
    let consortium = Consortium::new();
    let first = Member::new(&consortium, 1, Vec::new()).await;
    let addresses = first.control.addresses();
    first.cancel.cancel();
    first.tasks.close();
    first.tasks.wait().await;
    let second = Member::new(&consortium, 2, addresses.clone()).await;
    let again = Member::listening(&consortium, 1, &addresses).await;
    second.until_candidates(2).await;
    again.until_candidates(2).await;
}

impl Member {
    /// Node `number` on the addresses it had before.
    async fn listening(consortium: &Consortium, number: u8, addresses: &[String]) -> Self {
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let directory = consortium.directory(&tasks, &cancel);
        directory.insert_roster(consortium.own_roster(number)).await.unwrap();
        directory.insert_announcement(consortium.announcement(number, 2)).await.unwrap();
        let bare = |address: &String| address.split("/p2p/").next().unwrap().to_owned();
        let listen = addresses.iter().map(bare).collect();
        let (advertise, peers) = (Vec::new(), Vec::new());
        let config = ControlConfig {
            listen,
            advertise,
            peers,
            key: node_key(number),
            witness: None,
            countersign: mpsc::channel(1).0,
        };
        let control = Control::spawn(config, directory.clone(), &tasks, cancel.clone());
        Self { control: control.await.unwrap(), directory, cancel, tasks }
    }
}

/// A peer that does what it likes, connected to `member`.
async fn raw(consortium: &Consortium, number: u8, member: &Member) -> Swarm<Behaviour> {
    let topic = gossipsub::IdentTopic::new(format!("comity/announcements/1/{}", consortium.hash));
    let mut swarm = behaviour::swarm(&node_key(number), &topic).unwrap();
    let address: Multiaddr = member.control.addresses()[0].parse().unwrap();
    swarm.dial(DialOpts::from(address)).unwrap();
    loop {
        if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await {
            return swarm;
        }
    }
}

/// Drives `swarm` until its connection is closed; the hello it got and the gossip it heard.
async fn until_closed(swarm: &mut Swarm<Behaviour>) -> (Option<Hello>, usize) {
    let (mut answer, mut heard) = (None, 0);
    loop {
        match timeout(PATIENCE, swarm.select_next_some()).await.expect("never disconnected") {
            SwarmEvent::ConnectionClosed { .. } => return (answer, heard),
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message { .. })) => {
                heard += 1;
            }
            SwarmEvent::Behaviour(BehaviourEvent::Hello(HelloEvent::Message {
                message: Message::Response { response, .. },
                ..
            })) => answer = Some(response),
            _ => {}
        }
    }
}

fn hello(genesis: Digest, rosters: Vec<Signed>) -> Hello {
    Hello {
        genesis,
        rosters,
        announcements: Vec::new(),
        charter_version: 1,
        charter: genesis,
        suspensions: Vec::new(),
    }
}

fn send(swarm: &mut Swarm<Behaviour>, hello: Hello) {
    let peer = *swarm.connected_peers().next().unwrap();
    swarm.behaviour_mut().hello.send_request(&peer, hello);
}

/// Has the peer prove that it is node 2.
async fn until_member(swarm: &mut Swarm<Behaviour>, consortium: &Consortium) {
    send(swarm, hello(consortium.hash, vec![consortium.own_roster(2)]));
    loop {
        if let SwarmEvent::Behaviour(BehaviourEvent::Hello(HelloEvent::Message {
            message: Message::Response { response, .. },
            ..
        })) = swarm.select_next_some().await
        {
            assert_eq!(response.rosters.len(), 2);
            return;
        }
    }
}

/// Announces for ever; the first try may come before gossip includes the listener.
async fn keep_announcing(consortium: &Consortium, member: &Member) -> Infallible {
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let mut sequence = 1;
    loop {
        ticks.tick().await;
        sequence += 1;
        member.control.announce(consortium.announcement(1, sequence)).await;
    }
}

#[tokio::test]
async fn a_member_hears_announcements_by_gossip() {
    let consortium = Consortium::new();
    let member = Member::new(&consortium, 1, Vec::new()).await;
    let mut other = raw(&consortium, 2, &member).await;
    until_member(&mut other, &consortium).await;
    let hearing = async {
        loop {
            let event = other.select_next_some().await;
            if let SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message {
                message,
                ..
            })) = event
            {
                return Signed::decode(&message.data).unwrap();
            }
        }
    };
    tokio::select! {
        never = keep_announcing(&consortium, &member) => match never {},
        heard = timeout(PATIENCE, hearing) => {
            assert_eq!(heard.unwrap().signer, node_key(1).public());
        }
    }
}

#[tokio::test]
async fn a_stranger_that_proves_nothing_is_disconnected_and_learns_nothing() {
    let consortium = Consortium::new();
    let member = Member::new(&consortium, 1, Vec::new()).await;
    // Node 9 is on no roster; showing others' does not help, nor does another charter's.
    let others = hello(consortium.hash, vec![consortium.own_roster(2)]);
    for claim in [others, hello(Digest([9; 32]), Vec::new())] {
        let mut stranger = raw(&consortium, 9, &member).await;
        send(&mut stranger, claim);
        let started = Instant::now();
        assert_eq!(until_closed(&mut stranger).await, (None, 0));
        assert!(started.elapsed() < Duration::from_secs(4), "not only when its time is over");
    }
}

#[tokio::test]
async fn a_silent_stranger_is_disconnected_in_time_and_hears_no_gossip() {
    let consortium = Consortium::new();
    let member = Member::new(&consortium, 1, Vec::new()).await;
    let mut stranger = raw(&consortium, 9, &member).await;
    // News all the while, also after the stranger has subscribed.
    tokio::select! {
        never = keep_announcing(&consortium, &member) => match never {},
        ended = until_closed(&mut stranger) => assert_eq!(ended, (None, 0)),
    }
}

#[tokio::test]
async fn a_member_is_disconnected_when_a_newer_roster_drops_it() {
    let consortium = Consortium::new();
    let member = Member::new(&consortium, 1, Vec::new()).await;
    let mut other = raw(&consortium, 2, &member).await;
    until_member(&mut other, &consortium).await;
    let dropped = consortium.roster(2, 2, &[4], Duration::from_secs(60));
    member.directory.insert_roster(dropped).await.unwrap();
    until_closed(&mut other).await;
}

#[tokio::test]
async fn addresses_that_cannot_be_listened_on_are_named() {
    let consortium = Consortium::new();
    let member = Member::new(&consortium, 1, Vec::new()).await;
    let mut wrong = vec!["/ip4/127.0.0.1/sctp/1".to_owned(), "127.0.0.1:4700".to_owned()];
    for address in member.control.addresses() {
        wrong.push(address.split("/p2p/").next().unwrap().to_owned());
    }
    for (index, address) in wrong.into_iter().enumerate() {
        let config = ControlConfig {
            listen: vec![address.clone()],
            advertise: Vec::new(),
            peers: Vec::new(),
            key: node_key(2),
            witness: None,
            countersign: mpsc::channel(1).0,
        };
        let directory = member.directory.clone();
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let error = Control::spawn(config, directory, &tasks, cancel).await.unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
        let kind = match error {
            ControlError::Transport(_) => 0,
            ControlError::Address { .. } => 1,
            ControlError::InUse { .. } => 2,
            other => panic!("{other}"),
        };
        assert_eq!(kind, index.min(2));
    }
}

#[tokio::test]
async fn a_hello_is_read_no_further_than_its_limit() {
    let mut endless = Cursor::new(vec![0; 3 << 20]);
    let error = behaviour::read::<Hello, _>(&mut endless).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(endless.position(), comity_protocol::limits::CONTROL_BYTES_MAX as u64 + 1);
}

#[test]
fn calls_are_repeated_ever_more_slowly_until_they_help() {
    let mut now = Instant::now();
    let address: Multiaddr = loopback().parse().unwrap();
    let mut dialer = Dialer::new(node_key(1).public(), vec![address], now);
    for wait in [1, 2, 4, 8, 16, 32, 60, 60].map(Duration::from_secs) {
        let [call] = &dialer.take_due(now, |_| false)[..] else { panic!("one call is due") };
        assert_eq!(dialer.next_due(|_| false), None, "one call at a time");
        dialer.failed(call.connection_id(), now);
        assert_eq!(dialer.next_due(|_| false), Some(now + wait));
        now += wait;
    }
    let [call] = &dialer.take_due(now, |_| false)[..] else { panic!("one call is due") };
    let peer = tls::peer_id(&node_key(2).public()).unwrap();
    dialer.connected(call.connection_id(), peer);
    dialer.admitted(peer);
    assert_eq!(dialer.next_due(|connected| *connected == peer), None);
    dialer.disconnected(peer, now);
    assert_eq!(dialer.next_due(|_| false), Some(now + Duration::from_secs(1)));
}

#[test]
fn rosters_name_whom_to_call_but_never_oneself_nor_everyone() {
    let now = Instant::now();
    let mut dialer = Dialer::new(node_key(1).public(), Vec::new(), now);
    let everyone = (1..=200).map(|it| (node_key(it).public(), vec![loopback()])).collect();
    dialer.set_neighbours(everyone, now);
    let calls = dialer.take_due(now, |_| false);
    assert_eq!(calls.len(), dialer::NEIGHBOURS_MAX);
    let me = tls::peer_id(&node_key(1).public()).unwrap();
    assert!(calls.iter().all(|call| call.get_peer_id() != Some(me)));
    dialer.set_neighbours(Vec::new(), now);
    assert_eq!(dialer.next_due(|_| false), None);
}
