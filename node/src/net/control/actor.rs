//! The task that owns the swarm: one event, one reaction. Not the protocols.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use comity_protocol::{
    announcement::AnnouncementError,
    charter::CharterError,
    control::{ControlReply, ControlRequest, Hello},
    directory::Change,
    id::PeerKey,
    limits::ANNOUNCEMENT_BYTES_MAX,
    signed::Signed,
    wire::Wire as _,
};
use libp2p::{
    Multiaddr, PeerId, Swarm,
    futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered},
    gossipsub::{self, MessageAcceptance, MessageId},
    ping,
    request_response::{self, OutboundRequestId, ResponseChannel},
    swarm::SwarmEvent,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    Countersign,
    ask::later_charter,
    behaviour::{Behaviour, BehaviourEvent},
    dialer::Dialer,
    tls,
};
use crate::{
    directory::{Changes, Directory, InsertError},
    net::Admission,
    witness::Witness,
};

/// How long a peer on no valid roster has to prove that it is on one.
const PROOF_TIMEOUT: Duration = Duration::from_secs(5);
/// When a new member is told once more what we know: by then gossip includes it, so that nothing
/// said in between is missed. Gossip takes in new peers once a second.
const SETTLE_TIME: Duration = Duration::from_secs(3);
/// Messages of peers that the directory is asked about at once; more are dropped.
pub(super) const WORK_MAX: usize = 256;

/// What the node wants said.
#[derive(Debug)]
pub(super) enum Message {
    /// To everyone.
    Announce(Signed),
    /// To one peer, which is to answer.
    Ask { peer: PeerKey, request: ControlRequest, reply: oneshot::Sender<ControlReply> },
}

/// What the directory said, and for whom.
pub(super) enum Outcome {
    Hello(Heard),
    Charters { peer: PeerId, inserted: Result<Change, InsertError<CharterError>>, from: u32 },
    Answer { channel: ResponseChannel<ControlReply>, reply: ControlReply },
    Greeting { peer: PeerId, hello: Option<Hello> },
    Gossip { peer: PeerId, id: MessageId, acceptance: MessageAcceptance },
    Neighbours(Vec<(PeerKey, Vec<String>)>),
    Told,
}

/// What became of a hello.
pub(super) struct Heard {
    peer: PeerId,
    admitted: bool,
    reply: Option<(ResponseChannel<Hello>, Hello)>,
    /// The hello, and the first version of the charter that its sender should be asked for.
    ask: Option<(Hello, u32)>,
}

pub(super) struct Actor {
    pub(super) swarm: Swarm<Behaviour>,
    topic: gossipsub::IdentTopic,
    pub(super) directory: Directory,
    admission: Admission,
    changes: watch::Receiver<Changes>,
    /// What had come when neighbours were last told: see [`Changes::governance`].
    governance: u64,
    me: PeerKey,
    dialer: Dialer,
    /// Connected strangers, and until when they may prove themselves.
    strangers: HashMap<PeerId, Instant>,
    /// How far they are: of interest once they are none any more.
    pinged: HashMap<PeerId, Duration>,
    /// Connected peers that are new to gossip, and when to tell them what they missed.
    settling: HashMap<PeerId, Instant>,
    /// Connected peers that this node called: they may know what it knows.
    pub(super) called: HashSet<PeerId>,
    /// Hellos of peers that know a later charter, to be heard again once that has come.
    pub(super) unheard: HashMap<PeerId, Hello>,
    /// Who waits for the answer to a question; at most as many as the node asks at once.
    pub(super) asked: HashMap<OutboundRequestId, oneshot::Sender<ControlReply>>,
    /// Who cosigns others' checkpoints on this node, if anyone.
    pub(super) witness: Option<Witness>,
    pub(super) countersign: mpsc::Sender<Countersign>,
    /// Questions to the directory: at most [`WORK_MAX`] for messages, and one for each connection.
    pub(super) work: FuturesUnordered<BoxFuture<'static, Outcome>>,
}

impl Actor {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        topic: gossipsub::IdentTopic,
        directory: Directory,
        me: PeerKey,
        peers: Vec<Multiaddr>,
        witness: Option<Witness>,
        countersign: mpsc::Sender<Countersign>,
    ) -> Self {
        let actor = Self {
            swarm,
            topic,
            admission: directory.admission(),
            changes: directory.changes(),
            governance: 0,
            directory,
            me,
            dialer: Dialer::new(me, peers, Instant::now()),
            strangers: HashMap::new(),
            pinged: HashMap::new(),
            settling: HashMap::new(),
            called: HashSet::new(),
            unheard: HashMap::new(),
            asked: HashMap::new(),
            witness,
            countersign,
            work: FuturesUnordered::new(),
        };
        actor.ask_neighbours();
        actor
    }

    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Message>,
        cancel: CancellationToken,
    ) {
        loop {
            let timer = self.next_timer();
            tokio::select! { biased;
                () = cancel.cancelled() => break,
                Ok(()) = self.admission.changed() => self.on_admission(),
                Ok(()) = self.changes.changed() => self.on_changes(),
                Some(outcome) = self.work.next() => self.on_outcome(outcome),
                Some(message) = inbox.recv() => self.on_message(message),
                () = until(timer) => self.on_timer(),
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        let call = self.dialer.next_due(|peer| self.swarm.is_connected(peer));
        let peers = self.strangers.values().chain(self.settling.values());
        call.into_iter().chain(peers.copied()).min()
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        let swarm = &self.swarm;
        for call in self.dialer.take_due(now, |peer| swarm.is_connected(peer)) {
            let connection = call.connection_id();
            if let Err(error) = self.swarm.dial(call) {
                debug!(%error, "cannot dial");
                self.dialer.failed(connection, now);
            }
        }
        let late = self.strangers.extract_if(|_, due| *due <= now);
        for (peer, _) in late.collect::<Vec<_>>() {
            self.refuse(peer, "no proof of membership in time");
        }
        let settled = self.settling.extract_if(|_, due| *due <= now);
        for (peer, _) in settled.collect::<Vec<_>>() {
            self.greet(peer);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                self.dialer.connected(connection_id, peer_id);
                if num_established.get() == 1 {
                    self.meet(peer_id);
                }
                if endpoint.is_dialer() {
                    self.called.insert(peer_id);
                    self.greet(peer_id);
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.strangers.remove(&peer_id);
                self.pinged.remove(&peer_id);
                self.settling.remove(&peer_id);
                self.called.remove(&peer_id);
                self.unheard.remove(&peer_id);
                self.dialer.disconnected(peer_id, Instant::now());
                self.lose(peer_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                debug!(%error, "call failed");
                self.dialer.failed(connection_id, Instant::now());
            }
            SwarmEvent::ListenerClosed { reason, .. } => warn!(?reason, "a listener closed"),
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            })) => self.on_gossip(propagation_source, message_id, &message.data),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                result: Ok(round_trip),
                ..
            })) => self.on_ping(peer, round_trip),
            SwarmEvent::Behaviour(BehaviourEvent::Hello(event)) => self.on_hello_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ask(event)) => self.on_ask_event(event),
            _ => {}
        }
    }

    /// The first connection with a peer.
    fn meet(&mut self, peer: PeerId) {
        let admitted = self.admits(&peer);
        self.swarm.behaviour_mut().admit(&peer, admitted);
        let now = Instant::now();
        if admitted {
            self.settling.insert(peer, now + SETTLE_TIME);
        } else {
            self.strangers.insert(peer, now + PROOF_TIMEOUT);
        }
    }

    pub(super) fn admits(&self, peer: &PeerId) -> bool {
        tls::peer_of(peer).is_some_and(|peer| self.admission.borrow().contains(&peer))
    }

    /// Asks the directory for our hello, to be sent to `peer`.
    fn greet(&self, peer: PeerId) {
        let (directory, me) = (self.directory.clone(), self.me);
        let greeting = async move { Outcome::Greeting { peer, hello: directory.hello(me).await } };
        self.work.push(greeting.boxed());
    }

    /// Tells the directory that the last connection with `peer` is gone. One that was cut off and
    /// lives is called again within a second or so, and counts again with its hello.
    fn lose(&self, peer: PeerId) {
        let Some(key) = tls::peer_of(&peer) else { return };
        let directory = self.directory.clone();
        let telling = async move {
            directory.lost(key, Duration::ZERO).await;
            Outcome::Told
        };
        self.work.push(telling.boxed());
    }

    fn on_ping(&mut self, peer: PeerId, round_trip: Duration) {
        if self.strangers.contains_key(&peer) {
            self.pinged.insert(peer, round_trip);
        } else if self.work.len() < WORK_MAX {
            self.tell_distance(peer, round_trip);
        }
    }

    /// Tells the directory how far `peer` is.
    fn tell_distance(&self, peer: PeerId, round_trip: Duration) {
        let Some(key) = tls::peer_of(&peer) else { return };
        let directory = self.directory.clone();
        let telling = async move {
            directory.measured(key, round_trip).await;
            Outcome::Told
        };
        self.work.push(telling.boxed());
    }

    fn ask_neighbours(&self) {
        let directory = self.directory.clone();
        let asking = async move { Outcome::Neighbours(directory.control_addresses().await) };
        self.work.push(asking.boxed());
    }

    fn on_hello_event(&mut self, event: request_response::Event<Hello, Hello>) {
        use request_response::{Event, Message};
        match event {
            Event::Message { peer, message, .. } => match message {
                Message::Request { request, channel, .. } => {
                    self.on_hello(peer, request, Some(channel));
                }
                Message::Response { response, .. } => self.on_hello(peer, response, None),
            },
            Event::OutboundFailure { peer, error, .. } => debug!(%peer, %error, "hello failed"),
            Event::InboundFailure { peer, error, .. } => debug!(%peer, %error, "bad hello"),
            Event::ResponseSent { .. } => {}
        }
    }

    pub(super) fn on_hello(
        &mut self,
        peer: PeerId,
        hello: Hello,
        reply: Option<ResponseChannel<Hello>>,
    ) {
        if hello.genesis != self.directory.genesis() {
            warn!(%peer, theirs = %hello.genesis, "peer is of another consortium");
            return self.refuse(peer, "another consortium");
        }
        let Some(key) = tls::peer_of(&peer) else {
            return self.refuse(peer, "no Ed25519 identity");
        };
        if self.work.len() >= WORK_MAX {
            // The peer's request fails; a stranger is refused in time, a member greets again.
            debug!(%peer, "hello dropped, the directory is busy");
            return;
        }
        let (directory, me) = (self.directory.clone(), self.me);
        let hearing = async move {
            let ask = later_charter(&directory.chain(), &hello).map(|from| (hello.clone(), from));
            let admitted = directory.hear(hello, key).await;
            // Strangers learn nothing.
            let reply = match reply {
                Some(channel) if admitted => directory.hello(me).await.map(|it| (channel, it)),
                _ => None,
            };
            Outcome::Hello(Heard { peer, admitted, reply, ask })
        };
        self.work.push(hearing.boxed());
    }

    fn on_gossip(&mut self, peer: PeerId, id: MessageId, data: &[u8]) {
        let signed = match Signed::decode(data) {
            Ok(signed) if data.len() <= ANNOUNCEMENT_BYTES_MAX && self.admits(&peer) => signed,
            _ => return self.validated(&peer, &id, MessageAcceptance::Reject),
        };
        if self.work.len() >= WORK_MAX {
            return self.validated(&peer, &id, MessageAcceptance::Ignore);
        }
        let directory = self.directory.clone();
        let inserting = async move {
            let acceptance = acceptance(&directory.insert_announcement(signed).await);
            Outcome::Gossip { peer, id, acceptance }
        };
        self.work.push(inserting.boxed());
    }

    fn validated(&mut self, peer: &PeerId, id: &MessageId, acceptance: MessageAcceptance) {
        self.swarm.behaviour_mut().gossip.report_message_validation_result(id, peer, acceptance);
    }

    fn on_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Greeting { peer, hello: Some(hello) } if self.swarm.is_connected(&peer) => {
                self.swarm.behaviour_mut().hello.send_request(&peer, hello);
            }
            Outcome::Greeting { .. } | Outcome::Told => {}
            Outcome::Hello(heard) => self.on_heard(heard),
            Outcome::Charters { peer, inserted, from } => self.on_inserted(peer, &inserted, from),
            Outcome::Answer { channel, reply } => {
                // Fails only if the peer is gone.
                let _ = self.swarm.behaviour_mut().ask.send_response(channel, reply);
            }
            Outcome::Gossip { peer, id, acceptance } => self.validated(&peer, &id, acceptance),
            Outcome::Neighbours(peers) => self.dialer.set_neighbours(peers, Instant::now()),
        }
    }

    fn on_heard(&mut self, Heard { peer, admitted, reply, ask }: Heard) {
        match (admitted, &ask) {
            (true, _) => self.welcome(peer),
            // It may be a member under the charter that it knows and we do not.
            (false, Some(_)) => {}
            (false, None) => return self.refuse(peer, "its hello proves no membership"),
        }
        if let Some((channel, hello)) = reply {
            // Fails only if the peer is gone.
            let _ = self.swarm.behaviour_mut().hello.send_response(channel, hello);
        }
        if let Some((hello, from)) = ask {
            self.ask(peer, hello, from);
        }
    }

    fn welcome(&mut self, peer: PeerId) {
        if self.strangers.remove(&peer).is_some() {
            info!(%peer, "peer proved its membership");
            self.settling.insert(peer, Instant::now() + SETTLE_TIME);
        }
        if let Some(round_trip) = self.pinged.remove(&peer) {
            self.tell_distance(peer, round_trip);
        }
        self.swarm.behaviour_mut().admit(&peer, true);
        self.dialer.admitted(peer);
    }

    pub(super) fn refuse(&mut self, peer: PeerId, why: &'static str) {
        self.strangers.remove(&peer);
        debug!(%peer, why, "peer refused");
        // Fails only if it is gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Closes connections of peers that lost admission, and lets in those that another's hello
    /// named.
    fn on_admission(&mut self) {
        let connected: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            match (self.admits(&peer), self.strangers.contains_key(&peer)) {
                (true, true) => self.welcome(peer),
                (false, false) => self.refuse(peer, "no longer on a valid roster"),
                _ => {}
            }
        }
        self.ask_neighbours();
    }

    /// Tells neighbours of new charters and rosters; they tell theirs, until nobody learns anything new.
    fn on_changes(&mut self) {
        let governance = self.changes.borrow_and_update().governance;
        if governance == self.governance {
            return;
        }
        self.governance = governance;
        self.ask_neighbours();
        for peer in self.swarm.connected_peers() {
            if self.admits(peer) {
                self.greet(*peer);
            }
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Announce(signed) => self.publish(&signed),
            Message::Ask { peer, request, reply } => self.put(&peer, request, reply),
        }
    }

    fn publish(&mut self, signed: &Signed) {
        let published =
            self.swarm.behaviour_mut().gossip.publish(self.topic.clone(), signed.encode());
        if let Err(error) = published {
            // Nobody listens yet: whoever connects is told in the hello.
            debug!(%error, "announcement not gossiped");
        }
    }
}

/// Resolves at `time`; never if there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Whether gossip goes on with an announcement: only with news; false statements cost their sender.
fn acceptance(inserted: &Result<Change, InsertError<AnnouncementError>>) -> MessageAcceptance {
    match inserted {
        Ok(Change::Updated) => MessageAcceptance::Accept,
        Ok(Change::Unchanged) | Err(InsertError::Stopped | InsertError::Storage(_)) => {
            MessageAcceptance::Ignore
        }
        // True when it was said, or to those who know more than we do.
        Err(InsertError::Refused(
            AnnouncementError::NotAdmitted(_)
            | AnnouncementError::Stale { .. }
            | AnnouncementError::Full(_)
            | AnnouncementError::Validity { .. },
        )) => MessageAcceptance::Ignore,
        Err(InsertError::Refused(_)) => MessageAcceptance::Reject,
    }
}
