//! What is asked, when, and how long it is.

use serde::Deserialize;
use toml::Spanned;

use super::values::{NotNegative, Positive, Share};

/// `[[workload]]`: requests of one institution for one model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSection {
    /// Whose clients ask.
    pub institution: Spanned<String>,
    /// Node that takes the prompts; the institution's first one if nothing is said.
    pub home: Option<Spanned<String>>,
    /// Instead: site of a machine that takes the prompts and holds no blocks.
    pub home_site: Option<Spanned<String>>,
    /// With it: what embeds and draws there; without, both take no time.
    pub home_device: Option<Spanned<String>>,
    /// Which model.
    pub model: Spanned<String>,
    /// Rules the requests are under.
    pub policy: Option<Spanned<String>>,
    /// When they come.
    pub arrivals: Spanned<Arrivals>,
    /// How long they and their answers are.
    pub lengths: Lengths,
    /// The hours of the day.
    pub diurnal: Option<Diurnal>,
    /// Conversations: further requests that begin with all that was said before.
    pub turns: Option<Turns>,
    /// What prompts begin with, the same for many.
    pub prefix: Option<Spanned<Prefix>>,
    /// Share of the answers that are computed again by another stage, to audit them.
    #[serde(default)]
    pub audit: Share,
}

/// When requests come.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Arrivals {
    /// Independent of each other.
    Poisson {
        /// Requests per second.
        per_s: NotNegative,
    },
    /// With gaps of a Gamma distribution.
    Gamma {
        /// Requests per second.
        per_s: NotNegative,
        /// Standard deviation of the gaps over their mean: above 1 they come in bursts.
        variation: Positive,
    },
    /// Calm and busy times that change at random (Markov-modulated Poisson).
    Mmpp {
        /// Requests per second while it is calm.
        calm_per_s: NotNegative,
        /// Requests per second while it is busy.
        busy_per_s: NotNegative,
        /// Mean seconds of a calm time.
        calm_s: Positive,
        /// Mean seconds of a busy time.
        busy_s: Positive,
    },
    /// People who ask again once they have read the answer.
    Closed {
        /// How many.
        users: u32,
        /// Mean seconds between an answer and the next request.
        #[serde(default)]
        think_s: NotNegative,
    },
    /// Always more than there is room for.
    Backlog(Backlog),
    /// As recorded: a CSV file with a head line.
    Trace {
        /// The file.
        csv: Spanned<String>,
        /// Column of the arrival time, seconds.
        column: String,
        /// Requests come so many times as fast.
        #[serde(default = "one")]
        speed: Positive,
    },
    /// As counted: a JSON list of requests per interval, repeated, spread evenly at random within
    /// each and thinned or repeated to the rate.
    Counts {
        /// The file.
        json: Spanned<String>,
        /// Seconds of an interval.
        interval_s: Positive,
        /// Requests per second on the whole.
        per_s: Positive,
    },
}

/// Requests that wait without end, and how many are let in.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backlog {
    /// Let in at the start.
    pub start: u32,
    /// Then let in while the fullest stage has no more than this share of its KV cache promised;
    /// otherwise as many as end.
    pub kv_max: Option<Share>,
}

/// Tokens of prompts and answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Lengths {
    /// Each by itself.
    Drawn {
        /// Of the prompt.
        prompt: LengthsOf,
        /// Of the answer.
        output: LengthsOf,
    },
    /// Rows of a CSV file with a head line, drawn at random, so that both belong together.
    Rows {
        /// The file.
        csv: Spanned<String>,
        /// Column of the prompt's tokens.
        prompt: String,
        /// Column of the answer's.
        output: String,
        /// Rows in order instead of at random.
        #[serde(default)]
        in_order: bool,
    },
}

/// A distribution of tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LengthsOf {
    /// Always as many.
    Fixed(u32),
    /// Log-normal.
    Lognormal {
        /// Half are shorter.
        median: Positive,
        /// Standard deviation of the logarithm.
        sigma: NotNegative,
        /// None is longer.
        max: u32,
    },
    /// Geometric: every token is the last with the same chance.
    Geometric {
        /// The mean.
        mean: Positive,
        /// None is longer.
        max: u32,
    },
}

/// The hours of the day: a wave of one day around the mean rate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diurnal {
    /// Hour at which most is asked, 0 to 24, counted from the start of the simulation.
    pub peak_hour: NotNegative,
    /// How far the rate goes above and below its mean, as a share of it.
    pub swing: Share,
}

/// Conversations.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turns {
    /// Mean number of requests of a conversation, geometric.
    pub mean: Positive,
    /// Mean seconds between an answer and the next request.
    pub think_s: NotNegative,
}

/// Beginnings that prompts share, such as instructions: stages keep them for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefix {
    /// Tokens of a beginning, of those of the prompt.
    pub tokens: u32,
    /// How many different ones there are; each prompt has one of them at random.
    #[serde(default = "alone")]
    pub groups: u32,
}

const fn alone() -> u32 {
    1
}

const fn one() -> Positive {
    Positive::new(1.0)
}
