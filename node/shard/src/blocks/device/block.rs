//! One decoder block as candle's operations. Its counterpart, and its source, is the crate's `block`.

use candle_core::{Device, Module as _, Result, Tensor, quantized::QMatMul};
use candle_nn::{RmsNorm, ops::softmax_last_dim};
use comity_protocol::id::Digest;

use super::pass::{DevicePass, Span, View};
use crate::{
    attention::Attention,
    block::{Frame, Tensors, floats_of},
    config::Activation,
    gguf::TensorInfo,
    linear::{self, ComputeError, candle_tensor},
    model_file::{ModelFile, Part},
    rope::Rope,
    shard::LoadError,
};

/// Where a block's weights come from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a ModelFile,
    pub(super) index: u32,
    pub(super) expected: Digest,
}

/// Weights and shape of one block.
#[derive(Debug)]
pub(super) struct DeviceBlock {
    frame: Frame,
    bytes: u64,
    attention_norm: RmsNorm,
    query: QMatMul,
    key: QMatMul,
    value: QMatMul,
    output: QMatMul,
    query_norm: Option<RmsNorm>,
    key_norm: Option<RmsNorm>,
    post_attention_norm: Option<RmsNorm>,
    feed_forward_norm: RmsNorm,
    gate: QMatMul,
    up: QMatMul,
    down: QMatMul,
    post_feed_forward_norm: Option<RmsNorm>,
}

impl DeviceBlock {
    /// Reads the block, checks its digest and takes it to `device`; adds its rope to `ropes` unless
    /// an equal one is there.
    pub(super) fn load(
        source: Source<'_>,
        ropes: &mut Vec<Rope>,
        device: &Device,
    ) -> std::result::Result<Self, LoadError> {
        let Source { file, index, expected } = source;
        let config = file.config();
        let mut tensors = Tensors::read(file, Part::Block(index), expected)?;
        let frame = Frame::new(config, index, &mut tensors, ropes);
        let epsilon = config.norm_epsilon;
        let mut loader = Loader { tensors, index, device, epsilon, bytes: 0 };
        let mut block = Self {
            frame,
            attention_norm: loader.norm("attn_norm")?,
            query: loader.matrix("attn_q")?,
            key: loader.matrix("attn_k")?,
            value: loader.matrix("attn_v")?,
            output: loader.matrix("attn_output")?,
            query_norm: loader.norm_if_any("attn_q_norm")?,
            key_norm: loader.norm_if_any("attn_k_norm")?,
            post_attention_norm: loader.norm_if_any("post_attention_norm")?,
            feed_forward_norm: loader.norm("ffn_norm")?,
            gate: loader.matrix("ffn_gate")?,
            up: loader.matrix("ffn_up")?,
            down: loader.matrix("ffn_down")?,
            post_feed_forward_norm: loader.norm_if_any("post_ffw_norm")?,
            bytes: 0,
        };
        block.bytes = loader.bytes;
        Ok(block)
    }

    /// Bytes of the weights on the device.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many positions, itself included, a position sees.
    pub(super) const fn window(&self) -> Option<u32> {
        self.frame.attention.window
    }

    /// Runs the block over `hidden`: `[rows, hidden]` f32; writes the rows' keys and values into
    /// their caches, where there is room, as the caches' block `slot`. Returns the same shape.
    pub(super) fn forward(
        &self,
        pass: &DevicePass<'_>,
        slot: usize,
        hidden: &Tensor,
    ) -> Result<Tensor> {
        let Attention { heads, kv_heads, head_size, .. } = self.frame.attention;
        let (rows, _) = hidden.dims2()?;
        let x = self.attention_norm.forward(hidden)?;
        let by_head = |weights: &QMatMul, heads: usize, norm: &Option<RmsNorm>| {
            let x = weights.forward(&x)?.reshape((rows, heads, head_size))?;
            normed(norm.as_ref(), x)?.transpose(0, 1)?.contiguous()
        };
        let rotation = &pass.rotations[self.frame.rope];
        let queries = rotation.rotate(&by_head(&self.query, heads, &self.query_norm)?)?;
        let keys = rotation.rotate(&by_head(&self.key, kv_heads, &self.key_norm)?)?;
        let values = by_head(&self.value, kv_heads, &None)?;
        let mut attended = Vec::with_capacity(pass.spans.len());
        for (span, view) in pass.spans.iter().zip(&pass.views[&self.window()]) {
            let of = |x: &Tensor| x.narrow(1, span.row, span.rows)?.contiguous();
            let cache = &pass.caches[span.session];
            let held = cache.append(slot, (span.start, view.low), [of(&keys)?, of(&values)?])?;
            attended.push(self.attend(*span, view, &of(&queries)?, &held)?);
        }
        let x = Tensor::cat(&attended, 1)?.transpose(0, 1)?.contiguous()?;
        let x = self.output.forward(&x.reshape((rows, heads * head_size))?)?;
        let hidden = (hidden + normed(self.post_attention_norm.as_ref(), x)?)?;
        self.feed_forward(hidden)
    }

    /// Attends from `queries`: `[heads, rows, head_size]` f32 of one session, over its keys and
    /// values `[kv_heads, positions, head_size]` f32. Returns the shape of the queries.
    fn attend(
        &self,
        span: Span,
        view: &View,
        queries: &Tensor,
        [keys, values]: &[Tensor; 2],
    ) -> Result<Tensor> {
        let Attention { heads, kv_heads, head_size, scale, .. } = self.frame.attention;
        let (_, positions, _) = keys.dims3()?;
        // The query heads of one kv head follow each other, so a group is rows of one product.
        let (group, rows) = (heads / kv_heads, span.rows);
        let queries = queries.reshape((kv_heads, group * rows, head_size))?;
        let scores = (queries.matmul(&keys.t()?)? * f64::from(scale))?;
        let scores = match &view.mask {
            Some(mask) => {
                scores.reshape((kv_heads, group, rows, positions))?.broadcast_add(mask)?
            }
            None => scores,
        };
        let weights = softmax_last_dim(&scores.reshape((kv_heads, group * rows, positions))?)?;
        weights.matmul(values)?.reshape((heads, rows, head_size))
    }

    fn feed_forward(&self, hidden: Tensor) -> Result<Tensor> {
        let x = self.feed_forward_norm.forward(&hidden)?;
        let gate = self.gate.forward(&x)?;
        let gate = match self.frame.activation {
            Activation::Silu => gate.silu()?,
            // Candle's name for the tanh form.
            Activation::Gelu => gate.gelu()?,
        };
        let x = self.down.forward(&(gate * self.up.forward(&x)?)?)?;
        hidden + normed(self.post_feed_forward_norm.as_ref(), x)?
    }
}

fn normed(norm: Option<&RmsNorm>, x: Tensor) -> Result<Tensor> {
    match norm {
        Some(norm) => norm.forward(&x),
        None => Ok(x),
    }
}

/// Takes a block's tensors to the device.
struct Loader<'a> {
    tensors: Tensors<'a>,
    index: u32,
    device: &'a Device,
    epsilon: f32,
    /// Bytes taken so far.
    bytes: u64,
}

impl Loader<'_> {
    fn matrix(&mut self, name: &str) -> std::result::Result<QMatMul, LoadError> {
        let device = self.device;
        let load = |tensor: &TensorInfo, bytes: &[u8]| {
            let loaded = candle_tensor(tensor, bytes, device)?;
            QMatMul::from_arc(loaded).map_err(linear::compute)
        };
        let matrix = self.tensors.tensor(&self.name(name), load)?;
        self.bytes += match &matrix {
            QMatMul::QTensor(tensor) => tensor.storage_size_in_bytes(),
            QMatMul::Tensor(tensor) | QMatMul::TensorF16(tensor) => {
                tensor.elem_count() * tensor.dtype().size_in_bytes()
            }
        } as u64;
        Ok(matrix)
    }

    fn norm(&mut self, name: &str) -> std::result::Result<RmsNorm, LoadError> {
        let (device, epsilon) = (self.device, self.epsilon);
        let load = |_: &TensorInfo, bytes: &[u8]| {
            let weight = floats_of(bytes);
            let weight = Tensor::new(weight, device).map_err(linear::compute)?;
            Ok::<_, ComputeError>(RmsNorm::new(weight, f64::from(epsilon)))
        };
        let norm = self.tensors.tensor(&self.name(name), load)?;
        self.bytes += (norm.weight().elem_count() * size_of::<f32>()) as u64;
        Ok(norm)
    }

    fn norm_if_any(&mut self, name: &str) -> std::result::Result<Option<RmsNorm>, LoadError> {
        let there = self.tensors.has(&self.name(name));
        there.then(|| self.norm(name)).transpose()
    }

    fn name(&self, name: &str) -> String {
        format!("blk.{}.{name}.weight", self.index)
    }
}
