//! A scenario with every name resolved: what the simulation and the planner work on. Not its file.

mod coverage;
mod demand;
mod devices;
mod fleet;
mod helix;
mod network;
mod nodes;
mod rules;
mod topology;

use std::{
    fs,
    path::{Path, PathBuf},
};

use comity_protocol::{block::BlockRange, directory::Member, id::PeerKey, policy::Policy};
use toml::Spanned;

pub use self::{
    coverage::Need,
    demand::{Arrival, Length, Workload},
    fleet::{ModelFleet, WorldFleetError},
    network::{Line, NETWORK_HOPS_MAX, Network, Point},
    rules::{Effect, Outage, Target},
};
use crate::{
    device::Device,
    scenario::{Recovery, RouterSection, RunSection, Scenario, ScenarioFile},
    toml_file::TomlFileError,
};

/// What is simulated.
#[derive(Debug, Clone)]
pub struct World {
    /// What reports call it.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Decides every random draw.
    pub seed: u64,
    /// How long, how often, how exactly.
    pub run: RunSection,
    /// How routes are chosen.
    pub router: RouterSection,
    /// What happens to sessions whose stage is lost.
    pub recovery: crate::scenario::RecoverySection,
    /// Places.
    pub sites: Vec<Site>,
    /// Members.
    pub institutions: Vec<Institution>,
    /// What is served.
    pub models: Vec<Model>,
    /// Kinds of devices.
    pub devices: Vec<Device>,
    /// Processors of each shared machine.
    pub machines: Vec<u32>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Those of them whose blocks the planner chose, for their sections name none.
    pub placed: Vec<usize>,
    /// Lines, and the way between any two nodes.
    pub network: Network,
    /// What is asked.
    pub workloads: Vec<Workload>,
    /// Rules; the first one restricts nothing.
    pub policies: Vec<Policy>,
    /// What goes wrong.
    pub outages: Vec<Outage>,
    /// What could be bought.
    pub offers: Vec<Offer>,
}

/// A place.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Country: the jurisdiction of the nodes there.
    pub country: comity_protocol::policy::Country,
    /// Degrees north and east, if they are known.
    pub at: Option<(f64, f64)>,
    /// Site through which it reaches the others.
    pub upstream: Option<usize>,
}

/// A member.
#[derive(Debug, Clone)]
pub struct Institution {
    /// Its id.
    pub name: String,
    /// Its weight where several wait.
    pub share: u32,
}

/// What is served.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Blocks.
    pub block_count: u32,
    /// Bytes of one position's hidden states.
    pub hidden_bytes: u64,
    /// Bytes of one position between home and a stage.
    pub home_bytes: u64,
    /// Bytes of one block's weights.
    pub block_bytes: u64,
    /// Parameters of one block.
    pub block_parameters: u64,
}

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its key, as the mesh's own code wants one.
    pub peer: PeerKey,
    /// Who owns it.
    pub institution: usize,
    /// Where it stands.
    pub site: usize,
    /// What runs its blocks; `None` of a home that holds none.
    pub device: usize,
    /// Whose blocks it holds.
    pub model: usize,
    /// Which; `None` if it waits to be given some, or only takes prompts.
    pub blocks: Option<BlockRange>,
    /// Whether it may hold blocks at all.
    pub stage: bool,
    /// What charter and roster would say about it.
    pub member: Member,
    /// Shared processors, and how many of them a pass keeps busy.
    pub machine: Option<(usize, u32)>,
    /// KV cache in positions times blocks, where it is not the device's.
    pub room: Option<u64>,
    /// Positions per second by blocks held, where they are published.
    pub rates: Option<Vec<f64>>,
}

/// A node that could be bought, and its price in euro.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What it would be; without blocks.
    pub node: Node,
    /// Euro.
    pub price_eur: f64,
}

/// Finds sections by name and says where there is none.
pub(crate) struct Resolver<'a> {
    file: &'a ScenarioFile,
    data: PathBuf,
}

impl World {
    /// Resolves a scenario; `data` is the folder of its tables, the file's own if there is none.
    ///
    /// # Errors
    /// [`TomlFileError`] with the line of what does not fit.
    pub fn resolve(file: &ScenarioFile, data: Option<&Path>) -> Result<Self, TomlFileError> {
        let folder = file.path.parent().unwrap_or_else(|| Path::new("."));
        let resolver = Resolver { file, data: data.unwrap_or(folder).to_owned() };
        let scenario = &file.scenario;
        let published = helix::published(&resolver)?;
        let is_published = !published.nodes.is_empty();
        let sites = if is_published { published.sites } else { nodes::sites(&resolver)? };
        let models = if is_published { published.models } else { nodes::models(&resolver)? };
        let devices = if is_published { published.devices } else { devices::devices(&resolver)? };
        let policies = rules::policies(&resolver)?;
        let mut nodes = match is_published {
            true => published.nodes,
            false => nodes::nodes(&resolver, &sites, &models, &devices)?,
        };
        let institutions = match is_published {
            true => published.institutions,
            false => nodes::institutions(&resolver),
        };
        let members: Vec<&str> = institutions.iter().map(|it| it.name.as_str()).collect();
        let workloads =
            demand::workloads(&resolver, &sites, &models, &members, &devices, &mut nodes)?;
        let offers = nodes::offers(&resolver, &sites, &devices)?;
        let network = Network::build(&resolver, &sites, &nodes, &published.pairs)?;
        let outages = rules::outages(&resolver, &sites, &nodes, &network)?;
        Ok(Self {
            name: scenario.name.clone(),
            description: scenario.description.clone(),
            seed: scenario.seed,
            run: scenario.run.clone(),
            router: scenario.router,
            recovery: scenario.recovery,
            institutions,
            machines: scenario.machines.iter().map(|it| it.get_ref().processors).collect(),
            sites,
            models,
            devices,
            nodes,
            placed: Vec::new(),
            network,
            workloads,
            policies,
            outages,
            offers,
        })
    }

    /// KV cache of a node beside the blocks it holds, in positions times blocks.
    #[must_use]
    pub fn room(&self, node: &Node) -> u64 {
        let of_device = |blocks: BlockRange| {
            let positions = self.devices[node.device].kv_positions(blocks.len());
            positions.saturating_mul(u64::from(blocks.len()))
        };
        node.room.unwrap_or_else(|| node.blocks.map_or(0, of_device))
    }

    /// Most blocks of its model that fit a node.
    #[must_use]
    pub fn blocks_max(&self, node: &Node) -> u32 {
        let published =
            node.rates.as_ref().map(|rates| u32::try_from(rates.len()).unwrap_or(u32::MAX));
        let fit = published.unwrap_or_else(|| self.devices[node.device].blocks_max());
        // What was published of rates may end before what a node holds.
        let held = node.blocks.map_or(0, |blocks| blocks.len());
        fit.max(held).min(self.models[node.model].block_count)
    }

    /// Whether sessions can go on after a loss.
    #[must_use]
    pub const fn recovers(&self) -> bool {
        !matches!(self.recovery.mode, Recovery::None)
    }
}

impl Resolver<'_> {
    fn scenario(&self) -> &Scenario {
        &self.file.scenario
    }

    /// What is wrong at a value or section.
    fn error<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> TomlFileError {
        self.file.error(at.span().start, message)
    }

    /// The place of the section that `name` names.
    fn find<T>(
        &self,
        kind: &str,
        name: &Spanned<String>,
        sections: &[Spanned<T>],
        of: impl Fn(&T) -> &String,
    ) -> Result<usize, TomlFileError> {
        let found = sections.iter().position(|section| of(section.get_ref()) == name.get_ref());
        found.ok_or_else(|| self.error(name, format!("no {kind} is called {:?}", name.get_ref())))
    }

    /// Reads a table.
    fn read(&self, file: &Spanned<String>) -> Result<String, TomlFileError> {
        let path = self.data.join(file.get_ref());
        fs::read_to_string(&path).map_err(|error| {
            let hint = "name the folder of the scenario's tables with --data";
            self.error(file, format!("{} cannot be read ({error}); {hint}", path.display()))
        })
    }
}

#[cfg(test)]
mod tests;
