//! What holds for every fleet and placement.

use proptest::prelude::*;

use super::{Evaluator, Fleet, FleetNode, Flow, Mask, Placement};
use crate::block::BlockRange;

const BLOCKS: u32 = 6;

/// Any fleet of up to nine nodes with a placement that fits it. Rates are whole, so sums are exact.
fn placed() -> impl Strategy<Value = (Fleet, Placement)> {
    let node =
        (0_usize..3, prop::collection::vec(0_u32..30, 1..5), 1_u32..60, 0_u32..60, 0_u32..60);
    let range = (0..BLOCKS, 1_u32..5, any::<bool>());
    let nodes = prop::collection::vec((node, range), 1..10);
    (nodes, prop::collection::vec(0_u32..25, 81)).prop_map(|(nodes, links)| {
        let rate = f64::from;
        let hosts = nodes.iter().map(|((institution, rates, network, entry, exit), _)| FleetNode {
            institution: *institution,
            rates: rates.iter().copied().map(rate).collect(),
            network: rate(*network),
            entry: rate(*entry),
            exit: rate(*exit),
        });
        let mut fleet = Fleet::new(BLOCKS, hosts.collect()).unwrap();
        let ranges = nodes.iter().map(|((_, rates, ..), (start, len, hosts))| {
            let len = (*len).min(u32::try_from(rates.len()).unwrap()).min(BLOCKS - start);
            hosts.then(|| BlockRange::new(*start, start + len).unwrap())
        });
        let placement = Placement::new(ranges.collect());
        for (at, link) in links.into_iter().enumerate() {
            let _ = fleet.set_link(at / 9, at % 9, rate(link));
        }
        (fleet, placement)
    })
}

fn flow(fleet: &Fleet, placement: &Placement, mask: &Mask) -> Flow {
    Evaluator::new().flow(fleet, placement, mask).unwrap()
}

/// As the definition says, tried from every node on: the flow that homes can push, block by block.
fn oracle(fleet: &Fleet, placement: &Placement) -> f64 {
    let nodes = fleet.nodes().len();
    let (source, sink) = (2 * nodes, 2 * nodes + 1);
    let mut left = vec![vec![0.0; 2 * nodes + 2]; 2 * nodes + 2];
    for (node, host) in fleet.nodes().iter().enumerate() {
        let Some(range) = placement.range(node) else {
            continue;
        };
        left[2 * node][2 * node + 1] = host.rates[range.len() as usize - 1].min(host.network);
        left[source][2 * node] = if range.start() == 0 { host.entry } else { 0.0 };
        left[2 * node + 1][sink] = if range.end() == BLOCKS { host.exit } else { 0.0 };
        for to in (0..nodes).filter(|to| *to != node) {
            let goes_on =
                placement.range(to).is_some_and(|next| next.iter().contains(&range.end()));
            left[2 * node + 1][2 * to] = if goes_on { fleet.link(node, to) } else { 0.0 };
        }
    }
    let mut total = 0.0;
    loop {
        let amount = push(&mut left, &mut vec![false; 2 * nodes + 2], source, sink, f64::INFINITY);
        if amount <= 0.0 {
            return total;
        }
        total += amount;
    }
}

fn push(left: &mut [Vec<f64>], seen: &mut [bool], at: usize, sink: usize, most: f64) -> f64 {
    if at == sink {
        return most;
    }
    seen[at] = true;
    for to in 0..left.len() {
        if !seen[to] && left[at][to] > 0.0 {
            let amount = push(left, seen, to, sink, most.min(left[at][to]));
            if amount > 0.0 {
                left[at][to] -= amount;
                left[to][at] += amount;
                return amount;
            }
        }
    }
    0.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_flow_is_what_a_slow_search_over_the_definition_finds((fleet, placement) in placed()) {
        prop_assert_eq!(
            flow(&fleet, &placement, &Mask::none()).rate(),
            oracle(&fleet, &placement)
        );
    }

    #[test]
    fn more_of_anything_never_lowers_the_flow(
        (fleet, placement) in placed(),
        more in prop::collection::vec(0_u32..9, 9),
        links in prop::collection::vec(0_u32..9, 81),
    ) {
        let before = flow(&fleet, &placement, &Mask::none()).rate();
        let mut nodes = fleet.nodes().to_vec();
        for (node, more) in nodes.iter_mut().zip(&more) {
            let more = f64::from(*more);
            node.rates.iter_mut().for_each(|rate| *rate += more);
            node.network += more;
            node.entry += more;
            node.exit += more;
        }
        let mut grown = Fleet::new(BLOCKS, nodes).unwrap();
        for (at, more) in links.iter().enumerate() {
            let (from, to) = (at / 9, at % 9);
            if from.max(to) < fleet.nodes().len() && from != to {
                grown.set_link(from, to, fleet.link(from, to) + f64::from(*more)).unwrap();
            }
        }
        prop_assert!(flow(&grown, &placement, &Mask::none()).rate() >= before);
    }

    #[test]
    fn a_node_less_never_raises_the_flow((fleet, placement) in placed(), node in 0_usize..9) {
        let all = flow(&fleet, &placement, &Mask::none()).rate();
        prop_assert!(flow(&fleet, &placement, &Mask::barring([node])).rate() <= all);
    }

    #[test]
    fn bottlenecks_are_full_and_add_up_to_the_flow((fleet, placement) in placed()) {
        let flow = flow(&fleet, &placement, &Mask::none());
        let limits: f64 = flow.bottlenecks().iter().map(|load| load.limit).sum();
        prop_assert_eq!(limits, flow.rate());
        prop_assert!(flow.bottlenecks().iter().all(|load| load.rate == load.limit));
        prop_assert!(flow.loads().iter().all(|load| load.rate <= load.limit));
    }

    #[test]
    fn routes_tile_the_model_and_make_up_the_flow((fleet, placement) in placed()) {
        let flow = flow(&fleet, &placement, &Mask::none());
        let mut through = vec![0.0; fleet.nodes().len()];
        for route in flow.routes() {
            let mut end = 0;
            for stage in &route.stages {
                prop_assert_eq!(stage.blocks.start(), end);
                end = stage.blocks.end();
                prop_assert!(placement.range(stage.node).unwrap().covers(stage.blocks));
                through[stage.node] += route.rate;
            }
            prop_assert_eq!(end, BLOCKS);
        }
        let total: f64 = flow.routes().iter().map(|route| route.rate).sum();
        prop_assert_eq!(total, flow.rate());
        for (node, through) in through.into_iter().enumerate() {
            prop_assert_eq!(through, flow.through(node));
        }
        let given: f64 = flow.given_by_institution(&fleet).iter().sum();
        prop_assert!((given - flow.rate()).abs() < 1e-9);
    }
}
