//! The log at work: receipts made durable, and a whole log checked. Not what receipts cost an answer,
//! which is `pipeline`'s part.
//!
//! The log is a node's own, after a real answer; its records are that answer's, each signed anew for
//! its own place and session.

mod harness;
mod ring;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use comity_client::{Event, verify::verify};
use comity_node::{
    clock::Clock,
    commands::log::checked,
    keys,
    ledger::Ledger,
    log::{self, Log},
    node::KEY_FILE,
};
use comity_protocol::{
    bundle::Bundle,
    id::{Digest, SessionId},
    log::tree::{Frontier, leaf_hash},
    receipt::{OpenRecord, Receipt, StageReceipt},
    wire::Wire as _,
};
use harness::{Bench, ROUNDS, Spread, say};
use ring::Ring;
use tokio::task::JoinSet;

/// Requests that are open at a time: those whose records one `fsync` can carry.
const REQUESTS: [usize; 3] = [1, 16, 128];
/// Requests of one round, three records each.
const ROUND_REQUESTS: usize = 1_024;
/// Tokens of the answer.
const TOKENS: u32 = 16;
/// How long receipts say that what they commit to is kept; any will do.
const RETENTION: Duration = Duration::from_hours(24);

/// What a request leaves in a log whose node is home and a stage.
#[derive(Debug, Clone)]
struct Records {
    open: OpenRecord,
    stage: StageReceipt,
    receipt: Receipt,
}

/// One round of one number of requests at a time.
struct Round {
    /// Records a second, signed and durable.
    rate: f64,
    /// Seconds from asking for each record to its acknowledgement, ascending.
    waits: Vec<f64>,
}

fn main() {
    if harness::begin("log") {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(Box::pin(run()));
    }
}

async fn run() {
    let bench = Bench::model().await;
    let ring = Ring::start(&bench, 1).await;
    let (folder, records, bundle) = answer(&ring).await;
    let genesis = ring.demo.genesis;
    let verified = verification(&bundle, &genesis);
    let keep = ring.stop().await;
    let (log, _) = Log::open(&folder).expect("the node's log");
    let key = keys::load(&folder.join(KEY_FILE)).expect("the node's key");
    let ledger = Ledger::new(key, genesis, log.clone(), Clock::start(), RETENTION);
    let numbers = Arc::default();
    let mut rounds: [Vec<Round>; REQUESTS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (rounds, at_a_time) in rounds.iter_mut().zip(REQUESTS) {
            rounds.push(append(&ledger, &records, at_a_time, &numbers).await);
        }
    }
    drop(ledger);
    log.close().await;
    report_appends(&rounds);
    report_check(&folder);
    say(&format!("verify one bundle of {} bytes, ms: {}", bundle.len(), verified.show(2)));
    drop(keep);
}

/// One answer: the home's folder, what it left in the log, and its bundle.
async fn answer(ring: &Ring) -> (PathBuf, Records, Vec<u8>) {
    let request = ring.request("The harbour of Rotterdam is", TOKENS);
    let mut generation = ring.client.generate(request).await.expect("it is taken");
    while let Some(event) = generation.next().await {
        let _: Event = event.expect("the answer goes on");
    }
    let finished = generation.finish().await.expect("the answer ends");
    ring.check(&finished);
    let bundle = Bundle::decode(&finished.bundle).expect("a bundle");
    let records = Records {
        open: OpenRecord::decode(&bundle.open_record.payload).expect("an open record"),
        stage: StageReceipt::decode(&bundle.stage_receipts[0].payload).expect("a stage receipt"),
        receipt: Receipt::decode(&bundle.receipt.payload).expect("a receipt"),
    };
    let token = ring.demo.nodes[0].token_file();
    let folder = token.parent().expect("it lies in the folder").to_owned();
    (folder, records, finished.bundle.to_vec())
}

fn verification(bundle: &[u8], genesis: &Digest) -> Spread {
    let mut op = [harness::Op::new("verify", || verify(bundle, genesis).is_ok())];
    let seconds = harness::time(&mut op)[0];
    Spread::of([seconds.median, seconds.least, seconds.most].map(|seconds| seconds * 1e3))
}

/// So many requests at a time, each waiting for its records one after the other, as home does.
async fn append(
    ledger: &Ledger,
    records: &Records,
    at_a_time: usize,
    numbers: &Arc<AtomicU64>,
) -> Round {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..at_a_time {
        let (ledger, records, numbers) = (ledger.clone(), records.clone(), numbers.clone());
        tasks.spawn(async move {
            let mut waits = Vec::new();
            for _ in 0..ROUND_REQUESTS / at_a_time {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                request(&ledger, &records, u128::from(number), &mut waits).await;
            }
            waits
        });
    }
    let mut waits: Vec<f64> = tasks.join_all().await.into_iter().flatten().collect();
    let rate = waits.len() as f64 / began.elapsed().as_secs_f64();
    waits.sort_by(f64::total_cmp);
    Round { rate, waits }
}

/// The records of one request, in a session of its own.
async fn request(ledger: &Ledger, records: &Records, number: u128, waits: &mut Vec<f64>) {
    let session = SessionId(number.to_be_bytes());
    let Records { mut open, mut stage, mut receipt } = records.clone();
    (open.session, stage.session, receipt.session) = (session, session, session);
    let began = Instant::now();
    let opened = ledger.open(open).await.expect("the log takes it");
    waits.push(began.elapsed().as_secs_f64());
    receipt.open_record = opened.payload_digest();
    let began = Instant::now();
    ledger.sign_stage_receipt(stage).await.expect("the log takes it");
    waits.push(began.elapsed().as_secs_f64());
    let began = Instant::now();
    ledger.close(receipt).await.expect("the log takes it");
    waits.push(began.elapsed().as_secs_f64());
}

fn report_appends(rounds: &[Vec<Round>]) {
    say("\nrecords signed and made durable (fsync), median (least to most) of the rounds:");
    say(&format!(
        "{:<20}{:>26}{:>26}{:>26}",
        "requests at a time", "records/s", "waits, median ms", "p99 ms"
    ));
    for (rounds, at_a_time) in rounds.iter().zip(REQUESTS) {
        let at = |percent: usize| {
            let of = |round: &Round| round.waits[round.waits.len() * percent / 100] * 1e3;
            Spread::of(rounds.iter().map(of)).show(2)
        };
        let rate = Spread::of(rounds.iter().map(|round| round.rate)).show(0);
        say(&format!("{at_a_time:<20}{rate:>26}{:>26}{:>26}", at(50), at(99)));
    }
}

fn report_check(folder: &Path) {
    let whole = (0..ROUNDS).map(|_| {
        let found = checked(folder).expect("key and charter can be read").expect("the log holds");
        found.records as f64 / found.seconds
    });
    let whole = Spread::of(whole.collect::<Vec<_>>());
    let structure = Spread::of((0..ROUNDS).map(|_| structure(folder)).collect::<Vec<_>>());
    say(&format!("\ncheck of the whole log, records/s on one thread: {}", whole.show(0)));
    say(&format!("its frames, chain and tree alone, leaves/s: {}", structure.show(0)));
}

/// Leaves a second: every frame read, its digests checked, and the tree over all.
fn structure(folder: &Path) -> f64 {
    let began = Instant::now();
    let (mut tree, mut hashes) = (Frontier::default(), Vec::new());
    for record in log::read(folder).expect("the log can be read") {
        let record = record.expect("the frame holds");
        tree.append(leaf_hash(&record.bytes), &mut hashes);
        hashes.clear();
    }
    let root = std::hint::black_box(tree.root());
    assert_ne!(root, Digest::ZERO);
    tree.size() as f64 / began.elapsed().as_secs_f64()
}
