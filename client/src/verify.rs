//! The proof in the client's hands: checking it and countersigning it. Not its format.

pub use comity_protocol::bundle::*;
