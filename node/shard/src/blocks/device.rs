//! Blocks on a device, run by candle: not exact. Embedding and head stay with `home`, on the CPU.
//!
//! Products and norms run over the rows of all sessions at once, attention session by session.
//! Hidden states come from and return to host memory once for each run.

mod block;
mod cache;
mod pass;

use std::ops::Range;

use candle_core::{Device, Result, Tensor};
use comity_protocol::{block::BlockRange, id::Digest};

use crate::{attention::Row, model_file::ModelFile, rope::Rope, shard::LoadError};
use block::DeviceBlock;
pub(crate) use cache::DeviceCache;
use pass::{DevicePass, spans};

/// Weights on a device.
#[derive(Debug)]
pub(crate) struct DeviceBlocks {
    device: Device,
    blocks: Vec<DeviceBlock>,
    ropes: Vec<Rope>,
}

impl DeviceBlocks {
    pub(super) fn load(
        file: &ModelFile,
        range: BlockRange,
        expected: &[Digest],
        device: Device,
    ) -> std::result::Result<Self, LoadError> {
        let mut ropes = Vec::new();
        let blocks = range.iter().zip(expected).map(|(index, &digest)| {
            let part = block::Source { file, index, expected: digest };
            DeviceBlock::load(part, &mut ropes, &device)
        });
        let blocks = blocks.collect::<std::result::Result<_, _>>()?;
        Ok(Self { device, blocks, ropes })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.blocks.iter().map(DeviceBlock::bytes).sum()
    }

    pub(super) fn run(
        &self,
        range: Range<usize>,
        mut caches: Vec<&mut DeviceCache>,
        rows: &[Row],
        hidden: &mut [f32],
    ) -> Result<()> {
        let width = hidden.len() / rows.len();
        let blocks = &self.blocks[range];
        let windows = blocks.iter().map(DeviceBlock::window);
        let spans = spans(rows);
        for span in &spans {
            caches[span.session].grow(&self.device, span.end())?;
        }
        let pass = DevicePass::new(&self.device, &caches, spans, &self.ropes, windows)?;
        let mut x = Tensor::from_slice(hidden, (rows.len(), width), &self.device)?;
        for (slot, block) in blocks.iter().enumerate() {
            x = block.forward(&pass, slot, &x)?;
        }
        hidden.copy_from_slice(&x.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}
