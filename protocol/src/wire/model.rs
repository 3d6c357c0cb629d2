//! Encoding of a model's manifest.

use super::{DecodeError, bytes, id, list, pb, text, wire, within};
use crate::{
    id::Digest,
    limits::{BLOCKS_MAX, HIDDEN_MAX, PAYLOAD_BYTES_MAX, POSITIONS_MAX, VOCAB_MAX},
    manifest::Manifest,
};

wire!(Manifest, pb::Manifest, PAYLOAD_BYTES_MAX);

impl From<&Manifest> for pb::Manifest {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            architecture: manifest.architecture.clone(),
            block_count: manifest.block_count,
            hidden_size: manifest.hidden_size,
            vocab_size: manifest.vocab_size,
            context_length: manifest.context_length,
            embed: bytes(&manifest.embed.0),
            blocks: manifest.blocks.iter().map(|digest| bytes(&digest.0)).collect(),
            head: bytes(&manifest.head.0),
            tokenizer: bytes(&manifest.tokenizer.0),
            chat_template: bytes(&manifest.chat_template.0),
            config: bytes(&manifest.config.0),
            active_parameters: manifest.active_parameters.clone(),
        }
    }
}

impl TryFrom<pb::Manifest> for Manifest {
    type Error = DecodeError;

    fn try_from(pb: pb::Manifest) -> Result<Self, DecodeError> {
        let blocks = list(pb.blocks, BLOCKS_MAX as usize, "manifest.blocks")?;
        Self {
            name: text(pb.name, 128, "manifest.name")?,
            architecture: text(pb.architecture, 32, "manifest.architecture")?,
            block_count: within(pb.block_count, 1, BLOCKS_MAX, "manifest.block_count")?,
            hidden_size: within(pb.hidden_size, 1, HIDDEN_MAX, "manifest.hidden_size")?,
            vocab_size: within(pb.vocab_size, 1, VOCAB_MAX, "manifest.vocab_size")?,
            context_length: within(pb.context_length, 1, POSITIONS_MAX, "manifest.context_length")?,
            embed: id(&pb.embed, "manifest.embed")?,
            blocks: blocks
                .iter()
                .map(|digest| id::<Digest>(digest, "manifest.blocks"))
                .collect::<Result<_, _>>()?,
            head: id(&pb.head, "manifest.head")?,
            tokenizer: id(&pb.tokenizer, "manifest.tokenizer")?,
            chat_template: id(&pb.chat_template, "manifest.chat_template")?,
            config: id(&pb.config, "manifest.config")?,
            active_parameters: pb.active_parameters,
        }
        .check()
    }
}
