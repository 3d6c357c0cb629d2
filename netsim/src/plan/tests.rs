//! Plans of small fleets known by hand, and of published ones.

use comity_protocol::{
    block::BlockRange,
    placement::{Evaluator, Fleet, FleetNode, Mask, Placement},
};

use super::{Settings, parallax, petals, search, swarm, tiles};

mod consequences;
mod published;
mod vacant;

/// Far above every other rate here.
const AMPLE: f64 = 1e6;

const SETTINGS: Settings = Settings { seed: 1, evaluations: 20_000 };

fn node(institution: usize, rates: &[f64]) -> FleetNode {
    FleetNode { institution, rates: rates.to_vec(), network: AMPLE, entry: AMPLE, exit: AMPLE }
}

/// Every node linked with every other.
fn fleet(block_count: u32, nodes: Vec<FleetNode>) -> Fleet {
    let count = nodes.len();
    let mut fleet = Fleet::new(block_count, nodes).unwrap();
    for from in 0..count {
        for to in (0..count).filter(|to| *to != from) {
            fleet.set_link(from, to, AMPLE).unwrap();
        }
    }
    fleet
}

fn rate(fleet: &Fleet, placement: &Placement) -> f64 {
    Evaluator::new().throughput(fleet, placement, &Mask::none()).unwrap()
}

fn ranges(placement: &Placement) -> Vec<(u32, u32)> {
    let ranges = placement.ranges().iter().flatten();
    ranges.map(|range| (range.start(), range.end())).collect()
}

/// Two fast nodes and three slow ones: the best shares a range between unlike nodes.
fn uneven() -> Fleet {
    let fast = [90.0, 45.0, 30.0, 22.0];
    let slow = [30.0, 15.0];
    fleet(6, vec![node(0, &fast), node(0, &slow), node(1, &slow), node(1, &fast), node(2, &slow)])
}

#[test]
fn a_search_finds_the_best_of_a_fleet_small_enough_to_try_all() {
    let fleet = uneven();
    let plan = search(&fleet, &Mask::none(), &[], SETTINGS, &mut |_| ());
    assert_eq!(rate(&fleet, &plan.placement), plan.rate);
    let mut best = 0.0_f64;
    let mut placement = Placement::empty(5);
    every(&fleet, 0, &mut placement, &mut |placement| best = best.max(rate(&fleet, placement)));
    assert_eq!(plan.rate, best);
}

/// Calls `each` for every placement in which all nodes from `node` on host something.
fn every(fleet: &Fleet, node: usize, placement: &mut Placement, each: &mut dyn FnMut(&Placement)) {
    if node == fleet.nodes().len() {
        return each(placement);
    }
    for len in 1..=fleet.blocks_max(node) {
        for start in 0..=fleet.block_count() - len {
            placement.set(node, BlockRange::new(start, start + len).ok());
            every(fleet, node + 1, placement, each);
        }
    }
}

#[test]
fn the_same_seed_finds_the_same_plan_and_tells_the_same_progress() {
    let fleet = uneven();
    let run = || {
        let mut told = Vec::new();
        let plan = search(&fleet, &Mask::none(), &[], SETTINGS, &mut |at| told.push(at));
        (plan, told)
    };
    let (plan, told) = run();
    assert_eq!(run(), (plan.clone(), told.clone()));
    assert!(told.windows(2).all(|pair| pair[0].rate <= pair[1].rate));
    assert_eq!(told.last().unwrap().rate, plan.rate);
}

#[test]
fn a_search_keeps_to_what_it_may_spend() {
    let fleet = uneven();
    for evaluations in [0, 1, 100, 5_000] {
        let settings = Settings { seed: 3, evaluations };
        let plan = search(&fleet, &Mask::none(), &[], settings, &mut |_| ());
        // The heuristics, and a repair that was under way.
        assert!(plan.evaluations < evaluations + 400, "{} of {evaluations}", plan.evaluations);
        assert!(plan.rate >= plan.heuristic);
    }
}

#[test]
fn a_plan_is_never_worse_than_what_it_starts_from() {
    let fleet = uneven();
    let best = search(&fleet, &Mask::none(), &[], SETTINGS, &mut |_| ());
    let settings = Settings { seed: 2, evaluations: 0 };
    let from = [best.placement.clone()];
    assert_eq!(search(&fleet, &Mask::none(), &from, settings, &mut |_| ()).rate, best.rate);
    // One that does not fit is passed over.
    let from = [Placement::empty(9)];
    assert!(search(&fleet, &Mask::none(), &from, settings, &mut |_| ()).rate > 0.0);
}

#[test]
fn a_barred_node_hosts_nothing_whatever_a_plan_starts_from() {
    let fleet = uneven();
    let from = [search(&fleet, &Mask::none(), &[], SETTINGS, &mut |_| ()).placement];
    let mask = Mask::barring([0]);
    let plan = search(&fleet, &mask, &from, SETTINGS, &mut |_| ());
    assert_eq!(plan.placement.range(0), None);
    assert!(plan.rate > 0.0);
    // Only one order of the other two is joined, which no heuristic comes to: the start is the best.
    let mut joined = Fleet::new(2, vec![node(0, &[8.0]); 3]).unwrap();
    joined.set_link(2, 1, AMPLE).unwrap();
    let [first, last] = [BlockRange::new(0, 1).ok(), BlockRange::new(1, 2).ok()];
    let start = [Placement::new(vec![first, last, first])];
    let settings = Settings { seed: 1, evaluations: 0 };
    let plan = search(&joined, &mask, &start, settings, &mut |_| ());
    assert_eq!((plan.rate, plan.placement), (8.0, Placement::new(vec![None, last, first])));
    let nobody = Mask::barring(0..5);
    let plan = search(&fleet, &nobody, &from, SETTINGS, &mut |_| ());
    assert_eq!((plan.rate, plan.placement), (0.0, Placement::empty(5)));
}

#[test]
fn a_fleet_without_room_for_the_model_has_no_plan() {
    let fleet = fleet(9, vec![node(0, &[1.0; 4]), node(0, &[1.0; 4])]);
    assert_eq!(search(&fleet, &Mask::none(), &[], SETTINGS, &mut |_| ()).rate, 0.0);
}

#[test]
fn petals_fills_the_weakest_blocks_first() {
    let fleet = fleet(4, vec![node(0, &[9.0, 8.0]), node(0, &[7.0, 5.0]), node(0, &[6.0, 4.0])]);
    let placement = petals::placement(&fleet, &Mask::none());
    assert_eq!(ranges(&placement), [(0, 2), (2, 4), (2, 4)]);
}

#[test]
fn a_petals_node_moves_if_that_lifts_the_weakest_block() {
    // They join 1 | 2, then 4 | 2 beside it, then 8: 5 and 10. The second had better go over.
    let nodes = [1.0, 2.0, 4.0, 8.0].map(|rate| node(0, &[rate]));
    let placement = petals::placement(&fleet(2, nodes.to_vec()), &Mask::none());
    assert_eq!(ranges(&placement), [(0, 1), (0, 1), (0, 1), (1, 2)]);
}

#[test]
fn swarm_gives_every_node_one_of_equal_stages() {
    let fast = [9.0, 8.0, 7.0];
    let nodes =
        vec![node(0, &[3.0, 2.0]), node(0, &[3.0, 2.0]), node(0, &fast), node(0, &[3.0, 2.0])];
    let fleet = fleet(4, nodes);
    let placement = swarm::placement(&fleet, &Mask::none()).unwrap();
    assert_eq!(ranges(&placement), [(2, 4), (2, 4), (0, 2), (2, 4)]);
    assert_eq!(swarm::placement(&fleet, &Mask::barring([1, 2, 3])), None);
}

/// E9.
#[test]
fn parallax_prefers_two_pipelines_of_three_to_one_of_two() {
    let capacities = [40, 40, 20, 20, 10, 10];
    let pipelines = parallax::pipelines(&capacities, 70);
    let of = |pipeline: &Vec<usize>| {
        let mut blocks: Vec<u32> = pipeline.iter().map(|at| capacities[*at]).collect();
        blocks.sort_unstable();
        blocks
    };
    assert_eq!(pipelines.iter().map(of).collect::<Vec<_>>(), [[10, 20, 40], [10, 20, 40]]);
    assert_eq!(parallax::score(&pipelines), 4.0 / 6.0);
    assert_eq!(parallax::score(&[vec![0, 1]]), 1.0 / 2.0);
    assert!(parallax::pipelines(&[40, 20], 70).is_empty());
    assert_eq!(parallax::score(&[]), 0.0);
}

#[test]
fn water_fills_a_pipeline_in_proportion_up_to_capacities() {
    assert_eq!(parallax::fill(&[40, 20, 10], &[4.0, 2.0, 1.0], 35), Some(vec![20, 10, 5]));
    // The fast one is full; the others share the rest.
    assert_eq!(parallax::fill(&[10, 20, 20], &[9.0, 1.0, 1.0], 30), Some(vec![10, 10, 10]));
    assert_eq!(parallax::fill(&[2, 2], &[1.0, 1.0], 3).unwrap().iter().sum::<u32>(), 3);
    assert_eq!(parallax::fill(&[2, 2], &[1.0, 1.0], 5), None);
}

#[test]
fn tiles_share_a_range_where_one_node_is_too_slow_for_it() {
    // Four equal nodes, four blocks: alone on one block each 8 positions/s, in pairs on two 6.
    let equal = |rates: &[f64]| fleet(4, (0..4).map(|_| node(0, rates)).collect());
    let alone = equal(&[8.0, 3.0]);
    assert!(rate(&alone, &tiles::placements(&alone, &Mask::none())[0]) > 7.99);
    let paired = equal(&[8.0, 5.0]);
    assert!(rate(&paired, &tiles::placements(&paired, &Mask::none())[0]) > 9.99);
}

#[test]
fn tiles_hand_over_between_institutions_over_several_links() {
    let mut fleet = fleet(4, (0..8).map(|at| node(at / 4, &[8.0, 4.0])).collect());
    for from in 0..8 {
        for to in (0..8).filter(|to| to / 4 != from / 4) {
            fleet.set_link(from, to, 2.0).unwrap();
        }
    }
    let rates = tiles::placements(&fleet, &Mask::none());
    let best = rates.iter().map(|placement| rate(&fleet, placement)).fold(0.0, f64::max);
    assert!(best > 7.99, "{best}");
}
