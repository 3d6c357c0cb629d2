//! An opened and checked model file: what it holds and where. Not the weights in memory.
//!
//! Part digests follow `manifest`'s tree: the embedding, each block, and the final norm with the
//! head are one part each. See [`part_digest`] for the framing.

mod layout;

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use comity_protocol::{id::Digest, manifest::Manifest};
use sha2::{Digest as _, Sha256};

use crate::{
    config::{ConfigError, ModelConfig},
    gguf::{Header, HeaderError, TensorInfo},
};

pub use layout::LayoutError;

/// Domain of part digests; a new framing gets a new number.
const PART_DOMAIN: &[u8] = b"comity/part/v1\0";
/// Domain of metadata digests.
const METADATA_DOMAIN: &[u8] = b"comity/metadata/v1\0";
/// Metadata key of the chat template, which has a digest of its own.
pub(crate) const TEMPLATE_KEY: &str = "tokenizer.chat_template";
/// Tensor that holds per-frequency divisors of rope; part of every block where it exists.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// A model file with a checked header. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ModelFile {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file_bytes: u64,
    header: Header,
    config: ModelConfig,
    /// Guards the file's cursor between seek and read.
    file: Mutex<File>,
}

/// One part of a model: what one digest of the manifest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Token embedding.
    Embed,
    /// One decoder block.
    Block(u32),
    /// Final norm and head.
    Head,
}

/// Why a file is no model this crate can run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened or its size cannot be read.
    #[error("cannot open model file {path}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The header is malformed.
    #[error("malformed model file {path}")]
    Header {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: HeaderError,
    },
    /// The hyperparameters are missing, invalid or unsupported.
    #[error("cannot run model file {path}")]
    Config {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with them.
        #[source]
        source: ConfigError,
    },
    /// A tensor is missing, has the wrong shape, or should not be there.
    #[error("cannot run model file {path}")]
    Layout {
        /// Path of the file.
        path: PathBuf,
        /// Which tensor.
        #[source]
        source: LayoutError,
    },
}

/// Why tensor bytes could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read tensor `{tensor}` of model file {path}")]
pub struct ReadError {
    /// Tensor name.
    pub tensor: String,
    /// Path of the file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl ModelFile {
    /// Opens `path` and checks its header, hyperparameters and tensor shapes. Reads no weights.
    ///
    /// # Errors
    /// [`OpenError`] saying what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io_error = |source| OpenError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io_error)?;
        let file_bytes = file.metadata().map_err(io_error)?.len();
        let header = Header::read(&mut file, file_bytes)
            .map_err(|source| OpenError::Header { path: path.to_owned(), source })?;
        let mut config = ModelConfig::read(&header)
            .map_err(|source| OpenError::Config { path: path.to_owned(), source })?;
        layout::check(&header, &mut config)
            .map_err(|source| OpenError::Layout { path: path.to_owned(), source })?;
        let (path, file) = (path.to_owned(), Mutex::new(file));
        Ok(Self { inner: Arc::new(Inner { path, file_bytes, header, config, file }) })
    }

    /// Checked hyperparameters.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.inner.config
    }

    /// Path the file was opened at.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Size of the file, bytes.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.inner.file_bytes
    }

    /// Tensors in name order.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.inner.header.tensors()
    }

    /// Bytes the weights of one block take in the file; zero past the last block.
    #[must_use]
    pub fn block_bytes(&self, block: u32) -> u64 {
        self.part_tensors(Part::Block(block)).iter().map(|tensor| tensor.bytes).sum()
    }

    /// Computes the manifest; reads and hashes the whole file, one tensor at a time.
    ///
    /// # Errors
    /// [`ReadError`] naming the tensor that cannot be read.
    pub fn manifest(&self) -> Result<Manifest, ReadError> {
        let config = self.config();
        let digest = |part| self.read_part(part).map(|tensors| part_digest(&tensors));
        let blocks = (0..config.block_count).map(|block| digest(Part::Block(block)));
        Ok(Manifest {
            name: config.name.clone(),
            architecture: config.architecture.name().to_owned(),
            block_count: config.block_count,
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            context_length: config.context_length,
            embed: digest(Part::Embed)?,
            blocks: blocks.collect::<Result<_, _>>()?,
            head: digest(Part::Head)?,
            tokenizer: self.tokenizer_digest(),
            chat_template: Digest::of(self.chat_template().unwrap_or_default().as_bytes()),
            config: self.config_digest(),
            active_parameters: (0..config.block_count)
                .map(|block| self.parameters(block))
                .collect(),
        })
    }

    /// Elements of the tensors of one block. A position passes through all of them: no architecture
    /// here leaves any out.
    fn parameters(&self, block: u32) -> u64 {
        let tensors = self.part_tensors(Part::Block(block));
        tensors.iter().map(|tensor| tensor.dims.iter().product::<u64>()).sum()
    }

    /// The chat template's text, if the file has one that is UTF-8.
    #[must_use]
    pub fn chat_template(&self) -> Option<&str> {
        self.inner.header.text(TEMPLATE_KEY).ok().flatten()
    }

    /// Digest of the hyperparameters.
    pub(crate) fn config_digest(&self) -> Digest {
        self.metadata_digest(&format!("{}.", self.config().architecture.name()))
    }

    /// Digest of the tokenizer's metadata.
    pub(crate) fn tokenizer_digest(&self) -> Digest {
        self.metadata_digest("tokenizer.")
    }

    /// The same file run with another activation, for oracles that differ from the reference.
    #[cfg(test)]
    pub(crate) fn with_activation(self, activation: crate::config::Activation) -> Self {
        let mut inner = Arc::into_inner(self.inner).expect("the test holds the only handle");
        inner.config.activation = activation;
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn header(&self) -> &Header {
        &self.inner.header
    }

    /// Reads the tensors of one part in name order.
    pub(crate) fn read_part(&self, part: Part) -> Result<Vec<(&TensorInfo, Vec<u8>)>, ReadError> {
        let tensors = self.part_tensors(part);
        tensors.into_iter().map(|tensor| Ok((tensor, self.read_tensor(tensor)?))).collect()
    }

    /// Tensors of one part in name order; none past the last block.
    pub(crate) fn part_tensors(&self, part: Part) -> Vec<&TensorInfo> {
        let header = &self.inner.header;
        let named = |name: &str| header.tensor(name);
        match part {
            Part::Embed => named("token_embd.weight").into_iter().collect(),
            Part::Block(block) => {
                let prefix = format!("blk.{block}.");
                let mut found: Vec<_> =
                    self.tensors().filter(|tensor| tensor.name.starts_with(&prefix)).collect();
                if !found.is_empty() {
                    found.extend(named(ROPE_FACTORS));
                }
                found
            }
            Part::Head => {
                let output = named("output.weight").or_else(|| named("token_embd.weight"));
                let mut found: Vec<_> =
                    output.into_iter().chain(named("output_norm.weight")).collect();
                found.sort_by(|left, right| left.name.cmp(&right.name));
                found
            }
        }
    }

    fn read_tensor(&self, tensor: &TensorInfo) -> Result<Vec<u8>, ReadError> {
        let read = || -> io::Result<Vec<u8>> {
            let length = usize::try_from(tensor.bytes).map_err(io::Error::other)?;
            let mut bytes = vec![0; length];
            let mut file = self.inner.file.lock().map_err(|_| io::Error::other("poisoned"))?;
            file.seek(SeekFrom::Start(tensor.offset))?;
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|source| {
            let (tensor, path) = (tensor.name.clone(), self.inner.path.clone());
            ReadError { tensor, path, source }
        })
    }

    /// SHA-256 over all metadata under `prefix` but the chat template, in key order: per entry the
    /// key's length and bytes, the value's type, length and bytes as they stand in the file.
    fn metadata_digest(&self, prefix: &str) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(METADATA_DOMAIN);
        for (key, kind, value) in self.inner.header.entries_under(prefix) {
            if key == TEMPLATE_KEY {
                continue;
            }
            hasher.update((key.len() as u64).to_le_bytes());
            hasher.update(key);
            hasher.update(kind.to_le_bytes());
            hasher.update((value.len() as u64).to_le_bytes());
            hasher.update(value);
        }
        Digest(hasher.finalize().into())
    }
}

/// Digest of one part: SHA-256 over `comity/part/v1\0`, the tensor count, and per tensor in name
/// order its name's length and bytes, ggml type number, rank, dimensions, and the SHA-256 of its
/// bytes. Integers are little-endian: type and rank 32 bits, all others 64.
pub(crate) fn part_digest(tensors: &[(&TensorInfo, Vec<u8>)]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(PART_DOMAIN);
    hasher.update((tensors.len() as u64).to_le_bytes());
    for (tensor, bytes) in tensors {
        hasher.update((tensor.name.len() as u64).to_le_bytes());
        hasher.update(&tensor.name);
        hasher.update(tensor.kind.number().to_le_bytes());
        hasher.update((u32::try_from(tensor.dims.len()).unwrap_or(u32::MAX)).to_le_bytes());
        for dim in &tensor.dims {
            hasher.update(dim.to_le_bytes());
        }
        hasher.update(Sha256::digest(bytes));
    }
    Digest(hasher.finalize().into())
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embed => f.write_str("the embedding"),
            Self::Block(block) => write!(f, "block {block}"),
            Self::Head => f.write_str("the head"),
        }
    }
}

#[cfg(test)]
mod tests;
