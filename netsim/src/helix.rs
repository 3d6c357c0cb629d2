//! The published clusters, device timings and placements of Helix. Not our own measurements.
//!
//! [`Devices`] are timings of one block by positions in a batch, and KV cache pages left by blocks
//! held; [`rates`] makes of them what a node runs by blocks held. A [`Cluster`] is machines and
//! links; with rates it becomes a fleet. [`placement`] reads who hosts what.
//!
//! Source: Helix (ASPLOS'25) and its files. Traps: there `mbps` means megabytes per second, a block
//! is a "layer", a KV page of 16 positions is a "block", and the first compute node has number 2.

mod cluster;
mod devices;
mod ini;
mod rates;

use std::{io, path::PathBuf};

use comity_protocol::{block::BlockRangeError, placement::FleetError};

pub use cluster::{Cluster, ClusterLink, Place, kv_room, placement};
pub use devices::{Device, Devices, KV_PAGE_POSITIONS};
pub use rates::{Rates, rates};

/// The models that were measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// LLaMA 30B.
    Llama30b,
    /// LLaMA 2 70B.
    Llama70b,
}

impl Model {
    /// Its folder below `devices`.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Llama30b => "llama1_30b",
            Self::Llama70b => "llama2_70b",
        }
    }

    /// Blocks.
    #[must_use]
    pub const fn block_count(self) -> u32 {
        match self {
            Self::Llama30b => 60,
            Self::Llama70b => 80,
        }
    }

    /// Bytes of one position's hidden states: two for each value.
    #[must_use]
    pub const fn hidden_bytes(self) -> u32 {
        match self {
            Self::Llama30b => 2 * 6_656,
            Self::Llama70b => 2 * 8_192,
        }
    }
}

/// Why a file of theirs cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is neither a section, a key with its value, nor a comment.
    #[error("{}, line {line}: neither [section] nor key=value", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// Something is not there.
    #[error("{}: no {what}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is wanted.
        what: String,
    },
    /// A value is not what its place asks for.
    #[error("{}: {what} cannot be {value}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What it is for.
        what: String,
        /// What stands there.
        value: String,
    },
    /// A node's blocks are no range.
    #[error("{}: {source}", path.display())]
    Range {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BlockRangeError,
    },
    /// Nothing is known of a device.
    #[error("no {what} of device {device}")]
    Device {
        /// What is wanted.
        what: &'static str,
        /// The device.
        device: String,
    },
    /// The numbers make no fleet.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

#[cfg(test)]
mod tests;
