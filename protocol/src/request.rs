//! What clients ask a node and what it answers. Not the transport.

use std::fmt;

use bytes::Bytes;

use crate::{
    block::BlockRange,
    id::{Digest, PeerKey, SessionId},
    policy::Policy,
    receipt::{FinishReason, Sampling},
    refusal::{Cause, Refusal},
};

/// What a client sends on a stream; one request per stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRequest {
    /// What is asked.
    pub kind: RequestKind,
    /// Loopback token from the node's folder; empty if the client's key is listed.
    pub token: String,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestKind {
    /// Submit a prompt.
    Generate(Generate),
    /// What the node sees.
    Status,
}

/// A prompt with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generate {
    /// Model name or manifest digest in hex.
    pub model: String,
    /// What the model is to answer.
    pub prompt: Prompt,
    /// Sampling parameters.
    pub sampling: Sampling,
    /// Policy name in the charter; empty is the default, which restricts nothing.
    pub policy: String,
    /// Chosen by the client and signed into the receipt; at most 32 bytes.
    pub nonce: Bytes,
    /// Fewest stages to split over, even if fewer would do; 0 lets the node choose.
    pub stages_min: u32,
    /// Rules on top of that policy, under its name.
    pub rules: Option<Box<Policy>>,
}

/// What the model is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, rendered through the model's template.
    Chat(Vec<ChatMessage>),
    /// Text taken as it is.
    Raw(String),
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// "system", "user" or "assistant".
    pub role: String,
    /// Its text.
    pub content: String,
}

/// What a node sends back on the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// The route was chosen and opened.
    Started(Started),
    /// One accepted token.
    Token(Token),
    /// The end, well or badly.
    Finished(Finished),
    /// The request was not taken.
    Refused(Refused),
    /// Answer to a status request: a JSON object.
    Status(String),
}

/// The route was chosen and opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Session id.
    pub session: SessionId,
    /// Number of prompt tokens.
    pub prompt_tokens: u32,
    /// Stages in order.
    pub stages: Vec<StageInfo>,
    /// Digest of the model's manifest.
    pub manifest: Digest,
}

/// One stage as shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageInfo {
    /// Institution id.
    pub institution: String,
    /// The node.
    pub peer: PeerKey,
    /// ISO 3166-1 alpha-2 code.
    pub jurisdiction: String,
    /// Blocks it runs.
    pub blocks: BlockRange,
}

/// One accepted token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Token id.
    pub id: u32,
    /// Text that became whole with it; may be empty.
    pub text: String,
    /// Absolute position in the sequence.
    pub position: u32,
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Why it ended.
    pub reason: FinishReason,
    /// The cause, if the reason is error or cancelled.
    pub cause: Option<Refusal>,
    /// Text held back until the end.
    pub text: String,
    /// Canonical bytes of the bundle; empty if storage failed.
    pub bundle: Bytes,
    /// From the request's arrival to the first token, nanoseconds.
    pub first_token_ns: u64,
    /// From the first token to the last, nanoseconds.
    pub decode_ns: u64,
    /// Prompt tokens that stages had not to compute: they had kept them of an earlier request.
    pub cached_tokens: u32,
}

/// The request was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What went wrong.
    pub cause: Cause,
    /// The field or predicate at fault and how to mend it; at most 512 bytes.
    pub detail: String,
}

impl Refused {
    /// A refusal whose `detail` is cut to 512 bytes.
    #[must_use]
    pub fn new(cause: Cause, detail: impl fmt::Display) -> Self {
        let Refusal { cause, detail, .. } = Refusal::new(cause, 0, detail);
        Self { cause, detail }
    }
}

#[cfg(test)]
mod tests;
