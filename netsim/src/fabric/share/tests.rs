//! Closed forms of SimGrid's unit cases, and what makes an allocation max-min.

use proptest::prelude::*;

use super::*;

/// Rates of flows `(path, bound, weight)` over links of `capacity`.
fn rates(capacity: &[f64], flows: &[(&[usize], f64, f64)]) -> Vec<f64> {
    let (mut paths, mut claims, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for (path, most, weight) in flows {
        let first = paths.len();
        paths.extend_from_slice(path);
        claims.push(Claim { most: *most, weight: *weight, path: (first, paths.len()) });
    }
    fill(capacity, &paths, &claims, &mut rates);
    rates
}

const ALL: f64 = f64::INFINITY;

#[test]
fn two_flows_halve_a_link() {
    assert_eq!(rates(&[10.0], &[(&[0], ALL, 1.0), (&[0], ALL, 1.0)]), [5.0, 5.0]);
}

#[test]
fn a_bounded_flow_leaves_the_rest_to_the_other() {
    assert_eq!(rates(&[10.0], &[(&[0], 2.0, 1.0), (&[0], ALL, 1.0)]), [2.0, 8.0]);
    assert_eq!(rates(&[10.0], &[(&[0], 7.0, 1.0), (&[0], ALL, 1.0)]), [5.0, 5.0]);
}

#[test]
fn in_a_parking_lot_the_long_flow_has_half_of_every_link() {
    let flows: [(&[usize], f64, f64); 4] =
        [(&[0, 1, 2], ALL, 1.0), (&[0], ALL, 1.0), (&[1], ALL, 1.0), (&[2], ALL, 1.0)];
    assert_eq!(rates(&[10.0; 3], &flows), [5.0; 4]);
    // Where one link is narrower, what the long flow cannot use goes to the short ones.
    assert_eq!(rates(&[10.0, 4.0, 10.0], &flows), [2.0, 8.0, 2.0, 8.0]);
}

#[test]
fn weights_divide_a_link_in_proportion() {
    assert_eq!(rates(&[9.0], &[(&[0], ALL, 2.0), (&[0], ALL, 1.0)]), [6.0, 3.0]);
}

#[test]
fn without_links_a_flow_has_what_it_asks_for() {
    assert_eq!(rates(&[], &[(&[], 3.0, 1.0)]), [3.0]);
}

proptest! {
    /// No link is overfull, no flow exceeds its bound, and every flow below its bound crosses a full
    /// link on which no flow has more for its weight.
    #[test]
    fn every_allocation_is_max_min(
        capacity in prop::collection::vec(1.0..100.0_f64, 1..6),
        flows in prop::collection::vec(
            (prop::collection::btree_set(0_usize..6, 1..4), 0.1..80.0_f64, 0.1..10.0_f64), 1..12),
    ) {
        let fit = |path: &std::collections::BTreeSet<usize>| -> Vec<usize> {
            let fit: std::collections::BTreeSet<_> =
                path.iter().map(|link| link % capacity.len()).collect();
            fit.into_iter().collect()
        };
        let paths: Vec<Vec<usize>> = flows.iter().map(|(path, ..)| fit(path)).collect();
        let claims: Vec<(&[usize], f64, f64)> = flows
            .iter()
            .zip(&paths)
            .map(|((_, most, weight), path)| (path.as_slice(), *most, *weight))
            .collect();
        let rates = rates(&capacity, &claims);
        let load = |link: usize| -> f64 {
            let over = claims.iter().zip(&rates).filter(|(claim, _)| claim.0.contains(&link));
            over.map(|(_, rate)| rate).sum()
        };
        for (link, capacity) in capacity.iter().enumerate() {
            prop_assert!(load(link) <= capacity * (1.0 + 1e-9));
        }
        for ((path, most, weight), rate) in claims.iter().zip(&rates) {
            prop_assert!(*rate <= most * (1.0 + 1e-9));
            let held = path.iter().any(|link| {
                let others = claims.iter().zip(&rates).filter(|(claim, _)| claim.0.contains(link));
                load(*link) >= capacity[*link] * (1.0 - 1e-9)
                    && others.into_iter().all(|(claim, other)| {
                        other / claim.2 <= rate / weight * (1.0 + 1e-6)
                    })
            });
            prop_assert!(held || *rate >= most * (1.0 - 1e-9));
        }
    }
}
