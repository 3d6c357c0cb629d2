//! The blocks of a shard and the caches they fill: with our kernels in host memory, or with candle on
//! a device. Not sessions, budgets and admission, which are the same for both: `shard`.

mod device;
mod host;

use std::{ops::Range, sync::Arc};

use comity_protocol::{block::BlockRange, id::Digest};

use crate::{
    attention::Row,
    kernels::{Compute, Lines},
    kv_cache::{CacheShape, KvCache},
    linear::{self, ComputeError},
    model_file::ModelFile,
    shard::LoadError,
};
use device::{DeviceBlocks, DeviceCache};
use host::HostBlocks;

/// Weights of consecutive blocks, and what runs them.
#[derive(Debug)]
pub(crate) enum Blocks {
    Host(Box<HostBlocks>),
    Device(DeviceBlocks),
}

/// Keys and values of one session, in the memory of the blocks that made it.
#[derive(Debug)]
pub(crate) enum Cache {
    Host(KvCache),
    Device(DeviceCache),
}

impl Blocks {
    /// Reads blocks `range` and checks them against their digests; `place` is candle's device, and
    /// none means our kernels.
    pub(crate) fn load(
        file: &ModelFile,
        range: BlockRange,
        expected: &[Digest],
        place: Option<candle_core::Device>,
    ) -> Result<Self, LoadError> {
        Ok(match place {
            None => Self::Host(Box::new(HostBlocks::load(file, range, expected)?)),
            Some(place) => Self::Device(DeviceBlocks::load(file, range, expected, place)?),
        })
    }

    /// Sets what our kernels run on.
    pub(crate) fn set_compute(&mut self, compute: Compute) {
        if let Self::Host(blocks) = self {
            blocks.set_compute(compute);
        }
    }

    /// Resident bytes of the weights.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Host(blocks) => blocks.bytes(),
            Self::Device(blocks) => blocks.bytes(),
        }
    }

    /// An empty cache for up to `positions_max` positions.
    pub(crate) const fn cache(&self, shape: CacheShape, positions_max: u32) -> Cache {
        match self {
            Self::Host(_) => Cache::Host(KvCache::new(shape)),
            Self::Device(_) => Cache::Device(DeviceCache::new(shape, positions_max)),
        }
    }

    /// Runs the blocks `range`, counted from the first, over `hidden`: `[rows, hidden]` f32, in
    /// place; writes the rows' keys and values into `caches`, this shard's own, where room is
    /// reserved. The rows of one session stand together, in ascending order.
    pub(crate) fn run(
        &mut self,
        range: Range<usize>,
        caches: &mut [&mut Cache],
        rows: &[Row],
        hidden: &mut [f32],
    ) -> Result<(), ComputeError> {
        match self {
            Self::Host(blocks) => {
                let caches = caches.iter_mut().filter_map(|cache| cache.host()).collect();
                blocks.run(range, caches, rows, hidden)
            }
            Self::Device(blocks) => {
                let caches = caches.iter_mut().filter_map(|cache| cache.device()).collect();
                blocks.run(range, caches, rows, hidden).map_err(linear::compute)
            }
        }
    }
}

impl Cache {
    /// Its shape.
    pub(crate) const fn shape(&self) -> CacheShape {
        match self {
            Self::Host(cache) => cache.shape(),
            Self::Device(cache) => cache.shape(),
        }
    }

    /// Positions every block holds.
    pub(crate) const fn positions(&self) -> u32 {
        match self {
            Self::Host(cache) => cache.positions(),
            Self::Device(cache) => cache.positions(),
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Host(cache) => cache.bytes(),
            Self::Device(cache) => cache.bytes(),
        }
    }

    /// Forgets everything from `position` on.
    pub(crate) fn truncate(&mut self, position: u32) {
        match self {
            Self::Host(cache) => cache.truncate(position),
            Self::Device(cache) => cache.truncate(position),
        }
    }

    /// Makes room up to `end`. A device's cache does so when blocks run, where it may fail.
    pub(crate) fn reserve(&mut self, end: u32) {
        if let Self::Host(cache) = self {
            cache.reserve(end);
        }
    }

    /// Counts positions up to `end` as held.
    pub(crate) const fn commit(&mut self, end: u32) {
        match self {
            Self::Host(cache) => cache.commit(end),
            Self::Device(cache) => cache.commit(end),
        }
    }

    /// The whole pages held, in order. A device's cache has none.
    pub(crate) fn whole_pages(&self) -> &[Arc<Lines>] {
        match self {
            Self::Host(cache) => cache.whole_pages(),
            Self::Device(_) => &[],
        }
    }

    /// Begins with whole pages of another cache of the same shape in place of what it holds.
    pub(crate) fn take_over(&mut self, pages: Vec<Arc<Lines>>) {
        if let Self::Host(cache) = self {
            *cache = KvCache::with_pages(cache.shape(), pages);
        }
    }

    const fn host(&mut self) -> Option<&mut KvCache> {
        match self {
            Self::Host(cache) => Some(cache),
            Self::Device(_) => None,
        }
    }

    const fn device(&mut self) -> Option<&mut DeviceCache> {
        match self {
            Self::Device(cache) => Some(cache),
            Self::Host(_) => None,
        }
    }
}
