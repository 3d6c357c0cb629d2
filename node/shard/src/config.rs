//! Hyperparameters of a model, read from GGUF metadata and checked. Not its tensors.
//!
//! Source: the key names of the GGUF specification; defaults where a key is absent are those of the
//! models' reference implementations (Gemma 3: window pattern 6, local rope base 10,000).

use comity_protocol::limits::{BLOCKS_MAX, HIDDEN_MAX, POSITIONS_MAX};

use crate::gguf::{Array, Header, ValueError};

/// Every n-th block of Gemma 3 attends globally, from its reference implementation.
const GEMMA3_PATTERN: u64 = 6;
/// Rope base of Gemma 3's local blocks, from its reference implementation.
const GEMMA3_LOCAL_BASE: f32 = 10_000.0;
/// Number of blocks of the one Gemma 3 (27B) that scales scores by `hidden / heads`.
const GEMMA3_27B_BLOCKS: u32 = 62;
/// Heads a model may have.
const HEADS_MAX: u64 = 4_096;
/// Elements a head, and inner elements a feed-forward layer, may have.
const WIDTH_MAX: u64 = 1 << 20;

/// A model family this crate runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Architecture {
    /// Llama and its look-alikes, as SmolLM2.
    Llama,
    /// Gemma 3, text part.
    Gemma3,
}

/// Which elements of a head rope rotates together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RopePairs {
    /// `2i` with `2i + 1`: llama GGUFs, whose q and k rows are permuted for it.
    Adjacent,
    /// `i` with `i + dims / 2`.
    Halves,
}

/// Non-linearity of the gated feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// The tanh form of GELU.
    Gelu,
}

/// Why metadata describes no model this crate can run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value is missing or has the wrong type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Another architecture.
    #[error("architecture `{name}` is not supported (`llama` and `gemma3` are)")]
    Architecture {
        /// Name in the file.
        name: String,
    },
    /// A value is outside its range.
    #[error("metadata `{key}` is {got}, expected {expected}")]
    Range {
        /// Metadata key.
        key: String,
        /// Value in the file.
        got: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// A variant of the architecture this crate does not run.
    #[error("metadata `{key}` asks for {feature}, which is not supported")]
    Feature {
        /// Metadata key.
        key: String,
        /// The unsupported variant.
        feature: String,
    },
}

/// Checked hyperparameters.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Model family.
    pub architecture: Architecture,
    /// Human-readable name; empty if the file has none.
    pub name: String,
    /// Number of decoder blocks.
    pub block_count: u32,
    /// Elements of one position's hidden state.
    pub hidden_size: u32,
    /// Inner elements of the feed-forward layer.
    pub feed_forward_size: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads; divides `heads`.
    pub kv_heads: u32,
    /// Elements of one head.
    pub head_size: u32,
    /// Number of token ids; set from the embedding's shape.
    pub vocab_size: u32,
    /// Positions the model was trained for.
    pub context_length: u32,
    /// Epsilon of every RMS norm.
    pub norm_epsilon: f32,
    /// Elements of a head that rope rotates; even.
    pub(crate) rope_dims: u32,
    pub(crate) rope_base: f32,
    /// Factor on positions of global blocks (1 / linear scaling factor).
    pub(crate) rope_scale: f32,
    /// Rope base of blocks with a window.
    pub(crate) rope_base_local: f32,
    pub(crate) rope_pairs: RopePairs,
    /// Per block: how many positions, itself included, a position sees; `None` is all before it.
    pub(crate) windows: Vec<Option<u32>>,
    pub(crate) activation: Activation,
    /// Factor on `q · k`.
    pub(crate) attention_scale: f32,
    /// Factor on embeddings.
    pub(crate) embedding_scale: f32,
    /// Logits become `cap * tanh(logit / cap)`.
    pub(crate) logit_cap: Option<f32>,
}

impl Architecture {
    /// The name GGUF uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Gemma3 => "gemma3",
        }
    }
}

impl ModelConfig {
    pub(crate) fn read(header: &Header) -> Result<Self, ConfigError> {
        let key = "general.architecture";
        let name = header.text(key)?.ok_or_else(|| ValueError::Missing { key: key.to_owned() })?;
        let architecture = match name {
            "llama" => Architecture::Llama,
            "gemma3" => Architecture::Gemma3,
            _ => return Err(ConfigError::Architecture { name: name.to_owned() }),
        };
        let keys = Keys { header, prefix: architecture.name() };
        keys.refuse_unsupported()?;
        let block_count = keys.required("block_count", u64::from(BLOCKS_MAX))?;
        let hidden_size = keys.required("embedding_length", u64::from(HIDDEN_MAX))?;
        let heads = keys.required("attention.head_count", HEADS_MAX)?;
        let kv_heads = keys.integer("attention.head_count_kv", HEADS_MAX)?.unwrap_or(heads);
        let head_size =
            keys.integer("attention.key_length", WIDTH_MAX)?.unwrap_or(hidden_size / heads);
        let windows = keys.windows(architecture, block_count)?;
        let scaled = architecture == Architecture::Gemma3;
        let wide = scaled && block_count == GEMMA3_27B_BLOCKS;
        let score_size = if wide { hidden_size / heads } else { head_size };
        let config = Self {
            architecture,
            name: header.text("general.name")?.unwrap_or_default().to_owned(),
            block_count,
            hidden_size,
            feed_forward_size: keys.required("feed_forward_length", WIDTH_MAX)?,
            heads,
            kv_heads,
            head_size,
            vocab_size: 0,
            context_length: keys.required("context_length", u64::from(POSITIONS_MAX))?,
            norm_epsilon: keys.positive("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6),
            rope_dims: keys.integer("rope.dimension_count", WIDTH_MAX)?.unwrap_or(head_size),
            rope_base: keys.positive("rope.freq_base")?.unwrap_or(10_000.0),
            rope_scale: keys.rope_scale()?,
            rope_base_local: keys.local_base()?,
            rope_pairs: if scaled { RopePairs::Halves } else { RopePairs::Adjacent },
            windows,
            activation: if scaled { Activation::Gelu } else { Activation::Silu },
            attention_scale: inverse_root(score_size),
            embedding_scale: if scaled { root(hidden_size) } else { 1.0 },
            logit_cap: keys.positive("final_logit_softcapping")?,
        };
        config.check(&keys)?;
        Ok(config)
    }

    /// Elements of one position's queries.
    pub(crate) const fn query_size(&self) -> usize {
        self.heads as usize * self.head_size as usize
    }

    /// Elements of one position's keys, and of its values.
    pub(crate) const fn kv_size(&self) -> usize {
        self.kv_heads as usize * self.head_size as usize
    }

    /// Checks what no single key can say.
    fn check(&self, keys: &Keys<'_>) -> Result<(), ConfigError> {
        if !self.heads.is_multiple_of(self.kv_heads) {
            let expected = "a divisor of attention.head_count";
            return Err(keys.range("attention.head_count_kv", self.kv_heads, expected));
        }
        if self.head_size == 0 || !self.head_size.is_multiple_of(2) {
            return Err(keys.range("attention.key_length", self.head_size, "an even number"));
        }
        let value_size = keys.integer("attention.value_length", WIDTH_MAX)?;
        if let Some(got) = value_size.filter(|&got| got != self.head_size) {
            return Err(keys.range("attention.value_length", got, "attention.key_length"));
        }
        if !self.rope_dims.is_multiple_of(2) || self.rope_dims > self.head_size {
            let expected = "an even number up to attention.key_length";
            return Err(keys.range("rope.dimension_count", self.rope_dims, expected));
        }
        Ok(())
    }
}

/// Metadata below one architecture's prefix.
struct Keys<'a> {
    header: &'a Header,
    prefix: &'static str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn range(&self, name: &str, got: impl ToString, expected: &'static str) -> ConfigError {
        ConfigError::Range { key: self.key(name), got: got.to_string(), expected }
    }

    /// An integer from 1 to `limit`.
    fn integer(&self, name: &str, limit: u64) -> Result<Option<u32>, ConfigError> {
        let Some(got) = self.header.integer(&self.key(name))? else { return Ok(None) };
        let value = u32::try_from(got).ok().filter(|_| (1..=limit).contains(&got));
        value.map(Some).ok_or_else(|| self.range(name, got, "at least 1 and within limits"))
    }

    fn required(&self, name: &str, limit: u64) -> Result<u32, ConfigError> {
        let missing = || ValueError::Missing { key: self.key(name) };
        Ok(self.integer(name, limit)?.ok_or_else(missing)?)
    }

    /// A finite float above zero.
    fn positive(&self, name: &str) -> Result<Option<f32>, ConfigError> {
        let Some(got) = self.header.float(&self.key(name))? else { return Ok(None) };
        if got.is_finite() && got > 0.0 {
            return Ok(Some(got));
        }
        Err(self.range(name, got, "a finite number above zero"))
    }

    fn rope_scale(&self) -> Result<f32, ConfigError> {
        Ok(self.positive("rope.scaling.factor")?.map_or(1.0, |factor| 1.0 / factor))
    }

    fn local_base(&self) -> Result<f32, ConfigError> {
        for name in ["rope.freq_base_swa", "rope.local_freq_base"] {
            if let Some(base) = self.positive(name)? {
                return Ok(base);
            }
        }
        Ok(GEMMA3_LOCAL_BASE)
    }

    fn windows(
        &self,
        architecture: Architecture,
        block_count: u32,
    ) -> Result<Vec<Option<u32>>, ConfigError> {
        if architecture == Architecture::Llama {
            return Ok(vec![None; block_count as usize]);
        }
        let window = self.required("attention.sliding_window", u64::from(POSITIONS_MAX))?;
        let name = "attention.sliding_window_pattern";
        if let Some(array) = self.header.array(&self.key(name))? {
            let Array::Integers(flags) = array else {
                return Err(self.range(name, "no booleans", "one boolean per block"));
            };
            if flags.len() != block_count as usize {
                return Err(self.range(name, flags.len(), "one boolean per block"));
            }
            return Ok(flags.iter().map(|&flag| (flag != 0).then_some(window)).collect());
        }
        let pattern = self.integer(name, u64::from(BLOCKS_MAX))?.map_or(GEMMA3_PATTERN, u64::from);
        let local = |block: u32| !(u64::from(block) + 1).is_multiple_of(pattern);
        Ok((0..block_count).map(|block| local(block).then_some(window)).collect())
    }

    fn refuse_unsupported(&self) -> Result<(), ConfigError> {
        let feature = |name: &str, feature: String| {
            Err(ConfigError::Feature { key: self.key(name), feature })
        };
        let scaling = self.header.text(&self.key("rope.scaling.type"))?.unwrap_or("none");
        if !["none", "linear"].contains(&scaling) {
            return feature("rope.scaling.type", format!("rope scaling `{scaling}`"));
        }
        let experts = self.header.integer(&self.key("expert_count"))?.unwrap_or(0);
        if experts > 0 {
            return feature("expert_count", format!("{experts} experts"));
        }
        Ok(())
    }
}

fn root(value: u32) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    let root = f64::from(value).sqrt() as f32;
    root
}

fn inverse_root(value: u32) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    let root = (1.0 / f64::from(value).sqrt()) as f32;
    root
}
