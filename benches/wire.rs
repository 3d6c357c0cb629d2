//! Time to encode, decode, commit, sign and verify single messages. Not their transport.
//!
//! The messages are the committed conformance vectors: what every implementation must agree on.

mod harness;

use std::{fs, path::PathBuf};

use comity_protocol::{
    bundle::{Bundle, verify},
    commitment::{Chain, Salt},
    id::Digest,
    session::{Frame, Open, Step},
    signed::{Domain, NodeKey},
    tensor::Hidden,
    wire::Wire,
};
use harness::{Op, say};

/// Values of one row of the default model.
const HIDDEN: usize = 576;
/// Positions of one chain before it starts anew: a usual session.
const POSITIONS: u32 = 1_024;

fn main() {
    if !harness::begin("wire") {
        return;
    }
    let mut ops = [messages(), commitments(), proofs()].into_iter().flatten().collect::<Vec<_>>();
    let spreads = harness::time(&mut ops);
    say(&format!("\n{:<44}{:>12}{:>12}{:>12}", "ns per call", "median", "least", "most"));
    for (op, spread) in ops.iter().zip(spreads) {
        let [median, least, most] =
            [spread.median, spread.least, spread.most].map(|seconds| seconds * 1e9);
        say(&format!("{:<44}{median:>12.0}{least:>12.0}{most:>12.0}", op.name));
    }
}

fn messages() -> Vec<Op<'static>> {
    let step = Frame::Step(Step {
        start: 100,
        positions: 1,
        returned: 1,
        accepted: 101,
        receipts: Vec::new(),
    });
    let receipts = Frame::decode(&vector("messages/frame_step")).expect("a step");
    let open = Open::decode(&vector("messages/open")).expect("an opening");
    let frame = Frame::decode(&vector("messages/frame_open")).expect("a signed opening");
    [
        both("step frame", step),
        both("step frame with a receipt", receipts),
        both("opening", open),
        both("signed opening frame", frame),
        both("bundle", Bundle::decode(&vector("messages/bundle")).expect("a bundle")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Encoding and decoding of `message`.
fn both<T: Wire + 'static>(name: &str, message: T) -> [Op<'static>; 2] {
    let bytes = message.encode();
    let name = format!("{name}, {} bytes", bytes.len());
    [
        Op::new(format!("encode {name}"), move || message.encode()),
        Op::new(format!("decode {name}"), move || T::decode(&bytes)),
    ]
}

fn commitments() -> Vec<Op<'static>> {
    let values: Vec<f32> = (0u16..576).map(|value| f32::from(value).sin()).collect();
    let row = Hidden::from_values(&values, HIDDEN).expect("one row");
    let (bytes, row_bytes) = (row.bytes().clone(), row.row_bytes());
    let mut chain = Chain::new(Salt::new([7; 32]));
    vec![
        Op::new("chain a row of 576 values", move || {
            let position = chain.positions() % POSITIONS;
            chain.append(position, &bytes, row_bytes);
        }),
        Op::new("row of 576 values to bytes", move || Hidden::from_values(&values, HIDDEN)),
        Op::new("row of 576 values from bytes", move || (row.is_finite(), row.values())),
    ]
}

fn proofs() -> Vec<Op<'static>> {
    let genesis = Digest::try_from(&*vector("genesis")).expect("a digest");
    let bytes = vector("messages/bundle");
    let stages = Bundle::decode(&bytes).expect("a bundle").stage_receipts.len();
    verify(&bytes, &genesis).expect("the committed bundle holds");
    let key = NodeKey::from_seed(&[7; 32]);
    let payload = vector("messages/stage_receipt");
    let (domain, public) = (Domain::STAGE_RECEIPT, key.public());
    let signature = key.sign_bytes(domain, &genesis, &payload);
    let statement = payload.clone();
    vec![
        Op::new("sign a stage receipt", move || key.sign_bytes(domain, &genesis, &statement)),
        Op::new("check its signature", move || {
            comity_protocol::signed::verify(domain, &genesis, &payload, &public, &signature)
        }),
        Op::new(format!("verify a bundle of {stages} stages"), move || verify(&bytes, &genesis)),
    ]
}

/// Bytes of a committed vector.
fn vector(name: &str) -> Vec<u8> {
    let file = format!("{name}.hex");
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/conformance/vectors", &file].iter().collect();
    let text = fs::read_to_string(&path).expect("the vectors are committed");
    let digits: String = text.split_whitespace().collect();
    let byte = |start: usize| u8::from_str_radix(&digits[start..start + 2], 16);
    (0..digits.len()).step_by(2).map(|start| byte(start).expect("hexadecimal")).collect()
}
