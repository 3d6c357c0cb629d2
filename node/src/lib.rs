//! The daemon: planes, sessions, storage and their lifetimes. Not what sessions decide
//! (`comity-protocol`) nor how models run (`comity-shard`).

pub mod accounts;
pub mod bodies;
pub mod cache;
pub mod checkpoints;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod directory;
pub mod executor;
mod files;
pub mod gateway;
pub mod governance;
pub mod keys;
pub mod ledger;
pub mod log;
pub mod model;
pub mod net;
pub mod node;
pub mod sessions;
pub mod status;
pub mod store;
pub mod succession;
pub mod telemetry;
pub mod witness;
