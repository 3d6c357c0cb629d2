//! Seeded tiny models as real GGUF files, for tests of this and other crates. They answer nonsense.

mod vocabulary;
mod writer;

use std::{fs, io, path::Path};

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QTensor},
};

pub(crate) use writer::Writer;

/// Blocks of every fixture: enough for four stages with a remainder.
pub const BLOCKS: u32 = 6;
/// Positions of every fixture's context.
pub const CONTEXT: u32 = 512;
/// Positions that local blocks of the Gemma 3 fixture see.
pub const WINDOW: u32 = 16;

/// Why a fixture was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixtureError {
    /// The file could not be written.
    #[error("cannot write the fixture")]
    Io(#[from] io::Error),
    /// A tensor could not be quantised.
    #[error("cannot quantise tensor `{tensor}`")]
    Quantise {
        /// Tensor name.
        tensor: String,
        /// What candle said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Element types of a fixture's matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// The mix of quantised types that models in the wild have.
    Mixed,
    /// F32 throughout.
    Float,
}

/// Writes a model of architecture `llama`: 6 blocks, hidden size 64, byte-level BPE of 320 tokens
/// with ChatML's template, tensors in Q4_1, Q5_0, Q8_0 and F32. Same seed, same bytes.
///
/// # Errors
/// [`FixtureError::Io`] if the file cannot be written.
pub fn write_llama(path: &Path, seed: u64) -> Result<(), FixtureError> {
    Ok(fs::write(path, llama(seed, Precision::Mixed)?)?)
}

/// Writes a model of architecture `gemma3`: 6 blocks, of which 5 see 16 positions, hidden size 256,
/// SentencePiece of 320 tokens with Gemma's template, tensors in Q4_K, Q5_0, Q6_K, Q8_0 and F32.
/// Same seed, same bytes.
///
/// # Errors
/// [`FixtureError::Io`] if the file cannot be written.
pub fn write_gemma3(path: &Path, seed: u64) -> Result<(), FixtureError> {
    Ok(fs::write(path, gemma3(seed, Precision::Mixed)?)?)
}

/// Bytes of a llama fixture.
pub(crate) fn llama(seed: u64, precision: Precision) -> Result<Vec<u8>, FixtureError> {
    const HIDDEN: usize = 64;
    const INNER: usize = 192;
    let mut model = Model { writer: Writer::new("llama"), precision, random: Random(seed) };
    model.hyperparameters("llama", [HIDDEN, INNER, 4, 2, 16]);
    vocabulary::byte_level(&mut model.writer);
    let vocab = vocabulary::TOKENS;
    model.matrix("token_embd", (HIDDEN, vocab), GgmlDType::Q8_0)?;
    model.norm("output_norm", HIDDEN);
    model.matrix("output", (HIDDEN, vocab), GgmlDType::Q8_0)?;
    for block in 0..BLOCKS {
        let name = |name: &str| format!("blk.{block}.{name}");
        model.norm(&name("attn_norm"), HIDDEN);
        model.matrix(&name("attn_q"), (HIDDEN, 64), GgmlDType::Q4_1)?;
        model.matrix(&name("attn_k"), (HIDDEN, 32), GgmlDType::Q4_1)?;
        model.matrix(&name("attn_v"), (HIDDEN, 32), GgmlDType::Q8_0)?;
        model.matrix(&name("attn_output"), (64, HIDDEN), GgmlDType::F32)?;
        model.norm(&name("ffn_norm"), HIDDEN);
        model.matrix(&name("ffn_gate"), (HIDDEN, INNER), GgmlDType::Q4_1)?;
        model.matrix(&name("ffn_up"), (HIDDEN, INNER), GgmlDType::Q4_1)?;
        model.matrix(&name("ffn_down"), (INNER, HIDDEN), GgmlDType::Q5_0)?;
    }
    Ok(model.writer.finish())
}

/// Bytes of a Gemma 3 fixture.
pub(crate) fn gemma3(seed: u64, precision: Precision) -> Result<Vec<u8>, FixtureError> {
    const HIDDEN: usize = 256;
    const HEAD: usize = 128;
    let mut model = Model { writer: Writer::new("gemma3"), precision, random: Random(seed) };
    model.hyperparameters("gemma3", [HIDDEN, HIDDEN, 2, 1, HEAD]);
    model.writer.u32("gemma3.attention.sliding_window", WINDOW);
    vocabulary::sentence_piece(&mut model.writer);
    model.matrix("token_embd", (HIDDEN, vocabulary::TOKENS), GgmlDType::Q8_0)?;
    model.norm("output_norm", HIDDEN);
    for block in 0..BLOCKS {
        let name = |name: &str| format!("blk.{block}.{name}");
        model.norm(&name("attn_norm"), HIDDEN);
        model.norm(&name("attn_q_norm"), HEAD);
        model.norm(&name("attn_k_norm"), HEAD);
        model.matrix(&name("attn_q"), (HIDDEN, 2 * HEAD), GgmlDType::Q4K)?;
        model.matrix(&name("attn_k"), (HIDDEN, HEAD), GgmlDType::Q4K)?;
        model.matrix(&name("attn_v"), (HIDDEN, HEAD), GgmlDType::Q6K)?;
        model.matrix(&name("attn_output"), (2 * HEAD, HIDDEN), GgmlDType::Q5_0)?;
        model.norm(&name("post_attention_norm"), HIDDEN);
        model.norm(&name("ffn_norm"), HIDDEN);
        model.matrix(&name("ffn_gate"), (HIDDEN, HIDDEN), GgmlDType::Q4K)?;
        model.matrix(&name("ffn_up"), (HIDDEN, HIDDEN), GgmlDType::Q4K)?;
        model.matrix(&name("ffn_down"), (HIDDEN, HIDDEN), GgmlDType::Q6K)?;
        model.norm(&name("post_ffw_norm"), HIDDEN);
    }
    Ok(model.writer.finish())
}

/// A fixture in the making.
struct Model {
    writer: Writer,
    precision: Precision,
    random: Random,
}

impl Model {
    /// `sizes`: hidden, feed-forward, heads, KV heads, head.
    fn hyperparameters(&mut self, prefix: &str, sizes: [usize; 5]) {
        let small = |size| u32::try_from(size).expect("a fixture's sizes are small");
        let [hidden, inner, heads, kv_heads, head] = sizes.map(small);
        let writer = &mut self.writer;
        writer.text("general.name", &format!("Comity {prefix} fixture"));
        for (name, value) in [
            ("block_count", BLOCKS),
            ("context_length", CONTEXT),
            ("embedding_length", hidden),
            ("feed_forward_length", inner),
            ("attention.head_count", heads),
            ("attention.head_count_kv", kv_heads),
            ("attention.key_length", head),
            ("attention.value_length", head),
            ("rope.dimension_count", head),
        ] {
            writer.u32(&format!("{prefix}.{name}"), value);
        }
        writer.f32(&format!("{prefix}.attention.layer_norm_rms_epsilon"), 1e-6);
        writer.f32(&format!("{prefix}.rope.freq_base"), 50_000.0);
    }

    /// Adds `[inputs, outputs]` uniform values of variance `1 / inputs`.
    fn matrix(
        &mut self,
        name: &str,
        (inputs, outputs): (usize, usize),
        kind: GgmlDType,
    ) -> Result<(), FixtureError> {
        let name = format!("{name}.weight");
        let kind = if self.precision == Precision::Float { GgmlDType::F32 } else { kind };
        let spread = (3.0 / inputs as f32).sqrt();
        let values: Vec<_> = (0..inputs * outputs).map(|_| self.random.signed() * spread).collect();
        let quantised = Tensor::from_vec(values, (outputs, inputs), &Device::Cpu)
            .and_then(|values| QTensor::quantize(&values, kind));
        let bytes = quantised.and_then(|quantised| Ok(quantised.data()?.into_owned()));
        let bytes = bytes.map_err(|source| FixtureError::Quantise {
            tensor: name.clone(),
            source: Box::new(source),
        })?;
        self.writer.tensor(&name, kind, &[inputs as u64, outputs as u64], bytes);
        Ok(())
    }

    /// Adds a vector of values around one.
    fn norm(&mut self, name: &str, length: usize) {
        let values = (0..length).flat_map(|_| (1.0 + 0.2 * self.random.signed()).to_le_bytes());
        let bytes = values.collect();
        self.writer.tensor(&format!("{name}.weight"), GgmlDType::F32, &[length as u64], bytes);
    }
}

/// `SplitMix64`: a seeded generator that is the same everywhere.
struct Random(u64);

impl Random {
    /// Uniform in `[-1, 1)`, on a grid of 2^-23.
    fn signed(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}
