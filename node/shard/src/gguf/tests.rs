//! Headers that must be refused, each with the error that names why; no bytes may panic.

use candle_core::quantized::GgmlDType;
use proptest::prelude::*;

use super::{Array, Header, HeaderError};
use crate::fixture::{self, Precision, Writer};

fn read(bytes: &[u8]) -> Result<Header, HeaderError> {
    Header::read(bytes, bytes.len() as u64)
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).expect_err("the header is bad").to_string()
}

/// A small file with one entry of each kind and one tensor of 32 Q8_0 elements.
fn small() -> Vec<u8> {
    let mut writer = Writer::new("llama");
    writer.texts("list", &["one".to_owned(), "two".to_owned()]);
    writer.f32s("scores", &[0.5, -1.0]);
    writer.flag("flag", true);
    writer.tensor("blk.0.x", GgmlDType::Q8_0, &[32, 1], vec![0; 34]);
    writer.finish()
}

/// `bytes` with the first occurrence of `from` replaced by `to`, of the same length.
fn patched(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// The tensor's line: rank 2, dimensions, type 8, offset 0.
fn tensor_line(rank: u32, dims: [u64; 2], kind: u32, offset: u64) -> Vec<u8> {
    let mut line = b"blk.0.x".to_vec();
    line.extend(rank.to_le_bytes());
    line.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
    line.extend(kind.to_le_bytes());
    line.extend(offset.to_le_bytes());
    line
}

#[test]
fn a_small_header_reads_back() {
    let header = read(&small()).unwrap();
    assert_eq!(header.text("general.architecture"), Ok(Some("llama")));
    assert_eq!(header.integer("flag"), Ok(Some(1)));
    let texts = Array::Text(vec!["one".to_owned(), "two".to_owned()]);
    assert_eq!(header.array("list"), Ok(Some(texts)));
    assert_eq!(header.array("scores"), Ok(Some(Array::Floats(vec![0.5, -1.0]))));
    assert_eq!(header.integer("absent"), Ok(None));
    assert!(header.integer("list").is_err() && header.text("flag").is_err());
    let tensor = header.tensor("blk.0.x").unwrap();
    assert_eq!((tensor.bytes, tensor.offset % 32), (34, 0));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = small();
    // The writer pads the 34 bytes of data to 64.
    for length in 0..bytes.len() - 30 {
        let error = read(&bytes[..length]).expect_err("the tensor is cut off");
        let cut = matches!(error, HeaderError::Truncated { .. } | HeaderError::PastEnd { .. });
        assert!(cut, "{length} bytes: {error}");
    }
}

#[test]
fn foreign_files_and_versions_are_refused() {
    assert!(refusal(b"PK\x03\x04 and then some more").starts_with("not a GGUF file"));
    for version in [0_u32, 1, 4, 3_u32.swap_bytes()] {
        let mut bytes = small();
        bytes[4..8].copy_from_slice(&version.to_le_bytes());
        assert_eq!(
            refusal(&bytes),
            format!("GGUF version {version} is not supported (2 and 3 are)")
        );
    }
}

#[test]
fn absurd_counts_and_lengths_are_refused_before_memory_is_taken() {
    for (at, what) in [(8, "the tensor count"), (16, "the entry count"), (24, "a string's length")]
    {
        let mut bytes = small();
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let message = refusal(&bytes);
        assert!(message.starts_with(&format!("{what} is {}", u64::MAX)), "{message}");
    }
    let one = [&3_u64.to_le_bytes()[..], b"one"].concat();
    let huge = [&u64::MAX.to_le_bytes()[..], b"one"].concat();
    assert!(refusal(&patched(small(), &one, &huge)).starts_with("a string's length is"));
    let list = [b"list".as_slice(), &9_u32.to_le_bytes(), &8_u32.to_le_bytes()].concat();
    let from = [list.clone(), 2_u64.to_le_bytes().to_vec()].concat();
    let to = [list, (1_u64 << 60).to_le_bytes().to_vec()].concat();
    assert!(refusal(&patched(small(), &from, &to)).starts_with("an array's length is"));
}

#[test]
fn bad_tensor_lines_are_refused_with_their_name() {
    let good = tensor_line(2, [32, 1], 8, 0);
    let refuse = |line: &[u8]| refusal(&patched(small(), &good, line));
    let cases = [
        (tensor_line(2, [32, 1], 99, 0), "has unsupported ggml type 99"),
        (tensor_line(2, [31, 1], 8, 0), "has invalid dimensions [31, 1] for Q8_0"),
        (tensor_line(2, [32, 0], 8, 0), "has invalid dimensions [32, 0]"),
        (tensor_line(2, [32, u64::MAX / 8], 8, 0), "has invalid dimensions"),
        (tensor_line(2, [32, 3], 8, 0), "ends at byte"),
        (tensor_line(2, [32, 1], 8, 1 << 40), "ends at byte"),
        (tensor_line(2, [32, 1], 8, u64::MAX - 31), "ends at byte"),
        (tensor_line(2, [32, 1], 8, 8), "not a multiple of 32"),
    ];
    for (line, expected) in cases {
        let message = refuse(&line);
        assert!(message.contains(expected) && message.contains("`blk.0.x`"), "{message}");
    }
    assert!(refuse(&tensor_line(5, [32, 1], 8, 0)).starts_with("a tensor's rank is 5"));
}

#[test]
fn duplicates_and_bad_alignments_are_refused() {
    let mut writer = Writer::new("llama");
    writer.u32("twice", 1);
    writer.u32("twice", 2);
    assert_eq!(refusal(&writer.finish()), "`twice` occurs twice");
    let mut writer = Writer::new("llama");
    writer.tensor("same", GgmlDType::F32, &[1], vec![0; 4]);
    writer.tensor("same", GgmlDType::F32, &[1], vec![0; 4]);
    assert_eq!(refusal(&writer.finish()), "`same` occurs twice");
    for alignment in [0, 4, 33, 1 << 30] {
        let mut writer = Writer::new("llama");
        writer.u32("general.alignment", alignment);
        let message = refusal(&writer.finish());
        assert!(message.starts_with(&format!("alignment {alignment} is not")), "{message}");
    }
}

proptest! {
    /// Reading and then asking for everything must not panic, whatever the bytes.
    #[test]
    fn no_mutation_of_a_header_panics(
        edits in prop::collection::vec((0_usize..4_096, any::<u8>()), 1..6),
        gemma in any::<bool>(),
    ) {
        use std::sync::LazyLock;
        static LLAMA: LazyLock<Vec<u8>> =
            LazyLock::new(|| fixture::llama(1, Precision::Mixed).unwrap());
        static GEMMA: LazyLock<Vec<u8>> =
            LazyLock::new(|| fixture::gemma3(1, Precision::Mixed).unwrap());
        let mut bytes = if gemma { GEMMA.clone() } else { LLAMA.clone() };
        for (at, value) in edits {
            bytes[at] = value;
        }
        if let Ok(header) = read(&bytes) {
            for (key, _, _) in header.entries_under("") {
                let _ = (header.integer(key), header.float(key), header.text(key), header.array(key));
            }
            if let Ok(config) = crate::config::ModelConfig::read(&header) {
                prop_assert!(config.heads.is_multiple_of(config.kv_heads));
            }
        }
    }
}
