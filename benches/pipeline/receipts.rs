//! What receipts cost, part by part. There is no switch that turns them off, and there must be none:
//! a node that can answer without signing is another program.

use bytes::Bytes;
use comity_node::log::Log;
use comity_protocol::{
    bundle::{Bundle, verify},
    commitment::{Chain, Salt},
    id::Digest,
    limits::RECEIPT_INTERVAL,
    receipt::StageReceipt,
    signed::{Domain, NodeKey},
    wire::Wire as _,
};
use tokio::runtime::Runtime;

use super::harness::{self, Op, Spread, say};

/// Positions of one chain before it starts anew: a usual session.
const POSITIONS: u32 = 1_024;

/// Seconds per call.
pub(super) struct Costs {
    chain: Spread,
    sign: Spread,
    check: Spread,
    log: Spread,
    bundle: Spread,
}

/// Times the parts on what the run itself signed.
pub(super) fn measure(
    runtime: &Runtime,
    bundle: &Bytes,
    genesis: &Digest,
    hidden_size: u32,
) -> Costs {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (log, _) = Log::open(folder.path()).expect("a new log");
    let receipt = Bundle::decode(bundle).expect("a bundle").stage_receipts.swap_remove(0);
    let record = receipt.encode();
    let domain = Domain::STAGE_RECEIPT;
    let statement: StageReceipt = receipt.open(domain, genesis).expect("a stage receipt");
    let key = NodeKey::from_seed(&[7; 32]);
    let row_bytes = hidden_size as usize * size_of::<f32>();
    let row = vec![0x3c; row_bytes];
    let mut chain = Chain::new(Salt::new([7; 32]));
    let mut ops = [
        Op::new("chain", || {
            let position = chain.positions() % POSITIONS;
            chain.append(position, &row, row_bytes);
        }),
        Op::new("sign", || key.sign(domain, genesis, &statement)),
        Op::new("check", || receipt.open::<StageReceipt>(domain, genesis)),
        Op::new("log", || runtime.handle().block_on(log.append(record.clone()))),
        Op::new("bundle", || verify(bundle, genesis)),
    ];
    let spreads = harness::time(&mut ops);
    let [chain, sign, check, log, bundle] = spreads.try_into().expect("one of each");
    Costs { chain, sign, check, log, bundle }
}

/// Prints them, and what they add up to beside a token that takes `token` seconds in an answer of
/// `tokens` tokens.
pub(super) fn report(costs: &Costs, token: f64, tokens: usize, stages: &[u32]) {
    say("\nreceipts, us per call, median (least to most):");
    for (name, cost) in [
        ("commit one row to a chain", costs.chain),
        ("sign a stage receipt", costs.sign),
        ("check and decode a stage receipt", costs.check),
        ("append it to the log, fsync included", costs.log),
        ("verify the bundle, at the client", costs.bundle),
    ] {
        let [median, least, most] =
            [cost.median, cost.least, cost.most].map(|seconds| seconds * 1e6);
        say(&format!("  {name:<38}{median:>9.1} ({least:.1} to {most:.1})"));
    }
    say(&format!(
        "\n{:<10}{:>18}{:>12}{:>22}{:>16}",
        "", "us every token", "of a token", "us once per request", "of the answer"
    ));
    for &count in stages {
        let stages = f64::from(count);
        // Home chains what it sends; each stage what it receives and what it sends on.
        let every = 2.0f64.mul_add(stages, 1.0) * costs.chain.median;
        // Home's two records and each stage's one are signed and durable; home checks the stages'.
        // The opening is signed and checked by each stage as well.
        let signs = (stages + 3.0) * costs.sign.median;
        let checks = 2.0 * stages * costs.check.median;
        let records = (stages + 2.0) * costs.log.median;
        let once = signs + checks + records;
        let answer = token * tokens as f64;
        say(&format!(
            "{:<10}{:>18.1}{:>11.2}%{:>22.0}{:>15.2}%",
            super::stages(count),
            every * 1e6,
            every / token * 100.0,
            once * 1e6,
            once / answer * 100.0
        ));
    }
    say(&format!(
        "(against one stage's token time; every {RECEIPT_INTERVAL} positions each stage signs and \
         stores one receipt more)"
    ));
}
