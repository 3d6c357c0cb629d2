//! What goes wrong, and how sessions go on.

use serde::Deserialize;
use toml::Spanned;

use super::values::{NotNegative, Positive, Share};

/// `[[fault]]`: something that fails, once or again and again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSection {
    /// What fails: exactly one of the following.
    pub node: Option<Spanned<String>>,
    /// All nodes of a site, and of the sites behind it.
    pub site: Option<Spanned<String>>,
    /// All nodes in a country, two letters.
    pub country: Option<Spanned<String>>,
    /// The line between two sites.
    pub link: Option<[Spanned<String>; 2]>,
    /// How it fails.
    #[serde(default)]
    pub kind: FaultKind,
    /// When, seconds from the start.
    pub at_s: Option<NotNegative>,
    /// For how long, seconds; for good if it is not given.
    pub for_s: Option<Positive>,
    /// Instead: mean hours between failures.
    pub between_h: Option<Positive>,
    /// With it: mean minutes until it is mended.
    pub mend_min: Option<Positive>,
}

/// How something fails.
#[derive(Debug, Clone, Copy, Deserialize, Default)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// It is gone.
    #[default]
    Down,
    /// A node takes so many times as long.
    Slow(Positive),
    /// A line has this share of its rate.
    Rate(Positive),
    /// A line loses this share of its packets.
    Loss(Share),
}

/// `[recovery]`: what happens to a session that lost a stage.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoverySection {
    /// How it goes on.
    pub mode: Recovery,
    /// Seconds until the loss is noticed.
    pub detect_s: NotNegative,
    /// Seconds from a failed request to the client's next try.
    pub retry_s: NotNegative,
    /// Seconds that a node which came back takes for every GB of its weights.
    pub load_s_per_gb: NotNegative,
}

impl Default for RecoverySection {
    fn default() -> Self {
        let zero = NotNegative::ZERO;
        Self { mode: Recovery::None, detect_s: zero, retry_s: zero, load_s_per_gb: zero }
    }
}

/// How a session that lost a stage goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Not at all: the request fails.
    None,
    /// The client asks again from the beginning.
    Retry,
    /// Home opens another route and sends what it has of prompt and answer through it.
    Replay,
}
