//! Keys and values of one session on a device, by absolute position, in binary16. Not the budget:
//! `shard`.

use candle_core::{DType, Device, Result, Tensor};
use comity_protocol::prefix::PAGE_POSITIONS;

use crate::kv_cache::CacheShape;

/// Keys and values of one session in every block of a shard, which grow by doubling.
#[derive(Debug)]
pub(crate) struct DeviceCache {
    shape: CacheShape,
    positions_max: u32,
    positions: u32,
    /// Positions there is room for: whole pages, to account for them as the host's cache does.
    capacity: u32,
    /// Per block, keys and values `[kv_heads, capacity, head_size]`; none until the first run.
    tensors: Vec<[Tensor; 2]>,
}

impl DeviceCache {
    pub(crate) const fn new(shape: CacheShape, positions_max: u32) -> Self {
        Self { shape, positions_max, positions: 0, capacity: 0, tensors: Vec::new() }
    }

    pub(crate) const fn shape(&self) -> CacheShape {
        self.shape
    }

    /// Positions every block holds.
    pub(crate) const fn positions(&self) -> u32 {
        self.positions
    }

    /// Bytes held, as the host's cache counts them.
    pub(crate) const fn bytes(&self) -> u64 {
        self.shape.bytes_for(self.capacity)
    }

    /// Forgets everything from `position` on; the room stays until the session ends.
    pub(crate) fn truncate(&mut self, position: u32) {
        self.positions = self.positions.min(position);
    }

    /// Counts positions up to `end` as held.
    pub(crate) const fn commit(&mut self, end: u32) {
        self.positions = end;
    }

    /// Makes room up to `end`, which the session was opened for.
    pub(super) fn grow(&mut self, device: &Device, end: u32) -> Result<()> {
        if end <= self.capacity {
            return Ok(());
        }
        let most = self.positions_max.next_multiple_of(PAGE_POSITIONS);
        let capacity = end.next_power_of_two().max(PAGE_POSITIONS).min(most);
        let CacheShape { blocks, kv_heads, head_size } = self.shape;
        let wide = (kv_heads, capacity as usize, head_size);
        let fresh = || Tensor::zeros(wide, DType::F16, device);
        if self.tensors.is_empty() {
            let tensors = (0..blocks).map(|_| Ok([fresh()?, fresh()?]));
            self.tensors = tensors.collect::<Result<_>>()?;
        }
        for tensor in self.tensors.iter_mut().flatten() {
            // One that has the room is fresh, or was reached by a growth that then failed.
            if tensor.dim(1)? < wide.1 {
                let wider = fresh()?;
                if self.positions > 0 {
                    let held = tensor.narrow(1, 0, self.positions as usize)?.contiguous()?;
                    wider.slice_set(&held, 1, 0)?;
                }
                *tensor = wider;
            }
        }
        self.capacity = capacity;
        Ok(())
    }

    /// Stores keys and values, `[kv_heads, positions, head_size]` f32 each, of a block's positions
    /// from `start` on; returns those from `low` on, rounded to halves, as f32.
    pub(super) fn append(
        &self,
        block: usize,
        (start, low): (u32, u32),
        new: [Tensor; 2],
    ) -> Result<[Tensor; 2]> {
        let [keys, values] = &self.tensors[block];
        let (start, low) = (start as usize, low as usize);
        let append = |held: &Tensor, new: &Tensor| {
            held.slice_set(&new.to_dtype(DType::F16)?.contiguous()?, 1, start)?;
            held.narrow(1, low, start + new.dim(1)? - low)?.to_dtype(DType::F32)?.contiguous()
        };
        Ok([append(keys, &new[0])?, append(values, &new[1])?])
    }
}
