//! The node's secret key, in a file only its owner can read. Not what is signed with it.
//!
//! The file holds the 32-byte Ed25519 seed as one line of hexadecimal. It appears under its name
//! whole or not at all: it is written and synced under another name first, then linked.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use comity_protocol::signed::NodeKey;
use zeroize::Zeroizing;

/// Bytes of the seed in hexadecimal.
const SEED_HEX_BYTES: usize = 64;
/// Bytes read of a key file: enough to see that it holds more than one line.
const READ_BYTES_MAX: usize = 256;
/// Permission bits of group and others; a key file has none of them.
const SHARED_BITS: u32 = 0o077;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read key file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("cannot create key file {path}")]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something else than a file stands there.
    #[error("key file {0} is no regular file")]
    NotAFile(PathBuf),
    /// Others on this machine can read the secret.
    #[error(
        "key file {path} can be read by others (mode {mode:03o}); mend it with: chmod 600 {path}"
    )]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no seed: it is empty, cut off, or something else.
    #[error(
        "key file {path} holds {got} bytes that are no key; expected {SEED_HEX_BYTES} hexadecimal \
         digits; restore it from a backup, or move it away to get a new identity"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Its bytes, white space at the ends left out.
        got: usize,
    },
    /// The system gave no randomness.
    #[error("the system gives no randomness for a new key")]
    Random(#[source] getrandom::Error),
}

/// Reads the key at `path`, or makes a new one there if there is no file.
///
/// # Errors
/// [`KeyError`]; an existing file is never changed.
pub fn load_or_create(path: &Path) -> Result<NodeKey, KeyError> {
    match load(path) {
        Err(KeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    match create(path) {
        // Another process was quicker; its key counts.
        Err(KeyError::Create { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            load(path)
        }
        other => other,
    }
}

/// Reads the key at `path`.
///
/// # Errors
/// [`KeyError`]: among others if the file can be read by anyone but its owner.
pub fn load(path: &Path) -> Result<NodeKey, KeyError> {
    let failed = |source| KeyError::Read { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile(path.into()));
    }
    if metadata.mode() & SHARED_BITS != 0 {
        return Err(KeyError::Shared { path: path.into(), mode: metadata.mode() & 0o777 });
    }
    // Sized once, so that no copy of the secret is left behind by growing.
    let mut text = Zeroizing::new(Vec::with_capacity(READ_BYTES_MAX));
    file.take(READ_BYTES_MAX as u64).read_to_end(&mut text).map_err(failed)?;
    let digits = text.trim_ascii();
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, seed.as_mut_slice())
        .map_err(|_| KeyError::Malformed { path: path.into(), got: digits.len() })?;
    Ok(NodeKey::from_seed(&seed))
}

/// Makes a new key at `path`, readable by its owner alone, and its folder if there is none.
///
/// # Errors
/// [`KeyError::Create`] with [`io::ErrorKind::AlreadyExists`] if there is a file already.
pub fn create(path: &Path) -> Result<NodeKey, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(KeyError::Random)?;
    write(path, &seed).map_err(|source| KeyError::Create { path: path.into(), source })?;
    Ok(NodeKey::from_seed(&seed))
}

fn write(path: &Path, seed: &[u8; 32]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let partial = folder.join(format!(".{}.{}", name.to_string_lossy(), hex::encode(nonce)));
    let mut digits = Zeroizing::new([0; SEED_HEX_BYTES]);
    hex::encode_to_slice(seed, digits.as_mut_slice()).map_err(io::Error::other)?;

    let written = write_synced(&partial, digits.as_slice())
        // Fails if the name is taken, unlike a rename.
        .and_then(|()| fs::hard_link(&partial, path));
    let removed = fs::remove_file(&partial);
    written.and(removed)?;
    File::open(folder)?.sync_all()
}

fn write_synced(path: &Path, digits: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(digits)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
