//! Paged keys and values of one session, addressed by absolute position. Not the budget: `shard`.

use std::ops::Range;

/// Positions of one page: a page is small beside a session and large beside an allocation.
pub(crate) const PAGE_POSITIONS: u32 = 32;

/// Shape of the cache of one shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheShape {
    pub(crate) blocks: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_size: usize,
}

/// Keys and values of one session in every block of a shard.
///
/// A page is `[blocks, 2, kv_heads, PAGE_POSITIONS, head_size]` f32: the keys, and the values, of
/// one head lie together.
#[derive(Debug)]
pub(crate) struct KvCache {
    shape: CacheShape,
    pages: Vec<Box<[f32]>>,
    positions: u32,
}

/// A run of positions inside one page.
pub(crate) struct Run<'a> {
    /// `[positions of the run, head_size]`.
    pub(crate) keys: &'a [f32],
    /// `[positions of the run, head_size]`.
    pub(crate) values: &'a [f32],
}

impl CacheShape {
    /// Bytes of one page.
    pub(crate) const fn page_bytes(self) -> u64 {
        (self.page_floats() * size_of::<f32>()) as u64
    }

    /// Bytes of the pages that `positions` positions need.
    pub(crate) const fn bytes_for(self, positions: u32) -> u64 {
        positions.div_ceil(PAGE_POSITIONS) as u64 * self.page_bytes()
    }

    const fn page_floats(self) -> usize {
        self.blocks * 2 * self.head_floats() * self.kv_heads
    }

    /// Floats of one head's keys in one page.
    const fn head_floats(self) -> usize {
        PAGE_POSITIONS as usize * self.head_size
    }

    /// Offset in a page of the keys (`side` 0) or values (1) of a block's head.
    const fn offset(self, block: usize, side: usize, head: usize) -> usize {
        ((block * 2 + side) * self.kv_heads + head) * self.head_floats()
    }
}

impl KvCache {
    pub(crate) const fn new(shape: CacheShape) -> Self {
        Self { shape, pages: Vec::new(), positions: 0 }
    }

    /// Shape of its pages.
    pub(crate) const fn shape(&self) -> CacheShape {
        self.shape
    }

    /// Positions every block holds.
    pub(crate) const fn positions(&self) -> u32 {
        self.positions
    }

    /// Bytes of the pages held.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages.len() as u64 * self.shape.page_bytes()
    }

    /// Forgets everything from `position` on and frees whole pages past it.
    pub(crate) fn truncate(&mut self, position: u32) {
        self.positions = self.positions.min(position);
        self.pages.truncate(self.positions.div_ceil(PAGE_POSITIONS) as usize);
    }

    /// Makes room up to `end`; the new positions count only after [`Self::commit`].
    pub(crate) fn reserve(&mut self, end: u32) {
        let pages = end.div_ceil(PAGE_POSITIONS) as usize;
        let floats = self.shape.page_floats();
        while self.pages.len() < pages {
            self.pages.push(vec![0.0; floats].into_boxed_slice());
        }
    }

    /// Counts positions up to `end` as held.
    pub(crate) const fn commit(&mut self, end: u32) {
        self.positions = end;
    }

    /// Stores one position's keys and values of one block: `[kv_heads * head_size]` each.
    pub(crate) fn store(&mut self, block: usize, position: u32, keys: &[f32], values: &[f32]) {
        let (page, slot) = (position / PAGE_POSITIONS, (position % PAGE_POSITIONS) as usize);
        let shape = self.shape;
        let page = &mut self.pages[page as usize];
        for (side, source) in [keys, values].into_iter().enumerate() {
            for (head, source) in source.chunks_exact(shape.head_size).enumerate() {
                let at = shape.offset(block, side, head) + slot * shape.head_size;
                page[at..at + shape.head_size].copy_from_slice(source);
            }
        }
    }

    /// Keys and values of one head at `positions`, page by page in ascending order.
    pub(crate) fn runs(
        &self,
        block: usize,
        head: usize,
        positions: Range<u32>,
    ) -> impl Iterator<Item = Run<'_>> {
        let (shape, size) = (self.shape, self.shape.head_size);
        let pages = positions.start / PAGE_POSITIONS..positions.end.div_ceil(PAGE_POSITIONS);
        pages.map(move |page| {
            let first = page * PAGE_POSITIONS;
            let from = (positions.start.max(first) - first) as usize * size;
            let to = (positions.end.min(first + PAGE_POSITIONS) - first) as usize * size;
            let floats = &self.pages[page as usize];
            let (keys, values) = (shape.offset(block, 0, head), shape.offset(block, 1, head));
            Run {
                keys: &floats[keys + from..keys + to],
                values: &floats[values + from..values + to],
            }
        })
    }
}

#[cfg(test)]
mod tests;
