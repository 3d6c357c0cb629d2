//! A research network from a GML file of the Topology Zoo: points, places, line speeds. Not other
//! kinds of graphs.

use toml::Spanned;

use super::{
    Resolver, Site,
    network::{Edge, Line, kilometres, nanoseconds},
};
use crate::{scenario::NetworkSection, toml_file::TomlFileError};

/// Kilometres that light takes a millisecond for in glass.
const KM_PER_MS: f64 = 200.0;

/// A node of the graph.
#[derive(Debug, Default)]
struct Point {
    id: i64,
    label: String,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// Adds the topology's points and lines; returns the point each site is at.
pub(super) fn attach(
    resolver: &Resolver<'_>,
    section: &NetworkSection,
    file: &Spanned<String>,
    sites: &[Site],
    edges: &mut Vec<Edge>,
    joined: &mut Vec<super::Point>,
) -> Result<Vec<usize>, TomlFileError> {
    let text = resolver.read(file)?;
    let (points, lines) = parse(&text);
    if points.is_empty() {
        return Err(resolver.error(file, format!("{:?} has no node", file.get_ref())));
    }
    let first = joined.len();
    joined.extend(points.iter().map(|point| super::Point {
        name: point.label.clone(),
        at: point.latitude.zip(point.longitude),
    }));
    for (source, target, speed) in lines {
        let place = |id: i64| points.iter().position(|point| point.id == id);
        let (Some(from), Some(to)) = (place(source), place(target)) else {
            let message = format!(
                "{:?}: an edge joins {source} and {target}, which are not both nodes",
                file.get_ref()
            );
            return Err(resolver.error(file, message));
        };
        if from == to {
            continue;
        }
        let at = |point: &Point| Some((point.latitude?, point.longitude?));
        // Of points without a place nothing is known: they are where the line comes from.
        let km = at(&points[from]).zip(at(&points[to])).map_or(0.0, |(a, b)| kilometres(a, b));
        let line = Line {
            rate: speed.unwrap_or_else(|| section.topology_mbit.get() * 1e6),
            delay_ns: nanoseconds(km * section.detour.get() / KM_PER_MS * 1e6),
            loss: 0.0,
            jitter_ns: 0,
        };
        edges.push(Edge { ends: (first + from, first + to), sites: None, line });
    }
    let sections = &resolver.scenario().sites;
    let attached = sections.iter().take(sites.len()).enumerate().map(|(index, section)| {
        let Some(label) = &section.get_ref().attach else { return Ok(index) };
        let found = points.iter().position(|point| point.label == *label.get_ref());
        found.map(|point| first + point).ok_or_else(|| {
            let message = format!("{:?} has no node {:?}", file.get_ref(), label.get_ref());
            resolver.error(label, message)
        })
    });
    attached.collect()
}

/// Nodes and edges: source, target, bits per second if stated.
type Graph = (Vec<Point>, Vec<(i64, i64, Option<f64>)>);

/// Reads `key value` lines of `node [ .. ]` and `edge [ .. ]`; all else is passed over.
fn parse(text: &str) -> Graph {
    let (mut points, mut edges) = (Vec::new(), Vec::new());
    let mut open: Vec<&str> = Vec::new();
    let (mut point, mut edge) = (Point::default(), (0, 0, None));
    for line in text.lines().map(str::trim) {
        if let Some(kind) = line.strip_suffix('[') {
            open.push(kind.trim());
            (point, edge) = (Point::default(), (0, 0, None));
        } else if line == "]" {
            match open.pop() {
                Some("node") => points.push(std::mem::take(&mut point)),
                Some("edge") => edges.push(edge),
                _ => {}
            }
        } else if let Some((key, value)) = line.split_once(' ') {
            let value = value.trim().trim_matches('"');
            match (open.last(), key) {
                (Some(&"node"), "id") => point.id = value.parse().unwrap_or(-1),
                (Some(&"node"), "label") => value.clone_into(&mut point.label),
                (Some(&"node"), "Latitude") => point.latitude = value.parse().ok(),
                (Some(&"node"), "Longitude") => point.longitude = value.parse().ok(),
                (Some(&"edge"), "source") => edge.0 = value.parse().unwrap_or(-1),
                (Some(&"edge"), "target") => edge.1 = value.parse().unwrap_or(-1),
                (Some(&"edge"), "LinkSpeedRaw") => {
                    edge.2 = value.parse().ok().filter(|speed: &f64| *speed > 0.0);
                }
                _ => {}
            }
        }
    }
    (points, edges)
}

#[cfg(test)]
mod tests;
