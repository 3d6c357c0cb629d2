//! Which tensors each architecture has, and of which shape. A tensor nobody expects is refused:
//! leaving it out would silently compute another model.

use comity_protocol::limits::VOCAB_MAX;

use super::ROPE_FACTORS;
use crate::{
    config::{Architecture, ModelConfig},
    gguf::{GgmlType, Header, TensorInfo},
};

/// Why a file's tensors do not make up the model its metadata describes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A required tensor is not there.
    #[error("tensor `{tensor}` is missing")]
    Missing {
        /// Tensor name.
        tensor: String,
    },
    /// A tensor has other dimensions.
    #[error("tensor `{tensor}` has dimensions {got:?}, expected {expected:?}")]
    Shape {
        /// Tensor name.
        tensor: String,
        /// Dimensions in the file, fastest-varying first.
        got: Vec<u64>,
        /// Dimensions the hyperparameters ask for.
        expected: Vec<u64>,
    },
    /// A norm or factor tensor is quantised.
    #[error("tensor `{tensor}` is {got}, expected F32")]
    Kind {
        /// Tensor name.
        tensor: String,
        /// Element type in the file.
        got: GgmlType,
    },
    /// The embedding has more rows than any vocabulary.
    #[error("the vocabulary has {got} tokens, the limit is {VOCAB_MAX}")]
    Vocabulary {
        /// Rows of the embedding.
        got: u64,
    },
    /// A tensor the architecture does not have.
    #[error("tensor `{tensor}` is not part of architecture `{architecture}`")]
    Unexpected {
        /// Tensor name.
        tensor: String,
        /// Architecture of the file.
        architecture: &'static str,
    },
}

/// Checks every tensor of `header` and sets `config.vocab_size`.
pub(super) fn check(header: &Header, config: &mut ModelConfig) -> Result<(), LayoutError> {
    let embed = find(header, "token_embd.weight")?;
    let vocab = embed.dims.get(1).copied().unwrap_or(0);
    config.vocab_size = u32::try_from(vocab)
        .ok()
        .filter(|&vocab| (1..=VOCAB_MAX).contains(&vocab))
        .ok_or(LayoutError::Vocabulary { got: vocab })?;
    let hidden = u64::from(config.hidden_size);
    shape(embed, &[hidden, vocab])?;
    vector(find(header, "output_norm.weight")?, hidden)?;
    let mut expected = 2;
    if let Some(output) = header.tensor("output.weight") {
        shape(output, &[hidden, vocab])?;
        expected += 1;
    }
    if let Some(factors) = header.tensor(ROPE_FACTORS) {
        vector(factors, u64::from(config.rope_dims / 2))?;
        expected += 1;
    }
    for block in 0..config.block_count {
        for (name, dims) in block_tensors(config) {
            let tensor = find(header, &format!("blk.{block}.{name}.weight"))?;
            if dims.len() == 1 {
                vector(tensor, dims[0])?
            } else {
                shape(tensor, &dims)?
            }
            expected += 1;
        }
    }
    if header.tensors().count() == expected {
        return Ok(());
    }
    Err(unexpected(header, config))
}

/// Names, without prefix and suffix, and dimensions of one block's tensors.
fn block_tensors(config: &ModelConfig) -> Vec<(&'static str, Vec<u64>)> {
    let hidden = u64::from(config.hidden_size);
    let inner = u64::from(config.feed_forward_size);
    let (query, kv) = (config.query_size() as u64, config.kv_size() as u64);
    let mut tensors = vec![
        ("attn_norm", vec![hidden]),
        ("attn_q", vec![hidden, query]),
        ("attn_k", vec![hidden, kv]),
        ("attn_v", vec![hidden, kv]),
        ("attn_output", vec![query, hidden]),
        ("ffn_norm", vec![hidden]),
        ("ffn_gate", vec![hidden, inner]),
        ("ffn_up", vec![hidden, inner]),
        ("ffn_down", vec![inner, hidden]),
    ];
    if config.architecture == Architecture::Gemma3 {
        let head = u64::from(config.head_size);
        tensors.extend([
            ("attn_q_norm", vec![head]),
            ("attn_k_norm", vec![head]),
            ("post_attention_norm", vec![hidden]),
            ("post_ffw_norm", vec![hidden]),
        ]);
    }
    tensors
}

/// Names the first tensor that no part of the model uses.
fn unexpected(header: &Header, config: &ModelConfig) -> LayoutError {
    let names = block_tensors(config);
    let known = |tensor: &&TensorInfo| {
        let whole = ["token_embd.weight", "output_norm.weight", "output.weight", ROPE_FACTORS];
        whole.contains(&tensor.name.as_str())
            || tensor.name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).is_some_and(
                |(block, rest)| {
                    // Only the canonical spelling of a block's number is read.
                    let number = block.parse::<u32>().ok();
                    let inside = number.is_some_and(|number| {
                        number < config.block_count && number.to_string() == block
                    });
                    inside && names.iter().any(|(name, _)| rest == format!("{name}.weight"))
                },
            )
    };
    let tensor = header.tensors().find(|tensor| !known(tensor));
    let tensor = tensor.map_or_else(String::new, |tensor| tensor.name.clone());
    LayoutError::Unexpected { tensor, architecture: config.architecture.name() }
}

fn find<'a>(header: &'a Header, name: &str) -> Result<&'a TensorInfo, LayoutError> {
    header.tensor(name).ok_or_else(|| LayoutError::Missing { tensor: name.to_owned() })
}

fn shape(tensor: &TensorInfo, expected: &[u64]) -> Result<(), LayoutError> {
    if tensor.dims == expected {
        return Ok(());
    }
    let (name, got) = (tensor.name.clone(), tensor.dims.clone());
    Err(LayoutError::Shape { tensor: name, got, expected: expected.to_vec() })
}

/// A vector of `length` that must not be quantised.
fn vector(tensor: &TensorInfo, length: u64) -> Result<(), LayoutError> {
    shape(tensor, &[length])?;
    if tensor.kind == GgmlType::F32 {
        return Ok(());
    }
    Err(LayoutError::Kind { tensor: tensor.name.clone(), got: tensor.kind })
}
