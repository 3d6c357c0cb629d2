//! What a node tells of its own timing, for planners: one JSON object per line. Never content, and
//! nothing that names a request or who asked for it.
//!
//! A file is what one node wrote from one start to its end: a [`Event::Node`] first, then events in
//! the order in which they ended. Times are microseconds of a clock that never goes back and that
//! begins with the file.

use serde::{Deserialize, Serialize};

/// Version of this format. A reader refuses others.
pub const FORMAT: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When it ended, microseconds since the file began.
    pub at_us: u64,
    /// What it was.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Who writes.
    Node(Node),
    /// Blocks it holds.
    Shard(Shard),
    /// Steps that ran together through its blocks.
    Pass(Pass),
    /// Final norm and head of rows that ran together at home.
    Head(Head),
    /// What a connection has carried so far.
    Path(Path),
    /// A request that ended at home.
    Request(Request),
}

/// Who writes: the first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// [`FORMAT`].
    pub format: u32,
    /// When the file began by the machine's clock, microseconds since 1970: puts files of one machine
    /// side by side.
    pub began_us: u64,
    /// Its peer id, as `status` shows it.
    pub peer: String,
    /// Whose it is.
    pub institution: String,
    /// Processors it may use.
    pub processors: u32,
    /// Threads that compute.
    pub threads: u32,
}

/// Blocks of one model that a node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Digest of its manifest, hexadecimal.
    pub model: String,
    /// First block.
    pub start: u32,
    /// One past the last block.
    pub end: u32,
    /// Bytes of one position's hidden states.
    pub hidden_bytes: u64,
    /// Positions of KV cache it has room for.
    pub kv_positions: u64,
}

/// Steps that ran together through a node's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// Which of the file's [`Shard`] lines ran, counted from 0.
    pub shard: u32,
    /// Blocks run; where sessions run different ones, the most.
    pub blocks: u32,
    /// Sessions whose steps these are.
    pub sessions: u32,
    /// Positions of prompts: of steps of more than
    /// [`DECODE_POSITIONS_MAX`](crate::microbatch::DECODE_POSITIONS_MAX).
    pub prompt: u32,
    /// Positions of shorter steps: of decode steps, drafts included, and of short ends of prompts.
    pub decode: u32,
    /// Sum over all positions of those before it in its session, which it looks back at.
    pub context: u64,
    /// How long the oldest of them had waited since it came, or since the last piece of it ran,
    /// microseconds.
    pub waited_us: u64,
    /// How long they took, microseconds.
    pub took_us: u64,
}

/// Final norm and head of rows that ran together at home; not the choice of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Rows.
    pub rows: u32,
    /// How long they took, microseconds.
    pub took_us: u64,
}

/// What a connection has carried since it began, told each second in which it carried more than signs
/// of life, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// The other end's peer id.
    pub peer: String,
    /// Which connection of this node, counted from 1: a pair may have several.
    pub connection: u32,
    /// Round trip, smoothed, microseconds.
    pub round_trip_us: u64,
    /// Least round trip seen so far, microseconds.
    pub round_trip_least_us: u64,
    /// Congestion window, bytes.
    pub window_bytes: u64,
    /// Largest packet it sends, bytes.
    pub packet_bytes: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets given up as lost.
    pub packets_lost: u64,
    /// Bytes sent in packets.
    pub bytes_sent: u64,
    /// Bytes received in packets.
    pub bytes_received: u64,
}

/// A request that ended at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Stages of its route; of the last one if it had several.
    pub stages: u32,
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Of these, positions whose KV cache was kept from before.
    pub reused: u32,
    /// Tokens of the answer.
    pub output: u32,
    /// Steps that made them: fewer than tokens where guesses came true.
    pub steps: u32,
    /// From its arrival to the first step leaving home, microseconds.
    pub open_us: u64,
    /// From its arrival to the first token of the answer, microseconds; 0 without one.
    pub first_us: u64,
    /// From its arrival to the last token, microseconds; 0 without one.
    pub last_us: u64,
    /// From its arrival to its end, receipts included, microseconds.
    pub end_us: u64,
    /// Times its session was opened anew, over other stages or the same.
    pub moved: u32,
    /// Whether the answer came to its end.
    pub complete: bool,
}

#[cfg(test)]
mod tests;
