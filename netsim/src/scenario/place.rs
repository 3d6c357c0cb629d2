//! Where machines stand, who owns them, and what joins them.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::values::{NotNegative, Positive, Share};

/// `[[site]]`: one place with one way out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSection {
    /// Its name.
    pub name: String,
    /// Country, two letters: the jurisdiction of the nodes there.
    pub country: Spanned<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Rate of the way out, each direction, Mbit/s; not a limit if it is not given.
    pub access_mbit: Option<Positive>,
    /// Node of the `topology` file it is attached to, by its label.
    pub attach: Option<Spanned<String>>,
    /// Site through which it reaches the others: when that is lost, so is this.
    pub upstream: Option<Spanned<String>>,
}

/// `[[institution]]`: a member.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstitutionSection {
    /// Its id.
    pub name: String,
    /// Country of the ultimate parent, two letters; that of its first site if it is not given.
    pub parent_country: Option<Spanned<String>>,
    /// Highest class of data it processes for others: public, internal, personal or sensitive.
    pub data_class_max: Option<Spanned<String>>,
    /// Purposes it processes data for; empty for any.
    #[serde(default)]
    pub purposes: BTreeSet<String>,
    /// Its weight where several wait.
    #[serde(default = "one")]
    pub share: u32,
}

/// `[[link]]`: a line between two sites, the same both ways.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSection {
    /// The two sites.
    pub between: [Spanned<String>; 2],
    /// Way there and back, milliseconds.
    pub round_trip_ms: NotNegative,
    /// Rate of each direction, Mbit/s.
    pub rate_mbit: Positive,
    /// Share of the packets that are lost.
    #[serde(default)]
    pub loss: Share,
    /// Most extra delay of a message, milliseconds.
    #[serde(default)]
    pub jitter_ms: NotNegative,
}

/// `[network]`: within sites, and between those that no link joins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    /// Way there and back within a site, milliseconds.
    pub local_round_trip_ms: NotNegative,
    /// Rate of each node's interface, each direction, Mbit/s.
    pub node_mbit: Positive,
    /// A GML file with `LinkSpeedRaw`, latitudes and longitudes: sites with `attach` are joined
    /// through it.
    pub topology: Option<Spanned<String>>,
    /// Rate of lines of the topology that state none, Mbit/s.
    pub topology_mbit: Positive,
    /// Joins sites that nothing else joins by their coordinates, at this rate, Mbit/s.
    pub coordinates_mbit: Option<Positive>,
    /// Length of cables over the distance as the crow flies.
    pub detour: Positive,
    /// Bytes a connection may have in flight before anything was acknowledged.
    pub window_initial_bytes: Positive,
    /// Bytes a connection may have in flight at most.
    pub window_max_bytes: Positive,
    /// Microseconds by which software delays what goes from node to node: threads that are woken.
    pub hop_us: NotNegative,
    /// Microseconds of a processor that a node takes to send one step on, one after the other; on a
    /// `[[machine]]` they compete with passes. Without, steps of one pass leave together.
    pub step_us: NotNegative,
}

impl Default for NetworkSection {
    fn default() -> Self {
        Self {
            local_round_trip_ms: NotNegative::ZERO,
            node_mbit: Positive::new(10_000.0),
            topology: None,
            topology_mbit: Positive::new(1_000.0),
            coordinates_mbit: None,
            detour: Positive::new(1.5),
            // As nodes set them between neighbours.
            window_initial_bytes: Positive::new(262_144.0),
            window_max_bytes: Positive::new(16_777_216.0),
            hop_us: NotNegative::ZERO,
            step_us: NotNegative::ZERO,
        }
    }
}

const fn one() -> u32 {
    1
}
