//! A transparency log: what makes a node's records impossible to rewrite unseen. Not the records'
//! storage, which is the driver's, nor their meaning (`receipt`).
//!
//! A node's records are the leaves of a Merkle [`tree`]. Its [`checkpoint`] signs size and root in a
//! [`note`]; nodes of other institutions check that the tree only grew and add their
//! [`cosignature`] ([`witness`]). A [`proof`] then shows to anyone, offline, that a record was in the
//! log when they did. Two checkpoints that contradict each other are an [`equivocation`]. Where a log must
//! not go on, a [`succession`] says which does.
//!
//! The texts are those of C2SP (signed-note, tlog-checkpoint, tlog-cosignature), so that other
//! witnesses and tools can read them; requests between nodes are this project's own messages.

pub mod checkpoint;
pub mod cosignature;
pub mod equivocation;
pub mod note;
pub mod proof;
pub mod succession;
pub mod tree;
pub mod witness;
