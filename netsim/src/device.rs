//! How long a pass over some blocks takes on a device, and what fits. Not what runs when.
//!
//! Three ways to know it: tables of measurements (as Helix publishes them, interpolated in straight
//! lines), the arithmetic and memory of a data sheet (roofline: an upper bound, off by half where
//! nothing was fitted), or lines fitted to measurements of the mesh itself.

mod curve;

pub use curve::{Curve, CurveError};

/// One pass: what is run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pass {
    /// Blocks run.
    pub blocks: u32,
    /// Positions of prompts.
    pub prompt: u32,
    /// Positions of decode steps.
    pub decode: u32,
    /// Sum over the decoded positions of the positions each looks back at.
    pub context: u64,
    /// Bytes of hidden states that enter.
    pub bytes: u64,
}

/// How long a device takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// Measured milliseconds of one block by positions of the pass.
    Table {
        /// For prompts.
        prompt: Curve,
        /// For decode steps. Fewer positions than the first measured number take as long as it.
        decode: Curve,
        /// Nanoseconds of a pass beside its blocks.
        pass_ns: f64,
        /// Nanoseconds per byte that enters.
        entry_ns: f64,
    },
    /// The slower of memory and arithmetic.
    Roofline {
        /// Nanoseconds of a pass beside its blocks.
        pass_ns: f64,
        /// Nanoseconds of a block beside both.
        block_ns: f64,
        /// Nanoseconds to read a block's weights.
        weights_ns: f64,
        /// Nanoseconds to read the KV cache of one position of one block.
        context_ns: f64,
        /// Nanoseconds to compute one position of one block.
        position_ns: f64,
    },
    /// Straight lines.
    Lines {
        /// Nanoseconds of a pass beside its blocks.
        pass_ns: f64,
        /// Nanoseconds of a block in every pass.
        block_ns: f64,
        /// Further nanoseconds of a block per decoded position.
        decode_ns: f64,
        /// Further nanoseconds of a block per prompt position.
        prompt_ns: f64,
        /// Nanoseconds of a block per position of context.
        context_ns: f64,
    },
}

/// A device as nodes have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// What reports call it.
    pub name: String,
    /// How long it takes.
    pub pace: Pace,
    /// Positions of KV cache by blocks held, the first for one block.
    pub kv: Vec<u64>,
    /// Positions of one pass at most.
    pub positions_max: u32,
    /// Positions that decode steps leave to prompts if any wait.
    pub prompt_positions_min: u32,
    /// Prompts of one pass at most; they are then neither cut nor counted as positions.
    pub prompts_max: Option<u32>,
    /// Nanoseconds of embedding, final norm, head and sampling for a batch at home, and for each
    /// position of it.
    pub head_ns: (f64, f64),
    /// Relative standard error of its times.
    pub error: f64,
    /// Relative standard deviation of a single pass.
    pub deviation: f64,
    /// How much longer everything takes while all processors of its machine run, relatively.
    pub contention: f64,
}

impl Device {
    /// Nanoseconds of a pass.
    #[must_use]
    pub fn pass_ns(&self, pass: &Pass) -> u64 {
        let (blocks, prompt, decode) =
            (f64::from(pass.blocks), f64::from(pass.prompt), f64::from(pass.decode));
        let context = pass.context as f64;
        let ns = match &self.pace {
            Pace::Table { prompt: prompts, decode: decodes, pass_ns, entry_ns } => {
                let block_ms = prompts.at(prompt) + decodes.at_least_first(decode);
                let entry = entry_ns * pass.bytes as f64;
                blocks.mul_add(block_ms * 1e6, pass_ns + entry)
            }
            Pace::Roofline { pass_ns, block_ns, weights_ns, context_ns, position_ns } => {
                let memory = context_ns.mul_add(context, *weights_ns);
                let arithmetic = position_ns * (prompt + decode);
                blocks.mul_add(block_ns + memory.max(arithmetic), *pass_ns)
            }
            Pace::Lines { pass_ns, block_ns, decode_ns, prompt_ns, context_ns } => {
                let positions = decode_ns * decode + prompt_ns * prompt + context_ns * context;
                blocks.mul_add(block_ns + positions, *pass_ns)
            }
        };
        whole(ns)
    }

    /// Nanoseconds of home's own part for a batch of so many positions.
    #[must_use]
    pub fn home_ns(&self, positions: u32) -> u64 {
        whole(self.head_ns.1.mul_add(f64::from(positions), self.head_ns.0))
    }

    /// Whether a pass never takes less time for more decoded positions.
    #[must_use]
    pub fn rises(&self) -> bool {
        match &self.pace {
            Pace::Table { decode, .. } => decode.rises(),
            Pace::Roofline { .. } | Pace::Lines { .. } => true,
        }
    }

    /// Positions of KV cache beside so many blocks; none if they do not fit.
    #[must_use]
    pub fn kv_positions(&self, blocks: u32) -> u64 {
        let index = (blocks as usize).checked_sub(1);
        index.and_then(|index| self.kv.get(index)).copied().unwrap_or(0)
    }

    /// Most blocks that fit.
    #[must_use]
    pub fn blocks_max(&self) -> u32 {
        u32::try_from(self.kv.len()).unwrap_or(u32::MAX)
    }
}

/// The nearest whole number: as rounding has it, without a call of the library.
fn whole(ns: f64) -> u64 {
    crate::fabric::whole(ns + 0.5)
}

#[cfg(test)]
mod tests;
