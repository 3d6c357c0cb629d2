//! Timers against a list of them.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn the_next_one_is_the_earliest_and_of_equal_ones_the_one_set_first(
        count in 1..9_usize,
        steps in prop::collection::vec(
            (0..9_usize, prop::option::weighted(0.7, 0..6_u64), any::<bool>()), 0..60),
    ) {
        let mut timers = Timers::new(count);
        let mut list = vec![None; count];
        for ((place, at, looks), number) in steps.into_iter().zip(0..) {
            let place = place % count;
            match at {
                Some(at) => timers.set(place, Instant(at), number),
                None => timers.clear(place),
            }
            list[place] = at.map(|at| (Instant(at), number));
            let all = list.iter().enumerate().filter_map(|(place, key)| Some((place, (*key)?)));
            let next = all.min_by_key(|(_, key)| *key).map(|(place, (at, number))| (place, at, number));
            if looks {
                prop_assert_eq!(timers.peek(), next);
            }
            prop_assert_eq!(timers.at(place), list[place].map(|key| key.0));
        }
    }
}
