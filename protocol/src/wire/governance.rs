//! Encoding of what members agree on and say about themselves.

mod policy;
