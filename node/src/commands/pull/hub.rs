//! Fetching a model over HTTP from a hub, resumed where it broke off. Not the check of its digest.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
    time::Duration,
};

use ureq::{
    Agent, Body,
    http::{Response, StatusCode, header},
};

use super::Job;
use crate::cache::CacheError;

/// Bytes read at once: large enough for the disk, small enough to notice a cancellation.
const CHUNK_BYTES: usize = 1 << 18;
/// How long the hub may take to be reached, and to send the next bytes.
const PATIENCE: Duration = Duration::from_secs(15);
/// Connections that may break in one pull, as long as each brought bytes.
const ATTEMPTS_MAX: u32 = 5;

/// Why the hub did not bring the model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub was not reached, or answered with an error.
    #[error("{url}: {source}")]
    Request {
        /// What was asked for.
        url: String,
        /// Why it failed.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The hub offers another number of bytes.
    #[error("{url} offers {got} bytes where {expected} were expected")]
    Size {
        /// What was asked for.
        url: String,
        /// Bytes the file has.
        expected: u64,
        /// Bytes offered.
        got: u64,
    },
    /// The transfer broke off. What came is kept for the next pull.
    #[error("{url} broke off after {done} bytes ({source}); pull again to resume")]
    Broken {
        /// What was asked for.
        url: String,
        /// Bytes on disk.
        done: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes could not be stored.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The user asked for the end. What came is kept for the next pull.
    #[error("cancelled")]
    Cancelled,
}

/// Brings the model from the hub at `base` to `path`, which may hold its beginning already.
///
/// # Errors
/// [`HubError`]; the partial file stays, unless the hub refused it.
pub(super) fn fetch(job: &mut Job<'_>, base: &str, path: &Path) -> Result<(), HubError> {
    let model = job.model;
    let base = base.trim_end_matches('/');
    let url = format!("{base}/{}/resolve/main/{}", model.repository, model.file);
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        // Ranges count bytes of the file, not of a compressed form of it.
        .accept_encoding("identity")
        .build()
        .into();
    job.progress.begin(model.name, Some(model.bytes));
    let mut attempt = 1;
    let result = loop {
        let before = length(path);
        match transfer(job, &agent, &url, path) {
            Err(HubError::Broken { done, .. }) if done > before && attempt < ATTEMPTS_MAX => {
                attempt += 1;
            }
            other => break other,
        }
    };
    job.progress.end();
    result
}

/// One connection: asks for what is missing and appends it.
fn transfer(job: &mut Job<'_>, agent: &Agent, url: &str, path: &Path) -> Result<(), HubError> {
    let total = job.model.bytes;
    // A beginning as long as the whole was never checked, or it would not be a beginning.
    let have = Some(length(path)).filter(|have| *have < total).unwrap_or(0);
    let failed = |error| HubError::Request { url: url.to_owned(), source: Box::new(error) };
    let request = agent.get(url);
    let request =
        if have > 0 { request.header(header::RANGE, format!("bytes={have}-")) } else { request };
    let response = request.call().map_err(failed)?;
    let have = if resumes(&response, have) { have } else { 0 };
    if let Some(offered) = response.body().content_length()
        && have + offered != total
    {
        let (url, got) = (url.to_owned(), have + offered);
        crate::cache::remove_file(path)?;
        return Err(HubError::Size { url, expected: total, got });
    }
    let written = |source| CacheError::write(path, total, source);
    let file = File::options().create(true).write(true).truncate(false).open(path);
    let mut file = file.map_err(written)?;
    file.set_len(have).map_err(written)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(have)).map_err(written)?;
    append(job, response, &mut file, url, path, have)?;
    Ok(file.sync_all().map_err(written)?)
}

/// Copies the body until the file has its length.
fn append(
    job: &mut Job<'_>,
    response: Response<Body>,
    file: &mut File,
    url: &str,
    path: &Path,
    mut done: u64,
) -> Result<(), HubError> {
    let total = job.model.bytes;
    let mut body = response.into_body().into_reader().take(total - done);
    let mut chunk = vec![0; CHUNK_BYTES];
    while done < total {
        if job.cancel.is_cancelled() {
            return Err(HubError::Cancelled);
        }
        let read = match body.read(&mut chunk) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            other => other,
        }
        .map_err(|source| HubError::Broken { url: url.to_owned(), done, source })?;
        file.write_all(&chunk[..read]).map_err(|source| CacheError::write(path, total, source))?;
        done += read as u64;
        job.progress.at(done);
    }
    Ok(())
}

/// Whether the hub sends the bytes from `have` on; else it sends all of them.
fn resumes(response: &Response<Body>, have: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
