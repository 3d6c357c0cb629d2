//! What nodes, clients and the simulator of Comity decide, and the bytes they exchange.
//!
//! Nothing here reads a clock, draws randomness, spawns or does IO: time and randomness are
//! arguments, effects are returned to the caller.

pub mod account;
pub mod announcement;
pub mod block;
pub mod bundle;
pub mod charter;
pub mod commitment;
pub mod control;
pub mod directory;
pub mod id;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod microbatch;
pub mod placement;
pub mod policy;
pub mod prefix;
pub mod quota;
pub mod receipt;
pub mod refusal;
pub mod regulation;
pub mod request;
pub mod roster;
pub mod route;
pub mod sampler;
pub mod session;
pub mod signed;
pub mod speculation;
pub mod telemetry;
pub mod tensor;
pub mod time;
pub mod wire;
