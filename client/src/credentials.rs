//! How a client proves itself to a node: a listed key, or the token of the machine it runs on.
//!
//! Not how a node checks it. Files that others could have read are refused, not used.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use comity_protocol::{id::PeerKey, limits::NAME_BYTES_MAX, signed::NodeKey};
use zeroize::Zeroizing;

/// Bytes of a key file or token file: 64 characters and a line end, with room for a careless editor.
const FILE_BYTES_MAX: u64 = 256;

/// Who the client is and whom it expects to meet.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) key: NodeKey,
    pub(crate) token: String,
    pub(crate) peer: Option<PeerKey>,
}

/// Why credentials could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read the file.
    #[error("{path} has mode {mode:o}: others may read it; chmod 600 it and replace the secret")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no key.
    #[error("{path} holds no key: expected 64 hexadecimal digits")]
    NotKey {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no token.
    #[error("{path} holds no token: expected 1 to {NAME_BYTES_MAX} visible ASCII characters")]
    NotToken {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    Random(#[source] getrandom::Error),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("key", &self.key)
            .field("token", &if self.token.is_empty() { "none" } else { "given" })
            .field("peer", &self.peer)
            .finish()
    }
}

impl Credentials {
    /// A key that the node lists among its clients.
    #[must_use]
    pub const fn key(key: NodeKey) -> Self {
        Self { key, token: String::new(), peer: None }
    }

    /// A listed key from a file of 64 hexadecimal digits, its secret seed.
    ///
    /// # Errors
    /// [`CredentialsError`] if the file is unreadable, readable by others, or holds no key.
    pub fn key_file(path: &Path) -> Result<Self, CredentialsError> {
        let text = read_secret(path)?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), seed.as_mut())
            .map_err(|_| CredentialsError::NotKey { path: path.to_owned() })?;
        Ok(Self::key(NodeKey::from_seed(&seed)))
    }

    /// The loopback token from the node's folder, under a key drawn for this client alone.
    ///
    /// # Errors
    /// [`CredentialsError`] if the file is unreadable, readable by others, or holds no token.
    pub fn token_file(path: &Path) -> Result<Self, CredentialsError> {
        let text = read_secret(path)?;
        let token = text.trim();
        if token.is_empty()
            || token.len() > NAME_BYTES_MAX
            || !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(CredentialsError::NotToken { path: path.to_owned() });
        }
        Self::token(token.to_owned())
    }

    /// A loopback token already at hand, under a key drawn for this client alone.
    ///
    /// # Errors
    /// [`CredentialsError::Random`] if no key can be drawn.
    pub fn token(token: String) -> Result<Self, CredentialsError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(CredentialsError::Random)?;
        Ok(Self { key: NodeKey::from_seed(&seed), token, peer: None })
    }

    /// Accepts only the node with this key.
    #[must_use]
    pub const fn pinned(mut self, peer: PeerKey) -> Self {
        self.peer = Some(peer);
        self
    }
}

/// Reads a small file that only its owner may read.
fn read_secret(path: &Path) -> Result<Zeroizing<String>, CredentialsError> {
    let failed = |source| CredentialsError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    // The mode of what was opened, not of what stands at the path a moment later.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(CredentialsError::Exposed { path: path.to_owned(), mode });
        }
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
