//! What small fleets yield by hand, and laws that every fleet keeps.

use super::{Evaluator, Fleet, FleetError, FleetNode, Flow, Mask, Part, Placement, PlacementError};
use crate::block::BlockRange;

mod laws;

/// Far above every other rate here.
const AMPLE: f64 = 1e6;

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

fn placement(ranges: &[(u32, u32)]) -> Placement {
    Placement::new(ranges.iter().map(|&(start, end)| BlockRange::new(start, end).ok()).collect())
}

fn flow(fleet: &Fleet, placement: &Placement) -> Flow {
    Evaluator::new().flow(fleet, placement, &Mask::none()).unwrap()
}

fn parts(flow: &Flow) -> Vec<Part> {
    flow.bottlenecks().iter().map(|load| load.part).collect()
}

#[test]
fn a_chain_is_as_fast_as_its_slowest_node_which_is_named() {
    let fleet = fleet(4, vec![node(0, &[9.0, 8.0]), node(1, &[7.0, 5.0])]);
    let flow = flow(&fleet, &placement(&[(0, 2), (2, 4)]));
    assert_eq!(flow.rate(), 5.0);
    assert_eq!(parts(&flow), [Part::Compute { node: 1 }]);
    assert_eq!(flow.through(0), 5.0);
    assert_eq!(flow.given_by_institution(&fleet), [2.5, 2.5]);
    assert_eq!(flow.bottlenecks()[0].part.to_string(), "compute of node 1");
}

#[test]
fn a_link_that_is_too_slow_is_named() {
    let mut fleet = fleet(2, vec![node(0, &[9.0]), node(0, &[7.0]), node(0, &[8.0])]);
    fleet.set_link(0, 1, 1.5).unwrap();
    fleet.set_link(0, 2, 2.0).unwrap();
    let flow = flow(&fleet, &placement(&[(0, 1), (1, 2), (1, 2)]));
    assert_eq!(flow.rate(), 3.5);
    assert_eq!(parts(&flow), [Part::Link { from: 0, to: 1 }, Part::Link { from: 0, to: 2 }]);
    let routes = flow.routes();
    let rates: Vec<f64> = routes.iter().map(|route| route.rate).collect();
    assert_eq!(rates, [2.0, 1.5]);
    assert_eq!(routes[0].stages[1].node, 2);
}

#[test]
fn network_entry_and_exit_limit_and_are_named() {
    let with = |change: fn(&mut FleetNode)| {
        let mut only = node(0, &[4.0]);
        change(&mut only);
        parts(&flow(&fleet(1, vec![only]), &placement(&[(0, 1)])))
    };
    assert_eq!(with(|_| ()), [Part::Compute { node: 0 }]);
    assert_eq!(with(|node| node.network = 3.0), [Part::Network { node: 0 }]);
    assert_eq!(with(|node| node.entry = 3.0), [Part::Entry { node: 0 }]);
    assert_eq!(with(|node| node.exit = 3.0), [Part::Exit { node: 0 }]);
}

#[test]
fn a_node_goes_on_in_the_midst_of_its_range() {
    // Node 1 hosts [1, 4) but runs only [2, 4) of it after node 0.
    let fleet = fleet(4, vec![node(0, &[9.0, 8.0]), node(1, &[7.0, 6.0, 5.0])]);
    let flow = flow(&fleet, &placement(&[(0, 2), (1, 4)]));
    assert_eq!(flow.rate(), 5.0);
    let blocks: Vec<BlockRange> =
        flow.routes()[0].stages.iter().map(|stage| stage.blocks).collect();
    assert_eq!(blocks, [BlockRange::new(0, 2).unwrap(), BlockRange::new(2, 4).unwrap()]);
    assert_eq!(flow.given_by_node(), [2.5, 2.5]);
}

#[test]
fn a_range_that_has_ended_takes_nothing_over() {
    // Node 1 ends where node 0 does: nothing leads on, and node 2 begins a block too late.
    let fleet = fleet(4, vec![node(0, &[9.0, 8.0]), node(1, &[7.0, 6.0]), node(2, &[5.0])]);
    let flow = flow(&fleet, &placement(&[(0, 2), (0, 2), (3, 4)]));
    assert_eq!(flow.rate(), 0.0);
    assert!(flow.bottlenecks().is_empty() && flow.routes().is_empty() && flow.loads().is_empty());
}

#[test]
fn a_node_that_is_barred_carries_nothing() {
    let fleet = fleet(2, vec![node(0, &[9.0]), node(1, &[7.0]), node(2, &[5.0])]);
    let placed = placement(&[(0, 1), (1, 2), (1, 2)]);
    let mut evaluator = Evaluator::new();
    let mut rate = |mask: &Mask| evaluator.throughput(&fleet, &placed, mask).unwrap();
    assert_eq!(rate(&Mask::none()), 9.0);
    assert_eq!(rate(&Mask::barring([1])), 5.0);
    assert_eq!(rate(&Mask::barring([0])), 0.0);
    let mut mask = Mask::barring([1, 2]);
    assert_eq!(rate(&mask), 0.0);
    mask.admit(2);
    assert_eq!(rate(&mask), 5.0);
}

#[test]
fn a_placement_that_does_not_fit_its_fleet_is_refused() {
    let fleet = fleet(3, vec![node(0, &[9.0, 8.0])]);
    let refused = |ranges: &[(u32, u32)]| {
        Evaluator::new().throughput(&fleet, &placement(ranges), &Mask::none()).unwrap_err()
    };
    assert_eq!(refused(&[]), PlacementError::Nodes { expected: 1, got: 0 });
    let range = BlockRange::new(2, 4).unwrap();
    assert_eq!(refused(&[(2, 4)]), PlacementError::Beyond { node: 0, range, block_count: 3 });
    let range = BlockRange::new(0, 3).unwrap();
    assert_eq!(refused(&[(0, 3)]), PlacementError::Full { node: 0, range, fit: 2 });
}

#[test]
fn a_fleet_refuses_what_is_no_rate() {
    let refused = |node: FleetNode| Fleet::new(4, vec![node]).unwrap_err().to_string();
    assert_eq!(refused(node(0, &[-1.0])), "compute of node 0 cannot be -1 positions/s");
    assert_eq!(refused(node(0, &[f64::INFINITY])), "compute of node 0 cannot be inf positions/s");
    let nan = FleetNode { exit: f64::NAN, ..node(0, &[1.0]) };
    assert_eq!(refused(nan), "exit of node 0 cannot be NaN positions/s");
    assert_eq!(Fleet::new(0, vec![node(0, &[1.0])]), Err(FleetError::BlockCount(0)));
    assert_eq!(Fleet::new(1, Vec::new()), Err(FleetError::Nodes(0)));
    let far = FleetError::Institution { node: 0, institution: 256 };
    assert_eq!(Fleet::new(1, vec![node(256, &[1.0])]), Err(far));
    let mut two = fleet(1, vec![node(0, &[1.0]), node(0, &[1.0])]);
    assert_eq!(two.set_link(0, 0, 1.0), Err(FleetError::NoNode { from: 0, to: 0, nodes: 2 }));
    assert_eq!(two.set_link(0, 2, 1.0), Err(FleetError::NoNode { from: 0, to: 2, nodes: 2 }));
    assert_eq!(two.set_link(0, 1, -1.0), Err(FleetError::Link { from: 0, to: 1, rate: -1.0 }));
}

#[test]
fn a_node_more_leaves_the_others_links_as_they_were() {
    let mut two = fleet(1, vec![node(0, &[1.0]), node(0, &[1.0])]);
    two.set_link(0, 1, 3.0).unwrap();
    let three = two.with(node(1, &[2.0])).unwrap();
    assert_eq!((three.link(0, 1), three.link(1, 0)), (3.0, AMPLE));
    assert_eq!((three.link(0, 2), three.link(2, 1)), (0.0, 0.0));
    assert_eq!(three.institutions(), 2);
}
