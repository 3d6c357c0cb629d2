//! Models, devices, nodes, and what could be bought.

use std::net::SocketAddr;

use serde::Deserialize;
use toml::Spanned;

use super::values::{NotNegative, Positive, Share};

/// `[[model]]`: what the numbers of a model are, whatever runs it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSection {
    /// Its name.
    pub name: String,
    /// Blocks.
    pub block_count: u32,
    /// Bytes of one position's hidden states between stages.
    pub hidden_bytes: u64,
    /// Bytes of one position between home and a stage; those of the hidden states if not given.
    pub home_bytes: Option<u64>,
    /// Bytes of one block's weights.
    #[serde(default)]
    pub block_bytes: u64,
    /// Bytes of one position's KV cache in one block.
    #[serde(default)]
    pub kv_bytes: u64,
    /// Parameters of one block, for accounts and for devices known by their arithmetic.
    #[serde(default)]
    pub block_parameters: u64,
}

/// `[[device]]`: how long a pass takes, and what fits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSection {
    /// Its name.
    pub name: String,
    /// How its time is known.
    pub time: DeviceTime,
    /// What runs together.
    #[serde(default)]
    pub batch: BatchSection,
}

/// How a device's time is known.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceTime {
    /// Measured milliseconds of one block by tokens of a pass: two columns, no head line.
    Table {
        /// For prompts.
        prompt_csv: Spanned<String>,
        /// For decode steps.
        decode_csv: Spanned<String>,
        /// Microseconds of a pass beside its blocks.
        #[serde(default)]
        pass_us: NotNegative,
        /// Nanoseconds of the first block of a pass per byte of hidden states that enters.
        #[serde(default)]
        entry_ns_per_byte: NotNegative,
        /// Positions of KV cache beside the weights.
        kv: KvOf,
    },
    /// Known by its arithmetic and its memory: the slower of both decides.
    Roofline {
        /// Bytes of memory, GB (10^9).
        memory_gb: Positive,
        /// Share of it that weights and caches may take.
        #[serde(default = "nine_tenths")]
        usable: Share,
        /// Rate of its memory, GB/s.
        memory_gb_s: Positive,
        /// Share of that rate which is reached.
        #[serde(default = "eight_tenths")]
        memory_reached: Share,
        /// Rate of its arithmetic, TFLOP/s at the model's precision.
        tflop_s: Positive,
        /// Share of that rate which is reached.
        #[serde(default = "half")]
        tflop_reached: Share,
        /// Microseconds of a pass beside its blocks.
        #[serde(default)]
        pass_us: NotNegative,
        /// Microseconds of a block beside arithmetic and memory.
        #[serde(default)]
        block_us: NotNegative,
    },
    /// Straight lines fitted to measurements, as `calibrate` writes them.
    Measured {
        /// Microseconds of a pass beside its blocks.
        pass_us: NotNegative,
        /// Microseconds of a block in every pass.
        block_us: NotNegative,
        /// Further microseconds of a block per decoded position.
        decode_us: NotNegative,
        /// Further microseconds of a block per prompt position.
        prompt_us: NotNegative,
        /// Nanoseconds of a block per position of context that a decoded position looks at.
        #[serde(default)]
        context_ns: NotNegative,
        /// Positions of KV cache, whatever the blocks.
        kv_positions: u64,
        /// Most blocks that fit.
        blocks_max: u32,
        /// Embedding, final norm, head and sampling of a batch at home, microseconds.
        #[serde(default)]
        head_us: NotNegative,
        /// The same per position of the batch.
        #[serde(default)]
        head_position_us: NotNegative,
        /// Relative standard error of the fitted lines.
        #[serde(default)]
        error: Share,
        /// Relative standard deviation of a single pass.
        #[serde(default)]
        deviation: Share,
        /// How much longer everything takes while all processors of its machine run, relatively.
        #[serde(default)]
        contention: NotNegative,
    },
}

/// Where the room for KV cache is known from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KvOf {
    /// Positions by blocks held, the first for one block; no more blocks fit than are listed.
    Positions(Vec<u64>),
    /// A JSON file: model, device, blocks held, KV blocks of so many positions.
    Json {
        /// The file.
        file: Spanned<String>,
        /// Key of the model.
        model: String,
        /// Key of the device.
        device: String,
        /// Positions of one KV block.
        block_positions: u64,
    },
}

/// What of a device's waiting steps runs together.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSection {
    /// Positions of one pass at most; prompts longer than what decode steps leave are cut.
    pub positions_max: u32,
    /// Positions that decode steps leave to prompts if any wait.
    pub prompt_positions_min: u32,
    /// Prompts of one pass at most; they are then not cut and do not count as positions.
    pub prompts_max: Option<u32>,
}

impl Default for BatchSection {
    /// As the mesh does it.
    fn default() -> Self {
        use comity_protocol::microbatch::{MICROBATCH_POSITIONS_MAX, PREFILL_POSITIONS_MIN};
        Self {
            positions_max: MICROBATCH_POSITIONS_MAX,
            prompt_positions_min: PREFILL_POSITIONS_MIN,
            prompts_max: None,
        }
    }
}

/// `[[machine]]`: processors that several nodes share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineSection {
    /// Its name.
    pub name: String,
    /// Processors.
    pub processors: u32,
}

/// `[[node]]`: one node, or several alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSection {
    /// Its name; with a count, their names are this and a number from 1.
    pub name: String,
    /// Who owns it.
    pub institution: Spanned<String>,
    /// Where it stands.
    pub site: Spanned<String>,
    /// What runs the blocks.
    pub device: Spanned<String>,
    /// Of which model.
    pub model: Spanned<String>,
    /// Blocks it holds, `[start, end]` without the end; the planner places them if not given.
    pub blocks: Option<Spanned<[u32; 2]>>,
    /// How many of them.
    #[serde(default = "one")]
    pub count: u32,
    /// Machine whose processors it shares.
    pub machine: Option<Spanned<String>>,
    /// Processors a pass keeps busy there.
    #[serde(default = "one")]
    pub threads: u32,
    /// Where a real one listens: its `data.listen`. Only the relay takes it, from and to there.
    pub listen: Option<Spanned<SocketAddr>>,
    /// Where it tells others to find it, and the relay listens for it: its `data.advertise`.
    pub advertise: Option<Spanned<SocketAddr>>,
}

/// `[[offer]]`: a node that could be bought.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferSection {
    /// Its name.
    pub name: String,
    /// Who would own it.
    pub institution: Spanned<String>,
    /// Where it would stand.
    pub site: Spanned<String>,
    /// What it is.
    pub device: Spanned<String>,
    /// Of which model it would hold blocks.
    pub model: Spanned<String>,
    /// Price, euro.
    pub price_eur: Positive,
}

const fn one() -> u32 {
    1
}

fn nine_tenths() -> Share {
    Share::of(0.9)
}

fn eight_tenths() -> Share {
    Share::of(0.8)
}

fn half() -> Share {
    Share::of(0.5)
}
