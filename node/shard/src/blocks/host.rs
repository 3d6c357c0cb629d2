//! Blocks in host memory, run by our kernels: the exact numeric class.

use std::ops::Range;

use comity_protocol::{block::BlockRange, id::Digest};

use crate::{
    attention::Row,
    block::Block,
    kernels::{CHUNK_BYTES, Compute, settle},
    kv_cache::KvCache,
    linear::ComputeError,
    model_file::ModelFile,
    pass::{Pass, Scratch},
    rope::Rope,
    shard::LoadError,
};

/// Weights, and what they are run with.
#[derive(Debug)]
pub(crate) struct HostBlocks {
    blocks: Vec<Block>,
    ropes: Vec<Rope>,
    compute: Compute,
    scratch: Scratch,
}

impl HostBlocks {
    pub(super) fn load(
        file: &ModelFile,
        range: BlockRange,
        expected: &[Digest],
    ) -> Result<Self, LoadError> {
        let (mut ropes, mut blocks) = (Vec::new(), Vec::with_capacity(expected.len()));
        let mut settled = 0;
        for (block, &digest) in range.iter().zip(expected) {
            blocks.push(Block::load(file, block, digest, &mut ropes)?);
            // While loading goes on, so that it takes little memory beside the weights.
            let bytes: u64 = blocks[settled..].iter().map(Block::bytes).sum();
            if bytes >= CHUNK_BYTES || block + 1 == range.end() {
                settle(blocks[settled..].iter_mut().flat_map(Block::lines_mut));
                settled = blocks.len();
            }
        }
        Ok(Self { blocks, ropes, compute: Compute::shared(), scratch: Scratch::default() })
    }

    pub(super) fn set_compute(&mut self, compute: Compute) {
        self.compute = compute;
    }

    pub(super) fn bytes(&self) -> u64 {
        self.blocks.iter().map(Block::bytes).sum()
    }

    pub(super) fn run(
        &mut self,
        range: Range<usize>,
        caches: Vec<&mut KvCache>,
        rows: &[Row],
        hidden: &mut [f32],
    ) -> Result<(), ComputeError> {
        let angles: Vec<Vec<_>> = self
            .ropes
            .iter()
            .map(|rope| rows.iter().map(|row| rope.angles(row.position)).collect())
            .collect();
        // As long-lived as the pass only.
        let mut caches: Vec<&mut KvCache> = caches;
        let mut pass = Pass {
            compute: &self.compute,
            caches: &mut caches,
            rows,
            ropes: &self.ropes,
            angles: &angles,
            scratch: &mut self.scratch,
        };
        let mut blocks = self.blocks[range].iter().enumerate();
        blocks.try_for_each(|(slot, block)| block.forward(&mut pass, slot, hidden))
    }
}
