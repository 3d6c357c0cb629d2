//! Files refused at open, and digests that follow the bytes they cover.
#![expect(clippy::cast_possible_truncation, reason = "a fixture's numbers are small")]

use candle_core::quantized::GgmlDType;

use super::ModelFile;
use crate::fixture::{self, Precision, Writer};

fn open(bytes: &[u8]) -> (tempfile::TempDir, Result<ModelFile, super::OpenError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    let file = ModelFile::open(&path);
    (folder, file)
}

/// The cause of a refused file.
fn refusal(bytes: &[u8]) -> String {
    let (_folder, file) = open(bytes);
    let error = file.expect_err("the file is bad");
    std::error::Error::source(&error).expect("it has a cause").to_string()
}

fn patched(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn unsupported_models_are_named() {
    let refused = refusal(&Writer::new("mamba").finish());
    assert_eq!(refused, "architecture `mamba` is not supported (`llama` and `gemma3` are)");
    let refused = refusal(&Writer::new("llama").finish());
    assert_eq!(refused, "metadata `llama.block_count` is missing");
    let missing = ModelFile::open(std::path::Path::new("no/such/model.gguf")).unwrap_err();
    assert_eq!(missing.to_string(), "cannot open model file no/such/model.gguf");
}

#[test]
fn missing_renamed_and_misshapen_tensors_are_named() {
    let llama = || fixture::llama(1, Precision::Mixed).unwrap();
    let refused = refusal(&patched(llama(), b"blk.3.attn_q.weight", b"blk.3.attn_z.weight"));
    assert_eq!(refused, "tensor `blk.3.attn_q.weight` is missing");
    let refused = refusal(&patched(llama(), b"output.weight", b"outpux.weight"));
    assert!(refused.contains("`outpux.weight` is not part of architecture `llama`"), "{refused}");
    let key = b"llama.attention.head_count_kv\x04\0\0\0";
    let refused =
        refusal(&patched(llama(), &[key, &[2_u8][..]].concat(), &[key, &[4_u8][..]].concat()));
    assert!(refused.starts_with("tensor `blk.0.attn_k.weight` has dimensions"), "{refused}");
    let refused =
        refusal(&patched(llama(), &[key, &[2_u8][..]].concat(), &[key, &[3_u8][..]].concat()));
    assert!(refused.contains("`llama.attention.head_count_kv` is 3"), "{refused}");
}

#[test]
fn each_digest_follows_what_it_covers_and_nothing_else() {
    let bytes = fixture::llama(1, Precision::Mixed).unwrap();
    let manifest = |bytes: &[u8]| {
        let (_folder, file) = open(bytes);
        file.unwrap().manifest().unwrap()
    };
    let (_folder, file) = open(&bytes);
    let file = file.unwrap();
    let original = manifest(&bytes);
    assert_eq!(original, file.manifest().unwrap());
    for (name, block) in [
        ("token_embd.weight", None),
        ("output_norm.weight", None),
        ("blk.4.ffn_up.weight", Some(4)),
    ] {
        let tensor = file.tensors().find(|tensor| tensor.name == name).unwrap();
        let mut bytes = bytes.clone();
        bytes[tensor.offset as usize] ^= 1;
        let changed = manifest(&bytes);
        assert_eq!(changed.embed != original.embed, name == "token_embd.weight");
        assert_eq!(changed.head != original.head, name == "output_norm.weight");
        for index in 0..original.blocks.len() {
            assert_eq!(changed.blocks[index] != original.blocks[index], block == Some(index));
        }
        assert_eq!((changed.config, changed.tokenizer), (original.config, original.tokenizer));
    }
    let changed =
        manifest(&patched(bytes.clone(), b"<|im_start|>assistant", b"<|im_start|>assistanx"));
    assert_ne!(changed.chat_template, original.chat_template);
    assert_eq!((changed.config, changed.tokenizer), (original.config, original.tokenizer));
    let changed = manifest(&patched(bytes.clone(), b"<|im_end|>", b"<|im_enx|>"));
    assert_eq!(changed.chat_template, original.chat_template);
    assert_ne!(changed.tokenizer, original.tokenizer);
    let base = [b"llama.rope.freq_base\x06\0\0\0".as_slice(), &50_000_f32.to_le_bytes()].concat();
    let other = [b"llama.rope.freq_base\x06\0\0\0".as_slice(), &50_001_f32.to_le_bytes()].concat();
    let changed = manifest(&patched(bytes, &base, &other));
    assert_ne!(changed.config, original.config);
    assert_eq!(changed.blocks, original.blocks);
}

#[test]
fn a_manifest_counts_the_parameters_of_each_block() {
    let (_folder, file) = open(&fixture::llama(1, Precision::Mixed).unwrap());
    let file = file.unwrap();
    let config = file.config();
    let (hidden, inner) = (u64::from(config.hidden_size), u64::from(config.feed_forward_size));
    let (query, kv) = (config.query_size() as u64, config.kv_size() as u64);
    let rope = file.header().tensor(super::ROPE_FACTORS).map_or(0, |factors| factors.dims[0]);
    let block = 2 * hidden + 2 * hidden * query + 2 * hidden * kv + 3 * hidden * inner + rope;
    let manifest = file.manifest().unwrap();
    assert_eq!(manifest.active_parameters, vec![block; config.block_count as usize]);
}

#[test]
fn a_tied_head_covers_the_embedding() {
    let bytes = fixture::gemma3(1, Precision::Mixed).unwrap();
    let (_folder, file) = open(&bytes);
    let file = file.unwrap();
    let head: Vec<_> =
        file.part_tensors(super::Part::Head).iter().map(|tensor| tensor.name.clone()).collect();
    assert_eq!(head, ["output_norm.weight", "token_embd.weight"]);
}

#[test]
fn fixtures_are_the_same_bytes_for_the_same_seed() {
    for make in [fixture::llama, fixture::gemma3] {
        let same = make(5, Precision::Mixed).unwrap() == make(5, Precision::Mixed).unwrap();
        let other = make(5, Precision::Mixed).unwrap() == make(6, Precision::Mixed).unwrap();
        assert!(same && !other);
    }
}

#[test]
fn quantised_norms_are_refused() {
    let mut writer = Writer::new("llama");
    for (name, value) in [
        ("block_count", 1),
        ("context_length", 8),
        ("embedding_length", 32),
        ("feed_forward_length", 32),
        ("attention.head_count", 1),
    ] {
        writer.u32(&format!("llama.{name}"), value);
    }
    writer.tensor("token_embd.weight", GgmlDType::Q8_0, &[32, 2], vec![0; 68]);
    writer.tensor("output_norm.weight", GgmlDType::Q8_0, &[32], vec![0; 34]);
    assert_eq!(refusal(&writer.finish()), "tensor `output_norm.weight` is Q8_0, expected F32");
}
