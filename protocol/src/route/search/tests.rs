//! Short cuts of a search lead where it leads.

use proptest::prelude::*;

use super::*;
use crate::route::tests::brute;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_the_bound_leads_to_is_what_the_search_finds(case in brute::case()) {
        let latency = |from: &_, to: &_| case.latency(from, to);
        let Ok(field) = Field::new(&case.request(), &case.candidates, latency) else {
            return Ok(());
        };
        let mut counted = vec![Table::counted(&field, None)];
        while counted.len() < STAGES {
            counted.push(Table::counted(&field, counted.last()));
        }
        let open = [Table::open(&field)];
        let chains = (1..=STAGES).map(|stages| (&counted[..stages], true));
        for (tables, counted) in chains.chain([(&open[..], false)]) {
            let chain = Chain { field: &field, tables, counted };
            let Some(path) = chain.straight() else { continue };
            let Outcome::Found(stages) = chain.cheapest(false) else {
                return Err(TestCaseError::fail("only the bound finds a route"));
            };
            prop_assert_eq!(chain.route(&path), stages);
        }
    }
}

/// Most stages tried.
const STAGES: usize = 3;
