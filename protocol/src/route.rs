//! The ordered stages of a session. Not their connections.

use crate::{block::BlockRange, id::PeerKey, limits::STAGES_MAX};

/// One stage of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteStage {
    /// The node.
    pub peer: PeerKey,
    /// Blocks it runs in this session.
    pub blocks: BlockRange,
}

/// Stages of distinct peers, in order, whose ranges tile all blocks of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    stages: Vec<RouteStage>,
}

/// Why there is no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// No stage at all.
    #[error("a route has at least one stage")]
    Empty,
    /// More stages than a route may have.
    #[error("{got} stages, more than {STAGES_MAX}")]
    TooLong {
        /// Stages given.
        got: usize,
    },
    /// A stage does not start where the one before it ends.
    #[error("stage {stage} starts at block {got}, expected {expected}")]
    Gap {
        /// Place in the route, from 0.
        stage: usize,
        /// Block it must start at.
        expected: u32,
        /// Block it starts at.
        got: u32,
    },
    /// The last stage ends elsewhere than the model.
    #[error("the route ends at block {got}, the model at {expected}")]
    End {
        /// Blocks of the model.
        expected: u32,
        /// One past the last block routed.
        got: u32,
    },
    /// A peer stands twice in a route.
    #[error("peer {peer} is more than one stage")]
    Repeated {
        /// The peer.
        peer: PeerKey,
    },
}

impl Route {
    /// A route over a model of `block_count` blocks.
    ///
    /// # Errors
    /// [`RouteError`] unless distinct peers, at most [`STAGES_MAX`], tile `[0, block_count)`.
    pub fn new(stages: Vec<RouteStage>, block_count: u32) -> Result<Self, RouteError> {
        if stages.len() > STAGES_MAX {
            return Err(RouteError::TooLong { got: stages.len() });
        }
        let mut expected = 0;
        for (stage, RouteStage { peer, blocks }) in stages.iter().enumerate() {
            if blocks.start() != expected {
                return Err(RouteError::Gap { stage, expected, got: blocks.start() });
            }
            if stages[..stage].iter().any(|earlier| earlier.peer == *peer) {
                return Err(RouteError::Repeated { peer: *peer });
            }
            expected = blocks.end();
        }
        if stages.is_empty() {
            return Err(RouteError::Empty);
        }
        if expected != block_count {
            return Err(RouteError::End { expected: block_count, got: expected });
        }
        Ok(Self { stages })
    }

    /// Stages in order; never empty.
    #[must_use]
    pub fn stages(&self) -> &[RouteStage] {
        &self.stages
    }

    /// The stages themselves.
    #[must_use]
    pub fn into_stages(self) -> Vec<RouteStage> {
        self.stages
    }
}

#[cfg(test)]
mod tests;
