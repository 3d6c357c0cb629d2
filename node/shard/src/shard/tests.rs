//! Shards against candle's whole models, and against themselves cut in other ways.
#![expect(clippy::cast_possible_truncation, reason = "a fixture's numbers are small")]

mod devices;
mod golden;
mod oracle;
mod prefixes;
mod sessions;
mod splits;

use std::path::PathBuf;

use comity_protocol::{block::BlockRange, id::SessionId, manifest::Manifest};

use super::Shard;
use crate::{
    Home, ModelFile,
    fixture::{self, Precision},
};

/// A fixture on disk with its manifest; the folder goes when it is dropped.
struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    file: ModelFile,
    manifest: Manifest,
}

const SESSION: SessionId = SessionId([7; 16]);

impl Fixture {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        let file = ModelFile::open(&path).unwrap();
        let manifest = file.manifest().unwrap();
        Self { _folder: folder, path, file, manifest }
    }

    fn llama() -> Self {
        Self::new(&fixture::llama(1, Precision::Mixed).unwrap())
    }

    fn gemma3() -> Self {
        Self::new(&fixture::gemma3(2, Precision::Mixed).unwrap())
    }

    fn home(&self) -> Home {
        Home::load(&self.file, &self.manifest).unwrap()
    }

    /// Blocks `start..end` with one open session.
    fn shard(&self, start: u32, end: u32) -> Shard {
        let range = BlockRange::new(start, end).unwrap();
        let mut shard = Shard::load(&self.file, range, &self.manifest).unwrap();
        shard.open_session(SESSION, fixture::CONTEXT).unwrap();
        shard
    }
}

/// Repeatable token ids, control tokens left out.
fn tokens(count: u32) -> Vec<u32> {
    (0..count).map(|i| 10 + (i * 37 + i * i * 11) % 250).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
