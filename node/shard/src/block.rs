//! One decoder block on plain f32 rows: attention and gated feed-forward with their norms.
//!
//! Source: the Llama and Gemma 3 reference architectures; Gemma 3 adds norms on q and k and after
//! each half of the block.

use comity_protocol::id::Digest;

use crate::{
    attention::{Attention, Context},
    config::{Activation, ModelConfig},
    gguf::TensorInfo,
    kernels::{Compute, Kernel, Lanes, Lines},
    linear::{ComputeError, Linear, products},
    math,
    model_file::{ModelFile, Part, ROPE_FACTORS, part_digest},
    norm::RmsNorm,
    pass::{Pass, Scratch},
    rope::Rope,
    shard::LoadError,
};

/// What a block is beside its weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) attention: Attention,
    pub(crate) activation: Activation,
    /// Index among the shard's ropes.
    pub(crate) rope: usize,
}

/// Weights and shape of one block.
#[derive(Debug)]
pub(crate) struct Block {
    frame: Frame,
    attention_norm: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    query_norm: Option<RmsNorm>,
    key_norm: Option<RmsNorm>,
    post_attention_norm: Option<RmsNorm>,
    feed_forward_norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    post_feed_forward_norm: Option<RmsNorm>,
}

impl Frame {
    /// Block `index` of a model; adds its rope to `ropes` unless an equal one is there.
    pub(crate) fn new(
        config: &ModelConfig,
        index: u32,
        tensors: &mut Tensors<'_>,
        ropes: &mut Vec<Rope>,
    ) -> Self {
        let factors = tensors.take(ROPE_FACTORS).map(|(_, bytes)| floats_of(&bytes));
        let window = config.windows.get(index as usize).copied().flatten();
        let rope = rope(config, window.is_some(), factors.as_deref());
        let known = ropes.iter().position(|known| *known == rope);
        let rope = known.unwrap_or_else(|| {
            ropes.push(rope);
            ropes.len() - 1
        });
        let attention = Attention {
            heads: config.heads as usize,
            kv_heads: config.kv_heads as usize,
            head_size: config.head_size as usize,
            scale: config.attention_scale,
            window,
        };
        Self { attention, activation: config.activation, rope }
    }
}

impl Block {
    /// Reads block `index`, checks its digest and builds it; adds its rope to `ropes` unless an
    /// equal one is there.
    pub(crate) fn load(
        file: &ModelFile,
        index: u32,
        expected: Digest,
        ropes: &mut Vec<Rope>,
    ) -> Result<Self, LoadError> {
        let config = file.config();
        let mut tensors = Tensors::read(file, Part::Block(index), expected)?;
        let name = |name: &str| format!("blk.{index}.{name}.weight");
        Ok(Self {
            frame: Frame::new(config, index, &mut tensors, ropes),
            attention_norm: tensors.norm(&name("attn_norm"), config)?,
            query: tensors.linear(&name("attn_q"))?,
            key: tensors.linear(&name("attn_k"))?,
            value: tensors.linear(&name("attn_v"))?,
            output: tensors.linear(&name("attn_output"))?,
            query_norm: tensors.norm_if_any(&name("attn_q_norm"), config),
            key_norm: tensors.norm_if_any(&name("attn_k_norm"), config),
            post_attention_norm: tensors.norm_if_any(&name("post_attention_norm"), config),
            feed_forward_norm: tensors.norm(&name("ffn_norm"), config)?,
            gate: tensors.linear(&name("ffn_gate"))?,
            up: tensors.linear(&name("ffn_up"))?,
            down: tensors.linear(&name("ffn_down"))?,
            post_feed_forward_norm: tensors.norm_if_any(&name("post_ffw_norm"), config),
        })
    }

    /// Resident bytes of the weights.
    pub(crate) fn bytes(&self) -> u64 {
        let linears =
            [&self.query, &self.key, &self.value, &self.output, &self.gate, &self.up, &self.down];
        let optional = [
            &self.query_norm,
            &self.key_norm,
            &self.post_attention_norm,
            &self.post_feed_forward_norm,
        ];
        linears.into_iter().map(Linear::bytes).sum::<u64>()
            + optional.into_iter().flatten().map(RmsNorm::bytes).sum::<u64>()
            + self.attention_norm.bytes()
            + self.feed_forward_norm.bytes()
    }

    /// Where our kernels' weights are, in the order they are read.
    pub(crate) fn lines_mut(&mut self) -> impl Iterator<Item = &mut Lines> {
        let Self { query, key, value, output, gate, up, down, .. } = self;
        [query, key, value, output, gate, up, down].into_iter().flat_map(Linear::lines_mut)
    }

    /// Runs the block over `hidden`: `[rows, hidden]` f32, in place; writes the rows' keys and
    /// values into their caches, where room is reserved, as the caches' block `slot`.
    pub(crate) fn forward(
        &self,
        pass: &mut Pass<'_>,
        slot: usize,
        hidden: &mut [f32],
    ) -> Result<(), ComputeError> {
        let (compute, rows, scratch) = (pass.compute, pass.rows.len(), &mut *pass.scratch);
        let Scratch { rounded, x, queries, keys, values, attended, .. } = scratch;
        self.attention_norm.forward(compute, hidden, x);
        let made = [(&self.query, &mut *queries), (&self.key, keys), (&self.value, values)];
        products(compute, x, rows, rounded, made)?;
        if let Some(norm) = &self.query_norm {
            norm.apply(compute, queries);
        }
        if let Some(norm) = &self.key_norm {
            norm.apply(compute, keys);
        }
        let (query_size, kv_size) = (self.query.outputs(), self.key.outputs());
        let per_row = queries
            .chunks_exact_mut(query_size)
            .zip(keys.chunks_exact_mut(kv_size).zip(values.chunks_exact(kv_size)));
        let (rope, angles) = (&pass.ropes[self.frame.rope], &pass.angles[self.frame.rope]);
        compute.each(per_row.zip(angles), |((queries, (keys, _)), angles)| {
            rope.rotate(queries, angles);
            rope.rotate(keys, angles);
        });
        let per_row = keys.chunks_exact(kv_size).zip(values.chunks_exact(kv_size));
        for (row, (keys, values)) in pass.rows.iter().zip(per_row) {
            pass.caches[row.session].store(compute, slot, row.position, keys, values);
        }
        let context = Context { caches: pass.caches, slot, rows: pass.rows };
        self.frame.attention.forward(compute, context, queries, &mut scratch.partial, attended);
        products(compute, attended, rows, rounded, [(&self.output, &mut *x)])?;
        if let Some(norm) = &self.post_attention_norm {
            norm.apply(compute, x);
        }
        add(compute, hidden, x, self.output.outputs());
        self.feed_forward(pass, hidden)
    }

    fn feed_forward(&self, pass: &mut Pass<'_>, hidden: &mut [f32]) -> Result<(), ComputeError> {
        let (compute, rows) = (pass.compute, pass.rows.len());
        let Scratch { rounded, x, gate, up, .. } = &mut *pass.scratch;
        self.feed_forward_norm.forward(compute, hidden, x);
        products(compute, x, rows, rounded, [(&self.gate, &mut *gate), (&self.up, &mut *up)])?;
        let size = self.gate.outputs();
        let activation = self.frame.activation;
        compute.each(gate.chunks_exact_mut(size).zip(up.chunks_exact(size)), |(gate, up)| {
            compute.run(Gated { activation, gate, up });
        });
        products(compute, gate, rows, rounded, [(&self.down, &mut *x)])?;
        if let Some(norm) = &self.post_feed_forward_norm {
            norm.apply(compute, x);
        }
        add(compute, hidden, x, self.down.outputs());
        Ok(())
    }
}

fn rope(config: &ModelConfig, local: bool, factors: Option<&[f32]>) -> Rope {
    let angles =
        if local { (config.rope_base_local, 1.0) } else { (config.rope_base, config.rope_scale) };
    let shape = (config.head_size as usize, config.rope_dims);
    Rope::new(shape, angles, config.rope_pairs, factors)
}

/// Adds `x` to `hidden`: `[rows, width]` each.
fn add(compute: &Compute, hidden: &mut [f32], x: &[f32], width: usize) {
    compute.each(hidden.chunks_exact_mut(width).zip(x.chunks_exact(width)), |(hidden, x)| {
        for (hidden, x) in hidden.iter_mut().zip(x) {
            *hidden += x;
        }
    });
}

/// `gate = activation(gate) * up`.
struct Gated<'a> {
    activation: Activation,
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl Kernel for Gated<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        // sqrt(2 / pi) and the cubic coefficient of Hendrycks and Gimpel's tanh form.
        const FACTOR: f32 = 0.797_884_6;
        const CUBIC: f32 = 0.044_715;
        let Self { activation, gate, up } = self;
        match activation {
            Activation::Silu => {
                for (gate, up) in gate.iter_mut().zip(up) {
                    *gate = *gate / (1.0 + math::exp(-*gate)) * up;
                }
            }
            Activation::Gelu => {
                for (gate, up) in gate.iter_mut().zip(up) {
                    let x = *gate;
                    let inner = FACTOR * x * (1.0 + CUBIC * x * x);
                    *gate = 0.5 * x * (1.0 + math::tanh(inner)) * up;
                }
            }
        }
    }
}

/// The tensors of one part, read and checked, taken out one by one.
pub(crate) struct Tensors<'a> {
    part: Part,
    tensors: Vec<(&'a TensorInfo, Vec<u8>)>,
}

impl<'a> Tensors<'a> {
    /// Reads `part` and refuses it if its digest is not `expected`.
    pub(crate) fn read(
        file: &'a ModelFile,
        part: Part,
        expected: Digest,
    ) -> Result<Self, LoadError> {
        let tensors = file.read_part(part)?;
        let got = part_digest(&tensors);
        if got == expected {
            return Ok(Self { part, tensors });
        }
        let tensors = tensors.iter().map(|(tensor, _)| tensor.name.clone()).collect();
        Err(LoadError::Digest { part, expected, got, tensors })
    }

    pub(crate) fn linear(&mut self, name: &str) -> Result<Linear, LoadError> {
        self.tensor(name, Linear::new)
    }

    pub(crate) fn norm(&mut self, name: &str, config: &ModelConfig) -> Result<RmsNorm, LoadError> {
        let (_, bytes) = self.require(name)?;
        Ok(RmsNorm::new(floats_of(&bytes), config.norm_epsilon))
    }

    fn norm_if_any(&mut self, name: &str, config: &ModelConfig) -> Option<RmsNorm> {
        let (_, bytes) = self.take(name)?;
        Some(RmsNorm::new(floats_of(&bytes), config.norm_epsilon))
    }

    /// What `load` makes of a tensor.
    pub(crate) fn tensor<T>(
        &mut self,
        name: &str,
        load: impl FnOnce(&TensorInfo, &[u8]) -> Result<T, ComputeError>,
    ) -> Result<T, LoadError> {
        let (tensor, bytes) = self.require(name)?;
        load(tensor, &bytes).map_err(|source| LoadError::Tensor { tensor: name.to_owned(), source })
    }

    /// Whether a tensor is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.iter().any(|(tensor, _)| tensor.name == name)
    }

    fn take(&mut self, name: &str) -> Option<(&'a TensorInfo, Vec<u8>)> {
        let index = self.tensors.iter().position(|(tensor, _)| tensor.name == name)?;
        Some(self.tensors.swap_remove(index))
    }

    fn require(&mut self, name: &str) -> Result<(&'a TensorInfo, Vec<u8>), LoadError> {
        let part = self.part;
        self.take(name).ok_or_else(|| LoadError::Missing { part, tensor: name.to_owned() })
    }
}

/// Bytes of an F32 tensor; the layout check admits no other kind where this is used.
pub(crate) fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
