//! Puts a node's log away and begins that of its successor, which has another key. Not the decision,
//! which is the institution's, nor the statement itself (`comity_protocol::log::succession`).
//!
//! Nothing is deleted: the old log lies under `ended/` in the data folder from then on, whole, to be
//! shown and checked as before. The institution's signed word is written first. Until all that
//! follows from it is done the node does not start, and the same command goes on where it ended.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::{Path, PathBuf},
};

use comity_protocol::{
    charter::Chain,
    id::{Digest, PeerKey},
    limits::RECORD_BYTES_MAX,
    log::{
        checkpoint,
        succession::{Succession, SuccessionError, SuccessionReason, SuccessionRecord},
    },
    roster::{Roster, RosterError},
    signed::{Domain, NodeKey, Signed, SignedError},
    time::Timestamp,
    wire::{DecodeError, Wire as _},
};

use crate::{
    bodies::BODIES_FOLDER,
    checkpoints::{BEHIND_FILE, Kept, SIGNED_FILE, WITNESSED_FILE, seen},
    files,
    governance::CHARTER_FILE,
    keys::{self, KeyError},
    log::{self, AppendError, HASHES_FILE, Log, OpenLogError, RECORDS_FILE},
    node::KEY_FILE,
    store::INDEX_FOLDER,
};

/// File of the institution's word, in the data folder, until all that follows from it is done.
pub const BEGUN_FILE: &str = "succession";
/// File of the key that is to be the node's.
const NEXT_KEY_FILE: &str = "node.key.next";
/// Folder of the logs that are over, each in a folder named by the beginning of its node's key.
pub const ENDED_FOLDER: &str = "ended";
/// What goes there. The key goes last: a folder that has it has all the rest.
const MOVED: [&str; 7] =
    [RECORDS_FILE, HASHES_FILE, SIGNED_FILE, WITNESSED_FILE, BEHIND_FILE, INDEX_FOLDER, KEY_FILE];

/// What a succession is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The node's data folder.
    pub folder: &'a Path,
    /// The consortium's charters.
    pub chain: &'a Chain,
    /// The institution.
    pub institution: &'a str,
    /// Its roster key.
    pub key: &'a NodeKey,
    /// Its roster, which may have expired.
    pub roster: &'a Signed,
    /// The node whose log is over; if `None`, the folder's key or a roster of one node tells.
    pub from: Option<PeerKey>,
    /// Why.
    pub reason: SuccessionReason,
    /// The time.
    pub now: Timestamp,
}

/// A succession that is done, but for the roster's place.
#[derive(Debug)]
pub struct Succeeded {
    /// What the institution said.
    pub said: Succession,
    /// The roster that lists the new node in place of the old.
    pub roster: Signed,
    /// Where the old log is.
    pub ended: PathBuf,
}

/// Why a log has no successor, or not yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SucceedError {
    /// The node runs, or its log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Another key than the one that signs the institution's rosters.
    #[error("key {got} does not sign the rosters of {institution}; that is {expected}")]
    NotRosterKey {
        /// The institution.
        institution: String,
        /// As the charter says.
        expected: PeerKey,
        /// As given.
        got: PeerKey,
    },
    /// No such member.
    #[error("the charter has no institution {0}")]
    NotMember(String),
    /// The roster given.
    #[error("the institution's roster")]
    Given(#[source] SignedError),
    /// The roster does not list the node.
    #[error("the roster does not list node {0}: its log needs no successor")]
    NotListed(PeerKey),
    /// The folder is another node's.
    #[error("the folder is node {folder}'s, whose log is not that of {from}")]
    Another {
        /// Whose key is in the folder.
        folder: PeerKey,
        /// As given.
        from: PeerKey,
    },
    /// Which node is over cannot be told.
    #[error("the folder has no key, and the roster lists {0} nodes: say which with --from")]
    Which(usize),
    /// A succession that was begun does not hold.
    #[error("{path} is no word of this institution")]
    Begun {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SuccessionError,
    },
    /// A succession that was begun cannot be read.
    #[error("{path} is no signed statement")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// Something lies where the old log belongs.
    #[error("{0} is there already; nothing is overwritten")]
    Exists(PathBuf),
    /// A file.
    #[error("cannot use {path}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A statement cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignedError),
    /// The first record was not taken.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// No member would believe the new roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

impl Parts<'_> {
    /// Begins a succession, or goes on with one that was begun. The node must be stopped. The caller
    /// puts the roster in its place and then calls [`done`].
    ///
    /// # Errors
    /// [`SucceedError`]; calling it again goes on.
    pub async fn succeed(&self) -> Result<Succeeded, SucceedError> {
        let member = self.chain.current().institution(self.institution);
        let member = member.ok_or_else(|| SucceedError::NotMember(self.institution.to_owned()))?;
        if member.roster_key != self.key.public() {
            let (institution, expected) = (member.id.clone(), member.roster_key);
            return Err(SucceedError::NotRosterKey {
                institution,
                expected,
                got: self.key.public(),
            });
        }
        let roster =
            self.roster.open_from(Domain::ROSTER, &self.chain.genesis(), &member.roster_key);
        let roster: Roster = roster.map_err(SucceedError::Given)?;
        let lock = log::lock(self.folder)?;
        let signed = self.begin(&roster)?;
        let said = Succession::open(&signed, self.chain)
            .map_err(|source| SucceedError::Begun { path: self.path(BEGUN_FILE), source })?;
        let ended = self.put_away(&said)?;
        // The log takes the folder itself; no node starts meanwhile, for the word lies there.
        drop(lock);
        self.open(signed).await?;
        Ok(Succeeded { roster: self.relist(roster, &said)?, said, ended })
    }

    /// The institution's word, which is durable then.
    fn begin(&self, roster: &Roster) -> Result<Signed, SucceedError> {
        let path = self.path(BEGUN_FILE);
        if exists(&path)? {
            let bytes = files::read(&path, RECORD_BYTES_MAX).map_err(failed(&path))?;
            return Signed::decode(&bytes.unwrap_or_default())
                .map_err(|source| SucceedError::Decode { path, source });
        }
        let from = self.from(roster)?;
        let to = keys::load_or_create(&self.path(NEXT_KEY_FILE))?.public();
        let (records, last) = self.survey()?;
        let key = checkpoint::key(&self.chain.genesis(), &from);
        // A checkpoint of another node's log says nothing about this one.
        let kept = Kept::load(self.folder, SIGNED_FILE, &key).ok().flatten();
        let seen = seen(self.folder).max(kept.as_ref().map_or(0, |kept| kept.checkpoint.size));
        let checkpoint = kept.map(|kept| kept.note.only(std::slice::from_ref(&key)).to_string());
        let said = Succession {
            institution: self.institution.to_owned(),
            from,
            to,
            reason: self.reason,
            records,
            last,
            checkpoint: checkpoint.unwrap_or_default(),
            seen,
            at: self.now,
        };
        let signed = self.key.sign(Domain::SUCCESSION, &self.chain.genesis(), &said)?;
        files::replace(&path, &signed.encode()).map_err(failed(&path))?;
        Ok(signed)
    }

    /// The node whose log is over.
    fn from(&self, roster: &Roster) -> Result<PeerKey, SucceedError> {
        let listed = |peer: PeerKey| roster.node(&peer).is_some();
        let own = match keys::load(&self.path(KEY_FILE)) {
            Ok(key) => Some(key.public()),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(error.into()),
        };
        // A key that nobody lists was made when the node was started without its own.
        let stray = self.reason == SuccessionReason::KeyLost && !own.is_some_and(listed);
        match (own.filter(|_| !stray), self.from) {
            (Some(folder), Some(from)) if folder != from => {
                Err(SucceedError::Another { folder, from })
            }
            (Some(peer), _) | (None, Some(peer)) if !listed(peer) => {
                Err(SucceedError::NotListed(peer))
            }
            (Some(peer), _) | (None, Some(peer)) => Ok(peer),
            (None, None) => match &roster.nodes[..] {
                [only] => Ok(only.peer),
                nodes => Err(SucceedError::Which(nodes.len())),
            },
        }
    }

    /// Whole records that are there, and the digest of the last.
    fn survey(&self) -> Result<(u64, Digest), SucceedError> {
        let path = self.path(RECORDS_FILE);
        if !exists(&path)? {
            return Ok((0, Digest::ZERO));
        }
        // What follows damage is put away too, but nobody can say that it is whole.
        let whole = log::read(self.folder).map_err(failed(&path))?.map_while(Result::ok);
        let last = whole.last().map(|record| (record.position.sequence, record.position.digest));
        Ok(last.unwrap_or((0, Digest::ZERO)))
    }

    /// Moves the old log, and puts the new key in place.
    fn put_away(&self, said: &Succession) -> Result<PathBuf, SucceedError> {
        let ended = self.path(ENDED_FOLDER).join(said.from.short());
        DirBuilder::new().recursive(true).mode(0o700).create(&ended).map_err(failed(&ended))?;
        let (key, next) = (self.path(KEY_FILE), self.path(NEXT_KEY_FILE));
        if keys::load(&key).is_ok_and(|key| key.public() == said.to) {
            return Ok(ended);
        }
        for name in MOVED {
            let (old, new) = (self.path(name), ended.join(name));
            match (exists(&old)?, exists(&new)?) {
                (true, true) => return Err(SucceedError::Exists(new)),
                (true, false) => fs::rename(&old, &new).map_err(failed(&old))?,
                (false, _) => {}
            }
        }
        let charter = self.path(CHARTER_FILE);
        if exists(&charter)? {
            fs::copy(&charter, ended.join(CHARTER_FILE)).map_err(failed(&charter))?;
        }
        // Proofs stay where they are erased in time; the old log finds them there.
        let bodies = ended.join(BODIES_FOLDER);
        match symlink(Path::new("../..").join(BODIES_FOLDER), &bodies) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(&bodies)(error));
            }
            _ => {}
        }
        sync(&ended)?;
        fs::rename(&next, &key).map_err(failed(&next))?;
        sync(self.folder)?;
        Ok(ended)
    }

    /// Begins the new log with the institution's word.
    async fn open(&self, succession: Signed) -> Result<(), SucceedError> {
        let (key, genesis) = (keys::load(&self.path(KEY_FILE))?, self.chain.genesis());
        let (log, _) = Log::open(self.folder)?;
        if log.tree().0 == 0 {
            let (sequence, previous) = (1, Digest::ZERO);
            let record = SuccessionRecord { sequence, previous, succession };
            let signed = key.sign(Domain::SUCCESSION_RECORD, &genesis, &record)?;
            log.append(signed.encode()).await?;
        }
        log.close().await;
        Ok(())
    }

    /// The roster with the new node in place of the old.
    fn relist(&self, mut roster: Roster, said: &Succession) -> Result<Signed, SucceedError> {
        for node in &mut roster.nodes {
            if node.peer == said.from {
                node.peer = said.to;
            }
        }
        roster.nodes.sort_by_key(|node| node.peer);
        let life = roster.expires_at.since(roster.issued_at);
        roster.sequence = self.now.as_ms().max(roster.sequence.saturating_add(1));
        (roster.issued_at, roster.expires_at) = (self.now, self.now + life);
        let genesis = self.chain.genesis();
        let signed = self.key.sign(Domain::ROSTER, &genesis, &roster)?;
        Roster::verify(&signed, self.chain.current(), &genesis, self.now)?;
        Ok(signed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Whether a succession was begun in the data folder `folder` and is not done: the node must not
/// start then. What cannot be looked at is not done.
#[must_use]
pub fn is_begun(folder: &Path) -> bool {
    folder.join(BEGUN_FILE).try_exists().unwrap_or(true)
}

/// Lets the node of the data folder `folder` start again. Call it once the roster is in place.
///
/// # Errors
/// [`SucceedError::Io`].
pub fn done(folder: &Path) -> Result<(), SucceedError> {
    let path = folder.join(BEGUN_FILE);
    fs::remove_file(&path).map_err(failed(&path))?;
    sync(folder)
}

fn is_absent(error: &KeyError) -> bool {
    matches!(error, KeyError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn exists(path: &Path) -> Result<bool, SucceedError> {
    path.try_exists().map_err(failed(path))
}

fn sync(folder: &Path) -> Result<(), SucceedError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SucceedError + use<> {
    let path = path.to_owned();
    move |source| SucceedError::Io { path, source }
}

#[cfg(test)]
mod tests;
