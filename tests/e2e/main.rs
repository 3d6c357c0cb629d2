//! Real nodes with real sockets on loopback: what only the whole system can show.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod books;
mod exact;
mod expired;
mod faults;
mod founded;
mod guesses;
mod openings;
mod policy;
mod prefixes;
mod quota;
mod rogue;
mod rogues;
mod spread;
mod strangers;
mod swarm;
mod telemetry;
mod witnessed;
