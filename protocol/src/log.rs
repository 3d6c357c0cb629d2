//! A transparency log: what makes a node's records impossible to rewrite unseen. Not the records'
//! storage, which is the driver's, nor their meaning (`receipt`).
//!
//! A node's records are the leaves of a Merkle [`tree`].

pub mod tree;
