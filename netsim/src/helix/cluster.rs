//! Machines and links of a cluster, and who hosts what on it. Not what a machine computes.

use std::{collections::BTreeMap, path::Path};

use comity_protocol::{
    block::BlockRange,
    placement::{Fleet, FleetNode, Placement},
};

use super::{LoadError, Model, Rates, ini::Ini};

/// Bytes of a token id between home and a stage.
const TOKEN_BYTES: f64 = 2.0;
/// What a machine's network carries each way, bytes per second.
const NETWORK: f64 = 10e9;
/// Machines nearer to each other than this stand at one site, seconds.
const SITE_LATENCY: f64 = 0.01;

/// An end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The coordinator: there it plays home to all sessions.
    Home,
    /// A machine, from 0.
    Node(usize),
}

/// A directed link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterLink {
    /// Sender.
    pub from: Place,
    /// Receiver.
    pub to: Place,
    /// Bytes per second.
    pub bandwidth: f64,
    /// One way, seconds.
    pub latency: f64,
}

/// Machines and how they are joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// By machine: its device, in lower case.
    pub devices: Vec<String>,
    /// Every direction that exists.
    pub links: Vec<ClusterLink>,
}

impl Cluster {
    /// Reads a cluster such as `single_cluster/config/cluster24.ini`.
    ///
    /// # Errors
    /// [`LoadError`] if the file is not there or not as expected.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let ini = Ini::read(path)?;
        let count = ini.count("NodeNames", "total_compute_nodes")?;
        let section = |node: usize| format!("ComputeNode-{node}");
        let mut devices = Vec::new();
        let mut joined = Vec::new();
        for node in 0..count {
            devices.push(ini.get(&section(node), "type")?.to_lowercase());
            joined.push(ini.list(&section(node), "connected_nodes")?);
        }
        let mut links = Vec::new();
        for name in ini.sections().filter(|name| name.starts_with("Link-")) {
            let ends = name["Link-".len()..].split_once('-');
            let (a, b) = ends.ok_or_else(|| ini.wrong("link", name))?;
            let place = |end: &str| match end {
                "source" | "sink" => Some(Place::Home),
                node => node.parse().ok().filter(|node| *node < count).map(Place::Node),
            };
            let known = place(a).zip(place(b));
            let (from, to) = known.ok_or_else(|| ini.wrong("link", name))?;
            let bandwidth = ini.quantity(name, "bandwidth")?;
            let latency = ini.quantity(name, "latency")?;
            // A link between machines stands there once and goes both ways where both say so.
            let goes = |from: Place, to: &str| match from {
                Place::Home => true,
                Place::Node(node) => joined[node].contains(&to),
            };
            if goes(from, b) {
                links.push(ClusterLink { from, to, bandwidth, latency });
            }
            if from != Place::Home && to != Place::Home && goes(to, a) {
                links.push(ClusterLink { from: to, to: from, bandwidth, latency });
            }
        }
        Ok(Self { devices, links })
    }

    /// Machines by device.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for device in &self.devices {
            *counts.entry(device.clone()).or_insert(0) += 1;
        }
        counts
    }

    /// By machine: its site, from 0. Links of a few milliseconds stay within a site.
    #[must_use]
    pub fn sites(&self) -> Vec<usize> {
        let mut sites: Vec<usize> = (0..self.devices.len()).collect();
        for link in self.links.iter().filter(|link| link.latency < SITE_LATENCY) {
            if let (Place::Node(from), Place::Node(to)) = (link.from, link.to) {
                let (low, high) = (sites[from].min(sites[to]), sites[from].max(sites[to]));
                sites.iter_mut().filter(|site| **site == high).for_each(|site| *site = low);
            }
        }
        let mut firsts = sites.clone();
        firsts.sort_unstable();
        firsts.dedup();
        sites.iter().map(|site| firsts.partition_point(|first| first < site)).collect()
    }

    /// The machines as a fleet for `model`, each site an institution.
    ///
    /// # Errors
    /// [`LoadError::Device`] for a machine without rates, [`LoadError::Fleet`] for numbers that
    /// make no fleet.
    pub fn fleet(&self, model: Model, rates: &Rates) -> Result<Fleet, LoadError> {
        let hidden = f64::from(model.hidden_bytes());
        let mut nodes = Vec::new();
        for (device, institution) in self.devices.iter().zip(self.sites()) {
            let missing = || LoadError::Device { what: "rates", device: device.clone() };
            let rates = rates.get(device).ok_or_else(missing)?.clone();
            let network = NETWORK / hidden;
            nodes.push(FleetNode { institution, rates, network, entry: 0.0, exit: 0.0 });
        }
        for link in &self.links {
            match (link.from, link.to) {
                (Place::Home, Place::Node(node)) => {
                    nodes[node].entry = link.bandwidth / TOKEN_BYTES
                }
                (Place::Node(node), Place::Home) => nodes[node].exit = link.bandwidth / TOKEN_BYTES,
                _ => (),
            }
        }
        let mut fleet = Fleet::new(model.block_count(), nodes)?;
        for link in &self.links {
            if let (Place::Node(from), Place::Node(to)) = (link.from, link.to) {
                fleet.set_link(from, to, link.bandwidth / hidden)?;
            }
        }
        Ok(fleet)
    }
}

/// Reads what KV cache each of `nodes` machines has, positions times blocks, from a file such as
/// `layout_llama70b/ilp/simulator_cluster.ini`.
///
/// # Errors
/// [`LoadError`] if the file is not there or says nothing of a machine.
pub fn kv_room(path: &Path, nodes: usize) -> Result<Vec<u64>, LoadError> {
    let ini = Ini::read(path)?;
    let room = |node: usize| ini.count(&format!("compute_node_{}", node + 2), "kv_cache_capacity");
    (0..nodes).map(|node| room(node).map(|room| room as u64)).collect()
}

/// Reads who hosts what, such as `layout_llama70b/ilp/ilp_sol.ini`, for a cluster of `nodes`.
///
/// # Errors
/// [`LoadError`] if the file is not there, not as expected, or of another cluster.
pub fn placement(path: &Path, nodes: usize) -> Result<Placement, LoadError> {
    let ini = Ini::read(path)?;
    let offset = ini.count("Settings", "offset")?;
    let mut placement = Placement::empty(nodes);
    for name in ini.section("Solution")?.keys() {
        let number = name.strip_prefix("compute_node_").and_then(|number| number.parse().ok());
        let node = number.and_then(|number: usize| number.checked_sub(offset));
        let node = node.filter(|node| *node < nodes).ok_or_else(|| ini.wrong("a node", name))?;
        let blocks = ini.list("Solution", name)?;
        let mut numbers = Vec::new();
        for block in &blocks {
            numbers.push(block.parse::<u32>().map_err(|_| ini.wrong(name, block))?);
        }
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            continue;
        };
        if numbers.windows(2).any(|pair| pair[0].checked_add(1) != Some(pair[1])) {
            return Err(ini.wrong(name, ini.get("Solution", name)?));
        }
        let range = BlockRange::new(*first, last.saturating_add(1));
        let path = ini.path().to_owned();
        placement.set(node, Some(range.map_err(|source| LoadError::Range { path, source })?));
    }
    Ok(placement)
}
