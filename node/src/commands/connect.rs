//! Which node a command talks to, and as whom. Not what it says.

use std::{net::SocketAddr, path::PathBuf};

use comity_client::{Client, ConnectError, Credentials, CredentialsError};
use comity_protocol::id::PeerKey;

/// The node to talk to.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Node")]
#[command(group(clap::ArgGroup::new("credentials").required(true).multiple(true)))]
pub struct ConnectArgs {
    /// Address of the node's client port.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:4702", env = "COMITY_NODE")]
    node: SocketAddr,
    /// Token file from the node's data folder, for clients on the same machine.
    #[arg(long, value_name = "FILE", env = "COMITY_TOKEN", group = "credentials")]
    token: Option<PathBuf>,
    /// Key file of a client that the node lists; wins over a token.
    #[arg(long, value_name = "FILE", env = "COMITY_KEY", group = "credentials")]
    key: Option<PathBuf>,
    /// Accept no node but the one with this key, 64 hexadecimal digits.
    #[arg(long, value_name = "KEY", env = "COMITY_PEER")]
    peer: Option<PeerKey>,
}

/// Why the node was not reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// Neither token nor key.
    #[error("give --token FILE (it lies in the node's data folder) or --key FILE")]
    NoCredentials,
    /// The token or key cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// No connection came about.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl ConnectArgs {
    /// Connects.
    ///
    /// # Errors
    /// [`ReachError`] saying what to mend.
    pub async fn connect(&self) -> Result<Client, ReachError> {
        let credentials = match (&self.key, &self.token) {
            (Some(path), _) => Credentials::key_file(path)?,
            (None, Some(path)) => Credentials::token_file(path)?,
            (None, None) => return Err(ReachError::NoCredentials),
        };
        let credentials = match self.peer {
            Some(peer) => credentials.pinned(peer),
            None => credentials,
        };
        Ok(Client::connect(self.node, credentials).await?)
    }
}
