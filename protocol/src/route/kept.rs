//! Whether a session goes where its prompt's beginning may be kept. Not whether it is kept there.

use super::{
    Route, RouteRequest, RouteStage,
    field::{Field, Runner, VISIT_NS},
};

/// A position of a prompt takes one part in this many of what one of an answer takes: as many run
/// together. So it is where weights are read at the pace of memory and products made on the CPU; where
/// it is less, what is kept saves less.
const PROMPT_SHARE: u64 = 3;

/// Tokens of an answer at most that count: few are as long as they may be.
const ANSWER_MAX: u32 = 256;

/// Where stages may still hold what a prompt begins with, and what is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The stages.
    pub stages: &'a [RouteStage],
    /// Positions of the prompt that they may hold.
    pub positions: u32,
    /// Tokens that the answer may have.
    pub answer: u32,
}

/// What a position costs along a route, nanoseconds.
struct Price {
    blocks: u64,
    ways: u64,
}

impl Price {
    /// Of so many tokens, one after the other.
    const fn of(&self, tokens: u32) -> u64 {
        self.blocks.saturating_add(self.ways).saturating_mul(tokens as u64)
    }
}

/// The stages that may hold the prompt's beginning, if they still do as well as the cheapest ones,
/// counting what needs not be run again.
pub(super) fn worthwhile(
    request: &RouteRequest<'_>,
    field: &Field,
    cheapest: &[RouteStage],
) -> Option<Vec<RouteStage>> {
    let kept = request.kept?;
    let route = Route::new(kept.stages.to_vec(), request.block_count).ok()?.into_stages();
    // How many stages there are, and how even they must be, is not what is kept to decide.
    let uneven = |stages: &[RouteStage]| -> u64 {
        stages.iter().map(|stage| u64::from(stage.blocks.len()).pow(2)).sum()
    };
    if route.len() != cheapest.len() || request.stages_min > 1 && uneven(&route) > uneven(cheapest)
    {
        return None;
    }
    let (there, elsewhere) = (price(field, &route)?, price(field, cheapest)?);
    let tokens = kept.answer.min(ANSWER_MAX);
    let spared = u64::from(kept.positions).saturating_mul(elsewhere.blocks) / PROMPT_SHARE;
    (there.of(tokens) <= elsewhere.of(tokens).saturating_add(spared)).then_some(route)
}

/// What a position costs along the stages of a route; `None` if one of them cannot run its blocks now.
fn price(field: &Field, stages: &[RouteStage]) -> Option<Price> {
    let home = field.peers.len();
    let (mut last, mut price) = (home, Price { blocks: 0, ways: 0 });
    for RouteStage { peer, blocks } in stages {
        let (start, end) = (blocks.start() as usize, blocks.end() as usize);
        let peer = field.peers.binary_search(peer).ok()?;
        let runs = |runner: &&Runner| runner.peer == peer && runner.until[start] >= end;
        let block_ns = field.runners.iter().filter(runs).map(|runner| runner.block_ns).min()?;
        let blocks = block_ns.saturating_mul(blocks.len().into());
        price.blocks = price.blocks.saturating_add(blocks);
        let hop = field.hop_ns(last, peer).saturating_add(VISIT_NS);
        price.ways = price.ways.saturating_add(hop);
        last = peer;
    }
    price.ways = price.ways.saturating_add(field.hop_ns(last, home));
    Some(price)
}

#[cfg(test)]
mod tests;
