//! How long a pass takes that has a part of a row, as only means have. Not what passes there are.

use crate::{
    device::{Device, Pass},
    fabric,
};

/// A node's device and what a pass there is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'a> {
    pub device: &'a Device,
    /// Bytes of a position.
    pub bytes: u64,
    /// How many times as long it takes.
    pub slow: f64,
}

impl Stage<'_> {
    /// Nanoseconds of a pass over `blocks` with so many rows, each of which looks back at `context`
    /// positions, and positions of prompts; in a straight line between whole numbers of rows.
    pub(super) fn pass_ns(&self, blocks: f64, rows: f64, context: f64, prompt: f64) -> f64 {
        let at = |rows: f64| {
            let decode = count(rows);
            let pass = Pass {
                blocks: count(blocks),
                prompt: count(prompt),
                decode,
                context: fabric::whole(context * rows),
                bytes: self.bytes * (u64::from(decode) + u64::from(count(prompt))),
            };
            if decode == 0 && pass.prompt == 0 { 0.0 } else { self.device.pass_ns(&pass) as f64 }
        };
        let (less, part) = (rows.floor(), rows.fract());
        let low = at(less);
        let ns = if part > 0.0 { part.mul_add(at(less + 1.0) - low, low) } else { low };
        ns * self.slow
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn count(number: f64) -> u32 {
    number.round() as u32
}
