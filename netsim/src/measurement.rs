//! A real mesh at work: a scenario as it was run, and what each of its nodes told of its timing. Not
//! what is made of it ([`crate::calibrate`], [`crate::validate`]).
//!
//! A measurement is a folder with `scenario.toml` and one file `NODE.jsonl` per node of it, lines of
//! [`comity_protocol::telemetry`]. Everything in it is bounded before it is read.

mod lines;
mod load;

use std::{
    io,
    path::{Path, PathBuf},
};

use comity_protocol::telemetry::{self, Head, Pass, Request, Shard};

pub use self::load::{Load, TokenTimes};
use crate::{scenario::ScenarioFile, toml_file::TomlFileError, world::World};

/// File of a measurement's scenario.
const SCENARIO: &str = "scenario.toml";

/// One folder.
#[derive(Debug, Clone)]
pub struct Measurement {
    /// Name of the folder.
    pub name: String,
    /// The scenario as it was run.
    pub file: ScenarioFile,
    /// The same, resolved.
    pub world: World,
    /// Folder of its tables, if it is another one.
    pub data: Option<PathBuf>,
    /// What each node told, in the order of the world's nodes.
    pub records: Vec<Record>,
}

/// What one node told. Times are microseconds since its file began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who it is.
    pub node: telemetry::Node,
    /// What it holds.
    pub shards: Vec<Shard>,
    /// Passes with their ends.
    pub passes: Vec<(u64, Pass)>,
    /// Runs of the head with their ends.
    pub heads: Vec<(u64, Head)>,
    /// What its connections carried, and when that was told.
    pub paths: Vec<(u64, telemetry::Path)>,
    /// Requests with their ends.
    pub requests: Vec<(u64, Request)>,
}

/// Why a folder is no measurement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasurementError {
    /// Its scenario does not hold.
    #[error(transparent)]
    Scenario(#[from] TomlFileError),
    /// A node told nothing.
    #[error("{path} cannot be read: every node of the scenario has a file of its timing")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is longer than what is read.
    #[error("{path} has more than {most} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes.
        most: u64,
    },
    /// A line is none of the format.
    #[error("{path}:{line}: {message}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
}

impl Measurement {
    /// Reads a folder; `data` is that of the scenario's tables, the folder itself if there is none.
    ///
    /// # Errors
    /// [`MeasurementError`].
    pub fn load(folder: &Path, data: Option<&Path>) -> Result<Self, MeasurementError> {
        let file = ScenarioFile::load(&folder.join(SCENARIO))?;
        let world = World::resolve(&file, data)?;
        let record =
            |node: &crate::world::Node| lines::read(&folder.join(format!("{}.jsonl", node.name)));
        let records = world.nodes.iter().map(record).collect::<Result<_, _>>()?;
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, file, world, data: data.map(Path::to_owned), records })
    }

    /// Whether homes had one request at a time only, by their own clocks.
    #[must_use]
    pub fn is_one_at_a_time(&self) -> bool {
        self.records.iter().all(|record| {
            let mut spans: Vec<(u64, u64)> = record
                .requests
                .iter()
                .map(|(at, request)| (at.saturating_sub(request.end_us), *at))
                .collect();
            spans.sort_unstable();
            // What ends and what begins are told by different tasks: a little overlap is none.
            spans.is_sorted_by(|one, next| one.1 <= next.0.saturating_add(SLACK_US))
        })
    }
}

/// Microseconds by which two requests may seem to overlap that followed each other.
const SLACK_US: u64 = 2_000;

#[cfg(test)]
pub(crate) mod tests;
