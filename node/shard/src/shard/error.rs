//! Why a shard refused: one type per operation.

use comity_protocol::{
    block::BlockRange,
    id::{Digest, SessionId},
};

use crate::{
    device::Device,
    linear::ComputeError,
    model_file::{Part, ReadError},
};

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
    /// The device is not there, or the build cannot use it.
    #[error("cannot open device {device}")]
    Device {
        /// The device.
        device: Device,
        /// What failed.
        #[source]
        source: ComputeError,
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
