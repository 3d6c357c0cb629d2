//! Virtual time, links and faults around the state machines of Comity. Not a network: outside
//! [`relay`], nothing here reads a clock or a socket, and the same seed gives the same run.

pub mod calibrate;
pub mod capacity;
pub mod clock;
pub mod commands;
pub mod data;
pub mod device;
pub mod event;
pub mod fabric;
pub mod helix;
pub mod link;
pub mod measurement;
pub mod mesh;
pub mod model;
pub mod outlook;
pub mod packet;
pub mod plan;
pub mod random;
pub mod relay;
pub mod replicate;
pub mod report;
pub mod scenario;
pub mod statistics;
pub mod toml_file;
pub mod validate;
pub mod workload;
pub mod world;
