//! The bytes of the kernel set, which every node of a numeric class must return.

use comity_protocol::id::Digest;

use super::{Fixture, SESSION, tokens};
use crate::{NUMERIC_CLASS, fixture};

/// The class and, over every logit of 24 positions, the digests of both fixtures' answers. Between
/// them the fixtures use each quantised type of the two default models, and F32.
const GOLDEN: (&str, [&str; 2]) = (
    "cpu-2/wire-f32/kv-f16",
    [
        "f6d645bd44506a544563def7f23fb0860df6a29be845a8899c312c86ea7c6ec8",
        "ba41eac8145cfe153ab9f889dbe1970d1735c27775baf4348e95250eb5133696",
    ],
);

fn digest(fixture: &Fixture) -> String {
    let (home, mut shard) = (fixture.home(), fixture.shard(0, fixture::BLOCKS));
    let rows = shard.forward(&SESSION, 0, &home.embed(&tokens(24)).unwrap()).unwrap();
    let rows: Vec<_> = rows.chunks(fixture.manifest.hidden_size as usize).collect();
    let logits = home.logits_all(&rows).into_iter().flat_map(Result::unwrap);
    let bytes: Vec<u8> = logits.flat_map(f32::to_le_bytes).collect();
    Digest::of(&bytes).to_string()
}

#[test]
fn results_change_only_with_the_numeric_class() {
    let digests = [digest(&Fixture::llama()), digest(&Fixture::gemma3())];
    let got = (NUMERIC_CLASS, digests.each_ref().map(String::as_str));
    assert_eq!(got, GOLDEN, "other bytes need another class: the mesh compares them");
}
