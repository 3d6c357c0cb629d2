//! Weights and caches of one block range on this machine. Not the embedding and head: `home`.

mod error;
mod prefixes;

use std::collections::BTreeMap;

use comity_protocol::{
    block::BlockRange,
    id::SessionId,
    manifest::Manifest,
    prefix::{PAGE_POSITIONS, PrefixStore},
};

use crate::{
    attention::Row,
    blocks::{Blocks, Cache},
    device::Device,
    kernels::Compute,
    kv_cache::CacheShape,
    linear::ComputeError,
    model_file::ModelFile,
};

pub use error::{ForwardError, LoadError, OpenSessionError, TruncateError};

/// KV budget of a fresh shard, bytes; the daemon sets its own from its config.
const KV_BUDGET_DEFAULT: u64 = 1 << 30;

/// Blocks `[start, end)` of a model, and the sessions that run through them.
#[derive(Debug)]
pub struct Shard {
    range: BlockRange,
    hidden_size: usize,
    context_length: u32,
    blocks: Blocks,
    shape: CacheShape,
    kv_budget: u64,
    kv_reserved: u64,
    sessions: BTreeMap<SessionId, Session>,
    prefixes: PrefixStore<prefixes::Page>,
}

#[derive(Debug)]
struct Session {
    cache: Cache,
    /// Blocks it runs: all of the shard's, or some.
    range: BlockRange,
    positions_max: u32,
}

impl Shard {
    /// Reads blocks `range` of `file`, and nothing else, and checks them against `manifest`; they
    /// run on the CPU.
    ///
    /// # Errors
    /// [`LoadError`] naming the block and tensors that are not what the manifest says.
    pub fn load(
        file: &ModelFile,
        range: BlockRange,
        manifest: &Manifest,
    ) -> Result<Self, LoadError> {
        Self::load_at(file, range, manifest, None)
    }

    /// Like [`Self::load`], with weights and caches on `device`.
    ///
    /// # Errors
    /// [`LoadError`]; also if the device is not there.
    pub fn load_on(
        file: &ModelFile,
        range: BlockRange,
        manifest: &Manifest,
        device: Device,
    ) -> Result<Self, LoadError> {
        let place = device.open().map_err(|source| LoadError::Device { device, source })?;
        Self::load_at(file, range, manifest, place)
    }

    /// With our kernels, or with candle at `place`.
    fn load_at(
        file: &ModelFile,
        range: BlockRange,
        manifest: &Manifest,
        place: Option<candle_core::Device>,
    ) -> Result<Self, LoadError> {
        check_manifest(file, manifest)?;
        let config = file.config();
        let expected = manifest.blocks.get(range.start() as usize..range.end() as usize);
        let expected = expected.filter(|_| range.end() <= config.block_count);
        let expected =
            expected.ok_or(LoadError::Range { range, block_count: config.block_count })?;
        let blocks = Blocks::load(file, range, expected, place)?;
        let shape = CacheShape {
            blocks: range.len() as usize,
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
            prefixes: PrefixStore::default(),
        })
    }

    /// Sets what blocks on the CPU run on; a fresh shard uses [`Compute::shared`].
    pub fn set_compute(&mut self, compute: Compute) {
        self.blocks.set_compute(compute);
    }

    /// Blocks this shard runs.
    #[must_use]
    pub const fn range(&self) -> BlockRange {
        self.range
    }

    /// Bytes of weights in memory, the device's if they are there.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        self.blocks.bytes()
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
        self.make_room();
        let cache = self.blocks.cache(shape, positions_max);
        self.sessions.insert(id, Session { cache, range, positions_max });
        Ok(())
    }

    /// Closes a session and frees its KV at once; unknown sessions are ignored.
    pub fn close_session(&mut self, id: &SessionId) {
        if let Some(session) = self.sessions.remove(id) {
            self.kv_reserved -= session.cache.shape().bytes_for(session.positions_max);
            self.make_room();
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
        let mut results = self.forward_all(&[Step { session: *id, start, hidden }]);
        results.pop().unwrap_or(Err(ForwardError::UnknownSession { id: *id }))
    }

    /// Like [`Self::forward`] for steps of several sessions at once, which reads the weights once
    /// for all of them. Each session may have one step; results are in the order of `steps`, and
    /// their bytes are those of each step alone.
    pub fn forward_all(&mut self, steps: &[Step<'_>]) -> Vec<Result<Vec<f32>, ForwardError>> {
        let mut results: Vec<_> = steps.iter().map(|_| None).collect();
        let mut admitted = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            match self.admit(step) {
                Ok(session) => admitted.push((index, session)),
                Err(error) => results[index] = Some(Err(error)),
            }
        }
        // Sessions through other blocks need runs of their own.
        while let Some(&(_, Session { range, .. })) = admitted.first() {
            let (mut group, rest): (Vec<_>, Vec<_>) =
                admitted.into_iter().partition(|(_, session)| session.range == range);
            admitted = rest;
            let made = self.run(steps, range, &mut group);
            for ((index, session), result) in group.into_iter().zip(made) {
                self.sessions.insert(steps[index].session, session);
                results[index] = Some(result);
            }
        }
        let missing = |step: &Step<'_>| Err(ForwardError::UnknownSession { id: step.session });
        let results = results.into_iter().zip(steps);
        results.map(|(result, step)| result.unwrap_or_else(|| missing(step))).collect()
    }

    /// Checks a step and takes its session out, with room for the new positions.
    fn admit(&mut self, step: &Step<'_>) -> Result<Session, ForwardError> {
        let (id, hidden_size) = (step.session, self.hidden_size);
        let session = self.sessions.get(&id).ok_or(ForwardError::UnknownSession { id })?;
        let end = session.admit(step.start, step.hidden, hidden_size)?;
        if let Some(position) = first_not_finite(step.hidden, step.start, hidden_size) {
            return Err(ForwardError::InputNotFinite { position });
        }
        let session = self.sessions.remove(&id);
        let mut session = session.ok_or(ForwardError::UnknownSession { id })?;
        session.cache.truncate(step.start);
        session.cache.reserve(end);
        Ok(session)
    }

    /// Runs blocks `range` over the steps of `group`, whose sessions all have that range.
    fn run(
        &mut self,
        steps: &[Step<'_>],
        range: BlockRange,
        group: &mut [(usize, Session)],
    ) -> Vec<Result<Vec<f32>, ForwardError>> {
        let hidden_size = self.hidden_size;
        let (mut hidden, mut rows) = (Vec::new(), Vec::new());
        for (session, (index, _)) in group.iter().enumerate() {
            let step = &steps[*index];
            hidden.extend_from_slice(step.hidden);
            let positions = (step.start..).take(step.hidden.len() / hidden_size);
            rows.extend(positions.map(|position| Row { session, position }));
        }
        let passed = self.run_blocks(range, group, &rows, &mut hidden);
        let mut made = hidden.as_slice();
        let finish = |(index, session): &mut (usize, Session)| {
            let step = &steps[*index];
            let (rows, rest) = made.split_at(step.hidden.len());
            made = rest;
            let result = session.finish(step, rows, hidden_size);
            match &passed {
                Ok(()) => result,
                Err(error) => {
                    session.cache.truncate(step.start);
                    Err(ForwardError::Compute(error.clone()))
                }
            }
        };
        group.iter_mut().map(finish).collect()
    }

    fn run_blocks(
        &mut self,
        range: BlockRange,
        group: &mut [(usize, Session)],
        rows: &[Row],
        hidden: &mut [f32],
    ) -> Result<(), ComputeError> {
        let mut caches: Vec<_> = group.iter_mut().map(|(_, session)| &mut session.cache).collect();
        let first = (range.start() - self.range.start()) as usize;
        self.blocks.run(first..first + range.len() as usize, &mut caches, rows, hidden)
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

    /// Counts the new positions as held if their rows are finite.
    fn finish(
        &mut self,
        step: &Step<'_>,
        rows: &[f32],
        hidden_size: usize,
    ) -> Result<Vec<f32>, ForwardError> {
        if let Some(position) = first_not_finite(rows, step.start, hidden_size) {
            self.cache.truncate(step.start);
            return Err(ForwardError::OutputNotFinite { range: self.range, position });
        }
        #[expect(clippy::cast_possible_truncation, reason = "admitted below `positions_max`")]
        self.cache.commit(step.start + (rows.len() / hidden_size) as u32);
        Ok(rows.to_vec())
    }
}

/// New positions of one session.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Session.
    pub session: SessionId,
    /// Absolute position of the first row.
    pub start: u32,
    /// `[positions, hidden]` f32 row-major, at least one row.
    pub hidden: &'a [f32],
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
