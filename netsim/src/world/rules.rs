//! Policies and outages from their sections. Not what they do.

use std::{collections::BTreeSet, str::FromStr};

use comity_protocol::policy::{Country, DataClass, Policy};
use toml::Spanned;

use super::{Network, Node, Resolver, Site, nodes::country};
use crate::{
    scenario::{FaultKind, FaultSection, PolicySection},
    toml_file::TomlFileError,
};

/// Something that fails, once or again and again.
#[derive(Debug, Clone)]
pub struct Outage {
    /// What reports call it.
    pub name: String,
    /// What fails.
    pub target: Target,
    /// How.
    pub effect: Effect,
    /// Seconds of the first failure; drawn if `between_s` is given.
    pub at_s: f64,
    /// Seconds until it is mended.
    pub for_s: Option<f64>,
    /// Mean seconds between failures, and until each is mended.
    pub between_s: Option<(f64, f64)>,
}

/// What fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// These nodes, together.
    Nodes(Vec<usize>),
    /// These lines, by their numbers in the network.
    Lines(Vec<usize>),
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// It is gone.
    Down,
    /// Nodes take so many times as long.
    Slow(f64),
    /// Lines have this share of their rate.
    Rate(f64),
    /// Lines lose this share of their packets.
    Loss(f64),
}

pub(super) fn policies(resolver: &Resolver<'_>) -> Result<Vec<Policy>, TomlFileError> {
    let open = Policy::open(Policy::OPEN);
    let sections = &resolver.scenario().policies;
    let policies = sections.iter().map(|section| policy(resolver, section));
    std::iter::once(Ok(open)).chain(policies).collect()
}

fn policy(
    resolver: &Resolver<'_>,
    section: &Spanned<PolicySection>,
) -> Result<Policy, TomlFileError> {
    let it = section.get_ref();
    let countries = |codes: &BTreeSet<String>| {
        let parse = |code: &String| {
            Country::from_str(code).map_err(|error| resolver.error(section, error.to_string()))
        };
        codes.iter().map(parse).collect::<Result<BTreeSet<_>, _>>()
    };
    for institution in &it.allowed_institutions {
        let known = &resolver.scenario().institutions;
        if !known.iter().any(|known| known.get_ref().name == *institution) {
            let message =
                format!("policy {:?} allows {institution:?}, which is no member", it.name);
            return Err(resolver.error(section, message));
        }
    }
    let class = it.data_class.as_ref().map(|class| {
        DataClass::from_str(class.get_ref())
            .map_err(|error| resolver.error(class, error.to_string()))
    });
    Ok(Policy {
        allowed_jurisdictions: countries(&it.allowed_jurisdictions)?,
        forbidden_jurisdictions: countries(&it.forbidden_jurisdictions)?,
        allowed_institutions: it.allowed_institutions.clone(),
        pinned_first: it.pinned_first,
        pinned_last: it.pinned_last,
        data_class: class.transpose()?,
        purpose: it.purpose.clone(),
        ..Policy::open(it.name.clone())
    })
}

pub(super) fn outages(
    resolver: &Resolver<'_>,
    sites: &[Site],
    nodes: &[Node],
    network: &Network,
) -> Result<Vec<Outage>, TomlFileError> {
    let sections = resolver.scenario().faults.iter();
    sections.map(|section| outage(resolver, sites, nodes, network, section)).collect()
}

fn outage(
    resolver: &Resolver<'_>,
    sites: &[Site],
    nodes: &[Node],
    network: &Network,
    section: &Spanned<FaultSection>,
) -> Result<Outage, TomlFileError> {
    let it = section.get_ref();
    let scenario = resolver.scenario();
    let those = |wanted: &dyn Fn(&Node) -> bool| {
        let all = (0..).zip(nodes).filter(|(_, node)| wanted(node));
        Target::Nodes(all.map(|(index, _)| index).collect())
    };
    let (name, target) = match (&it.node, &it.site, &it.country, &it.link) {
        (Some(name), None, None, None) => {
            let target = those(&|node| node.name == *name.get_ref());
            if target == Target::Nodes(Vec::new()) {
                let message = format!("no node is called {:?}", name.get_ref());
                return Err(resolver.error(name, message));
            }
            (name.get_ref().clone(), target)
        }
        (None, Some(name), None, None) => {
            let site = resolver.find("site", name, &scenario.sites, |it| &it.name)?;
            let target = those(&|node| behind(sites, node.site, site));
            (format!("site {}", name.get_ref()), target)
        }
        (None, None, Some(code), None) => {
            let country = country(resolver, code)?;
            let target = those(&|node| sites[node.site].country == country);
            (format!("country {country}"), target)
        }
        (None, None, None, Some([one, other])) => {
            let [from, to] = [one, other]
                .map(|name| resolver.find("site", name, &scenario.sites, |it| &it.name));
            let lines = network.between(from?, to?);
            let lines = lines.ok_or_else(|| resolver.error(one, "no link joins these sites"))?;
            let name = format!("link {} to {}", one.get_ref(), other.get_ref());
            (name, Target::Lines(lines))
        }
        _ => {
            let message = "a fault names exactly one of node, site, country and link";
            return Err(resolver.error(section, message));
        }
    };
    let effect = match it.kind {
        FaultKind::Down => Effect::Down,
        FaultKind::Slow(factor) => Effect::Slow(factor.get()),
        FaultKind::Rate(share) => Effect::Rate(share.get()),
        FaultKind::Loss(share) => Effect::Loss(share.get()),
    };
    let of_lines = matches!(effect, Effect::Rate(_) | Effect::Loss(_));
    let of_nodes = matches!(effect, Effect::Slow(_));
    if matches!(target, Target::Lines(_)) && of_nodes
        || matches!(target, Target::Nodes(_)) && of_lines
    {
        let message = "nodes can be down or slow; links can be down, or lose rate or packets";
        return Err(resolver.error(section, message));
    }
    let between_s = match (it.at_s, it.between_h, it.mend_min) {
        (Some(_), None, None) => None,
        (None, Some(between), Some(mend)) => Some((between.get() * 3_600.0, mend.get() * 60.0)),
        _ => {
            let message = "a fault has either at_s, or between_h and mend_min";
            return Err(resolver.error(section, message));
        }
    };
    let at_s = it.at_s.map_or(0.0, |at| at.get());
    Ok(Outage { name, target, effect, at_s, for_s: it.for_s.map(|it| it.get()), between_s })
}

/// Whether `site` is `lost`, or reaches the others through it.
fn behind(sites: &[Site], site: usize, lost: usize) -> bool {
    let mut at = Some(site);
    while let Some(here) = at {
        if here == lost {
            return true;
        }
        at = sites[here].upstream;
    }
    false
}
