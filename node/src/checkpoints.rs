//! Signs checkpoints of this node's log and has witnesses of other institutions cosign them. Not
//! the log, nor what a witness checks (`witness`).
//!
//! A checkpoint is durable here before anyone sees it, so that no two of one size are ever signed. A
//! log that has fewer records than a witness has seen was restored from an old copy, or the node
//! runs twice: it takes no more records.

mod ask;
mod behind;
mod kept;
mod start;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use comity_protocol::{
    id::Digest,
    log::{
        checkpoint::{self, Checkpoint},
        cosignature,
        note::Key,
    },
    signed::NodeKey,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, error, info_span, warn};

pub(crate) use behind::{BEHIND_FILE, seen};
pub use kept::{Kept, KeptError, SIGNED_FILE, WITNESSED_FILE};

use crate::{
    clock::Clock,
    directory::Directory,
    log::{Log, ProofError},
    net::control::Control,
};
use ask::{Answer, Institution};

/// How often the log is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Least time between two checkpoints.
const INTERVAL: Duration = Duration::from_secs(5);
/// Longest pause before a witness that did not cosign is asked again; the first is a second.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A witness says it cosigned what the log's key has not signed: its word counts for nothing.
const UNPROVEN: &str = "a witness shows a checkpoint that is not this log's; ignored";

/// What checkpoints are made of, and who is asked.
#[derive(Debug)]
pub struct Parts {
    /// The node's data folder.
    pub folder: PathBuf,
    /// Genesis hash of the consortium.
    pub genesis: Digest,
    /// The node's institution.
    pub institution: String,
    /// The node's key.
    pub signer: NodeKey,
    /// Its log.
    pub log: Log,
    /// Who witnesses.
    pub directory: Directory,
    /// How they are reached.
    pub control: Control,
    /// The time.
    pub clock: Clock,
}

/// Why a node signs no checkpoints, and so no records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointsError {
    /// A checkpoint of the data folder.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The log's hashes cannot be read.
    #[error("cannot compare the log with its checkpoint")]
    Hashes(#[source] ProofError),
    /// A file cannot be read or written.
    #[error("cannot use the files of the log's hashes and checkpoints")]
    Io(#[from] io::Error),
    /// The log is not what it was.
    #[error(
        "the log's first {size} records are not those that this node signed, as {who} shows; \
         restore the whole data folder from its newest copy, or begin anew with another node key"
    )]
    Rewritten {
        /// Records of the checkpoint.
        size: u64,
        /// Who has it.
        who: String,
    },
    /// The log is an old copy.
    #[error(
        "the log has {size} records, but {who} has seen {seen}: it is an old copy, or the node runs \
         elsewhere too; restore the whole data folder from its newest copy, or stop the node and \
         give the log a successor with comity log succeed"
    )]
    Behind {
        /// Records there are.
        size: u64,
        /// Who knows of more.
        who: String,
        /// How many.
        seen: u64,
    },
}

/// How far the log's checkpoints are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Records of the newest checkpoint.
    pub signed: u64,
    /// Records of the newest one that as many witnesses cosigned as the charter asks for.
    pub witnessed: u64,
    /// Why witnesses refuse the log as false, or what false they say of it, by institution.
    pub refused: BTreeMap<String, String>,
}

impl Parts {
    /// Checks the log against what was signed and what witnesses have seen, and goes on from there
    /// until cancelled.
    ///
    /// # Errors
    /// [`CheckpointsError`]; the node must sign nothing then.
    pub async fn spawn(
        self,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<watch::Receiver<Progress>, CheckpointsError> {
        let newest = Kept::load(&self.folder, SIGNED_FILE, &self.key())?;
        let witnessed = Kept::load(&self.folder, WITNESSED_FILE, &self.key())?;
        if let Some(newest) = &newest {
            self.check(&newest.checkpoint, &format!("the file {SIGNED_FILE}")).await?;
        }
        let seen = self.ask_at_start().await?;
        let size = |kept: &Option<Kept>| kept.as_ref().map_or(0, |kept| kept.checkpoint.size);
        let (signed, witnessed) = (size(&newest), size(&witnessed));
        let known = Progress { signed, witnessed, refused: BTreeMap::new() };
        let (progress, told) = watch::channel(known);
        let standing = |seen| Standing { seen, failures: 0, due: Instant::now() };
        let standings = seen.into_iter().map(|(id, seen)| (id, standing(seen))).collect();
        let parts = Arc::new(self);
        let actor = Actor { parts, newest, signed_at: None, standings, progress };
        tasks.spawn(actor.run(cancel).instrument(info_span!("checkpoints")));
        Ok(told)
    }

    /// The key of this log.
    fn key(&self) -> Key {
        checkpoint::key(&self.genesis, &self.signer.public())
    }
}

/// How it stands with one institution's witness.
#[derive(Debug, Clone, Copy)]
struct Standing {
    /// Records at which it last saw the log, as far as is known.
    seen: u64,
    /// Times in a row that it gave nothing.
    failures: u32,
    /// When it may be asked.
    due: Instant,
}

struct Actor {
    parts: Arc<Parts>,
    newest: Option<Kept>,
    signed_at: Option<Instant>,
    standings: BTreeMap<String, Standing>,
    progress: watch::Sender<Progress>,
}

impl Actor {
    async fn run(mut self, cancel: CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
            let Some(went) = cancel.run_until_cancelled(self.round()).await else { return };
            match went {
                Ok(()) => {}
                Err(
                    error @ (CheckpointsError::Behind { .. } | CheckpointsError::Rewritten { .. }),
                ) => {
                    error!(%error, "the log takes no more records");
                    return self.parts.log.clone().close().await;
                }
                Err(error) => error!(%error, "no checkpoint"),
            }
        }
    }

    /// Signs what is new and asks for the cosignatures that are missing.
    async fn round(&mut self) -> Result<(), CheckpointsError> {
        self.sign().await?;
        let Some(mut newest) = self.newest.clone() else { return Ok(()) };
        let mut cosigned = self.cosigned(&newest);
        let mut changed = false;
        for (id, key, answer) in self.ask(&newest, &cosigned).await {
            let (size, now) = (newest.checkpoint.size, self.parts.clock.now());
            let standing = self.standing(&id);
            match answer {
                Answer::Refuted(error) => return Err(error),
                Answer::Cosigned(line) => {
                    match cosignature::add(&mut newest.note, &line, &key, now) {
                        Ok(_) => {
                            *standing = Standing { seen: size, failures: 0, ..*standing };
                            self.settled(&id);
                            changed |= cosigned.insert(id);
                        }
                        Err(error) => {
                            warn!(%error, institution = id, "cosignature refused");
                            standing.failed();
                        }
                    }
                }
                Answer::Refused(why) => {
                    standing.failed();
                    self.refused(id, why);
                }
                Answer::Nothing => standing.failed(),
            }
        }
        if changed {
            self.keep(newest.clone(), SIGNED_FILE).await?;
            self.newest = Some(newest.clone());
        }
        let enough = cosigned.len() >= self.parts.directory.chain().current().witnesses as usize;
        let size = newest.checkpoint.size;
        if enough && (changed || size > self.progress.borrow().witnessed) {
            self.keep(newest, WITNESSED_FILE).await?;
            self.progress.send_modify(|progress| progress.witnessed = size);
        }
        Ok(())
    }

    /// Says once what a witness holds against the log; people must look at it.
    fn refused(&self, id: String, why: String) {
        self.progress.send_if_modified(|progress| {
            let news = progress.refused.get(&id) != Some(&why);
            if news {
                warn!(institution = id, why, "a witness refuses the log");
                progress.refused.insert(id, why);
            }
            news
        });
    }

    /// A witness has nothing against the log any more.
    fn settled(&self, id: &str) {
        self.progress.send_if_modified(|progress| progress.refused.remove(id).is_some());
    }

    /// Signs the log as it is, if it grew and the last checkpoint is old enough.
    async fn sign(&mut self) -> Result<(), CheckpointsError> {
        let (size, root) = self.parts.log.tree();
        let signed = self.newest.as_ref().map_or(0, |newest| newest.checkpoint.size);
        if size <= signed || self.signed_at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return Ok(());
        }
        let origin = self.parts.key().name().to_owned();
        let checkpoint = Checkpoint { origin, size, root };
        let note = checkpoint.sign(&self.parts.signer).map_err(io::Error::other)?;
        let newest = Kept { note, checkpoint };
        // Before anyone sees it.
        self.keep(newest.clone(), SIGNED_FILE).await?;
        (self.newest, self.signed_at) = (Some(newest), Some(Instant::now()));
        self.progress.send_modify(|progress| progress.signed = size);
        Ok(())
    }

    /// Asks, at once, one node of each institution that has not cosigned and may be asked.
    async fn ask(
        &mut self,
        newest: &Kept,
        cosigned: &BTreeSet<String>,
    ) -> Vec<(String, Key, Answer)> {
        let mut asking = JoinSet::new();
        for Institution { id, key, peers } in self.parts.witnesses().await {
            let Standing { seen, failures, due } = *self.standing(&id);
            if cosigned.contains(&id) || due > Instant::now() {
                continue;
            }
            // Another node each time that one gives nothing.
            let Some(peer) = peers.get(failures as usize % peers.len()).copied() else { continue };
            let (parts, newest) = (Arc::clone(&self.parts), newest.clone());
            asking.spawn(async move {
                let answer = parts.cosignature((&id, peer), &newest, seen).await;
                (id, key, answer)
            });
        }
        asking.join_all().await
    }

    fn standing(&mut self, id: &str) -> &mut Standing {
        let new = || Standing { seen: 0, failures: 0, due: Instant::now() };
        self.standings.entry(id.to_owned()).or_insert_with(new)
    }

    /// Who cosigned; nobody if one of the cosignatures kept does not hold under today's keys.
    fn cosigned(&self, kept: &Kept) -> BTreeSet<String> {
        let (parts, chain) = (&self.parts, self.parts.directory.chain());
        let cosigned = kept.cosigned(&parts.genesis, chain.current(), &parts.institution);
        cosigned.unwrap_or_default()
    }

    async fn keep(&self, kept: Kept, file: &'static str) -> io::Result<()> {
        let parts = Arc::clone(&self.parts);
        tokio::task::spawn_blocking(move || kept.save(&parts.folder, file)).await?
    }
}

impl Standing {
    fn failed(&mut self) {
        let pause = TICK.saturating_mul(1 << self.failures.min(6)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.due = Instant::now() + pause;
    }
}

#[cfg(test)]
mod tests;
