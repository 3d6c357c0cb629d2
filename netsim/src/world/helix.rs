//! A world from the files that Helix publishes. Not their reading ([`crate::helix`]).

use std::collections::BTreeSet;

use comity_protocol::{directory::Member, policy::Country, roster::Role};
use toml::Spanned;

use super::{Institution, Line, Model, Node, Resolver, Site, network::nanoseconds, nodes::peer};
use crate::{
    device::{Device, Pace},
    helix::{
        self, Cluster, Devices, KV_PAGE_POSITIONS, LoadError, Place, kv_room, placement, rates,
    },
    scenario::HelixSection,
    toml_file::TomlFileError,
};

/// Nanoseconds for every byte of hidden states that enters a machine: copied together at 4 GB/s, then
/// over its bus at 5 GB/s.
const ENTRY_NS: f64 = 1.0 / 4.0 + 1.0 / 5.0;
/// Bytes of a token between the coordinator and a machine.
const TOKEN_BYTES: u64 = 2;

/// What the published clusters of a scenario come to.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) sites: Vec<Site>,
    pub(super) institutions: Vec<Institution>,
    pub(super) models: Vec<Model>,
    pub(super) devices: Vec<Device>,
    pub(super) nodes: Vec<Node>,
    /// Lines of their own between two nodes.
    pub(super) pairs: Vec<((usize, usize), Line)>,
}

/// All of them.
pub(super) fn published(resolver: &Resolver<'_>) -> Result<Published, TomlFileError> {
    let mut all = Published::default();
    for section in &resolver.scenario().helix {
        add(resolver, section, &mut all)?;
    }
    Ok(all)
}

fn add(
    resolver: &Resolver<'_>,
    section: &Spanned<HelixSection>,
    all: &mut Published,
) -> Result<(), TomlFileError> {
    let it = section.get_ref();
    let folder = resolver.data.join(it.files.get_ref());
    let failed = |error: LoadError| {
        let message = format!("{error}; name the folder of the published data with --data");
        resolver.error(&it.files, message)
    };
    let model = model(resolver, it)?;
    let timings = Devices::load(&folder, model).map_err(failed)?;
    let cluster = Cluster::load(&folder.join(it.cluster.get_ref())).map_err(failed)?;
    let holds = placement(&folder.join(it.placement.get_ref()), cluster.devices.len());
    let holds = holds.map_err(failed)?;
    let room =
        it.memory.as_ref().map(|file| kv_room(&folder.join(file.get_ref()), cluster.devices.len()));
    let room = room.transpose().map_err(failed)?;
    let rates = rates(&timings, &cluster.counts()).map_err(failed)?;
    let first = all.nodes.len();
    let (number, owner) = (all.models.len(), all.institutions.len());
    all.institutions.push(Institution { name: it.name.clone(), share: 1 });
    all.models.push(Model {
        name: it.name.clone(),
        block_count: model.block_count(),
        hidden_bytes: u64::from(model.hidden_bytes()),
        home_bytes: TOKEN_BYTES,
        block_bytes: 0,
        block_parameters: 0,
    });
    let country: Country = "US".parse().expect("two letters");
    let places = cluster.sites();
    let site = all.sites.len();
    for place in 0..=places.iter().copied().max().unwrap_or(0) {
        let name = format!("{} site {}", it.name, place + 1);
        all.sites.push(Site { name, country, at: None, upstream: None });
    }
    let member = member(&it.name, country);
    let node = |name: String, index: usize| Node {
        name,
        peer: peer(index),
        institution: owner,
        site,
        device: usize::MAX,
        model: number,
        blocks: None,
        stage: false,
        member: member.clone(),
        machine: None,
        room: None,
        rates: None,
    };
    for (index, name) in cluster.devices.iter().enumerate() {
        let device = device(resolver, section, &timings, name, all)?;
        all.nodes.push(Node {
            site: site + places[index],
            device,
            blocks: holds.range(index),
            stage: true,
            room: room.as_ref().map(|room| room[index]),
            rates: rates.get(name).cloned(),
            ..node(format!("{} {name} {}", it.name, index + 1), first + index)
        });
    }
    let home = all.nodes.len();
    all.nodes.push(node(format!("{} home", it.name), home));
    join(&cluster, first, home, all);
    Ok(())
}

/// What a charter would say about a machine.
fn member(name: &str, country: Country) -> Member {
    Member {
        institution: name.to_owned(),
        jurisdiction: country,
        parent_country: country,
        data_class_max: None,
        purposes: BTreeSet::new(),
        roles: BTreeSet::from([Role::Home, Role::Stage]),
    }
}

/// The model a section means.
fn model(resolver: &Resolver<'_>, it: &HelixSection) -> Result<helix::Model, TomlFileError> {
    [helix::Model::Llama30b, helix::Model::Llama70b]
        .into_iter()
        .find(|model| model.folder() == it.model.get_ref())
        .ok_or_else(|| {
            resolver.error(&it.model, format!("no model {:?} was measured", it.model.get_ref()))
        })
}

/// Adds the lines of a cluster whose first machine and coordinator have these numbers.
fn join(cluster: &Cluster, first: usize, home: usize, all: &mut Published) {
    for link in &cluster.links {
        let end = |place: Place| match place {
            Place::Home => home,
            Place::Node(node) => first + node,
        };
        let line = Line {
            rate: link.bandwidth * 8.0,
            delay_ns: nanoseconds(link.latency * 1e9),
            loss: 0.0,
            jitter_ns: 0,
        };
        all.pairs.push(((end(link.from), end(link.to)), line));
    }
}

/// The number of a device by its name, added if it is new for this cluster.
fn device(
    resolver: &Resolver<'_>,
    section: &Spanned<HelixSection>,
    timings: &Devices,
    name: &str,
    all: &mut Published,
) -> Result<usize, TomlFileError> {
    let it = section.get_ref();
    let called = format!("{} {name}", it.name);
    if let Some(known) = all.devices.iter().position(|device| device.name == called) {
        return Ok(known);
    }
    let failed = |error: LoadError| resolver.error(section, error.to_string());
    let measured = timings.device(name).map_err(failed)?;
    let Some(prompts_max) = it.prompts_max.get(name).filter(|most| **most > 0) else {
        return Err(resolver.error(section, format!("prompts_max says nothing of {name:?}")));
    };
    all.devices.push(Device {
        name: called,
        pace: Pace::Table {
            prompt: measured.prefill.clone(),
            decode: measured.decode.clone(),
            pass_ns: 0.0,
            entry_ns: ENTRY_NS,
        },
        kv: measured.kv_pages.iter().map(|pages| pages * KV_PAGE_POSITIONS).collect(),
        positions_max: u32::MAX,
        prompt_positions_min: 0,
        prompts_max: Some(*prompts_max),
        head_ns: (0.0, 0.0),
        error: 0.0,
        deviation: 0.0,
        contention: 0.0,
    });
    Ok(all.devices.len() - 1)
}
