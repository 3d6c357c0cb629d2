//! One run of a shard's blocks over new positions of one or more sessions, and the memory it needs.

use crate::{
    attention::Row,
    kernels::{Activations, Compute},
    kv_cache::KvCache,
    rope::{Angles, Rope},
};

/// What every block of a run shares.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    pub(crate) compute: &'a Compute,
    pub(crate) caches: &'a mut [&'a mut KvCache],
    /// The new positions, in the order of the rows of the hidden states.
    pub(crate) rows: &'a [Row],
    pub(crate) ropes: &'a [Rope],
    /// Per rope and row.
    pub(crate) angles: &'a [Vec<Angles>],
    pub(crate) scratch: &'a mut Scratch,
}

/// Buffers kept from run to run.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) rounded: Activations,
    /// `[rows, hidden]`.
    pub(crate) x: Vec<f32>,
    /// `[rows, heads * head_size]`.
    pub(crate) queries: Vec<f32>,
    /// `[rows, kv_heads * head_size]`.
    pub(crate) keys: Vec<f32>,
    /// `[rows, kv_heads * head_size]`.
    pub(crate) values: Vec<f32>,
    /// `[rows, heads * head_size]`.
    pub(crate) attended: Vec<f32>,
    /// `[rows, feed_forward]`.
    pub(crate) gate: Vec<f32>,
    /// `[rows, feed_forward]`.
    pub(crate) up: Vec<f32>,
    /// Attention's results per tile.
    pub(crate) partial: Vec<f32>,
}
