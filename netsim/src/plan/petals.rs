//! The placement that nodes of Petals come to by themselves. Not a search: each looks after itself.
//!
//! Source: Petals (ACL'23), §3.2: a node that joins takes the stretch of blocks whose weakest
//! blocks are weakest, and later moves if that lifts the weakest block.

use comity_protocol::{
    block::BlockRange,
    placement::{Fleet, Mask, Placement},
};

/// A node moves if the weakest block is below this share of what it would be afterwards.
const BALANCE: f64 = 0.75;
/// Times every node considers to move.
const ROUNDS: usize = 4;

/// Nodes join in order of their numbers, each with as many blocks as fit, then consider to move.
#[must_use]
pub fn placement(fleet: &Fleet, mask: &Mask) -> Placement {
    let mut placement = Placement::empty(fleet.nodes().len());
    let mut rates = vec![0.0; fleet.block_count() as usize];
    let nodes: Vec<usize> = (0..fleet.nodes().len())
        .filter(|node| !mask.bars(*node) && fleet.blocks_max(*node) > 0)
        .collect();
    for &node in &nodes {
        let range = weakest(&rates, fleet.blocks_max(node));
        change(fleet, &mut rates, node, range, 1.0);
        placement.set(node, range);
    }
    for &node in nodes.iter().cycle().take(nodes.len() * ROUNDS) {
        let here = placement.range(node);
        let before = least(&rates);
        change(fleet, &mut rates, node, here, -1.0);
        let there = weakest(&rates, fleet.blocks_max(node));
        change(fleet, &mut rates, node, there, 1.0);
        if before < BALANCE * least(&rates) {
            placement.set(node, there);
        } else {
            change(fleet, &mut rates, node, there, -1.0);
            change(fleet, &mut rates, node, here, 1.0);
        }
    }
    placement
}

/// The stretch of `len` blocks whose rates, from the least on, are least.
fn weakest(rates: &[f64], len: u32) -> Option<BlockRange> {
    let sorted = |window: &[f64]| {
        let mut window = window.to_vec();
        window.sort_by(f64::total_cmp);
        window
    };
    let windows = rates.windows(len as usize).map(sorted).enumerate();
    let (start, _) = windows.min_by(|(_, a), (_, b)| {
        let differs = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
        differs.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    })?;
    let start = u32::try_from(start).ok()?;
    BlockRange::new(start, start + len).ok()
}

fn change(fleet: &Fleet, rates: &mut [f64], node: usize, range: Option<BlockRange>, sign: f64) {
    if let Some(range) = range {
        let rate = fleet.nodes()[node].rates[range.len() as usize - 1];
        for block in range.iter() {
            rates[block as usize] += sign * rate;
        }
    }
}

fn least(rates: &[f64]) -> f64 {
    rates.iter().copied().fold(f64::INFINITY, f64::min)
}
