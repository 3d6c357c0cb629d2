//! The scenario file of the relay: TOML in, checked links out. Not what is done with them.
//!
//! Every key stands, with its unit, default and bounds, in [`Scenario::example`].

mod direction;

use std::{net::SocketAddr, path::Path};

use serde::{Deserialize, Deserializer, de::Error as _};

pub use self::direction::Direction;
pub(super) use self::direction::{QUEUE_BYTES_MAX, QUEUE_MS, RATE_MBIT};
use crate::toml_file::{self, TomlFileError};

/// Most links of one relay: all of them share one thread.
pub(super) const LINKS_MAX: usize = 64;
/// Clients of one link unless the file says otherwise: the nodes of a bench and some to spare.
pub(super) const FLOWS: u16 = 64;
/// Most clients of one link: each takes a socket with its buffers.
const FLOWS_MAX: u16 = 1_024;
/// Seconds without a packet after which a client is forgotten: four idle timeouts of QUIC.
pub(super) const IDLE_S: u32 = 120;
/// Longest name of a link, bytes: it stands in a table.
const NAME_BYTES_MAX: usize = 64;

/// What a relay is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Decides losses and jitter.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// The links.
    #[serde(rename = "link", deserialize_with = "some_links")]
    pub links: Vec<LinkSection>,
}

/// `[[link]]`: one port, and what stands between it and its target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSection {
    /// What the statistics call it.
    #[serde(deserialize_with = "printable")]
    pub name: String,
    /// Where clients send to; loopback, for anybody who reaches it may use it.
    #[serde(deserialize_with = "loopback")]
    pub listen: SocketAddr,
    /// The only client whose packets it takes, if it is not for everyone: then other links may
    /// listen at the same address, for other clients.
    #[serde(default)]
    pub from: Option<SocketAddr>,
    /// Where their packets go.
    #[serde(deserialize_with = "reachable")]
    pub target: SocketAddr,
    /// Clients at a time.
    #[serde(default = "default_flows", deserialize_with = "some_flows")]
    pub flows_max: u16,
    /// Seconds without a packet after which a client is forgotten.
    #[serde(default = "default_idle", deserialize_with = "some_seconds")]
    pub idle_s: u32,
    /// From clients to the target.
    #[serde(default)]
    pub forward: Direction,
    /// From the target to clients.
    #[serde(default)]
    pub back: Direction,
}

impl Scenario {
    /// A scenario that explains every key.
    #[must_use]
    pub const fn example() -> &'static str {
        include_str!("../../examples/link.toml")
    }

    /// Reads the text of the file `path`.
    ///
    /// # Errors
    /// [`TomlFileError::Parse`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, TomlFileError> {
        toml_file::parse(path, text)
    }
}

/// Why packets cannot be taken in at an address, or sent there.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddressError {
    /// Others than this machine's could send there.
    #[error("{key} = {address} is not on loopback")]
    NotLoopback { key: &'static str, address: SocketAddr },
    /// It is no one's, or several receivers'.
    #[error("{key} = {address} names no single receiver")]
    NoReceiver { key: &'static str, address: SocketAddr },
}

/// Whether a link may listen at the address that `key` gives.
pub(super) fn on_loopback(key: &'static str, address: SocketAddr) -> Result<(), AddressError> {
    match address.ip().is_loopback() {
        true => Ok(()),
        false => Err(AddressError::NotLoopback { key, address }),
    }
}

/// Whether packets may go to the address that `key` gives.
pub(super) fn single_receiver(key: &'static str, address: SocketAddr) -> Result<(), AddressError> {
    let is_none = address.port() == 0 || address.ip().is_unspecified();
    match is_none || address.ip().is_multicast() {
        false => Ok(()),
        true => Err(AddressError::NoReceiver { key, address }),
    }
}

const fn default_seed() -> u64 {
    1
}

const fn default_flows() -> u16 {
    FLOWS
}

const fn default_idle() -> u32 {
    IDLE_S
}

fn some_links<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<LinkSection>, D::Error> {
    let links = Vec::<LinkSection>::deserialize(from)?;
    if links.is_empty() || links.len() > LINKS_MAX {
        let message = format!("{} links are not between 1 and {LINKS_MAX}", links.len());
        return Err(D::Error::custom(message));
    }
    Ok(links)
}

fn printable<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        return Err(D::Error::custom(message));
    }
    Ok(name)
}

fn loopback<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let address = SocketAddr::deserialize(from)?;
    on_loopback("listen", address).map_err(D::Error::custom)?;
    Ok(address)
}

fn reachable<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let address = SocketAddr::deserialize(from)?;
    single_receiver("target", address).map_err(D::Error::custom)?;
    Ok(address)
}

fn some_flows<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    let flows = u16::deserialize(from)?;
    if flows == 0 || flows > FLOWS_MAX {
        let message = format!("flows_max = {flows} is not between 1 and {FLOWS_MAX}");
        return Err(D::Error::custom(message));
    }
    Ok(flows)
}

fn some_seconds<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let seconds = u32::deserialize(from)?;
    if seconds == 0 {
        return Err(D::Error::custom("idle_s = 0 would forget a client before its reply"));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests;
