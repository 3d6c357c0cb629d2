//! The scenario file of the planner: TOML in, checked sections out. Not what is made of them
//! ([`crate::world`]).
//!
//! Units stand in the names of keys, unknown keys are refused, and every error names file and line.
//! Names refer to sections of the same file; paths of tables are relative to `--data`, or to the
//! scenario's folder if that is not given.

mod demand;
mod fault;
mod hardware;
mod place;
mod published;
mod rule;
mod values;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

pub use self::{
    demand::{Arrivals, Backlog, Diurnal, Lengths, LengthsOf, Prefix, Turns, WorkloadSection},
    fault::{FaultKind, FaultSection, Recovery, RecoverySection},
    hardware::{
        BatchSection, DeviceSection, DeviceTime, KvOf, MachineSection, ModelSection, NodeSection,
        OfferSection,
    },
    place::{InstitutionSection, LinkSection, NetworkSection, SiteSection},
    published::HelixSection,
    rule::{PolicySection, RouterKind, RouterSection},
    values::{NotNegative, Positive, Share},
};
use crate::toml_file::{self, TomlFileError};

/// Longest scenario file, bytes: ten thousand nodes, a few lines each.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 20;

/// What is to be simulated.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What reports call it.
    pub name: String,
    /// What it is about, for people.
    #[serde(default)]
    pub description: String,
    /// Decides every random draw.
    #[serde(default = "one")]
    pub seed: u64,
    /// Where numbers of it were measured.
    pub calibration: Option<CalibrationSection>,
    /// How long, how often, how exactly.
    #[serde(default)]
    pub run: RunSection,
    /// How routes are chosen.
    #[serde(default)]
    pub router: RouterSection,
    /// What happens to sessions whose stage is lost.
    #[serde(default)]
    pub recovery: RecoverySection,
    /// What joins sites that no `[[link]]` joins.
    #[serde(default)]
    pub network: NetworkSection,
    /// Where machines stand.
    #[serde(rename = "site", default)]
    pub sites: Vec<Spanned<SiteSection>>,
    /// Who owns them.
    #[serde(rename = "institution", default)]
    pub institutions: Vec<Spanned<InstitutionSection>>,
    /// What is served.
    #[serde(rename = "model", default)]
    pub models: Vec<Spanned<ModelSection>>,
    /// Kinds of accelerators and processors.
    #[serde(rename = "device", default)]
    pub devices: Vec<Spanned<DeviceSection>>,
    /// Machines whose processors several nodes share.
    #[serde(rename = "machine", default)]
    pub machines: Vec<Spanned<MachineSection>>,
    /// The nodes.
    #[serde(rename = "node", default)]
    pub nodes: Vec<Spanned<NodeSection>>,
    /// Published clusters, in place of sites, institutions, models, devices and nodes.
    #[serde(default)]
    pub helix: Vec<Spanned<HelixSection>>,
    /// Links between sites.
    #[serde(rename = "link", default)]
    pub links: Vec<Spanned<LinkSection>>,
    /// What is asked.
    #[serde(rename = "workload", default)]
    pub workloads: Vec<Spanned<WorkloadSection>>,
    /// Rules that workloads refer to.
    #[serde(rename = "policy", default)]
    pub policies: Vec<Spanned<PolicySection>>,
    /// What goes wrong.
    #[serde(rename = "fault", default)]
    pub faults: Vec<Spanned<FaultSection>>,
    /// What could be bought.
    #[serde(rename = "offer", default)]
    pub offers: Vec<Spanned<OfferSection>>,
}

/// `[run]`: how long, how often, how exactly.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSection {
    /// Seconds before what is measured; found from the samples if it is not given.
    pub warm_up_s: Option<NotNegative>,
    /// Seconds that are measured.
    pub duration_s: Positive,
    /// Runs with different seeds, at least.
    pub runs: u32,
    /// Runs at most, if `precision` asks for more.
    pub runs_max: u32,
    /// More runs until the interval of the decode rate is narrower than this share of it.
    pub precision: Option<Share>,
    /// How rounds of decode steps are simulated.
    pub rounds: Rounds,
}

impl Default for RunSection {
    fn default() -> Self {
        let (duration_s, precision) = (Positive::new(600.0), None);
        Self {
            warm_up_s: None,
            duration_s,
            runs: 5,
            runs_max: 20,
            precision,
            rounds: Rounds::default(),
        }
    }
}

/// How rounds of decode steps are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounds {
    /// Pass by pass, but in one leap where nothing disturbs them.
    #[default]
    Leaped,
    /// Every pass and message is an event of its own.
    Exact,
    /// On the mean: no pass is an event, and prompts are averaged too. A run takes as long as its requests
    /// are many, and says less exactly how long they take.
    Averaged,
}

/// `[calibration]`: where numbers of the file were measured, as `calibrate` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationSection {
    /// Names of the measurements' folders.
    pub measurements: Vec<String>,
}

/// A scenario with what it takes to name lines of its file.
#[derive(Debug, Clone)]
pub struct ScenarioFile {
    /// The file.
    pub path: PathBuf,
    text: String,
    /// What it says.
    pub scenario: Scenario,
}

impl ScenarioFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TomlFileError`].
    pub fn load(path: &Path) -> Result<Self, TomlFileError> {
        Self::parse(path, toml_file::read(path, FILE_BYTES_MAX)?)
    }

    /// Reads the text of the file `path`.
    ///
    /// # Errors
    /// [`TomlFileError::Parse`].
    pub fn parse(path: &Path, text: String) -> Result<Self, TomlFileError> {
        let scenario = toml_file::parse(path, &text)?;
        let file = Self { path: path.to_owned(), text, scenario };
        file.check_names()?;
        Ok(file)
    }

    /// What is wrong with the section that begins at byte `at`.
    pub(crate) fn error(&self, at: usize, message: impl Into<String>) -> TomlFileError {
        toml_file::wrong(&self.path, &self.text, at, message.into())
    }

    /// No name stands for two things of one kind.
    fn check_names(&self) -> Result<(), TomlFileError> {
        let it = &self.scenario;
        self.unique("site", &it.sites, |section| &section.name)?;
        self.unique("institution", &it.institutions, |section| &section.name)?;
        self.unique("model", &it.models, |section| &section.name)?;
        self.unique("device", &it.devices, |section| &section.name)?;
        self.unique("machine", &it.machines, |section| &section.name)?;
        self.unique("node", &it.nodes, |section| &section.name)?;
        self.unique("policy", &it.policies, |section| &section.name)
    }

    fn unique<T>(
        &self,
        kind: &str,
        sections: &[Spanned<T>],
        name: impl Fn(&T) -> &String,
    ) -> Result<(), TomlFileError> {
        let mut seen = BTreeSet::new();
        for section in sections {
            let name = name(section.get_ref());
            if name.is_empty() || name.chars().any(char::is_control) {
                let message = format!("a {kind} needs a name without control characters");
                return Err(self.error(section.span().start, message));
            }
            if !seen.insert(name) {
                return Err(self.error(section.span().start, format!("a second {kind} {name:?}")));
            }
        }
        Ok(())
    }
}

const fn one() -> u64 {
    1
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::SMALL;
