//! What joins sites: links, a topology, coordinates. Not the ways over them.

use super::{
    super::{Resolver, Site, topology},
    Edge, Line, Point, kilometres, nanoseconds,
};
use crate::{scenario::NetworkSection, toml_file::TomlFileError};

/// Kilometres that light takes a millisecond for in glass.
const KM_PER_MS: f64 = 200.0;

/// Ways out of sites that state a rate, as numbers of their two lines.
pub(super) fn accesses(
    resolver: &Resolver<'_>,
    sites: &[Site],
    lines: &mut Vec<Line>,
) -> Vec<Option<[usize; 2]>> {
    let sections = resolver.scenario().sites.iter().take(sites.len());
    let access = sections.map(|section| {
        let rate = section.get_ref().access_mbit?.get() * 1e6;
        let number = lines.len();
        lines.extend([Line { rate, delay_ns: 0, loss: 0.0, jitter_ns: 0 }; 2]);
        Some([number, number + 1])
    });
    access.collect()
}

/// All edges, the points they join, and the point each site is at.
pub(super) type Edges = (Vec<Edge>, Vec<Point>, Vec<usize>);

/// Links, the lines of a topology, and what joins sites by their coordinates.
pub(super) fn edges(
    resolver: &Resolver<'_>,
    section: &NetworkSection,
    sites: &[Site],
) -> Result<Edges, TomlFileError> {
    let scenario = resolver.scenario();
    let site = |site: &Site| Point { name: site.name.clone(), at: site.at };
    let (mut edges, mut points) = (Vec::new(), sites.iter().map(site).collect());
    let attached = match &section.topology {
        Some(file) => topology::attach(resolver, section, file, sites, &mut edges, &mut points)?,
        None => (0..sites.len()).collect(),
    };
    for link in &scenario.links {
        let it = link.get_ref();
        let [one, other] = &it.between;
        let [from, to] =
            [one, other].map(|name| resolver.find("site", name, &scenario.sites, |it| &it.name));
        let pair = (from?, to?);
        if pair.0 == pair.1 {
            return Err(resolver.error(link, "a link joins two different sites"));
        }
        if it.loss.get() >= 1.0 {
            return Err(resolver.error(link, "a link that loses everything joins nothing"));
        }
        let line = Line {
            rate: it.rate_mbit.get() * 1e6,
            delay_ns: nanoseconds(it.round_trip_ms.get() * 1e6 / 2.0),
            loss: it.loss.get(),
            jitter_ns: nanoseconds(it.jitter_ms.get() * 1e6),
        };
        edges.push(Edge { ends: (attached[pair.0], attached[pair.1]), sites: Some(pair), line });
    }
    if let Some(rate) = section.coordinates_mbit {
        let joined = |pair: &(usize, usize)| {
            edges.iter().any(|edge: &Edge| {
                edge.sites == Some(*pair) || edge.sites == Some((pair.1, pair.0))
            }) || attached[pair.0] != pair.0 && attached[pair.1] != pair.1
        };
        let pairs = (0..sites.len()).flat_map(|one| (0..one).map(move |other| (other, one)));
        let further: Vec<Edge> = pairs
            .filter(|pair| !joined(pair))
            .filter_map(|pair| {
                let (from, to) = (sites[pair.0].at?, sites[pair.1].at?);
                let km = kilometres(from, to) * section.detour.get();
                let line = Line {
                    rate: rate.get() * 1e6,
                    delay_ns: nanoseconds(km / KM_PER_MS * 1e6),
                    loss: 0.0,
                    jitter_ns: 0,
                };
                let ends = (attached[pair.0], attached[pair.1]);
                Some(Edge { ends, sites: Some(pair), line })
            })
            .collect();
        edges.extend(further);
    }
    Ok((edges, points, attached))
}
