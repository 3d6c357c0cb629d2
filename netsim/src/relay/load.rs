//! A scenario file of the relay or of the planner, read as the links that the relay opens. Not what
//! stands between two nodes ([`super::planned`]).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::IgnoredAny};
use toml::Spanned;

use super::{
    planned::{Place, PlannedError, links},
    scenario::{LINKS_MAX, Scenario, on_loopback, single_receiver},
};
use crate::{
    scenario::{FILE_BYTES_MAX, NodeSection, ScenarioFile, WorkloadSection},
    toml_file::{self, TomlFileError},
    world::World,
};

/// Why a file gives no links. The message begins with the file and, where there is one, the line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file does not hold.
    #[error(transparent)]
    File(#[from] TomlFileError),
    /// It holds, but the relay has no such links.
    #[error("{path} cannot be relayed")]
    Planned {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: PlannedError,
    },
}

/// Reads a scenario of the relay, or one of the planner whose nodes say where they are; `data` is the
/// folder of the latter's tables, its own if there is none.
///
/// # Errors
/// [`LoadError`].
pub fn load(path: &Path, data: Option<&Path>) -> Result<Scenario, LoadError> {
    let text = toml_file::read(path, FILE_BYTES_MAX)?;
    if !is_planners(&text) {
        return Ok(Scenario::parse(path, &text)?);
    }
    let file = ScenarioFile::parse(path, text)?;
    let places: Vec<Option<Place>> = places(&file)?.into_iter().map(Some).collect();
    let world = World::resolve(&file, data)?;
    let links = links(&world, &places)
        .map_err(|source| LoadError::Planned { path: path.to_owned(), source })?;
    Ok(Scenario { seed: world.seed, links })
}

/// Whether a text is one of the planner's: it has a name or nodes, and the relay's have neither.
fn is_planners(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Keys {
        name: Option<IgnoredAny>,
        node: Option<IgnoredAny>,
        helix: Option<IgnoredAny>,
    }
    // What is no TOML is refused with its line, whoever reads it.
    toml::from_str(text)
        .is_ok_and(|it: Keys| it.name.is_some() || it.node.is_some() || it.helix.is_some())
}

/// Where each node of a scenario is; they are as many as the world's nodes then.
fn places(file: &ScenarioFile) -> Result<Vec<Place>, TomlFileError> {
    let scenario = &file.scenario;
    if let Some(section) = scenario.helix.first() {
        let message = "nobody says where the nodes of a published cluster listen";
        return Err(file.error(section.span().start, message));
    }
    let home = |it: &Spanned<WorkloadSection>| it.get_ref().home_site.clone();
    if let Some(site) = scenario.workloads.iter().find_map(home) {
        let message = format!(
            "nobody says where the home at site {:?} listens: give it a [[node]], and name that",
            site.get_ref()
        );
        return Err(file.error(site.span().start, message));
    }
    let count = scenario.nodes.len();
    let pairs = count * count.saturating_sub(1);
    if pairs == 0 || pairs > LINKS_MAX {
        let message =
            format!("{pairs} links between {count} nodes are not between 1 and {LINKS_MAX}");
        return Err(file.error(0, message));
    }
    let mut taken = BTreeMap::new();
    scenario.nodes.iter().map(|section| place(file, section, &mut taken)).collect()
}

/// Where a node is; `taken` has the addresses of those before it.
fn place<'a>(
    file: &ScenarioFile,
    section: &'a Spanned<NodeSection>,
    taken: &mut BTreeMap<SocketAddr, &'a str>,
) -> Result<Place, TomlFileError> {
    let it = section.get_ref();
    let missing = |key| {
        let message = format!("node {:?} does not say where it is: add {key}", it.name);
        file.error(section.span().start, message)
    };
    if it.count != 1 {
        let message = format!(
            "{} nodes {:?} cannot be at one address: give each a [[node]] of its own",
            it.count, it.name
        );
        return Err(file.error(section.span().start, message));
    }
    let listen = it.listen.as_ref().ok_or_else(|| missing("listen"))?;
    let advertise = it.advertise.as_ref().ok_or_else(|| missing("advertise"))?;
    for (key, address) in [("listen", listen), ("advertise", advertise)] {
        let wrong = |message| file.error(address.span().start, message);
        single_receiver(key, *address.get_ref()).map_err(|error| wrong(error.to_string()))?;
        if let Some(other) = taken.insert(*address.get_ref(), &it.name) {
            return Err(wrong(format!("{key} = {} is node {other:?}'s", address.get_ref())));
        }
    }
    on_loopback("advertise", *advertise.get_ref())
        .map_err(|error| file.error(advertise.span().start, error.to_string()))?;
    Ok(Place { listen: *listen.get_ref(), advertise: *advertise.get_ref() })
}

#[cfg(test)]
mod tests;
