//! Encoding of session frames.
