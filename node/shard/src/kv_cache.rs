//! Paged keys and values of one session, addressed by absolute position, in binary16. Not the
//! budget: `shard`.

use std::sync::Arc;

use comity_protocol::prefix::{self, PAGE_POSITIONS};

use crate::kernels::{Compute, Kernel, LANES, Lanes, Lines};

/// Groups of [`LANES`] positions in a page.
pub(crate) const PAGE_GROUPS: usize = PAGE_POSITIONS as usize / LANES;
/// Bytes of one element.
const HALF: usize = 2;

/// Shape of the cache of one shard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheShape {
    pub(crate) blocks: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_size: usize,
}

/// Keys and values of one session in every block of a shard.
///
/// A page is `[blocks, kv_heads]` of keys `[PAGE_GROUPS, head_size, LANES positions]`, so that one
/// lane is one position, and values `[PAGE_POSITIONS, head_width]`. Sessions with the same beginning
/// may share its pages; whoever writes to a shared page takes a copy first.
#[derive(Debug)]
pub(crate) struct KvCache {
    shape: CacheShape,
    pages: Vec<Arc<Lines>>,
    positions: u32,
}

/// Keys and values of one head in one page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadPage<'a> {
    /// `[PAGE_GROUPS * head_size]` runs of [`LANES`] halves.
    pub(crate) keys: &'a [[u8; 32]],
    /// `[PAGE_POSITIONS * head_width / LANES]` runs of [`LANES`] halves.
    pub(crate) values: &'a [[u8; 32]],
}

impl CacheShape {
    /// Bytes of one page.
    pub(crate) const fn page_bytes(self) -> u64 {
        (self.blocks * self.kv_heads * self.head_bytes()) as u64
    }

    /// Bytes of the pages that `positions` positions need.
    pub(crate) const fn bytes_for(self, positions: u32) -> u64 {
        positions.div_ceil(PAGE_POSITIONS) as u64 * self.page_bytes()
    }

    /// Elements of one position's values of a head: `head_size` in whole lanes.
    pub(crate) const fn head_width(self) -> usize {
        self.head_size.next_multiple_of(LANES)
    }

    const fn key_bytes(self) -> usize {
        PAGE_POSITIONS as usize * self.head_size * HALF
    }

    /// Bytes of one head in one page.
    const fn head_bytes(self) -> usize {
        self.key_bytes() + PAGE_POSITIONS as usize * self.head_width() * HALF
    }

    /// Offset in a page of a block's head.
    const fn offset(self, block: usize, head: usize) -> usize {
        (block * self.kv_heads + head) * self.head_bytes()
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

    /// A cache that begins with whole `pages` of another one of the same shape.
    pub(crate) fn with_pages(shape: CacheShape, pages: Vec<Arc<Lines>>) -> Self {
        let positions = prefix::positions(pages.len());
        Self { shape, pages, positions }
    }

    /// The whole pages held, in order.
    pub(crate) fn whole_pages(&self) -> &[Arc<Lines>] {
        &self.pages[..prefix::whole_pages(self.positions)]
    }

    /// Forgets everything from `position` on and frees whole pages past it.
    pub(crate) fn truncate(&mut self, position: u32) {
        self.positions = self.positions.min(position);
        self.pages.truncate(self.positions.div_ceil(PAGE_POSITIONS) as usize);
    }

    /// Makes room up to `end`; the new positions count only after [`Self::commit`].
    pub(crate) fn reserve(&mut self, end: u32) {
        let pages = end.div_ceil(PAGE_POSITIONS) as usize;
        while self.pages.len() < pages {
            let bytes = self.shape.blocks * self.shape.kv_heads * self.shape.head_bytes();
            self.pages.push(Arc::new(Lines::zeroed(bytes)));
        }
    }

    /// Counts positions up to `end` as held.
    pub(crate) const fn commit(&mut self, end: u32) {
        self.positions = end;
    }

    /// Stores one position's keys and values of one block, `[kv_heads * head_size]` f32 each,
    /// rounded to halves.
    pub(crate) fn store(
        &mut self,
        compute: &Compute,
        block: usize,
        position: u32,
        keys: &[f32],
        values: &[f32],
    ) {
        let (page, slot) = (position / PAGE_POSITIONS, (position % PAGE_POSITIONS) as usize);
        let shape = self.shape;
        let page = Arc::make_mut(&mut self.pages[page as usize]).bytes_mut();
        compute.run(Store { shape, block, slot, keys, values, page });
    }

    /// One head of one page.
    #[inline(always)]
    pub(crate) fn page(&self, block: usize, head: usize, page: usize) -> HeadPage<'_> {
        let from = self.shape.offset(block, head);
        let bytes = &self.pages[page].bytes()[from..from + self.shape.head_bytes()];
        let (keys, values) = bytes.split_at(self.shape.key_bytes());
        HeadPage { keys: keys.as_chunks().0, values: values.as_chunks().0 }
    }
}

struct Store<'a> {
    shape: CacheShape,
    block: usize,
    slot: usize,
    keys: &'a [f32],
    values: &'a [f32],
    page: &'a mut [u8],
}

impl Kernel for Store<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (shape, size) = (self.shape, self.shape.head_size);
        let (group, lane) = (self.slot / LANES, self.slot % LANES);
        let heads = self.keys.chunks_exact(size).zip(self.values.chunks_exact(size));
        for (head, (keys, values)) in heads.enumerate() {
            let from = shape.offset(self.block, head);
            let head = &mut self.page[from..from + shape.head_bytes()];
            let (key_page, value_page) = head.split_at_mut(shape.key_bytes());
            let column = &mut key_page[group * size * LANES * HALF..];
            for (index, keys) in keys.chunks(LANES).enumerate() {
                for (i, half) in halves::<L>(keys).as_chunks::<2>().0.iter().enumerate() {
                    let at = ((index * LANES + i) * LANES + lane) * HALF;
                    if i < keys.len() {
                        column[at..at + HALF].copy_from_slice(half);
                    }
                }
            }
            let row = &mut value_page[self.slot * shape.head_width() * HALF..];
            for (to, values) in row.as_chunks_mut::<32>().0.iter_mut().zip(values.chunks(LANES)) {
                *to = halves::<L>(values);
            }
        }
    }
}

/// Up to sixteen values as halves, zeros after them.
#[inline(always)]
fn halves<L: Lanes>(values: &[f32]) -> [u8; 32] {
    let (mut floats, mut bytes) = ([0.0; LANES], [0; 32]);
    floats[..values.len()].copy_from_slice(values);
    L::store_half(L::load(&floats), &mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
