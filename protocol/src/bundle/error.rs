//! Why a bundle is not believed: a stable code, the field at fault, and what is wrong with it.

use crate::{
    charter::CharterError,
    id::{Digest, PeerKey},
    log::proof::LogProofError,
    policy::Denial,
    roster::RosterError,
    route::RouteError,
    signed::SignedError,
    time::{Timestamp, ValidityError},
    wire::DecodeError,
};

/// The first thing wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {field}: {fault}", .fault.code())]
pub struct VerifyError {
    /// Path of the field at fault, for example `stage_receipts[1].output`.
    pub field: String,
    /// What is wrong with it.
    pub fault: Box<Fault>,
}

impl VerifyError {
    /// Stable code for scripts, for example `E_SIG_STAGE`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }
}

/// Whose signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The node that took the prompt.
    Home,
    /// A node that ran blocks.
    Stage,
    /// The client, who countersigns.
    Client,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not the canonical encoding of a valid value.
    #[error(transparent)]
    Format(DecodeError),
    /// Another consortium than the one asked for.
    #[error("the genesis charter has hash {got}, expected {expected}")]
    Genesis {
        /// Hash the reader trusts.
        expected: Digest,
        /// Hash of the bundle's first charter.
        got: Digest,
    },
    /// The charter is not valid.
    #[error(transparent)]
    Charter(CharterError),
    /// The charter was not in force.
    #[error(transparent)]
    CharterTime(ValidityError),
    /// A roster is not valid at the time of the request.
    #[error(transparent)]
    Roster(RosterError),
    /// Rosters are not in ascending order, or one lists nobody involved.
    #[error("out of order, or lists no node of this request")]
    RosterSet,
    /// A signature does not hold or another key signed.
    #[error("{source}")]
    Signature {
        /// Who should have signed.
        by: Signer,
        /// What is wrong.
        source: SignedError,
    },
    /// A peer is on no roster, or on several.
    #[error("peer {peer} is on {rosters} of the rosters, expected 1")]
    Member {
        /// The peer.
        peer: PeerKey,
        /// Rosters that list it.
        rosters: usize,
    },
    /// A peer's roster does not give it this role.
    #[error("the roster does not give peer {peer} this role")]
    Role {
        /// The peer.
        peer: PeerKey,
    },
    /// Differs from what another part says.
    #[error("differs from {0}")]
    Differs(&'static str),
    /// The charter does not allow this model.
    #[error("the charter does not allow this model")]
    Model,
    /// The stages do not tile the model.
    #[error(transparent)]
    Tiling(RouteError),
    /// The policy is not the charter's policy of that name, and not stricter.
    #[error("not the charter's policy of that name, nor stricter")]
    PolicyName,
    /// A node is outside the policy.
    #[error(transparent)]
    Policy(Denial),
    /// An unknown sampler.
    #[error("unknown sampler")]
    Sampler,
    /// Home did not countersign this stage receipt, or countersigned another, or it is one too many.
    #[error("home countersigned other stage receipts")]
    Countersign,
    /// A whole answer, but this stage did not sign all of it; or a stage is said to be unsigned that
    /// is not.
    #[error("does not match the stages that signed all positions")]
    Unsigned,
    /// Positions do not fit the number of tokens.
    #[error("{got} positions; {prompt} prompt and {output} answer tokens need others")]
    Positions {
        /// Positions the stages signed.
        got: u32,
        /// Prompt tokens.
        prompt: u32,
        /// Answer tokens.
        output: u32,
    },
    /// What this stage received is not what the one before it sent.
    #[error("differs from the output of the stage before")]
    Boundary,
    /// Numbers or links of one signer's records contradict each other.
    #[error("contradicts the signer's other records")]
    Sequence,
    /// Times out of order, by more than clocks may differ.
    #[error("{got} comes before {earliest}")]
    Time {
        /// Time given.
        got: Timestamp,
        /// What it must not precede.
        earliest: Timestamp,
    },
    /// The proof of the log does not hold.
    #[error(transparent)]
    Log(LogProofError),
    /// A signer was revoked, and no witness saw the receipt before.
    #[error("revoked at {revoked_at}, {}", seen(*witnessed_at))]
    Revoked {
        /// From when on the signer does not count.
        revoked_at: Timestamp,
        /// When enough witnesses had seen the receipt, if they have.
        witnessed_at: Option<Timestamp>,
    },
    /// The receipt names a version of the charter that is not known.
    #[error("no version of the charter that the bundle has")]
    CharterVersion,
    /// The template rendered is not the model's.
    #[error("not the model's chat template")]
    Template,
    /// A system prompt is shown that nobody is said to have sent.
    #[error("the receipt says that the client sent none")]
    SystemPrompt,
    /// The record is kept for no time that can be.
    #[error("{until} is before the request ended at {closed}, or too long after it")]
    Retention {
        /// Until when home says it keeps the record.
        until: Timestamp,
        /// When the request ended.
        closed: Timestamp,
    },
    /// The first token came when it cannot have.
    #[error("{0} ms to the first token do not fit the number of tokens or the end of the request")]
    FirstToken(u64),
    /// Blocks moved amid the session: this is not understood yet.
    #[error("migrations cannot be verified")]
    Migration,
    /// What a stage says it computed contradicts its positions, the manifest or what home counted.
    #[error("contradicts {0}")]
    Work(&'static str),
    /// The opening does not open the receipt's commitment.
    #[error("does not open the receipt's commitment")]
    Commitment,
}

fn seen(witnessed_at: Option<Timestamp>) -> String {
    match witnessed_at {
        Some(at) => format!("and witnessed only at {at}"),
        None => "and not witnessed before".to_owned(),
    }
}

impl Fault {
    /// Stable code for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Format(_) => "E_FORMAT",
            Self::Genesis { .. } => "E_GENESIS",
            Self::Charter(CharterError::Threshold { .. } | CharterError::Missing { .. }) => {
                "E_CHARTER_THRESHOLD"
            }
            Self::Charter(CharterError::Fork { .. }) => "E_CHARTER_FORK",
            Self::Charter(_) => "E_CHARTER",
            Self::CharterTime(_) => "E_CHARTER_TIME",
            Self::Roster(_) => "E_ROSTER",
            Self::RosterSet => "E_ROSTER_SET",
            Self::Signature { by: Signer::Home, .. } => "E_SIG_HOME",
            Self::Signature { by: Signer::Stage, .. } => "E_SIG_STAGE",
            Self::Signature { by: Signer::Client, .. } => "E_SIG_CLIENT",
            Self::Member { .. } => "E_MEMBER",
            Self::Role { .. } => "E_ROLE",
            Self::Differs(_) => "E_MISMATCH",
            Self::Model => "E_MODEL",
            Self::Tiling(_) => "E_TILING",
            Self::PolicyName => "E_POLICY_NAME",
            Self::Policy(_) => "E_POLICY",
            Self::Sampler => "E_SAMPLER",
            Self::Countersign => "E_COUNTERSIGN",
            Self::Unsigned => "E_UNSIGNED",
            Self::Positions { .. } => "E_POSITIONS",
            Self::Boundary => "E_BOUNDARY",
            Self::Sequence => "E_SEQUENCE",
            Self::Time { .. } => "E_TIME",
            Self::Log(LogProofError::Inclusion { .. }) => "E_INCLUSION",
            Self::Log(LogProofError::Witness { .. }) => "E_WITNESS_TIME",
            Self::Log(_) => "E_CHECKPOINT",
            Self::Revoked { .. } => "E_REVOKED",
            Self::CharterVersion => "E_CHARTER_VERSION",
            Self::Template => "E_TEMPLATE",
            Self::SystemPrompt => "E_SYSTEM_PROMPT",
            Self::Retention { .. } => "E_RETENTION",
            Self::FirstToken(_) => "E_FIRST_TOKEN",
            Self::Migration => "E_MIGRATION",
            Self::Work(_) => "E_WORK",
            Self::Commitment => "E_COMMITMENT",
        }
    }

    /// This fault at `field`. What a decoder names inside the field is added to the path.
    pub(super) fn at(self, field: impl Into<String>) -> VerifyError {
        let mut path = field.into();
        if let Self::Format(DecodeError::Field { field, .. }) = &self {
            // The decoder's first component is the type, which the path already names.
            path = match field.split_once('.') {
                Some(("bundle", inner)) => inner.to_owned(),
                Some((_, inner)) if path != "bundle" => format!("{path}.{inner}"),
                _ => (*field).to_owned(),
            };
        }
        VerifyError { field: path, fault: Box::new(self) }
    }

    /// A statement that does not open.
    pub(super) fn signature(by: Signer, source: SignedError) -> Self {
        match source {
            SignedError::Decode(error) => Self::Format(error),
            source => Self::Signature { by, source },
        }
    }
}
