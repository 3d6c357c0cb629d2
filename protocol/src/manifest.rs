//! What a model is, independent of any copy of it. Not the weights: digests of them.

use crate::{
    block::BlockRange,
    id::Digest,
    limits::BLOCK_PARAMETERS_MAX,
    wire::{DecodeError, Wire as _},
};

/// Root of the digest tree of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Human-readable name.
    pub name: String,
    /// Architecture as GGUF names it.
    pub architecture: String,
    /// Number of decoder blocks.
    pub block_count: u32,
    /// Elements of one position's hidden state.
    pub hidden_size: u32,
    /// Number of token ids.
    pub vocab_size: u32,
    /// Positions the model was trained for.
    pub context_length: u32,
    /// Digest of the token embedding.
    pub embed: Digest,
    /// Digest of each block's tensors, in block order.
    pub blocks: Vec<Digest>,
    /// Digest of the final norm and the head.
    pub head: Digest,
    /// Digest of the tokenizer.
    pub tokenizer: Digest,
    /// Digest of the chat template's text.
    pub chat_template: Digest,
    /// Digest of the hyperparameters that change results.
    pub config: Digest,
    /// Parameters that one position passes through in each block, in block order.
    pub active_parameters: Vec<u64>,
}

impl Manifest {
    /// The digest that names the model in charters, announcements and receipts.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// The digest a stage signs for the blocks it ran; `None` if `range` ends past the last block.
    #[must_use]
    pub fn shard_digest(&self, range: BlockRange) -> Option<Digest> {
        let blocks = self.blocks.get(range.start() as usize..range.end() as usize)?;
        let parts: Vec<&[u8]> = blocks.iter().map(|digest| digest.0.as_slice()).collect();
        Some(Digest::of_parts(&parts))
    }

    /// Parameters that one position passes through in the blocks of `range`; `None` if it ends past
    /// the last block.
    #[must_use]
    pub fn parameters(&self, range: BlockRange) -> Option<u64> {
        let blocks = self.active_parameters.get(range.start() as usize..range.end() as usize)?;
        Some(blocks.iter().sum())
    }

    /// Bytes of one position's hidden state on the wire.
    #[must_use]
    pub const fn hidden_bytes(&self) -> usize {
        self.hidden_size as usize * size_of::<f32>()
    }

    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// [`DecodeError::Field`] naming the field.
    pub(crate) fn check(self) -> Result<Self, DecodeError> {
        if self.blocks.len() != self.block_count as usize {
            return Err(DecodeError::field("manifest.blocks", "one digest per block is required"));
        }
        const FIELD: &str = "manifest.active_parameters";
        if self.active_parameters.len() != self.block_count as usize {
            return Err(DecodeError::field(FIELD, "one number per block is required"));
        }
        if !self.active_parameters.iter().all(|count| (1..=BLOCK_PARAMETERS_MAX).contains(count)) {
            return Err(DecodeError::field(FIELD, "out of range"));
        }
        Ok(self)
    }
}
