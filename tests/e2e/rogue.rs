//! A member that follows no protocol: on a roster, with a data plane of its own, and no machine
//! behind it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use comity_node::{
    clock::Clock,
    keys,
    net::data::{DataConfig, DataPlane, FrameReceiver, FrameSender, Incoming, Link},
    node::Node,
};
use comity_protocol::{
    announcement::{Announcement, Offer},
    block::BlockRange,
    commitment::Salt,
    id::{PeerKey, SessionId},
    policy::Policy,
    refusal::Refusal,
    roster::{Role, Roster, RosterNode},
    route::RouteStage,
    session::{Frame, Open, Step},
    signed::{Domain, NodeKey},
    tensor::Hidden,
    wire::Wire as _,
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::swarm::{PATIENCE, Swarm};

/// Life of what a rogue and its institution sign; longer than any test.
const LIFE: Duration = Duration::from_secs(600);

/// The rogue.
pub(crate) struct Rogue {
    pub(crate) key: NodeKey,
    pub(crate) plane: DataPlane,
    institution: String,
    links: mpsc::Receiver<Incoming>,
    cancel: CancellationToken,
    /// Whom its data plane lets in.
    _admitted: watch::Sender<Arc<HashSet<PeerKey>>>,
}

/// A link of the rogue's, on which it says what it likes.
pub(crate) struct Wire {
    sender: FrameSender,
    receiver: FrameReceiver,
    /// Bytes of a row of the model's hidden states.
    row_bytes: usize,
}

impl Rogue {
    /// Joins as a further node of the institution that owns node `host`, standing in
    /// `jurisdiction`, and announces `blocks` to every node.
    pub(crate) async fn join(
        swarm: &Swarm,
        host: usize,
        jurisdiction: &str,
        blocks: BlockRange,
    ) -> Self {
        let (key, node) = (NodeKey::from_seed(&[66; 32]), &swarm.demo.nodes[host]);
        let peers = swarm.demo.nodes.iter().map(Node::peer).collect();
        let (_admitted, admission) = watch::channel(Arc::new(peers));
        let config = DataConfig { listen: "127.0.0.1:0".parse().unwrap(), key: key.clone() };
        let cancel = CancellationToken::new();
        let (plane, links) =
            DataPlane::bind(config, admission, &TaskTracker::new(), cancel.clone()).unwrap();
        let institution = node.context().directory.member(node.peer()).await.unwrap().institution;
        let rogue = Self { key, plane, institution, links, cancel, _admitted };
        rogue.enlist(swarm, host, jurisdiction).await;
        rogue.announce(swarm, blocks).await;
        rogue
    }

    /// Has the host's institution sign a roster with both.
    async fn enlist(&self, swarm: &Swarm, host: usize, jurisdiction: &str) {
        let node = &swarm.demo.nodes[host];
        let listed = node.context().directory.member(node.peer()).await.unwrap();
        let entry = |peer, jurisdiction| RosterNode {
            peer,
            jurisdiction,
            roles: [Role::Home, Role::Stage].into(),
            control_addresses: Vec::new(),
        };
        let mut nodes = vec![
            entry(node.peer(), listed.jurisdiction),
            entry(self.key.public(), jurisdiction.parse().unwrap()),
        ];
        nodes.sort_by_key(|node| node.peer);
        let now = Clock::start().now();
        let institution = self.institution.clone();
        let (sequence, expires_at) = (now.as_ms(), now + LIFE);
        let roster = Roster { institution, sequence, issued_at: now, expires_at, nodes };
        let file = swarm.folder.path().join(format!("node-{host}/roster.key"));
        let key = keys::load(&file).unwrap();
        let signed = key.sign(Domain::ROSTER, &swarm.demo.genesis, &roster).unwrap();
        for node in &swarm.demo.nodes {
            node.context().directory.insert_roster(signed.clone()).await.unwrap();
        }
    }

    async fn announce(&self, swarm: &Swarm, blocks: BlockRange) {
        let serving = &swarm.home().context().serving[0];
        let now = Clock::start().now();
        let announcement = Announcement {
            institution: self.institution.clone(),
            sequence: now.as_ms(),
            issued_at: now,
            expires_at: now + Duration::from_secs(60),
            data_addresses: vec![self.plane.local_address()],
            offers: vec![Offer {
                manifest: serving.digest,
                blocks,
                numeric_class: serving.numeric_class.clone(),
                block_time_ns: 1_000_000_000,
                positions_free: 1 << 20,
                // Who may choose another one does.
                sessions: 100,
            }],
            round_trips: Vec::new(),
        };
        let signed = self.key.sign(Domain::ANNOUNCEMENT, &swarm.demo.genesis, &announcement);
        let signed = signed.unwrap();
        for node in &swarm.demo.nodes {
            node.context().directory.insert_announcement(signed.clone()).await.unwrap();
        }
    }

    /// Opens a link to `node`.
    pub(crate) async fn dial(&self, node: &Node) -> Wire {
        let link = self.plane.open(node.peer(), &[node.data_address()]).await.unwrap();
        Wire::new(link, node)
    }

    /// The next link that `node` opens to the rogue.
    pub(crate) async fn accept(&mut self, node: &Node) -> Wire {
        let incoming = timeout(PATIENCE, self.links.recv()).await.unwrap().unwrap();
        assert_eq!(incoming.peer, node.peer());
        Wire::new(incoming.link, node)
    }

    /// An opening of `session` over `stages`, signed by the rogue as its home.
    pub(crate) fn opening(
        &self,
        swarm: &Swarm,
        session: SessionId,
        stages: Vec<RouteStage>,
    ) -> Frame {
        let serving = &swarm.home().context().serving[0];
        let open = Open {
            session,
            manifest: serving.digest,
            stages,
            positions_max: 64,
            policy: Policy::open(Policy::OPEN),
            salt: Salt::new([5; 32]),
            deadline: Clock::start().now() + Duration::from_secs(60),
            numeric_class: serving.numeric_class.clone(),
            prefix: Vec::new(),
        };
        let signed = self.key.sign(Domain::OPEN, &swarm.demo.genesis, &open).unwrap();
        Frame::Open { signed, cached: 0 }
    }

    /// Closes its connections.
    pub(crate) fn leave(self) {
        self.cancel.cancel();
    }
}

impl Wire {
    /// `link`, for a session over the model that `node` serves.
    pub(crate) fn new(link: Link, node: &Node) -> Self {
        let row_bytes = node.context().serving[0].manifest.hidden_bytes();
        let (sender, receiver) = link.split();
        Self { sender, receiver, row_bytes }
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        self.sender.send(&frame.encode(), &Bytes::new()).await.unwrap();
    }

    /// Sends a step whose last row is to return.
    pub(crate) async fn step(&mut self, start: u32, hidden: &Hidden) {
        let positions = hidden.positions();
        let step = Step { start, positions, returned: 1, ..Step::default() };
        self.sender.send(&Frame::Step(step).encode(), hidden.bytes()).await.unwrap();
    }

    /// The next frame, which must come.
    pub(crate) async fn next(&mut self) -> (Frame, Option<Hidden>) {
        let header = timeout(PATIENCE, self.receiver.receive_header()).await.unwrap();
        let frame = Frame::decode(&header.unwrap().expect("the stream ended")).unwrap();
        let Frame::Step(step) = &frame else { return (frame, None) };
        let bytes = step.positions as usize * self.row_bytes;
        let tensor = self.receiver.receive_tensor(bytes).await.unwrap();
        (frame, Some(Hidden::new(tensor, self.row_bytes).unwrap()))
    }

    /// The refusal that must come next.
    pub(crate) async fn refusal(&mut self) -> Refusal {
        match self.next().await {
            (Frame::Refusal(refusal), None) => refusal,
            (other, _) => panic!("no refusal: {other:?}"),
        }
    }
}
