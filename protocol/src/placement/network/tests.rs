//! The flow against capacities known by hand, and against a slow search on a matrix.

use proptest::prelude::*;

use super::{Network, SINK, SOURCE};

type Arcs = Vec<(u32, u32, f64)>;

fn network(vertices: usize, arcs: &Arcs) -> Network {
    let mut network = Network::default();
    network.reset(vertices);
    for &(from, to, capacity) in arcs {
        network.arc(from, to, capacity);
    }
    network
}

/// Augments along any path until none is left: Ford and Fulkerson on a matrix.
fn slow(vertices: usize, arcs: &Arcs) -> f64 {
    let mut left = vec![vec![0.0; vertices]; vertices];
    for &(from, to, capacity) in arcs {
        left[from as usize][to as usize] += capacity;
    }
    let mut total = 0.0;
    loop {
        let mut seen = vec![false; vertices];
        let amount = augment(&mut left, &mut seen, SOURCE as usize, f64::INFINITY);
        if amount <= 0.0 {
            return total;
        }
        total += amount;
    }
}

fn augment(left: &mut [Vec<f64>], seen: &mut [bool], at: usize, most: f64) -> f64 {
    if at == SINK as usize {
        return most;
    }
    seen[at] = true;
    for to in 0..left.len() {
        if !seen[to] && left[at][to] > 0.0 {
            let amount = augment(left, seen, to, most.min(left[at][to]));
            if amount > 0.0 {
                left[at][to] -= amount;
                left[to][at] += amount;
                return amount;
            }
        }
    }
    0.0
}

#[test]
fn a_flow_takes_back_what_the_first_path_took_wrongly() {
    // Two paths of one unit each; the short-sighted one through both middle vertices blocks them.
    let arcs = vec![(0, 2, 1.0), (2, 3, 1.0), (3, 1, 1.0), (2, 1, 1.0), (0, 3, 1.0)];
    assert_eq!(network(4, &arcs).maximize(), 2.0);
}

#[test]
fn a_sink_that_is_out_of_reach_gets_nothing() {
    assert_eq!(network(4, &vec![(0, 2, 5.0), (3, 1, 5.0)]).maximize(), 0.0);
    assert_eq!(network(2, &Vec::new()).maximize(), 0.0);
}

#[test]
fn an_infinite_arc_limits_nothing() {
    let arcs = vec![(0, 2, f64::INFINITY), (2, 3, 7.5), (3, 1, f64::INFINITY)];
    assert_eq!(network(4, &arcs).maximize(), 7.5);
}

fn arcs() -> impl Strategy<Value = (usize, Arcs)> {
    (2_usize..14).prop_flat_map(|vertices| {
        let vertex = 0..u32::try_from(vertices).unwrap();
        // Whole numbers: every sum of them is exact, so the two searches must agree to the bit.
        let arc = (vertex.clone(), vertex, 0_u32..20)
            .prop_map(|(from, to, capacity)| (from, to, f64::from(capacity)));
        let arcs = prop::collection::vec(arc, 0..60)
            .prop_map(|arcs| arcs.into_iter().filter(|(from, to, _)| from != to).collect());
        (Just(vertices), arcs)
    })
}

proptest! {
    #[test]
    fn any_network_has_the_flow_a_slow_search_finds((vertices, arcs) in arcs()) {
        prop_assert_eq!(network(vertices, &arcs).maximize(), slow(vertices, &arcs));
    }

    #[test]
    fn a_cut_is_full_and_as_large_as_the_flow((vertices, arcs) in arcs()) {
        let mut network = network(vertices, &arcs);
        let total = network.maximize();
        let cut: f64 = arcs
            .iter()
            .filter(|(from, to, _)| network.is_before_cut(*from) && !network.is_before_cut(*to))
            .map(|(_, _, capacity)| capacity)
            .sum();
        prop_assert_eq!(cut, total);
    }

    #[test]
    fn what_comes_to_a_vertex_leaves_it((vertices, arcs) in arcs()) {
        let mut network = network(vertices, &arcs);
        let total = network.maximize();
        let mut balance = vec![0.0; vertices];
        for ((from, to, flow), (_, _, capacity)) in network.flows().zip(&arcs) {
            prop_assert!((0.0..=*capacity).contains(&flow));
            balance[from as usize] -= flow;
            balance[to as usize] += flow;
        }
        prop_assert_eq!(balance[SOURCE as usize], -total);
        prop_assert_eq!(balance[SINK as usize], total);
        prop_assert!(balance[2..].iter().all(|rest| *rest == 0.0));
    }
}
