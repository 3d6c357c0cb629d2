//! Weights and caches of one block range on this machine. Not the embedding and head: `home`.

use std::collections::BTreeMap;

use comity_protocol::{
    block::BlockRange,
    id::{Digest, SessionId},
    manifest::Manifest,
};

use crate::{
    block::Block,
    kv_cache::{CacheShape, KvCache, PAGE_POSITIONS},
    linear::ComputeError,
    model_file::{ModelFile, Part, ReadError},
};

/// KV budget of a fresh shard, bytes; the daemon sets its own from its config.
const KV_BUDGET_DEFAULT: u64 = 1 << 30;

/// Blocks `[start, end)` of a model, and the sessions that run through them.
#[derive(Debug)]
pub struct Shard {
    range: BlockRange,
    hidden_size: usize,
    context_length: u32,
    blocks: Vec<Block>,
    shape: CacheShape,
    kv_budget: u64,
    kv_reserved: u64,
    sessions: BTreeMap<SessionId, Session>,
}

#[derive(Debug)]
struct Session {
    cache: KvCache,
    /// Blocks it runs: all of the shard's, or some.
    range: BlockRange,
    positions_max: u32,
}

/// Why weights were not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The range ends past the model's last block.
    #[error("blocks {range} are not in a model of {block_count} blocks")]
    Range {
        /// Range asked for.
        range: BlockRange,
        /// Blocks the model has.
        block_count: u32,
    },
    /// The manifest describes another model than the file.
    #[error("the manifest's {field} is {expected}, the file's is {got}")]
    Manifest {
        /// Field that differs.
        field: &'static str,
        /// Value in the manifest.
        expected: String,
        /// Value in the file.
        got: String,
    },
    /// A tensor could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bytes of a part are not those the manifest names.
    #[error("{part} has digest {got}, the manifest says {expected} (tensors {tensors:?})")]
    Digest {
        /// Part of the model.
        part: Part,
        /// Digest in the manifest.
        expected: Digest,
        /// Digest of the file's bytes.
        got: Digest,
        /// Names of the tensors the digest covers.
        tensors: Vec<String>,
    },
    /// A part lacks a tensor.
    #[error("{part} lacks tensor `{tensor}`")]
    Missing {
        /// Part of the model.
        part: Part,
        /// Tensor name.
        tensor: String,
    },
    /// A tensor could not be taken into memory.
    #[error("cannot load tensor `{tensor}`")]
    Tensor {
        /// Tensor name.
        tensor: String,
        /// What failed.
        #[source]
        source: ComputeError,
    },
}

/// Why a session was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenSessionError {
    /// The shard does not hold some of the blocks.
    #[error("blocks {range} are not all held; held are {held}")]
    Range {
        /// Blocks asked for.
        range: BlockRange,
        /// Blocks held.
        held: BlockRange,
    },
    /// The session is open already.
    #[error("session {id} is open already")]
    Exists {
        /// Session.
        id: SessionId,
    },
    /// No positions, or more than the model was trained for.
    #[error("{positions} positions asked for, the model has 1 to {context_length}")]
    Positions {
        /// Positions asked for.
        positions: u32,
        /// Positions the model has.
        context_length: u32,
    },
    /// The KV budget is spent.
    #[error("KV needs {needed} bytes, {free} of {budget} are free")]
    Budget {
        /// Bytes the session may need.
        needed: u64,
        /// Bytes not promised to other sessions.
        free: u64,
        /// Bytes of the whole budget.
        budget: u64,
    },
}

/// Why a cache was not truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TruncateError {
    /// No such session.
    #[error("session {id} is not open")]
    UnknownSession {
        /// Session.
        id: SessionId,
    },
    /// The cache holds fewer positions.
    #[error("cache holds {held} positions, cannot go to {position}")]
    PositionMismatch {
        /// Positions held.
        held: u32,
        /// Position asked for.
        position: u32,
    },
}

/// Why a step was refused; the cache then holds no new position.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// No such session.
    #[error("session {id} is not open")]
    UnknownSession {
        /// Session.
        id: SessionId,
    },
    /// The step starts past what the cache holds.
    #[error("cache holds {held} positions, the step starts at {start}")]
    PositionMismatch {
        /// Positions held.
        held: u32,
        /// First position of the step.
        start: u32,
    },
    /// The rows are none or not whole.
    #[error("{floats} values are no whole rows of {hidden_size}")]
    Length {
        /// Values given.
        floats: usize,
        /// Values of one row.
        hidden_size: usize,
    },
    /// The session would pass the positions it was opened for.
    #[error("step ends at position {end}, the session was opened for {positions_max}")]
    CacheFull {
        /// One past the last position of the step.
        end: u64,
        /// Positions the session was opened for.
        positions_max: u32,
    },
    /// An input value is NaN or infinite.
    #[error("hidden state at position {position} is not finite")]
    InputNotFinite {
        /// Position of the first such row.
        position: u32,
    },
    /// A result is NaN or infinite.
    #[error("blocks {range} made a hidden state at position {position} that is not finite")]
    OutputNotFinite {
        /// Blocks run.
        range: BlockRange,
        /// Position of the first such row.
        position: u32,
    },
    /// A product failed.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

impl Shard {
    /// Reads blocks `range` of `file`, and nothing else, and checks them against `manifest`.
    ///
    /// # Errors
    /// [`LoadError`] naming the block and tensors that are not what the manifest says.
    pub fn load(
        file: &ModelFile,
        range: BlockRange,
        manifest: &Manifest,
    ) -> Result<Self, LoadError> {
        check_manifest(file, manifest)?;
        let config = file.config();
        let expected = manifest.blocks.get(range.start() as usize..range.end() as usize);
        let expected = expected.filter(|_| range.end() <= config.block_count);
        let expected =
            expected.ok_or(LoadError::Range { range, block_count: config.block_count })?;
        let blocks = range.iter().zip(expected);
        let blocks = blocks.map(|(block, &digest)| Block::load(file, block, digest));
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        let shape = CacheShape {
            blocks: blocks.len(),
            kv_heads: config.kv_heads as usize,
            head_size: config.head_size as usize,
        };
        Ok(Self {
            range,
            hidden_size: config.hidden_size as usize,
            context_length: config.context_length,
            blocks,
            shape,
            kv_budget: KV_BUDGET_DEFAULT,
            kv_reserved: 0,
            sessions: BTreeMap::new(),
        })
    }

    /// Blocks this shard runs.
    #[must_use]
    pub const fn range(&self) -> BlockRange {
        self.range
    }

    /// Bytes of weights in memory.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        self.blocks.iter().map(Block::bytes).sum()
    }

    /// Sets how many bytes of KV sessions may be promised; open sessions keep what they have.
    pub const fn set_kv_budget(&mut self, bytes: u64) {
        self.kv_budget = bytes;
    }

    /// Bytes of KV that sessions may be promised.
    #[must_use]
    pub const fn kv_budget(&self) -> u64 {
        self.kv_budget
    }

    /// Bytes of KV promised to open sessions.
    #[must_use]
    pub const fn kv_reserved(&self) -> u64 {
        self.kv_reserved
    }

    /// Bytes of KV pages held now; never above what is promised.
    #[must_use]
    pub fn kv_bytes(&self) -> u64 {
        self.sessions.values().map(|session| session.cache.bytes()).sum()
    }

    /// Bytes of KV one position takes in this shard.
    #[must_use]
    pub const fn kv_bytes_per_position(&self) -> u64 {
        self.shape.page_bytes() / PAGE_POSITIONS as u64
    }

    /// Number of open sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Opens a session of up to `positions_max` positions through all blocks; pages are taken as
    /// positions come.
    ///
    /// # Errors
    /// [`OpenSessionError`] if it is open, too long, or the budget does not cover it.
    pub fn open_session(
        &mut self,
        id: SessionId,
        positions_max: u32,
    ) -> Result<(), OpenSessionError> {
        self.open_session_over(id, self.range, positions_max)
    }

    /// Like [`Self::open_session`], through the blocks `range` only.
    ///
    /// # Errors
    /// [`OpenSessionError`]; also if the shard lacks some of `range`.
    pub fn open_session_over(
        &mut self,
        id: SessionId,
        range: BlockRange,
        positions_max: u32,
    ) -> Result<(), OpenSessionError> {
        if !self.range.covers(range) {
            return Err(OpenSessionError::Range { range, held: self.range });
        }
        if self.sessions.contains_key(&id) {
            return Err(OpenSessionError::Exists { id });
        }
        let context_length = self.context_length;
        if positions_max == 0 || positions_max > context_length {
            return Err(OpenSessionError::Positions { positions: positions_max, context_length });
        }
        let shape = CacheShape { blocks: range.len() as usize, ..self.shape };
        let needed = shape.bytes_for(positions_max);
        let free = self.kv_budget.saturating_sub(self.kv_reserved);
        if needed > free {
            return Err(OpenSessionError::Budget { needed, free, budget: self.kv_budget });
        }
        self.kv_reserved += needed;
        let cache = KvCache::new(shape);
        self.sessions.insert(id, Session { cache, range, positions_max });
        Ok(())
    }

    /// Closes a session and frees its KV at once; unknown sessions are ignored.
    pub fn close_session(&mut self, id: &SessionId) {
        if let Some(session) = self.sessions.remove(id) {
            self.kv_reserved -= session.cache.shape().bytes_for(session.positions_max);
        }
    }

    /// Blocks a session runs; `None` if it is not open.
    #[must_use]
    pub fn session_range(&self, id: &SessionId) -> Option<BlockRange> {
        self.sessions.get(id).map(|session| session.range)
    }

    /// Positions a session's cache holds; `None` if it is not open.
    #[must_use]
    pub fn positions(&self, id: &SessionId) -> Option<u32> {
        self.sessions.get(id).map(|session| session.cache.positions())
    }

    /// Cuts a session's cache back to its first `position` positions.
    ///
    /// # Errors
    /// [`TruncateError`] if the session is unknown or holds fewer.
    pub fn truncate(&mut self, id: &SessionId, position: u32) -> Result<(), TruncateError> {
        let unknown = TruncateError::UnknownSession { id: *id };
        let session = self.sessions.get_mut(id).ok_or(unknown)?;
        let held = session.cache.positions();
        if position > held {
            return Err(TruncateError::PositionMismatch { held, position });
        }
        session.cache.truncate(position);
        Ok(())
    }

    /// Runs the blocks over new positions and appends to the session's cache.
    ///
    /// `hidden`: `[positions, hidden]` f32 row-major, at least one row; `start`: absolute position
    /// of the first row. A cache that holds more is cut back to `start` first. Returns the same
    /// shape. Cost: O(positions · (start + positions)) per block beside the products.
    ///
    /// # Errors
    /// [`ForwardError`]; on refused input the cache is unchanged, on a failed pass it holds the
    /// positions before `start`.
    pub fn forward(
        &mut self,
        id: &SessionId,
        start: u32,
        hidden: &[f32],
    ) -> Result<Vec<f32>, ForwardError> {
        let hidden_size = self.hidden_size;
        let session = self.sessions.get_mut(id).ok_or(ForwardError::UnknownSession { id: *id })?;
        let end = session.admit(start, hidden, hidden_size)?;
        if let Some(position) = first_not_finite(hidden, start, hidden_size) {
            return Err(ForwardError::InputNotFinite { position });
        }
        session.cache.truncate(start);
        session.cache.reserve(end);
        let mut rows = hidden.to_vec();
        let first = (session.range.start() - self.range.start()) as usize;
        let blocks = &self.blocks[first..][..session.range.len() as usize];
        // One entry into the thread pool per step: each product would else wake it anew.
        let passed = rayon::scope(|_| {
            let mut blocks = blocks.iter().enumerate();
            blocks.try_for_each(|(slot, block)| {
                block.forward(&mut session.cache, slot, start, &mut rows)
            })
        });
        if let Err(error) = passed {
            session.cache.truncate(start);
            return Err(error.into());
        }
        if let Some(position) = first_not_finite(&rows, start, hidden_size) {
            session.cache.truncate(start);
            return Err(ForwardError::OutputNotFinite { range: session.range, position });
        }
        session.cache.commit(end);
        Ok(rows)
    }
}

impl Session {
    /// Checks that the step fits the cache; returns one past its last position.
    fn admit(&self, start: u32, hidden: &[f32], hidden_size: usize) -> Result<u32, ForwardError> {
        let floats = hidden.len();
        if floats == 0 || !floats.is_multiple_of(hidden_size) {
            return Err(ForwardError::Length { floats, hidden_size });
        }
        let held = self.cache.positions();
        if start > held {
            return Err(ForwardError::PositionMismatch { held, start });
        }
        let end = u64::from(start) + (floats / hidden_size) as u64;
        let positions_max = self.positions_max;
        let fits = u32::try_from(end).ok().filter(|&end| end <= positions_max);
        fits.ok_or(ForwardError::CacheFull { end, positions_max })
    }
}

/// Refuses a manifest that describes another model than `file`.
pub(crate) fn check_manifest(file: &ModelFile, manifest: &Manifest) -> Result<(), LoadError> {
    let config = file.config();
    let architecture = config.architecture.name();
    if manifest.architecture != architecture {
        let (expected, got) = (manifest.architecture.clone(), architecture.to_owned());
        return Err(LoadError::Manifest { field: "architecture", expected, got });
    }
    let fields = [
        ("block_count", manifest.block_count, config.block_count),
        ("hidden_size", manifest.hidden_size, config.hidden_size),
        ("vocab_size", manifest.vocab_size, config.vocab_size),
        ("context_length", manifest.context_length, config.context_length),
    ];
    for (field, expected, got) in fields {
        if expected != got {
            let (expected, got) = (expected.to_string(), got.to_string());
            return Err(LoadError::Manifest { field, expected, got });
        }
    }
    let got = file.config_digest();
    if manifest.config != got {
        let (expected, got) = (manifest.config.to_string(), got.to_string());
        return Err(LoadError::Manifest { field: "config", expected, got });
    }
    Ok(())
}

/// Absolute position of the first row with a value that is not finite.
fn first_not_finite(rows: &[f32], start: u32, hidden_size: usize) -> Option<u32> {
    let finite = |row: &[f32]| row.iter().all(|value| value.is_finite());
    let mut rows = (start..).zip(rows.chunks_exact(hidden_size));
    rows.find(|(_, row)| !finite(row)).map(|(position, _)| position)
}

#[cfg(test)]
mod tests;
