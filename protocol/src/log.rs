//! A transparency log: what makes a node's records impossible to rewrite unseen. Not the records'
//! storage, which is the driver's, nor their meaning (`receipt`).
//!
//! A node's records are the leaves of a Merkle [`tree`]. Its [`checkpoint`] signs size and root in a
//! [`note`]; others add their [`cosignature`].
//!
//! The texts are those of C2SP (signed-note, tlog-checkpoint, tlog-cosignature), so that other
//! witnesses and tools can read them.

pub mod checkpoint;
pub mod cosignature;
pub mod note;
pub mod tree;
