//! The file of hashes beside the log, and the tree over its records. Not the records.
//!
//! It holds [`comity_protocol::log::tree`]'s list of hashes, 32 bytes each, and is a function of the
//! records: opening the log computes it anew and mends what differs, so it is written without
//! `fsync`. What is beyond the durable records' hashes is never looked at.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use comity_protocol::{
    id::Digest,
    log::tree::{Frontier, Hashes, TreeError, consistency, inclusion, leaf_hash},
};

/// File of the hashes, in the data folder.
pub(crate) const HASHES_FILE: &str = "hashes";
/// Bytes of a hash.
const HASH_BYTES: u64 = 32;
/// Hashes compared with the file at a time, so that a long log needs no more memory.
const CHUNK_HASHES: usize = 1 << 14;

/// Why a proof cannot be made.
pub type ProofError = TreeError<io::Error>;

/// The tree over all records written, and the hashes that are not in the file yet.
#[derive(Debug)]
pub(super) struct Tree {
    file: File,
    /// Hashes in the file.
    kept: u64,
    frontier: Frontier,
    new: Vec<Digest>,
}

impl Tree {
    /// The tree of no record, with the file in `folder`, whatever that holds.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        Ok(Self::new(options.open(folder.join(HASHES_FILE))?))
    }

    pub(super) fn new(file: File) -> Self {
        Self { file, kept: 0, frontier: Frontier::default(), new: Vec::new() }
    }

    /// The tree as it is, for others to read.
    pub(super) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Adds a record.
    pub(super) fn append(&mut self, record: &[u8]) {
        self.frontier.append(leaf_hash(record), &mut self.new);
    }

    /// Writes the hashes of records that have become durable.
    pub(super) fn write(&mut self) -> io::Result<()> {
        self.file.write_all_at(&bytes(&self.new), self.kept * HASH_BYTES)?;
        self.kept += self.new.len() as u64;
        self.new.clear();
        Ok(())
    }

    /// Adds a record found in the log; its hashes are written only where the file differs.
    pub(super) fn mend(&mut self, record: &[u8]) -> io::Result<()> {
        self.append(record);
        if self.new.len() >= CHUNK_HASHES { self.compare() } else { Ok(()) }
    }

    /// Ends the file where the hashes end.
    pub(super) fn mended(&mut self) -> io::Result<()> {
        self.compare()?;
        let length = self.kept * HASH_BYTES;
        if self.file.metadata()?.len() == length { Ok(()) } else { self.file.set_len(length) }
    }

    fn compare(&mut self) -> io::Result<()> {
        let mut there = vec![0; self.new.len() * 32];
        let read = self.file.read_exact_at(&mut there, self.kept * HASH_BYTES);
        if read.is_err() || there != bytes(&self.new) {
            return self.write();
        }
        self.kept += self.new.len() as u64;
        self.new.clear();
        Ok(())
    }
}

/// The file, to be read.
#[derive(Debug)]
pub struct HashFile(File);

impl HashFile {
    /// The hashes in `folder`.
    ///
    /// # Errors
    /// Why the file cannot be opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        File::open(folder.join(HASHES_FILE)).map(Self)
    }

    /// How many hashes the file holds.
    ///
    /// # Errors
    /// Why the file cannot be looked at.
    pub fn count(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len() / HASH_BYTES)
    }

    /// Proof that record `index`, counted from 0, is among the first `size`. Blocks.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>, ProofError> {
        inclusion(index, size, self)
    }

    /// Proof that the first `new` records begin with the first `old`. Blocks.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Digest>, ProofError> {
        consistency(old, new, self)
    }
}

impl Hashes for HashFile {
    type Error = io::Error;

    fn hash(&self, index: u64) -> io::Result<Digest> {
        let mut hash = [0; 32];
        self.0.read_exact_at(&mut hash, index * HASH_BYTES)?;
        Ok(Digest(hash))
    }
}

fn bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[cfg(test)]
mod tests;
