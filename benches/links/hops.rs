//! Frames over single hops, without models: what a lost packet or a neighbour's bulk costs a token.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use comity_netsim::relay::Relay;
use comity_node::net::data::{DataConfig, DataPlane, FrameReceiver, FrameSender, Incoming, Path};
use comity_protocol::{id::PeerKey, signed::NodeKey};
use futures::future::join_all;
use tokio::{sync::mpsc, sync::watch, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    harness::say,
    network::{Link, scenario},
};

/// Frames watched on each hop.
const FRAMES: usize = 200;
/// Pause between a frame's arrival and the next: the rest of the ring.
const PAUSE: Duration = Duration::from_millis(60);
/// Bytes of one row of the default model, and of a model of four thousand values.
const ROWS: [usize; 2] = [2_304, 16_384];
/// Bytes of a prefill chunk of the default model.
const CHUNK: usize = 128 * 2_304;
/// How often a chunk comes where prefill is bound by compute: 10 Mbit/s.
const CHUNK_EVERY: Duration = Duration::from_millis(236);

/// What else goes over the same connection.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Prefill,
    AllThatFits,
}

/// What is compared: bytes of a frame, loss, what is beside it, hops of this kind.
const CASES: [(usize, f64, Beside, usize); 9] = [
    (ROWS[0], 0.0, Beside::Nothing, 1),
    (ROWS[0], 0.01, Beside::Nothing, 4),
    (ROWS[1], 0.0, Beside::Nothing, 1),
    (ROWS[1], 0.01, Beside::Nothing, 4),
    (ROWS[0], 0.0, Beside::Prefill, 2),
    (ROWS[0], 0.01, Beside::Prefill, 2),
    (ROWS[1], 0.01, Beside::Prefill, 2),
    (ROWS[0], 0.0, Beside::AllThatFits, 1),
    (ROWS[0], 0.01, Beside::AllThatFits, 1),
];
const ROUND_TRIP: f64 = 50.0;

/// Two data planes with a link between them.
struct Hop {
    left: DataPlane,
    right: DataPlane,
    incoming: mpsc::Receiver<Incoming>,
    /// Where the left one reaches the right one.
    address: SocketAddr,
    peer: PeerKey,
    tasks: TaskTracker,
    cancel: CancellationToken,
    _admission: watch::Sender<Arc<HashSet<PeerKey>>>,
    _relay: Relay,
}

impl Hop {
    fn start(link: Link) -> Self {
        let keys = [1, 2].map(|seed| NodeKey::from_seed(&[seed; 32]));
        let [_, peer] = keys.each_ref().map(NodeKey::public);
        let both: HashSet<PeerKey> = keys.iter().map(NodeKey::public).collect();
        let (_admission, admission) = watch::channel(Arc::new(both));
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let [(left, _), (right, incoming)] = keys.map(|key| {
            let config = DataConfig { listen: (Ipv4Addr::LOCALHOST, 0).into(), key };
            let bound = DataPlane::bind(config, admission.clone(), &tasks, cancel.clone());
            bound.expect("a port is free")
        });
        let relay = Relay::start(&scenario(&[right.local_address()], link));
        let _relay = relay.expect("the relay starts");
        let address = _relay.addresses()[0];
        Self { left, right, incoming, address, peer, tasks, cancel, _admission, _relay }
    }

    /// A link from left to right; the right end sees it with its first frame.
    async fn open(&mut self) -> (FrameSender, FrameReceiver) {
        let link = self.left.open(self.peer, &[self.address]).await.expect("right answers");
        let (mut sender, back) = link.split();
        sender.send(b"open", &Bytes::new()).await.expect("it is sent");
        let (forth, mut receiver) = self.incoming.recv().await.expect("it arrives").link.split();
        receiver.receive_header().await.expect("it is whole");
        // The other directions stay open for as long as the process lives.
        std::mem::forget((forth, back));
        (sender, receiver)
    }

    /// Seconds that each frame of `bytes` takes.
    async fn frames(&mut self, bytes: usize, beside: Beside) -> (Vec<f64>, Path) {
        let (mut sender, mut receiver) = self.open().await;
        if beside != Beside::Nothing {
            let (sender, receiver) = self.open().await;
            self.tasks.spawn(fill(sender, beside, self.cancel.clone()));
            self.tasks.spawn(drain(receiver));
        }
        let tensor = Bytes::from(vec![1; bytes]);
        let mut times = Vec::with_capacity(FRAMES);
        for _ in 0..FRAMES {
            sleep(PAUSE).await;
            let begun = Instant::now();
            sender.send(b"step", &tensor).await.expect("it is sent");
            receiver.receive_header().await.expect("it arrives");
            receiver.receive_tensor(bytes).await.expect("it is whole");
            times.push(begun.elapsed().as_secs_f64());
        }
        let path = self.left.paths()[0].1;
        (times, path)
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        drop(self.right);
    }
}

async fn fill(mut sender: FrameSender, beside: Beside, cancel: CancellationToken) {
    let chunk = Bytes::from(vec![2; CHUNK]);
    while !cancel.is_cancelled() && sender.send(b"step", &chunk).await.is_ok() {
        if beside == Beside::Prefill {
            sleep(CHUNK_EVERY).await;
        }
    }
}

async fn drain(mut receiver: FrameReceiver) {
    while let Ok(Some(_)) = receiver.receive_header().await {
        if receiver.receive_tensor(CHUNK).await.is_err() {
            break;
        }
    }
}

pub(crate) async fn run() {
    say(&format!(
        "\nhops, ms one way of {:.1} that the path alone takes\n{:<44}{:>9}{:>9}{:>9}{:>9}{:>9}\
         {:>13}{:>6}",
        ROUND_TRIP / 2.0,
        "",
        "p50",
        "p90",
        "p99",
        "most",
        "p99/p50",
        "window, KiB",
        "lost"
    ));
    for (bytes, loss, beside, hops) in CASES {
        let link = Link { round_trip: ROUND_TRIP, loss };
        let mut hops: Vec<Hop> = (0..hops).map(|_| Hop::start(link)).collect();
        let results = join_all(hops.iter_mut().map(|hop| hop.frames(bytes, beside))).await;
        let mut times: Vec<f64> = results.iter().flat_map(|(times, _)| times.clone()).collect();
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times[(times.len() - 1) * part / 100] * 1e3;
        let window = results.iter().map(|(_, path)| path.window >> 10).min().unwrap_or(0);
        let lost: u64 = results.iter().map(|(_, path)| path.lost).sum();
        say(&format!(
            "{:<44}{:>9.1}{:>9.1}{:>9.1}{:>9.1}{:>9.2}{window:>13}{lost:>6}",
            format!("{bytes} bytes, {} % loss, beside {beside:?}", loss * 100.0),
            at(50),
            at(90),
            at(99),
            at(100),
            at(99) / at(50),
        ));
        for hop in hops {
            hop.stop().await;
        }
    }
}
