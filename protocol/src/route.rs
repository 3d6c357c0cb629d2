//! The ordered stages of a session, and how they are chosen. Not their connections.

mod admitted;
mod class;
mod field;
mod kept;
mod own;
mod search;
mod uncovered;

use std::time::Duration;

use crate::{
    block::BlockRange,
    directory::{Candidate, Member},
    id::PeerKey,
    limits::{BLOCKS_MAX, CANDIDATES_MAX, STAGES_MAX},
    policy::{Access, Denial, Policy},
};
use admitted::denials;
pub use class::plan_in_one_class;
use field::Field;
pub use kept::Kept;
pub use own::OwnSessions;
use search::{Outcome, Search};
pub use uncovered::{KeptOut, Uncovered};

/// Block ranges that a text names one by one; 14 bytes each at most.
const RANGES_NAMED_MAX: usize = 8;

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

/// What a route is wanted for.
#[derive(Debug, Clone, Copy)]
pub struct RouteRequest<'a> {
    /// The node that takes the prompt; hidden states leave from it and return to it.
    pub home: PeerKey,
    /// What charter and roster say about it.
    pub member: &'a Member,
    /// The rules the request is under.
    pub policy: &'a Policy,
    /// Blocks of the model.
    pub block_count: u32,
    /// Positions every stage must have KV cache for.
    pub positions: u64,
    /// Fewest stages to split over, even if fewer would do; 0 and 1 leave it open.
    pub stages_min: u32,
    /// Where stages may still hold what the prompt begins with, if anywhere.
    pub kept: Option<Kept<'a>>,
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
    /// No model has that many blocks.
    #[error("a model has 1 to {BLOCKS_MAX} blocks, not {0}")]
    BlockCount(u32),
    /// More candidates than a route is chosen among.
    #[error("{got} candidates, more than {CANDIDATES_MAX}")]
    TooManyCandidates {
        /// Candidates given.
        got: usize,
    },
    /// Nobody serves these blocks.
    #[error("no live peer serves {}", list(blocks))]
    NoCandidate {
        /// Blocks nobody serves.
        blocks: Vec<BlockRange>,
    },
    /// The node that took the prompt is itself outside the policy.
    #[error("policy {policy} keeps home itself out: {denial}")]
    Home {
        /// Name of the policy.
        policy: String,
        /// The first predicate that fails.
        denial: Denial,
    },
    /// Somebody serves some blocks, but the policy permits none of them.
    #[error("{0}")]
    Policy(Uncovered),
    /// Permitted peers serve these blocks, but none has room.
    #[error("no permitted peer has {positions} positions free for {}", list(blocks))]
    NoRoom {
        /// Positions wanted.
        positions: u64,
        /// Blocks without room.
        blocks: Vec<BlockRange>,
    },
    /// Every block is served, but no chain of distinct peers is long enough.
    #[error("{peers} peers serve all blocks, but no {stages_min} or more of them in one chain")]
    NoChain {
        /// Distinct peers with room that the policy permits.
        peers: usize,
        /// Fewest stages asked for.
        stages_min: u32,
    },
    /// The search gave up: too many offers, or too many that exclude each other.
    #[error("no route found among {peers} peers within the bounds of the search")]
    Undecided {
        /// Distinct peers with room that the policy permits.
        peers: usize,
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

/// Chooses the stages for `request` among `candidates`; `latency` is one-way, between two peers.
///
/// One stage, if one permitted peer with room holds every block; else the cheapest chain. If
/// `stages_min` asks for more, the fewest stages that are enough, cut as evenly as holdings allow
/// (least sum of squared lengths), and of those the cheapest. Cost is the time of one position
/// through the ring: blocks, hops, a fixed cost per visit, and a queue term per session in service.
/// Stages are distinct peers and may run part of what a candidate holds. Ties go to the lower peer
/// key, then to the longer stage, from the first stage on, so equal arguments give equal routes.
///
/// Where stages may hold the prompt's beginning, those are chosen unless the detour costs more than
/// what they hold saves; see [`Kept`].
///
/// The search is exact. Its bound ignores that peers are distinct (that part is NP-hard) and costs
/// O(blocks · holders · (blocks + holders)) per number of stages tried, with as many holders as one
/// block has; where peers collide more than a fixed budget of partial routes can tell apart, the route
/// found is still valid and permitted, but perhaps not the cheapest.
///
/// # Errors
/// [`RouteError`] naming the missing blocks and, if the policy is why they are missing, the nodes
/// that serve them and the predicates that keep them out (P3).
pub fn plan(
    request: &RouteRequest<'_>,
    candidates: &[Candidate],
    latency: impl Fn(&PeerKey, &PeerKey) -> Duration,
) -> Result<Route, RouteError> {
    let RouteRequest { block_count, stages_min, .. } = *request;
    if block_count == 0 || block_count > BLOCKS_MAX {
        return Err(RouteError::BlockCount(block_count));
    }
    if candidates.len() > CANDIDATES_MAX {
        return Err(RouteError::TooManyCandidates { got: candidates.len() });
    }
    let (member, policy) = (request.member, request.policy);
    policy
        .permits(&member.subject(), &member.institution, Access::Prompt)
        .map_err(|denial| RouteError::Home { policy: policy.name.clone(), denial })?;
    let field = Field::new(request, candidates, latency)?;
    let mut search = Search::new(&field);
    let peers = field.peers.len();
    let most = peers.min(STAGES_MAX);
    let least = usize::try_from(stages_min).unwrap_or(usize::MAX).max(1);
    let attempts = match least {
        1 => [Some(1), None].to_vec(),
        _ => (least..=most).map(Some).collect(),
    };
    for stages in attempts {
        match search.run(stages) {
            Outcome::Found(stages) => {
                let kept = kept::worthwhile(request, &field, &stages);
                return permitted(request, candidates, kept.unwrap_or(stages));
            }
            Outcome::Infeasible => {}
            Outcome::Exhausted => return Err(RouteError::Undecided { peers }),
        }
    }
    Err(RouteError::NoChain { peers, stages_min })
}

/// Checks the stages found once more: whatever the search does, nothing outside the policy leaves.
fn permitted(
    request: &RouteRequest<'_>,
    candidates: &[Candidate],
    stages: Vec<RouteStage>,
) -> Result<Route, RouteError> {
    for stage in &stages {
        let chosen = candidates.iter().filter(|candidate| candidate.peer == stage.peer);
        let chosen: Vec<_> = chosen.collect();
        let denied = |it: &&Candidate| !denials(request, it, stage.blocks).is_empty();
        if chosen.is_empty() || chosen.iter().any(denied) {
            let uncovered = Uncovered::new(request, &chosen, vec![stage.blocks]);
            return Err(RouteError::Policy(uncovered));
        }
    }
    Route::new(stages, request.block_count)
}

/// Block ranges for people; where there are many, the first ones and a count.
fn list(blocks: &[BlockRange]) -> String {
    let mut ranges: Vec<_> =
        blocks.iter().take(RANGES_NAMED_MAX).map(ToString::to_string).collect();
    if blocks.len() > RANGES_NAMED_MAX {
        ranges.push(format!("{} more ranges", blocks.len() - RANGES_NAMED_MAX));
    }
    format!("blocks {}", ranges.join(", "))
}

#[cfg(test)]
pub(super) mod tests;
