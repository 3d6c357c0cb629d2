//! Why a prompt was not taken, and what the client is told.

use comity_protocol::{
    directory::GovernanceError, policy::RestrictError, refusal::Cause, request::Refused,
    route::RouteError, sampler::SamplingError, signed::SignedError,
};
use comity_shard::EncodeError;

/// Why a prompt was not taken. Nothing of it has left the node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// This node is not home for that model.
    #[error("model: this node does not serve \"{0}\"")]
    Model(String),
    /// The charter has no such policy.
    #[error("policy: the charter has none named \"{0}\"")]
    Policy(String),
    /// The request's own rules do not go with the policy it names.
    #[error("rules: {0}")]
    Rules(#[from] RestrictError),
    /// A sampling parameter is wrong.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The prompt could not be tokenized.
    #[error("messages: {0}")]
    Encode(#[from] EncodeError),
    /// The prompt has no tokens.
    #[error("messages: the prompt is empty")]
    EmptyPrompt,
    /// The prompt leaves no room for an answer.
    #[error("messages: the prompt has {prompt} tokens, the model's context only {context}")]
    TooLong {
        /// Tokens of the prompt.
        prompt: u32,
        /// Positions of the context.
        context: u32,
    },
    /// No route may or can serve it.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Only nodes of this institution may be asked now, and they do not serve it.
    #[error(transparent)]
    Governance(#[from] GovernanceError),
    /// The opening could not be signed.
    #[error(transparent)]
    Sign(#[from] SignedError),
    /// This node is on no valid roster, or the charter has expired.
    #[error("this node is on no valid roster")]
    NotAdmitted,
    /// Every session slot is taken.
    #[error("every session slot is taken; try again shortly")]
    Overloaded,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
    /// The node is stopping.
    #[error("the node is stopping")]
    Shutdown,
}

impl GenerateError {
    /// What the client is told.
    #[must_use]
    pub fn refused(&self) -> Refused {
        let cause = match self {
            Self::Model(_) => Cause::NotServed,
            Self::Policy(_)
            | Self::Rules(_)
            | Self::Route(RouteError::Policy(_) | RouteError::Home { .. }) => Cause::Policy,
            Self::Sampling(_) | Self::Encode(_) | Self::EmptyPrompt | Self::TooLong { .. } => {
                Cause::Limit
            }
            Self::Route(_) => Cause::NotServed,
            Self::NotAdmitted | Self::Governance(_) => Cause::Governance,
            Self::Overloaded => Cause::Overloaded,
            Self::Shutdown => Cause::Shutdown,
            Self::Sign(_) | Self::Random => Cause::Bug,
        };
        Refused::new(cause, self)
    }
}
