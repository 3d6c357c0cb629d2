//! What a receipt commits to and only its holder can show.

use super::Sampling;
use crate::{
    commitment::Salt,
    id::{Digest, PeerKey},
    wire::Wire as _,
};

/// Stands for a client without a key of its own.
pub(crate) const NO_CLIENT: PeerKey = PeerKey([0; 32]);

/// What a receipt says about a request's body without showing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitments {
    /// To the canonical bytes of the sampling parameters.
    pub sampling: Digest,
    /// To the prompt's token ids.
    pub prompt: Digest,
    /// To the answer's token ids.
    pub output: Digest,
    /// To the answer's text.
    pub text: Digest,
    /// To the text of the system messages.
    pub system_prompt: Digest,
    /// To the client's key: a pseudonym.
    pub client: Digest,
}

/// What only the holder of a receipt has: the openings of its commitments.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// Key of the commitments.
    pub salt: Salt,
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    /// Token ids of the answer.
    pub output: Vec<u32>,
    /// Text of the answer.
    pub text: String,
    /// Parameters it was sampled with.
    pub sampling: Sampling,
    /// Text of the system messages, joined by line feeds; empty if there are none.
    pub system_prompt: String,
    /// Who asked; none for whoever holds the node's own token.
    pub client: Option<PeerKey>,
}

impl Opening {
    /// What a receipt says about this body.
    #[must_use]
    pub fn commitments(&self) -> Commitments {
        let tokens = |ids: &[u32]| ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
        Commitments {
            sampling: self.salt.commit("sampling", &self.sampling.encode()),
            prompt: self.salt.commit("prompt", &tokens(&self.prompt)),
            output: self.salt.commit("output", &tokens(&self.output)),
            text: self.salt.commit("text", self.text.as_bytes()),
            system_prompt: self.salt.commit("system", self.system_prompt.as_bytes()),
            client: self.salt.commit("client", &self.client.unwrap_or(NO_CLIENT).0),
        }
    }
}

impl std::fmt::Debug for Opening {
    /// Shows sizes only: the rest is the prompt and its answer.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opening({} + {} tokens)", self.prompt.len(), self.output.len())
    }
}
