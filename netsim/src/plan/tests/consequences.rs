//! What follows from a plan: losses, rules, purchases, balances.

use std::sync::atomic::{AtomicUsize, Ordering};

use comity_protocol::{
    block::BlockRange,
    placement::{Evaluator, FleetError, Mask, Placement},
};

use super::{AMPLE, SETTINGS, fleet, node};
use crate::plan::{
    buy::{BuyError, Offer, Purchase, Trials, rank},
    fairness::{Balance, balances, evenness},
    screen::{institutions, losses, nodes, pairs, price_of_rule},
};
use crate::random::Random;

fn placement(ranges: &[(u32, u32)]) -> Placement {
    Placement::new(ranges.iter().map(|&(start, end)| BlockRange::new(start, end).ok()).collect())
}

#[test]
fn a_screen_says_what_is_left_without_each_node_and_institution() {
    let fleet = fleet(2, vec![node(0, &[8.0]), node(1, &[6.0]), node(1, &[2.0])]);
    let placed = placement(&[(0, 1), (1, 2), (1, 2)]);
    let left = |groups: &[Vec<usize>]| {
        let losses = losses(&fleet, &placed, &Mask::none(), groups).unwrap();
        losses.iter().map(|loss| (loss.rate, loss.share)).collect::<Vec<_>>()
    };
    assert_eq!(left(&nodes(&fleet)), [(0.0, 1.0), (2.0, 0.75), (6.0, 0.25)]);
    assert_eq!(left(&institutions(&fleet)), [(0.0, 1.0), (0.0, 1.0)]);
    // What is barred already stays so.
    let losses = losses(&fleet, &placed, &Mask::barring([2]), &nodes(&fleet)).unwrap();
    assert_eq!(losses[2].rate, 6.0);
    assert_eq!(losses[1].rate, 0.0);
}

#[test]
fn pairs_of_groups_leave_what_a_flow_without_both_finds() {
    let mut random = Random::new(3, 1);
    for _ in 0..40 {
        let rates = |random: &mut Random| 1.0 + random.unit() * 9.0;
        let nodes: Vec<_> = (0..8).map(|owner| node(owner, &[rates(&mut random)])).collect();
        let mut fleet = fleet(3, nodes);
        for (from, to) in (0..8).flat_map(|from| (0..8).map(move |to| (from, to))) {
            if from != to {
                fleet.set_link(from, to, rates(&mut random)).unwrap();
            }
        }
        let start = |random: &mut Random| u32::try_from(random.below(3)).unwrap();
        let starts: Vec<u32> = (0..8).map(|_| start(&mut random)).collect();
        let ranges: Vec<_> = starts.iter().map(|start| (*start, start + 1)).collect();
        let (placed, groups) = (placement(&ranges), institutions(&fleet));
        let heard = AtomicUsize::new(0);
        let done = |pairs| _ = heard.fetch_add(pairs, Ordering::Relaxed);
        let found = pairs(&fleet, &placed, &Mask::none(), &groups, &done).unwrap();
        assert_eq!((found.len(), heard.into_inner()), (28, 28));
        let left = |nodes: &[usize]| {
            let mask = Mask::barring(nodes.iter().copied());
            Evaluator::new().throughput(&fleet, &placed, &mask).unwrap()
        };
        let whole = left(&[]);
        for pair in found {
            let [one, other] = pair.groups;
            let exact = left(&[one, other]);
            assert!((pair.rate - exact).abs() < 1e-6, "{pair:?}: {exact}");
            if whole > 0.0 {
                let alone = left(&[one]).min(left(&[other]));
                assert!((pair.beyond - (alone - exact) / whole).abs() < 1e-6, "{pair:?}");
            }
        }
    }
}

#[test]
fn a_rule_costs_less_where_nodes_may_host_other_blocks() {
    let fleet = fleet(2, vec![node(0, &[8.0, 4.0]), node(1, &[8.0, 4.0]), node(2, &[8.0, 4.0])]);
    let placed = placement(&[(0, 1), (1, 2), (1, 2)]);
    let mask = Mask::barring([0]);
    let price = price_of_rule(&fleet, &placed, &mask, SETTINGS, &mut |_| ()).unwrap();
    assert_eq!((price.free, price.kept, price.planned.rate), (8.0, 0.0, 8.0));
}

fn trials() -> Trials {
    Trials { seeds: vec![1, 2], evaluations: SETTINGS.evaluations }
}

fn more(rates: &[f64], price_eur: f64) -> Offer {
    let links = vec![AMPLE; 2];
    let purchase =
        Purchase::Node { node: node(0, rates), links_to: links.clone(), links_from: links };
    Offer { purchase, price_eur }
}

#[test]
fn offers_are_ranked_by_what_a_euro_gains() {
    let mut fleet = fleet(2, vec![node(0, &[8.0]), node(0, &[8.0])]);
    fleet.set_link(0, 1, 5.0).unwrap();
    fleet.set_link(1, 0, 0.0).unwrap();
    let link = Offer { purchase: Purchase::Link { from: 0, to: 1, rate: 6.0 }, price_eur: 10.0 };
    // A link gains 1 for 10 EUR; a small node 2 by itself for 40; a useless one nothing.
    let offers = [more(&[4.0, 2.0], 40.0), link, more(&[0.0], 1.0)];
    let placed = placement(&[(0, 1), (1, 2)]);
    let worths = rank(&fleet, &placed, &offers, &trials(), &mut |_| ()).unwrap();
    let order: Vec<usize> = worths.iter().map(|worth| worth.offer).collect();
    assert_eq!(order, [1, 0, 2]);
    assert_eq!(worths[0].gains, [1.0, 1.0]);
    assert_eq!((worths[0].gain, worths[0].gain_per_eur), (1.0, 0.1));
    assert!(worths[1].gain >= 2.0 && worths[2].gain == 0.0, "{worths:?}");
}

#[test]
fn an_offer_that_makes_no_sense_is_named() {
    let fleet = fleet(2, vec![node(0, &[8.0]), node(0, &[8.0])]);
    let refused = |offer: Offer| {
        let placed = Placement::empty(2);
        let offers = [more(&[1.0], 1.0), offer];
        rank(&fleet, &placed, &offers, &trials(), &mut |_| ()).unwrap_err()
    };
    for price_eur in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = refused(more(&[1.0], price_eur));
        assert!(matches!(error, BuyError::Price { offer: 1, .. }), "{price_eur}");
    }
    let purchase =
        Purchase::Node { node: node(0, &[1.0]), links_to: vec![1.0; 2], links_from: vec![1.0] };
    let links = BuyError::Links { offer: 1, got: 1, nodes: 2 };
    assert_eq!(refused(Offer { purchase, price_eur: 1.0 }), links);
    let purchase = Purchase::Link { from: 0, to: 7, rate: 1.0 };
    let source = FleetError::NoNode { from: 0, to: 7, nodes: 2 };
    assert_eq!(refused(Offer { purchase, price_eur: 1.0 }), BuyError::Fleet { offer: 1, source });
}

#[test]
fn balances_add_up_and_are_even_where_all_give_what_they_take() {
    let fleet = fleet(4, vec![node(0, &[8.0; 3]), node(1, &[8.0; 3])]);
    let flow = |ranges: &[(u32, u32)]| {
        Evaluator::new().flow(&fleet, &placement(ranges), &Mask::none()).unwrap()
    };
    let even = balances(&fleet, &flow(&[(0, 2), (2, 4)]), &[5.0, 5.0]);
    assert_eq!(even, [Balance { given: 4.0, taken: 4.0 }; 2]);
    assert_eq!(evenness(&even), Some(1.0));
    let uneven = balances(&fleet, &flow(&[(0, 3), (3, 4)]), &[1.0, 3.0]);
    assert_eq!(uneven, [Balance { given: 6.0, taken: 2.0 }, Balance { given: 2.0, taken: 6.0 }]);
    let index = evenness(&uneven).unwrap();
    assert!((index - 100.0 / 164.0).abs() < 1e-12, "{index}");
    assert_eq!(evenness(&balances(&fleet, &flow(&[(0, 2), (2, 4)]), &[])), None);
}
