//! The session machines: home's side and a stage's side of the ring. Not their transport.
//!
//! Home opens the chain as a ring with direct return: home → stage 0 → … → last stage → home. Each
//! hop of a session is one bidirectional stream: forwards flow [`Frame::Open`] (from the last stage
//! to home [`Frame::Opened`]), then steps, then [`Frame::Close`], to which each stage adds its
//! receipt on the way round; backwards flows at most one [`Frame::Refusal`]. A session that fails
//! anywhere is refused both ways, so that whoever waits learns the cause.
//!
//! What stages kept of earlier sessions is agreed on as the ring opens: home names pages of the
//! prompt, each stage finds some of those that all before it hold, and home sends what is left. A
//! stage that holds more is cut back by the first step, as by any.

pub mod attempts;
pub mod home;
mod message;
pub mod stage;
#[cfg(test)]
mod tests;

pub use message::{Close, Frame, Open, Step};
