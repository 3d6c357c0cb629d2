//! What a second implementation must agree with: golden bytes, signatures, draws, and a bundle.
//!
//! Vectors stand in `vectors/`. They change only with the format itself: `COMITY_BLESS=1` writes
//! them anew, and every changed file is then a break that peers and holders of bundles will see.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod bundle;
mod hostile;
mod messages;
mod python;
mod sampler;
mod signatures;
mod story;
mod vectors;
mod verdicts;
