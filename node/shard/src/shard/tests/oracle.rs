//! The oracle: candle-transformers' whole models on the same file.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, quantized::gguf_file::Content};
use candle_nn::VarBuilder;
use candle_transformers::models::{gemma3, quantized_gemma3, quantized_llama};

use super::{Fixture, SESSION, tokens};
use crate::{
    Part,
    config::Activation,
    fixture::{self, Precision},
    model_file::ModelFile,
};

/// How far logits may be off where both sides round activations to 8 bits, each in its own way.
/// The fixtures' logits have a standard deviation of about 1.
const QUANTISED_TOLERANCE: f32 = 0.15;
/// How far logits may be off in F32, where the order of sums differs and our KV cache rounds to
/// binary16: 11 bits, over six blocks.
const FLOAT_TOLERANCE: f32 = 5e-3;

/// Logits after `prompt` in one prefill, then after each of `rest`, one step each.
fn ours(fixture: &Fixture, prompt: &[u32], rest: &[u32]) -> Vec<Vec<f32>> {
    let (home, mut shard) = (fixture.home(), fixture.shard(0, fixture::BLOCKS));
    let hidden = fixture.manifest.hidden_size as usize;
    let mut position = 0;
    let mut step = |tokens: &[u32]| {
        let rows = shard.forward(&SESSION, position, &home.embed(tokens).unwrap()).unwrap();
        position += tokens.len() as u32;
        home.logits(&rows[rows.len() - hidden..]).unwrap()
    };
    let first = step(prompt);
    [first].into_iter().chain(rest.iter().map(|&token| step(&[token]))).collect()
}

/// The same from an oracle's forward function.
fn theirs(
    prompt: &[u32],
    rest: &[u32],
    mut forward: impl FnMut(&Tensor, usize) -> candle_core::Result<Tensor>,
) -> Vec<Vec<f32>> {
    let mut position = 0;
    let mut step = |tokens: &[u32]| {
        let input = Tensor::new(tokens, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let logits = forward(&input, position).unwrap();
        position += tokens.len();
        logits.flatten_all().unwrap().to_vec1().unwrap()
    };
    let first = step(prompt);
    [first].into_iter().chain(rest.iter().map(|&token| step(&[token]))).collect()
}

fn assert_close(ours: &[Vec<f32>], theirs: &[Vec<f32>], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    for (step, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len());
        let largest = theirs.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 1.0, "the oracle's logits say something");
        for (token, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let error = (ours - theirs).abs();
            assert!(error < tolerance, "step {step}, token {token}: {ours} against {theirs}");
        }
    }
}

fn content(fixture: &Fixture) -> (Content, std::fs::File) {
    let mut reader = std::fs::File::open(&fixture.path).unwrap();
    (Content::read(&mut reader).unwrap(), reader)
}

fn llama_logits(precision: Precision) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let fixture = Fixture::new(&fixture::llama(1, precision).unwrap());
    let (prompt, rest) = (tokens(40), tokens(8));
    let (content, mut reader) = content(&fixture);
    let oracle = quantized_llama::ModelWeights::from_gguf(content, &mut reader, &Device::Cpu);
    let mut oracle = oracle.unwrap();
    let theirs = theirs(&prompt, &rest, |input, position| oracle.forward(input, position));
    (ours(&fixture, &prompt, &rest), theirs)
}

#[test]
fn llama_in_floats_agrees_with_the_oracle() {
    let (ours, theirs) = llama_logits(Precision::Float);
    assert_close(&ours, &theirs, FLOAT_TOLERANCE);
}

#[test]
fn llama_in_quantised_types_agrees_with_the_oracle() {
    let (ours, theirs) = llama_logits(Precision::Mixed);
    assert_close(&ours, &theirs, QUANTISED_TOLERANCE);
}

/// The quantised oracle runs Gemma 3 with `SiLU`, which its reference does not, and does not cut
/// windows in decode: so ours is told to use `SiLU`, and the context stays within the window.
#[test]
fn gemma3_in_quantised_types_agrees_with_the_oracle() {
    let mut fixture = Fixture::gemma3();
    let reopened = ModelFile::open(&fixture.path).unwrap();
    fixture.file = reopened.with_activation(Activation::Silu);
    let (prompt, rest) = (tokens(fixture::WINDOW - 6), tokens(6));
    let (content, mut reader) = content(&fixture);
    let oracle = quantized_gemma3::ModelWeights::from_gguf(content, &mut reader, &Device::Cpu);
    let mut oracle = oracle.unwrap();
    let theirs = theirs(&prompt, &rest, |input, position| oracle.forward(input, position));
    assert_close(&ours(&fixture, &prompt, &rest), &theirs, QUANTISED_TOLERANCE);
}

/// The F32 oracle runs Gemma 3 as its reference does, but its prefill sees one position more than
/// the window: so it is given a window one shorter, and only prefills.
#[test]
fn gemma3_in_floats_agrees_with_the_oracle_past_the_window() {
    let fixture = Fixture::new(&fixture::gemma3(2, Precision::Float).unwrap());
    let mut oracle = float_gemma3(&fixture.file);
    for length in [5, fixture::WINDOW, fixture::WINDOW + 1, 3 * fixture::WINDOW + 5] {
        oracle.clear_kv_cache();
        let prompt = tokens(length);
        let theirs = theirs(&prompt, &[], |input, position| oracle.forward(input, position));
        assert_close(&ours(&fixture, &prompt, &[]), &theirs, FLOAT_TOLERANCE);
    }
}

fn float_gemma3(file: &ModelFile) -> gemma3::Model {
    let config = file.config();
    let settings = gemma3::Config {
        attention_bias: false,
        head_dim: config.head_size as usize,
        hidden_activation: candle_nn::Activation::GeluPytorchTanh,
        hidden_size: config.hidden_size as usize,
        intermediate_size: config.feed_forward_size as usize,
        num_attention_heads: config.heads as usize,
        num_hidden_layers: config.block_count as usize,
        num_key_value_heads: config.kv_heads as usize,
        rms_norm_eps: f64::from(config.norm_epsilon),
        rope_theta: f64::from(config.rope_base),
        rope_local_base_freq: f64::from(config.rope_base_local),
        vocab_size: config.vocab_size as usize,
        final_logit_softcapping: None,
        attn_logit_softcapping: None,
        query_pre_attn_scalar: config.head_size as usize,
        sliding_window: fixture::WINDOW as usize - 1,
        sliding_window_pattern: 6,
        max_position_embeddings: config.context_length as usize,
    };
    let weights = VarBuilder::from_tensors(float_tensors(file), DType::F32, &Device::Cpu);
    gemma3::Model::new(false, &settings, weights).unwrap()
}

/// Tensors under the names of the reference implementation, whose norms multiply by `1 + weight`.
fn float_tensors(file: &ModelFile) -> HashMap<String, Tensor> {
    let parts = [Part::Embed, Part::Head];
    let parts = parts.into_iter().chain((0..fixture::BLOCKS).map(Part::Block));
    let mut tensors = HashMap::new();
    for (tensor, bytes) in parts.flat_map(|part| file.read_part(part).unwrap()) {
        let floats = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let floats: Vec<f32> = floats.collect();
        let shape: Vec<usize> = tensor.dims.iter().rev().map(|&dim| dim as usize).collect();
        let norm = shape.len() == 1;
        let values = Tensor::from_vec(floats, shape, &Device::Cpu).unwrap();
        let values = if norm { (values - 1.0).unwrap() } else { values };
        tensors.insert(reference_name(&tensor.name), values);
    }
    tensors
}

fn reference_name(name: &str) -> String {
    let name = name.strip_suffix(".weight").unwrap();
    let renamed = match name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((block, rest)) => {
            let rest = match rest {
                "attn_norm" => "input_layernorm",
                "attn_q" => "self_attn.q_proj",
                "attn_k" => "self_attn.k_proj",
                "attn_v" => "self_attn.v_proj",
                "attn_output" => "self_attn.o_proj",
                "attn_q_norm" => "self_attn.q_norm",
                "attn_k_norm" => "self_attn.k_norm",
                "post_attention_norm" => "post_attention_layernorm",
                "ffn_norm" => "pre_feedforward_layernorm",
                "ffn_gate" => "mlp.gate_proj",
                "ffn_up" => "mlp.up_proj",
                "ffn_down" => "mlp.down_proj",
                "post_ffw_norm" => "post_feedforward_layernorm",
                other => panic!("no reference name for {other}"),
            };
            format!("layers.{block}.{rest}")
        }
        None if name == "token_embd" => "embed_tokens".to_owned(),
        None => "norm".to_owned(),
    };
    format!("model.{renamed}.weight")
}
