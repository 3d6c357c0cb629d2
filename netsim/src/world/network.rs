//! Lines, and the way between any two nodes. Not what happens on them.
//!
//! Every node has an interface, every site may have a way out, sites are joined by links, by the
//! lines of a topology, or by their coordinates; what is not joined directly is reached over the
//! others, the shortest delay first.

mod edges;

use std::collections::BTreeMap;

use self::edges::{accesses, edges};
use super::{Node, Resolver, Site};
use crate::toml_file::TomlFileError;

/// Most lines on the way between two nodes.
pub const NETWORK_HOPS_MAX: usize = 64;
/// Most sites: ways between them are kept for all pairs.
const SITES_MAX: usize = 2_000;

/// One direction of something that carries bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Bits per second.
    pub rate: f64,
    /// One way, nanoseconds.
    pub delay_ns: u64,
    /// Share of the packets that are lost.
    pub loss: f64,
    /// Most extra delay of a message, nanoseconds.
    pub jitter_ns: u64,
}

/// Lines, and the way between any two nodes.
#[derive(Debug, Clone)]
pub struct Network {
    /// All lines. Of node `n`, `2 n` leaves it and `2 n + 1` enters it.
    pub lines: Vec<Line>,
    /// Bytes a connection may have in flight at first, and at most.
    pub window: (u64, u64),
    /// Nanoseconds by which software delays what goes from node to node, and of a processor that a
    /// node takes to send one step.
    pub software: (u64, u64),
    /// Site of each node.
    sites: Vec<usize>,
    /// Lines from site to site, `[from * sites + to]`; `None` if there is no way.
    ways: Vec<Option<Vec<u32>>>,
    /// What joins two sites directly.
    direct: BTreeMap<(usize, usize), [u32; 2]>,
    /// Lines of their own between two nodes, in place of what joins their sites.
    pairs: BTreeMap<(usize, usize), u32>,
    site_count: usize,
    /// What lines join: the sites in order, then the points of a topology.
    pub points: Vec<Point>,
    /// Point at which each site is.
    pub attached: Vec<usize>,
    /// Both ends of what joins points, and its line there and its line back.
    pub joints: Vec<([usize; 2], [usize; 2])>,
    /// Way out of each site and way into it, if its rate is limited.
    pub access: Vec<Option<[usize; 2]>>,
}

/// What lines join: a site, or a point of a topology.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// Degrees north and east, if they are known.
    pub at: Option<(f64, f64)>,
}

/// An edge between two sites or points of a topology.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) ends: (usize, usize),
    /// The sites it was said to join, if it is a link between two.
    pub(super) sites: Option<(usize, usize)>,
    pub(super) line: Line,
}

impl Network {
    pub(super) fn build(
        resolver: &Resolver<'_>,
        sites: &[Site],
        nodes: &[Node],
        pairs: &[((usize, usize), Line)],
    ) -> Result<Self, TomlFileError> {
        let section = &resolver.scenario().network;
        if sites.len() > SITES_MAX {
            let message = format!("{} sites, more than {SITES_MAX}", sites.len());
            return Err(resolver.file.error(0, message));
        }
        let local_ns = section.local_round_trip_ms.get() * 1e6 / 4.0;
        let interface = Line {
            rate: section.node_mbit.get() * 1e6,
            delay_ns: nanoseconds(local_ns),
            loss: 0.0,
            jitter_ns: 0,
        };
        let mut lines = vec![interface; nodes.len() * 2];
        let access = accesses(resolver, sites, &mut lines);
        let (edges, points, attached) = edges(resolver, section, sites)?;
        let first = lines.len();
        for edge in &edges {
            lines.extend([edge.line; 2]);
        }
        let numbered = |index: usize, back: bool| first + index * 2 + usize::from(back);
        let routes = shortest(points.len(), &edges);
        let number = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
        let mut direct = BTreeMap::new();
        for (index, edge) in edges.iter().enumerate() {
            let both = [numbered(index, false), numbered(index, true)].map(number);
            edge.sites.map(|pair| direct.entry(pair).or_insert(both));
        }
        let mut ways = Vec::with_capacity(sites.len() * sites.len());
        for from in 0..sites.len() {
            for to in 0..sites.len() {
                let (start, end) = (attached[from], attached[to]);
                ways.push(match from == to {
                    true => Some(Vec::new()),
                    false => routes.way(&edges, start, end).map(|steps| {
                        let over = steps.into_iter().map(|(edge, back)| numbered(edge, back));
                        let out = access[from].map(|lines| lines[0]);
                        let into = access[to].map(|lines| lines[1]);
                        out.into_iter().chain(over).chain(into).map(number).collect()
                    }),
                });
            }
        }
        let mut own = BTreeMap::new();
        for (pair, line) in pairs {
            own.insert(*pair, number(lines.len()));
            lines.push(*line);
        }
        let window = (section.window_initial_bytes.get(), section.window_max_bytes.get());
        let software = (section.hop_us.get() * 1e3, section.step_us.get() * 1e3);
        let network = Self {
            lines,
            window: (nanoseconds(window.0), nanoseconds(window.1)),
            software: (nanoseconds(software.0), nanoseconds(software.1)),
            sites: nodes.iter().map(|node| node.site).collect(),
            ways,
            direct,
            pairs: own,
            site_count: sites.len(),
            points,
            attached,
            joints: (0..edges.len())
                .map(|index| {
                    let (one, other) = edges[index].ends;
                    ([one, other], [numbered(index, false), numbered(index, true)])
                })
                .collect(),
            access,
        };
        network.check(resolver, sites, nodes)?;
        Ok(network)
    }

    /// The lines from node to node; nothing if they are the same. `None` if there is no way.
    #[must_use]
    pub fn way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        if from == to {
            return Some(Vec::new());
        }
        if let Some(line) = self.pairs.get(&(from, to)) {
            return Some(vec![from * 2, *line as usize, to * 2 + 1]);
        }
        let over = self.ways[self.sites[from] * self.site_count + self.sites[to]].as_ref()?;
        let over = over.iter().map(|line| *line as usize);
        Some(std::iter::once(from * 2).chain(over).chain([to * 2 + 1]).collect())
    }

    /// Nanoseconds one way between two nodes, without any bytes; `None` if there is no way.
    #[must_use]
    pub fn delay_ns(&self, from: usize, to: usize) -> Option<u64> {
        if from == to {
            return Some(0);
        }
        if let Some(line) = self.pairs.get(&(from, to)) {
            let ends = self.lines[from * 2].delay_ns + self.lines[to * 2 + 1].delay_ns;
            return Some(ends + self.lines[*line as usize].delay_ns);
        }
        let over = self.ways[self.sites[from] * self.site_count + self.sites[to]].as_ref()?;
        let ends = self.lines[from * 2].delay_ns + self.lines[to * 2 + 1].delay_ns;
        Some(over.iter().fold(ends, |sum, line| sum + self.lines[*line as usize].delay_ns))
    }

    /// Whether all nodes of a site are equally far from any other node.
    #[must_use]
    pub fn is_by_site(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Both directions of what joins two sites directly.
    #[must_use]
    pub fn between(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let lines = self.direct.get(&(from, to)).or_else(|| self.direct.get(&(to, from)))?;
        Some(lines.iter().map(|line| *line as usize).collect())
    }

    /// What a line is, for people.
    #[must_use]
    pub fn name(&self, world: &super::World, line: usize) -> String {
        if let Some(node) = world.nodes.get(line / 2).filter(|_| line < self.sites.len() * 2) {
            let way = if line.is_multiple_of(2) { "out of" } else { "into" };
            return format!("{way} node {}", node.name);
        }
        let place = |lines: &[usize; 2]| lines.iter().position(|it| *it == line);
        let joined = self.joints.iter().find_map(|(ends, lines)| {
            let [from, to] = if place(lines)? == 0 { *ends } else { [ends[1], ends[0]] };
            Some(format!("{} to {}", self.points[from].name, self.points[to].name))
        });
        let access = || {
            self.access.iter().zip(&self.points).find_map(|(lines, site)| {
                let way = if place(lines.as_ref()?)? == 0 { "out of" } else { "into" };
                Some(format!("{way} site {}", site.name))
            })
        };
        joined.or_else(access).unwrap_or_else(|| format!("line {line}"))
    }

    /// Adds a node's interface and says where it stands; used for what could be bought.
    pub fn add(&mut self, site: usize) {
        // Interfaces come first, so lines behind them move up by two.
        let at = self.sites.len() * 2;
        let interface = self.lines[0];
        self.lines.splice(at..at, [interface; 2]);
        for way in self.ways.iter_mut().flatten() {
            way.iter_mut().for_each(|line| *line += 2);
        }
        for lines in self.direct.values_mut() {
            lines.iter_mut().for_each(|line| *line += 2);
        }
        self.pairs.values_mut().for_each(|line| *line += 2);
        let joined = self.joints.iter_mut().map(|(_, lines)| lines);
        for lines in joined.chain(self.access.iter_mut().flatten()) {
            lines.iter_mut().for_each(|line| *line += 2);
        }
        self.sites.push(site);
    }

    /// Every node can reach every other one.
    fn check(
        &self,
        resolver: &Resolver<'_>,
        sites: &[Site],
        nodes: &[Node],
    ) -> Result<(), TomlFileError> {
        let mut used: Vec<usize> = nodes.iter().map(|node| node.site).collect();
        used.sort_unstable();
        used.dedup();
        let Some(first) = used.first() else {
            return Err(resolver.file.error(0, "a scenario has at least one [[node]]"));
        };
        if !self.pairs.is_empty() {
            return Ok(());
        }
        for site in &used {
            if self.ways[first * self.site_count + site].is_none() {
                let section = &resolver.scenario().sites[*site];
                let message = format!(
                    "no link reaches site {:?} from {:?}: add a [[link]], or give both \
                     coordinates and [network] coordinates_mbit",
                    sites[*site].name, sites[*first].name
                );
                return Err(resolver.error(section, message));
            }
        }
        Ok(())
    }
}

/// Of each pair of points, the edge to take first.
struct Routes {
    points: usize,
    next: Vec<Option<u32>>,
}

/// The ways of the least delay. Source: Floyd 1962.
fn shortest(points: usize, edges: &[Edge]) -> Routes {
    let mut delay = vec![f64::INFINITY; points * points];
    let mut next = vec![None; points * points];
    for (index, edge) in (0u32..).zip(edges) {
        let (one, other) = edge.ends;
        for (from, to) in [(one, other), (other, one)] {
            // A little for every edge, so that of equal delays the fewest edges are taken.
            let cost = edge.line.delay_ns as f64 + 1.0;
            if cost < delay[from * points + to] {
                delay[from * points + to] = cost;
                next[from * points + to] = Some(index);
            }
        }
    }
    for middle in 0..points {
        for from in 0..points {
            let first = delay[from * points + middle];
            if !first.is_finite() || from == middle {
                continue;
            }
            for to in 0..points {
                let over = first + delay[middle * points + to];
                if over < delay[from * points + to] && to != from {
                    delay[from * points + to] = over;
                    next[from * points + to] = next[from * points + middle];
                }
            }
        }
    }
    Routes { points, next }
}

impl Routes {
    /// Edges from point to point, and whether each is taken backwards.
    fn way(&self, edges: &[Edge], from: usize, to: usize) -> Option<Vec<(usize, bool)>> {
        let (mut at, mut steps) = (from, Vec::new());
        while at != to {
            let index = self.next[at * self.points + to]? as usize;
            let (one, other) = edges[index].ends;
            let back = at == other;
            steps.push((index, back));
            at = if back { one } else { other };
            if steps.len() > NETWORK_HOPS_MAX {
                return None;
            }
        }
        Some(steps)
    }
}

/// Along the surface, between two places given in degrees.
pub(super) fn kilometres(from: (f64, f64), to: (f64, f64)) -> f64 {
    let [phi, lambda, theta, mu] = [from.0, from.1, to.0, to.1].map(f64::to_radians);
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let chord = half(theta - phi) + phi.cos() * theta.cos() * half(mu - lambda);
    2.0 * 6_371.0 * chord.sqrt().min(1.0).asin()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never below zero")]
pub(super) fn nanoseconds(ns: f64) -> u64 {
    ns.round() as u64
}
