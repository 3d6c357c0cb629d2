//! Encoding of the client plane.
