//! Where a consortium stands and what goes between its places. Not how that is drawn.

use serde::Serialize;

use crate::{capacity::Measured, world::World};

/// Most lines that a map has; of more, those without traffic are left out.
const JOINTS_MAX: usize = 200;

/// Places, and what joins them.
#[derive(Debug, Clone, Serialize)]
pub struct Map {
    /// Sites in the order of the scenario, then points of a topology.
    pub places: Vec<Place>,
    /// What joins them.
    pub flows: Vec<Flow>,
}

/// A site, or a point of a topology.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Country of a site.
    pub country: Option<String>,
    /// Degrees north and east, if they are known.
    pub at: Option<(f64, f64)>,
    /// Nodes that hold blocks there.
    pub nodes: usize,
    /// Share of the time that the busiest of them ran.
    pub busy: f64,
}

/// What goes between two places, both ways.
#[derive(Debug, Clone, Serialize)]
pub struct Flow {
    /// Their numbers.
    pub ends: [usize; 2],
    /// Megabytes of a run, mean.
    pub megabytes: f64,
    /// Share of the time that the busier direction was sending.
    pub busy: f64,
}

impl Map {
    /// The map of a world and what runs of it carried.
    pub(super) fn of(world: &World, runs: &[Measured]) -> Self {
        let network = &world.network;
        let mut places: Vec<Place> = network
            .points
            .iter()
            .map(|point| Place {
                name: point.name.clone(),
                country: None,
                at: point.at,
                nodes: 0,
                busy: 0.0,
            })
            .collect();
        for (index, site) in world.sites.iter().enumerate() {
            places[index].country = Some(site.country.to_string());
            places[index].at = site.at.or(network.points[network.attached[index]].at);
        }
        let count = runs.len() as f64;
        for (index, node) in world.nodes.iter().enumerate().filter(|(_, it)| it.blocks.is_some()) {
            let busy = runs.iter().map(|run| run.nodes[index].busy_s / run.until_s).sum::<f64>();
            let place = &mut places[node.site];
            place.nodes += 1;
            place.busy = place.busy.max(busy / count);
        }
        let flow = |ends: [usize; 2], lines: [usize; 2]| {
            let sum = |line: usize| -> (f64, f64) {
                let used = runs.iter().filter_map(|run| Some((run.lines.get(line)?, run.until_s)));
                let both = used.map(|((bytes, busy), until)| (*bytes as f64, busy / until));
                both.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
            };
            let [there, back] = lines.map(sum);
            let megabytes = (there.0 + back.0) / 1e6 / count;
            Flow { ends, megabytes, busy: there.1.max(back.1) / count }
        };
        let joints = network.joints.iter().map(|(ends, lines)| flow(*ends, *lines));
        // A site's own way out is the same as what comes from its point of the topology.
        let access = network.access.iter().zip(&network.attached).enumerate();
        let access = access.filter(|(site, (_, point))| site != *point);
        let access =
            access.filter_map(|(site, (lines, point))| Some(flow([site, *point], (*lines)?)));
        let few = network.joints.len() <= JOINTS_MAX;
        let flows = joints.chain(access).filter(|flow| few || flow.megabytes > 0.0).collect();
        Self { places, flows }
    }
}
