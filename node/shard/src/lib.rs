//! Model execution of Comity: loads a range of blocks of a GGUF file, runs it for many sessions, and
//! does home's part: tokenizer, embedding, head. Not the network, not sampling.
//!
//! Exactness: with the kernels of this crate a position's bytes depend on its inputs alone, not on
//! how blocks are split over stages, how a prefill was chunked, which sessions run beside it, the
//! thread count or the instruction set. Weights of kinds `Q2_K` and `Q3_K` go through candle
//! instead, which keeps only the first of these.
//!
//! Blocks can run on a GPU, with candle: features `cuda` and `metal`, see [`Device`]. That is wired
//! and compared with our kernels on candle's CPU device, but was never run on a GPU.

mod attention;
mod block;
mod blocks;
mod config;
mod device;
pub mod fixture;
mod gguf;
mod home;
mod kernels;
mod kv_cache;
mod linear;
mod math;
mod model_file;
mod norm;
mod pass;
mod pool;
mod rope;
mod shard;
mod tokenizer;

/// Numeric class of what this crate computes: its CPU kernel set, with `f32` on the wire and `f16`
/// in the KV cache. The set's number rises whenever output bytes change.
pub const NUMERIC_CLASS: &str = "cpu-2/wire-f32/kv-f16";

pub use config::{Architecture, ConfigError, ModelConfig};
pub use device::{Device, NUMERIC_CLASSES, ParseDeviceError};
pub use gguf::{GgmlType, HeaderError, TensorInfo, ValueError};
pub use home::{EmbedError, Home, LogitsError};
pub use kernels::{Compute, InstructionSet};
pub use linear::ComputeError;
pub use model_file::{LayoutError, ModelFile, OpenError, Part, ReadError};
pub use shard::{ForwardError, LoadError, OpenSessionError, Shard, Step, TruncateError};
pub use tokenizer::{
    ChatMessage, EncodeError, RenderError, TextDecoder, Tokenizer, TokenizerError,
};
