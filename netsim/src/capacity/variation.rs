//! Passes that take now less and now more time than their device says. Not how much that is on the mean.

use rand_distr::{Distribution as _, LogNormal};

use crate::{random::Random, world::World};

/// Purpose of the random streams.
const PASSES: u64 = 0x7061_7373;

/// What decides the times of a node's passes.
#[derive(Debug)]
pub(super) struct Variation {
    random: Random,
    factor: LogNormal<f64>,
}

/// The variation of each node, if its passes vary.
pub(super) fn variations(world: &World, seed: u64) -> Vec<Option<Variation>> {
    let of = |(number, node): (u64, &crate::world::Node)| {
        let deviation = world.devices.get(node.device)?.deviation;
        if deviation <= 0.0 {
            return None;
        }
        // Factors of this deviation and of mean 1.
        let variance = (deviation * deviation).ln_1p();
        let factor = LogNormal::new(-variance / 2.0, variance.sqrt()).ok()?;
        Some(Variation { random: Random::of(seed, PASSES, number), factor })
    };
    (0..).zip(&world.nodes).map(of).collect()
}

impl Variation {
    /// What a pass takes that takes `ns` on the mean.
    pub(super) fn of(&mut self, ns: u64) -> u64 {
        crate::fabric::whole(ns as f64 * self.factor.sample(&mut self.random))
    }
}
