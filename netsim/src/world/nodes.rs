//! Sites, models and nodes from their sections. Not what joins them.

use std::{collections::BTreeSet, str::FromStr};

use comity_protocol::{
    block::BlockRange,
    directory::Member,
    id::PeerKey,
    limits::BLOCKS_MAX,
    policy::{Country, DataClass},
    roster::Role,
};
use toml::Spanned;

use super::{Institution, Model, Node, Offer, Resolver, Site};
use crate::{
    device::Device,
    scenario::{InstitutionSection, NodeSection},
    toml_file::TomlFileError,
};

/// Most nodes of one section: more is a slip of the pen.
const COUNT_MAX: u32 = 1_000_000;

pub(super) fn country(
    resolver: &Resolver<'_>,
    code: &Spanned<String>,
) -> Result<Country, TomlFileError> {
    Country::from_str(code.get_ref()).map_err(|error| resolver.error(code, error.to_string()))
}

pub(super) fn sites(resolver: &Resolver<'_>) -> Result<Vec<Site>, TomlFileError> {
    let sections = &resolver.scenario().sites;
    let site = |section: &Spanned<crate::scenario::SiteSection>| {
        let it = section.get_ref();
        let upstream = it.upstream.as_ref();
        let upstream =
            upstream.map(|name| resolver.find("site", name, sections, |site| &site.name));
        let at = match (it.latitude, it.longitude) {
            (Some(latitude), Some(longitude))
                if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 =>
            {
                Some((latitude, longitude))
            }
            (None, None) => None,
            _ => {
                let message = "a place has a latitude within 90 and a longitude within 180 degrees";
                return Err(resolver.error(section, message));
            }
        };
        let country = country(resolver, &it.country)?;
        Ok(Site { name: it.name.clone(), country, at, upstream: upstream.transpose()? })
    };
    let sites: Vec<Site> = sections.iter().map(site).collect::<Result<_, _>>()?;
    for (index, section) in sections.iter().enumerate() {
        let mut behind = sites[index].upstream;
        let mut through = Vec::new();
        while let Some(next) = behind.filter(|_| through.len() < sites.len()) {
            if next == index {
                let name = &sites[index].name;
                let through = match through.is_empty() {
                    true => String::new(),
                    false => format!(", through {}", through.join(", ")),
                };
                return Err(
                    resolver.error(section, format!("site {name:?} is its own upstream{through}"))
                );
            }
            through.push(format!("{:?}", sites[next].name));
            behind = sites[next].upstream;
        }
    }
    Ok(sites)
}

pub(super) fn models(resolver: &Resolver<'_>) -> Result<Vec<Model>, TomlFileError> {
    let model = |section: &Spanned<crate::scenario::ModelSection>| {
        let it = section.get_ref();
        if it.block_count == 0 || it.block_count > BLOCKS_MAX || it.hidden_bytes == 0 {
            let message = format!("a model has 1 to {BLOCKS_MAX} blocks and hidden states");
            return Err(resolver.error(section, message));
        }
        Ok(Model {
            name: it.name.clone(),
            block_count: it.block_count,
            hidden_bytes: it.hidden_bytes,
            home_bytes: it.home_bytes.unwrap_or(it.hidden_bytes),
            block_bytes: it.block_bytes,
            block_parameters: it.block_parameters,
        })
    };
    resolver.scenario().models.iter().map(model).collect()
}

pub(super) fn institutions(resolver: &Resolver<'_>) -> Vec<Institution> {
    let sections = resolver.scenario().institutions.iter();
    sections
        .map(|section| Institution {
            name: section.get_ref().name.clone(),
            share: section.get_ref().share.max(1),
        })
        .collect()
}

/// What charter and roster would say about a node.
fn member(
    resolver: &Resolver<'_>,
    institution: &InstitutionSection,
    site: &Site,
) -> Result<Member, TomlFileError> {
    let parent_country = match &institution.parent_country {
        Some(code) => country(resolver, code)?,
        None => site.country,
    };
    let class = institution.data_class_max.as_ref();
    let class = class.map(|class| {
        DataClass::from_str(class.get_ref())
            .map_err(|error| resolver.error(class, error.to_string()))
    });
    Ok(Member {
        institution: institution.name.clone(),
        jurisdiction: site.country,
        parent_country,
        data_class_max: class.transpose()?,
        purposes: institution.purposes.clone(),
        roles: BTreeSet::from([Role::Home, Role::Stage]),
    })
}

/// A key of its own for each node; nothing is signed in a simulation.
pub(super) fn peer(index: usize) -> PeerKey {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&(index as u64 + 1).to_be_bytes());
    PeerKey(key)
}

/// Where a node stands and whose it is.
pub(super) struct Base {
    pub(super) institution: usize,
    pub(super) site: usize,
    pub(super) member: Member,
}

pub(super) fn base(
    resolver: &Resolver<'_>,
    sites: &[Site],
    institution: &Spanned<String>,
    site: &Spanned<String>,
) -> Result<Base, TomlFileError> {
    let scenario = resolver.scenario();
    let owner = resolver.find("institution", institution, &scenario.institutions, |it| &it.name)?;
    let place = resolver.find("site", site, &scenario.sites, |it| &it.name)?;
    let member = member(resolver, scenario.institutions[owner].get_ref(), &sites[place])?;
    Ok(Base { institution: owner, site: place, member })
}

/// The number of a device for a model.
pub(super) fn device_of(
    resolver: &Resolver<'_>,
    device: &Spanned<String>,
    model: usize,
) -> Result<usize, TomlFileError> {
    let scenario = resolver.scenario();
    let section = resolver.find("device", device, &scenario.devices, |it| &it.name)?;
    Ok(section * scenario.models.len() + model)
}

pub(super) fn nodes(
    resolver: &Resolver<'_>,
    sites: &[Site],
    models: &[Model],
    devices: &[Device],
) -> Result<Vec<Node>, TomlFileError> {
    let mut nodes = Vec::new();
    for section in &resolver.scenario().nodes {
        let it = section.get_ref();
        if it.count == 0 || it.count > COUNT_MAX {
            let message = format!("count = {} is not between 1 and {COUNT_MAX}", it.count);
            return Err(resolver.error(section, message));
        }
        let pattern = node(resolver, sites, models, devices, it)?;
        for number in 1..=it.count {
            let name = match it.count {
                1 => it.name.clone(),
                _ => format!("{}-{number}", it.name),
            };
            nodes.push(Node { name, peer: peer(nodes.len()), ..pattern.clone() });
        }
    }
    Ok(nodes)
}

fn node(
    resolver: &Resolver<'_>,
    sites: &[Site],
    models: &[Model],
    devices: &[Device],
    it: &NodeSection,
) -> Result<Node, TomlFileError> {
    let scenario = resolver.scenario();
    let Base { institution, site, member } = base(resolver, sites, &it.institution, &it.site)?;
    let model = resolver.find("model", &it.model, &scenario.models, |it| &it.name)?;
    let device = device_of(resolver, &it.device, model)?;
    let blocks = match &it.blocks {
        None => None,
        Some(blocks) => {
            let [start, end] = *blocks.get_ref();
            let range = BlockRange::new(start, end)
                .map_err(|error| resolver.error(blocks, error.to_string()))?;
            if end > models[model].block_count {
                let message = format!(
                    "block {end} is past the {} blocks of model {:?}",
                    models[model].block_count, models[model].name
                );
                return Err(resolver.error(blocks, message));
            }
            if devices[device].kv_positions(end - start) == 0 {
                let message = format!(
                    "{} blocks leave device {:?} no room for KV cache (at most {} fit)",
                    end - start,
                    devices[device].name,
                    devices[device].blocks_max()
                );
                return Err(resolver.error(blocks, message));
            }
            Some(range)
        }
    };
    let machine = match &it.machine {
        None => None,
        Some(name) => {
            let machine = resolver.find("machine", name, &scenario.machines, |it| &it.name)?;
            Some((machine, it.threads.max(1)))
        }
    };
    let (name, peer) = (String::new(), PeerKey([0; 32]));
    let stage = true;
    let (room, rates) = (None, None);
    Ok(Node {
        name,
        peer,
        institution,
        site,
        device,
        model,
        blocks,
        stage,
        member,
        machine,
        room,
        rates,
    })
}

pub(super) fn offers(
    resolver: &Resolver<'_>,
    sites: &[Site],
    devices: &[Device],
) -> Result<Vec<Offer>, TomlFileError> {
    let scenario = resolver.scenario();
    let offer = |section: &Spanned<crate::scenario::OfferSection>| {
        let it = section.get_ref();
        let Base { institution, site, member } = base(resolver, sites, &it.institution, &it.site)?;
        let model = resolver.find("model", &it.model, &scenario.models, |it| &it.name)?;
        let device = device_of(resolver, &it.device, model)?;
        if devices[device].blocks_max() == 0 {
            return Err(resolver.error(&it.device, "no block of the model fits this device"));
        }
        let node = Node {
            name: it.name.clone(),
            peer: PeerKey([0xff; 32]),
            institution,
            site,
            device,
            model,
            blocks: None,
            stage: true,
            member,
            machine: None,
            room: None,
            rates: None,
        };
        Ok(Offer { node, price_eur: it.price_eur.get() })
    };
    scenario.offers.iter().map(offer).collect()
}
