//! `comity log check`: a whole log against itself, its hashes and its checkpoints. Not against what
//! others have seen, which their cosignatures say.

use std::{collections::BTreeSet, io, path::Path, time::Instant};

use comity_protocol::{
    charter::Chain,
    id::{Digest, SessionId},
    log::{
        checkpoint,
        note::Key,
        succession::SuccessionError,
        tree::{Frontier, Hashes as _, leaf_hash},
    },
    receipt::Record as Said,
    signed::{Signed, SignedError},
    wire::{DecodeError, Wire as _},
};

use super::record::Author;
use crate::{
    checkpoints::{Kept, KeptError, SIGNED_FILE, WITNESSED_FILE},
    log::{self, HashFile, Record},
};

/// The first thing that is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A frame is damaged, or does not follow the one before it.
    #[error("the frame after record {after} does not hold")]
    Frame {
        /// The last record that is whole.
        after: u64,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// A number was left out or comes twice.
    #[error("record {got} stands where {expected} belongs")]
    Sequence {
        /// The number that comes next.
        expected: u64,
        /// The number it has.
        got: u64,
    },
    /// A record is no signed statement.
    #[error("record {0} is no signed statement")]
    Decode(u64, #[source] DecodeError),
    /// The node has not signed it, or it says nothing that a record may say.
    #[error("record {0} does not hold")]
    Signed(u64, #[source] SignedError),
    /// It says that it stands somewhere else.
    #[error("record {sequence} says that it is record {said}, or that another stands before it")]
    Place {
        /// Where it stands.
        sequence: u64,
        /// The number it gives itself.
        said: u64,
    },
    /// It ends a request that is not open.
    #[error("record {sequence} ends session {session}, which is not open")]
    NotOpen {
        /// Its number.
        sequence: u64,
        /// The session.
        session: SessionId,
    },
    /// The log says that it succeeds another, and its institution did not.
    #[error("record {0} does not make this log another's successor")]
    Succession(u64, #[source] SuccessionError),
    /// A kept hash is another.
    #[error("the hash of record {0} is not the one that was kept")]
    Hash(u64),
    /// A signed checkpoint has another root, or more records.
    #[error("the file {file} says other than the log's first {size} records")]
    Checkpoint {
        /// The file.
        file: &'static str,
        /// Its records.
        size: u64,
    },
    /// A signed checkpoint cannot be read.
    #[error(transparent)]
    Kept(#[from] KeptError),
}

/// What was found to hold.
#[derive(Debug)]
pub struct Checked {
    /// Records, all signed and in their place.
    pub records: u64,
    /// Root of the tree over them.
    pub root: Digest,
    /// Records of the newest checkpoint.
    pub signed: u64,
    /// Records of the newest witnessed one.
    pub witnessed: u64,
    /// Requests that neither a receipt nor an abort record has ended.
    pub open: usize,
    /// How long it took.
    pub seconds: f64,
}

/// Checks the log in `folder`, of this author.
pub(super) fn check(folder: &Path, author: Author, chain: &Chain) -> Result<Checked, Fault> {
    let started = Instant::now();
    let key = checkpoint::key(&author.genesis, &author.node);
    // First: a running node's log may grow past them, never the other way round.
    let kept = [load(folder, SIGNED_FILE, &key)?, load(folder, WITNESSED_FILE, &key)?];
    let sizes = kept.each_ref().map(|(_, kept)| kept.as_ref().map_or(0, |it| it.checkpoint.size));
    let frame = |after| move |source| Fault::Frame { after, source };
    let mut checker = Checker::new(folder, author, chain);
    for record in log::read(folder).map_err(frame(0))? {
        let record = record.map_err(frame(checker.tree.size()))?;
        checker.record(&record)?;
        checker.compare(&kept)?;
    }
    let records = checker.tree.size();
    if let Some(((file, _), size)) = kept.iter().zip(sizes).find(|(_, size)| *size > records) {
        return Err(Fault::Checkpoint { file, size });
    }
    Ok(Checked {
        records,
        root: checker.tree.root(),
        signed: sizes[0],
        witnessed: sizes[1],
        open: checker.open.len(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

type Loaded = (&'static str, Option<Kept>);

fn load(folder: &Path, file: &'static str, key: &Key) -> Result<Loaded, KeptError> {
    Ok((file, Kept::load(folder, file, key)?))
}

struct Checker<'a> {
    author: Author,
    chain: &'a Chain,
    tree: Frontier,
    /// The kept hashes, and how many there are; those of a running node may be behind.
    hashes: Option<(HashFile, u64)>,
    /// Hashes passed.
    passed: u64,
    /// The previous record's digest.
    previous: Digest,
    /// Requests that are open: session and digest of the open record.
    open: BTreeSet<(SessionId, Digest)>,
}

impl<'a> Checker<'a> {
    fn new(folder: &Path, author: Author, chain: &'a Chain) -> Self {
        let hashes = HashFile::open(folder).and_then(|file| Ok((file.count()?, file)));
        let hashes = hashes.ok().map(|(count, file)| (file, count));
        let (tree, open) = (Frontier::default(), BTreeSet::new());
        Self { author, chain, tree, hashes, passed: 0, previous: Digest::ZERO, open }
    }

    fn record(&mut self, record: &Record) -> Result<(), Fault> {
        let (sequence, expected) = (record.position.sequence, self.tree.size() + 1);
        if sequence != expected {
            return Err(Fault::Sequence { expected, got: sequence });
        }
        let signed =
            Signed::decode(&record.bytes).map_err(|source| Fault::Decode(sequence, source))?;
        let said = Said::open(&signed, &self.author.genesis, &self.author.node);
        let said = said.map_err(|source| Fault::Signed(sequence, source))?;
        let (number, previous) = said.place();
        if (number, previous) != (sequence, self.previous) {
            return Err(Fault::Place { sequence, said: number });
        }
        self.previous = record.position.digest;
        self.follow(sequence, &signed, &said)?;
        self.hash(sequence, &record.bytes)
    }

    /// Every request that ends was open, and ends once; the institution gave its word for a succession.
    fn follow(&mut self, sequence: u64, signed: &Signed, said: &Said) -> Result<(), Fault> {
        let (session, open_record) = match said {
            Said::Open(open) => {
                self.open.insert((open.session, signed.payload_digest()));
                return Ok(());
            }
            Said::Abort(abort) => (abort.session, abort.open_record),
            Said::Close(receipt) => (receipt.session, receipt.open_record),
            Said::Succession(record) => {
                let checked = record.check(self.chain, &self.author.node);
                return checked.map(drop).map_err(|source| Fault::Succession(sequence, source));
            }
            Said::Stage(_) | Said::Countersigned(_) => return Ok(()),
        };
        match self.open.remove(&(session, open_record)) {
            true => Ok(()),
            false => Err(Fault::NotOpen { sequence, session }),
        }
    }

    fn hash(&mut self, sequence: u64, record: &[u8]) -> Result<(), Fault> {
        let mut new = Vec::new();
        self.tree.append(leaf_hash(record), &mut new);
        for hash in new {
            if let Some((file, count)) = &self.hashes
                && self.passed < *count
                && file.hash(self.passed).ok() != Some(hash)
            {
                return Err(Fault::Hash(sequence));
            }
            self.passed += 1;
        }
        Ok(())
    }

    fn compare(&self, kept: &[Loaded]) -> Result<(), Fault> {
        for (file, kept) in kept {
            let Some(Kept { checkpoint, .. }) = kept else { continue };
            if checkpoint.size == self.tree.size() && checkpoint.root != self.tree.root() {
                return Err(Fault::Checkpoint { file, size: checkpoint.size });
            }
        }
        Ok(())
    }
}
