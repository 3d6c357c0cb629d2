//! The daemon: planes, sessions, storage and their lifetimes. Not what sessions decide (`comity-protocol`)
//! nor how models run (`comity-shard`).

pub mod keys;
pub mod log;
pub mod net;
