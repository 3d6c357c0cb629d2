//! Cosigns checkpoints of other institutions' logs, and keeps what it cosigned. Not the rules,
//! which are `comity_protocol::log::witness`'s, nor this node's own log (`checkpoints`).
//!
//! What is kept of a log is one file, replaced durably before a cosignature is given. A log that
//! told two stories is distrusted for as long as its file, with the proof in it, is there.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use comity_protocol::{
    id::{Digest, PeerKey},
    log::{
        checkpoint::CheckpointError,
        witness::{
            Input, Output, Witness as Core, WitnessRefusal, WitnessReply, WitnessRequest,
            WitnessState,
        },
    },
    refusal::Cause,
    signed::NodeKey,
    wire::{DecodeError, Wire as _},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, error, info_span};

use crate::{clock::Clock, directory::Directory, files, keys::KeyError};

/// Folder of what is kept, in the data folder.
const WITNESS_FOLDER: &str = "witness";
/// How the file of a log ends; before it stands the node's key.
const STATE_SUFFIX: &str = ".state";
/// Requests that may wait; past it, who asks waits.
const INBOX_CAPACITY: usize = 64;

/// What a witness is.
#[derive(Debug)]
pub struct WitnessSetup {
    /// The node's data folder.
    pub data_dir: PathBuf,
    /// Genesis hash of the consortium.
    pub genesis: Digest,
    /// Its institution.
    pub institution: String,
    /// The secret half of its institution's witness key.
    pub key: NodeKey,
}

/// Why a node does not witness.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenWitnessError {
    /// The institution's witness key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key is not the one in the charter.
    #[error("the charter gives {institution} the witness key {expected}, not {got}")]
    Charter {
        /// The node's institution.
        institution: String,
        /// The charter's key.
        expected: PeerKey,
        /// The public half of the key given.
        got: PeerKey,
    },
    /// A file or folder.
    #[error("cannot use {path}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} is not what a witness keeps; restore it from a backup that is up to date")]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// What was kept holds no checkpoint.
    #[error("a file of {path} holds no checkpoint")]
    Checkpoint {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
}

struct Question {
    peer: PeerKey,
    request: WitnessRequest,
    reply: oneshot::Sender<WitnessReply>,
}

/// Handle to the witness. Cheap to clone; it answers until its token is cancelled.
#[derive(Debug, Clone)]
pub struct Witness {
    inbox: mpsc::Sender<Question>,
}

impl Witness {
    /// Starts the witness with what it kept. Blocks for a moment; call it before serving.
    ///
    /// # Errors
    /// [`OpenWitnessError`]. It never begins anew by itself: it would cosign what contradicts its
    /// own word.
    pub fn spawn(
        setup: WitnessSetup,
        directory: Directory,
        clock: Clock,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, OpenWitnessError> {
        let folder = setup.data_dir.join(WITNESS_FOLDER);
        let states = load(&folder)?;
        let distrusted = states.iter().filter(|(_, state)| state.contradiction.is_some());
        let distrusted: Vec<_> = distrusted.filter_map(|(name, _)| name.parse().ok()).collect();
        let WitnessSetup { genesis, institution, key, .. } = setup;
        let states = states.into_iter().map(|(_, state)| state);
        let core = Core::new(genesis, &institution, key, states)
            .map_err(|source| OpenWitnessError::Checkpoint { path: folder.clone(), source })?;
        let (inbox, questions) = mpsc::channel(INBOX_CAPACITY);
        let actor = Actor {
            core,
            folder,
            directory,
            clock,
            next: 0,
            asked: HashMap::new(),
            work: JoinSet::new(),
        };
        let running = actor.run(questions, distrusted, cancel);
        tasks.spawn(running.instrument(info_span!("witness")));
        Ok(Self { inbox })
    }

    /// Answers the member `peer`, which asks about its own log.
    ///
    /// Dropping the future abandons only the answer.
    pub async fn cosign(&self, peer: PeerKey, request: WitnessRequest) -> WitnessReply {
        let (reply, answered) = oneshot::channel();
        // If the actor is gone, so is the reply's sender.
        let _ = self.inbox.send(Question { peer, request, reply }).await;
        answered.await.unwrap_or_else(|_| {
            WitnessReply::Refused(WitnessRefusal::new(Cause::Shutdown, "the witness has stopped"))
        })
    }
}

/// What the actor waits for.
enum Done {
    /// A state of this log was written, or not.
    Persisted { origin: String, durable: bool },
    /// The directory knows whom not to trust.
    Told,
}

struct Actor {
    core: Core,
    folder: PathBuf,
    directory: Directory,
    clock: Clock,
    /// Number of the next request.
    next: u64,
    asked: HashMap<u64, oneshot::Sender<WitnessReply>>,
    /// At most one write for each log, and one word to the directory for each false one.
    work: JoinSet<Done>,
}

impl Actor {
    async fn run(
        mut self,
        mut questions: mpsc::Receiver<Question>,
        distrusted: Vec<PeerKey>,
        cancel: CancellationToken,
    ) {
        for peer in distrusted {
            error!(peer = %peer.short(), "its log told two stories; the proof is kept");
            self.directory.distrust(peer).await;
        }
        loop {
            tokio::select! { biased;
                () = cancel.cancelled() => break,
                Some(done) = self.work.join_next() => match done {
                    Ok(Done::Persisted { origin, durable }) => {
                        self.handle(Input::Persisted { origin, durable });
                    }
                    Ok(Done::Told) => {}
                    // A write that panicked leaves open what is kept: nothing more is cosigned.
                    Err(error) => break error!(%error, "the witness stops"),
                },
                question = questions.recv() => match question {
                    Some(question) => self.take(question),
                    None => break,
                },
            }
        }
    }

    fn take(&mut self, Question { peer, request, reply }: Question) {
        let id = self.next;
        self.next += 1;
        self.asked.insert(id, reply);
        // The directory admitted the peer on its connection, or it would not have been heard.
        self.handle(Input::Request { id, request, log: Some(peer) });
    }

    fn handle(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.core.handle(self.clock.now(), input, &mut outputs);
        for output in outputs {
            match output {
                Output::Persist { origin, state } => self.persist(origin, &state),
                Output::Reply { id, reply } => {
                    if let Some(asked) = self.asked.remove(&id) {
                        // Whoever asked may be gone.
                        let _ = asked.send(reply);
                    }
                }
                Output::Equivocated(proof) => {
                    let (first, second) = (proof.first.text(), proof.second.text());
                    error!(first, second, "a log told two stories; the proof is kept");
                    self.distrust(first);
                }
            }
        }
    }

    fn persist(&mut self, origin: String, state: &WitnessState) {
        let name = format!("{}{STATE_SUFFIX}", last_part(&origin));
        let (path, bytes) = (self.folder.join(name), state.encode());
        self.work.spawn_blocking(move || {
            let written = files::replace(&path, &bytes);
            if let Err(error) = &written {
                error!(path = %path.display(), %error, "a checkpoint cannot be kept");
            }
            Done::Persisted { origin, durable: written.is_ok() }
        });
    }

    fn distrust(&mut self, checkpoint: &str) {
        let origin = checkpoint.lines().next().unwrap_or_default();
        let Ok(peer) = last_part(origin).parse() else { return };
        let directory = self.directory.clone();
        self.work.spawn(async move {
            directory.distrust(peer).await;
            Done::Told
        });
    }
}

/// The node's key in the name of its log.
fn last_part(origin: &str) -> &str {
    origin.rsplit('/').next().unwrap_or(origin)
}

/// What was kept, each with the file's name before its end. Makes the folder.
fn load(folder: &Path) -> Result<Vec<(String, WitnessState)>, OpenWitnessError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenWitnessError::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    let mut states = Vec::new();
    for entry in fs::read_dir(folder).map_err(io(folder))? {
        let entry = entry.map_err(io(folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        // What else there is, a crash left behind while it was written.
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(STATE_SUFFIX)) else {
            continue;
        };
        let bytes = files::read(&path, WitnessState::BYTES_MAX).map_err(io(&path))?;
        let state = WitnessState::decode(&bytes.unwrap_or_default())
            .map_err(|source| OpenWitnessError::Decode { path, source })?;
        states.push((name.to_owned(), state));
    }
    Ok(states)
}

#[cfg(test)]
mod tests;
