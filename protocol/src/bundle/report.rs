//! What the verification of a bundle found, and what it cannot find. Not how it is shown.

use crate::{
    block::BlockRange,
    id::{Digest, PeerKey, SessionId},
    manifest::Manifest,
    policy::Country,
    receipt::{FinishReason, SystemPrompt},
    refusal::Cause,
    time::Timestamp,
};

/// What holds of every bundle that verifies.
const VERIFIED: [&str; 8] = [
    "every signature, under the charter with this genesis hash",
    "home and every stage were on their institution's roster, with role and jurisdiction",
    "the policy is the charter's or stricter, and admits home and every stage",
    "the stages cover every block once, and their digests belong to the model's manifest",
    "each stage received what the one before it sent, position by position",
    "home recorded the request before it answered, and countersigned the stages",
    "each stage was asked for the work it signed, and home owes it",
    "times are in order, as far as clocks may differ",
];

/// What no bundle shows.
const NEVER_CHECKED: [&str; 4] = [
    "that the hidden states were computed from those weights: only a second run shows it",
    "that the text is what the token ids say, and the prompt what the client sent",
    "that the machines stand where their institutions say",
    "that nothing was filtered beyond what the receipt names",
];

/// One node as charter and roster name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub peer: PeerKey,
    /// Institution id.
    pub institution: String,
    /// Legal name of the institution.
    pub legal_name: String,
    /// Where the machine stands, as its institution asserts it.
    pub jurisdiction: Country,
    /// Country of the institution's ultimate parent.
    pub parent_country: Country,
}

/// One stage as charter, roster and its own receipt name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePlace {
    /// The node.
    pub place: Place,
    /// Blocks it ran.
    pub blocks: BlockRange,
    /// Positions its receipt covers; 0 if it signed none.
    pub positions: u32,
    /// The first of them, which it did not compute but had kept from an earlier session.
    pub cached: u32,
    /// Whether its receipt covers all positions.
    pub signed: bool,
    /// Rows it computed, drafts that were taken back included.
    pub computed: u64,
    /// Parameters one row passes through there; 0 if it signed no receipt.
    pub parameters: u64,
}

/// What a verified bundle says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether the answer is whole, every stage signed all of it, and the body was opened. What an
    /// incomplete bundle does say is verified all the same.
    pub complete: bool,
    /// Whether as many witnesses of other institutions saw the receipt in home's log as the charter
    /// asks for, and at least one.
    pub witnessed: bool,
    /// Institutions whose witnesses did, ascending, and when each did first.
    pub cosigned: Vec<(String, Timestamp)>,
    /// Name of the consortium.
    pub consortium: String,
    /// Payload digest of the receipt.
    pub receipt: Digest,
    /// The session.
    pub session: SessionId,
    /// The node that took the prompt.
    pub home: Place,
    /// The nodes that ran blocks, in order.
    pub stages: Vec<StagePlace>,
    /// The model.
    pub model: Manifest,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Numeric class of the results.
    pub numeric_class: String,
    /// Name of the policy.
    pub policy: String,
    /// When the request was taken.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Timestamp,
    /// Number of prompt tokens.
    pub prompt_tokens: u32,
    /// Number of answer tokens.
    pub output_tokens: u32,
    /// Why the answer ended.
    pub finish_reason: FinishReason,
    /// The cause, if it ended badly.
    pub cause: Option<Cause>,
    /// Filters that were applied, as home says.
    pub filters: Vec<String>,
    /// Name and version of home's program, as home says.
    pub software: String,
    /// Who put a system prompt before the conversation, as home says.
    pub system_prompt_by: SystemPrompt,
    /// The client's system messages, joined by line feeds, if the bundle opened them.
    pub system_prompt: Option<String>,
    /// Until when home keeps the record, as it says.
    pub retained_until: Timestamp,
    /// From taking the request to the first token, milliseconds; 0 if there is none.
    pub first_token_ms: u64,
    /// Whether the bundle opened its commitments: the body in it is the one signed.
    pub opened: bool,
    /// Key of the client who asked, if the bundle opened it and the client has one.
    pub client: Option<PeerKey>,
    /// Key that countersigned the receipt. That it is the client's is for the reader to know.
    pub acknowledged_by: Option<PeerKey>,
}

impl Report {
    /// What was verified, in words.
    #[must_use]
    pub fn verified(&self) -> Vec<&'static str> {
        let mut verified = VERIFIED.to_vec();
        if self.opened {
            verified.push("prompt, answer, text and sampling parameters are those committed to");
            verified.push("system prompt and client are those committed to");
        }
        if self.witnessed {
            verified
                .push("the receipt is in home's log, as witnesses of other institutions saw it");
        }
        match self.acknowledged_by {
            Some(key) if self.client == Some(key) => {
                verified.push("the client who asked countersigned this receipt");
            }
            Some(_) => verified.push("a client countersigned this receipt"),
            None => {}
        }
        verified
    }

    /// What was not checked, in words.
    #[must_use]
    pub fn not_checked(&self) -> Vec<&'static str> {
        let mut unchecked = NEVER_CHECKED.to_vec();
        if !self.witnessed {
            unchecked.push(
                "that home showed the same records to everyone: not enough witnesses cosigned them",
            );
        }
        if !self.opened {
            unchecked.push("prompt and answer: the bundle carries no opening");
        }
        if self.stages.iter().any(|stage| !stage.signed) {
            unchecked.push("the last positions: not every stage signed them");
        }
        if self.acknowledged_by.is_none() {
            unchecked.push("what the client received: it did not countersign");
        }
        unchecked
    }
}
