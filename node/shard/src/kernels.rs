//! Products of quantised weights with f32 rows, and what every computation runs on: an instruction
//! set and a pool of threads. Not a general matrix library, not attention.
//!
//! Every output element is computed alone, in an order fixed by its own inputs. So neither the other
//! rows of a call, nor the thread count, nor the instruction set changes a bit.

mod activations;
mod format;
pub(crate) mod half;
mod lanes;
mod lines;
mod product;
mod unpack;
mod weights;

use std::sync::Arc;

use crate::pool::{Pool, Shared, shared};

pub(crate) use activations::Activations;
pub use lanes::InstructionSet;
pub(crate) use lanes::{Kernel, LANES, Lanes, sum};
pub(crate) use lines::{CHUNK_BYTES, Lines, settle};
pub(crate) use weights::Weights;

/// Bytes of weights times rows below which a product stays on the calling thread: about 2 us.
/// Changes speed only.
const PARALLEL_MIN: usize = 32 << 10;
/// Parts per thread: enough that threads end together though one starts late.
const PARTS_PER_THREAD: usize = 4;
/// Rows from which on row-wise functions are shared out. Changes speed only.
const PARALLEL_ROWS: usize = 8;

/// What computations run on. Its choice never changes a result.
#[derive(Debug, Clone)]
pub struct Compute {
    set: InstructionSet,
    pool: Arc<Pool>,
}

impl Compute {
    /// The widest instruction set of this machine, on `threads` threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { set: widest(), pool: Arc::new(Pool::new(threads)) }
    }

    /// The widest instruction set, on a pool that the whole process shares: one thread for every
    /// processor that affinity and cgroup quota leave it.
    #[must_use]
    pub fn shared() -> Self {
        Self { set: widest(), pool: shared() }
    }

    /// With another instruction set, one of [`InstructionSet::available`].
    #[must_use]
    pub const fn with_set(mut self, set: InstructionSet) -> Self {
        self.set = set;
        self
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Runs a kernel on the calling thread.
    #[inline]
    pub(crate) fn run<K: Kernel>(&self, kernel: K) {
        self.set.run(kernel);
    }

    /// Runs `of` over every item, on any thread if there are many.
    pub(crate) fn each<T: Send>(
        &self,
        items: impl ExactSizeIterator<Item = T>,
        of: impl Fn(T) + Sync,
    ) {
        if items.len() < PARALLEL_ROWS {
            items.for_each(of);
            return;
        }
        let mut items: Vec<_> = items.collect();
        let rows = items.len().div_ceil(self.pool.threads() * PARTS_PER_THREAD);
        let mut parts = Vec::new();
        while !items.is_empty() {
            parts.push(items.split_off(items.len().saturating_sub(rows)));
        }
        self.pool.each(parts.into_iter(), |part| part.into_iter().for_each(&of));
    }

    /// Multiplies `x`: `[rows, inputs]`, with each of `weights`, to `[rows, outputs]` each.
    pub(crate) fn products<'a>(
        &self,
        x: &[f32],
        rows: usize,
        rounded: &mut Activations,
        products: &mut [(&'a Weights, &'a mut Vec<f32>)],
    ) {
        if products.iter().any(|(weights, _)| weights.is_quantised()) {
            rounded.round(self.set, &self.pool, x, x.len() / rows);
        }
        let rounded = &*rounded;
        let mut size = 0;
        let mut pieces = Vec::with_capacity(products.len());
        for (weights, out) in products {
            out.resize(rows * weights.outputs(), 0.0);
            size += weights.bytes() * rows;
            pieces.push((&**weights, Shared::new(out.as_mut_slice())));
        }
        let tiles: usize = pieces.iter().map(|(weights, _)| weights.tiles()).sum();
        let parts = (self.pool.threads() * PARTS_PER_THREAD).min(tiles);
        let parts = if size < PARALLEL_MIN { 1 } else { parts };
        self.pool.run(parts, &|part| {
            let (mut from, to) = (tiles * part / parts, tiles * (part + 1) / parts);
            let mut first = 0;
            for (weights, out) in &pieces {
                let end = first + weights.tiles();
                if from < end && from < to {
                    let tiles = from - first..to.min(end) - first;
                    product::Tiles { weights, tiles, floats: x, rounded, rows, out }.run(self.set);
                    from = to.min(end);
                }
                first = end;
            }
        });
    }
}

fn widest() -> InstructionSet {
    InstructionSet::available().pop().unwrap_or(InstructionSet::Portable)
}

#[cfg(test)]
mod tests;
