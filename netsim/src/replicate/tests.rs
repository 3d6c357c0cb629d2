//! As many runs on any number of threads, and rules priced against the same requests.

use std::path::Path;

use super::*;
use crate::scenario::{SMALL, ScenarioFile};

fn world(text: &str) -> World {
    let file = ScenarioFile::parse(Path::new("x.toml"), text.to_owned()).unwrap();
    World::resolve(&file, None).unwrap()
}

#[test]
fn runs_stop_once_the_interval_is_narrow_on_any_number_of_threads() {
    let section = "[run]\nwarm_up_s = 10\nduration_s = 60\nruns = 3\nruns_max = 40\nprecision = ";
    let runs = |precision: &str, threads: usize| {
        let world = world(&format!("{SMALL}{section}{precision}\n"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| replicate(&world, 0, u64::MAX, &|_, _| ())).0
    };
    let narrow = |runs: &[Measured]| {
        let rates: Vec<f64> = runs.iter().map(|run| run.tokens_per_s(10.0)).collect();
        Estimate::of(&rates).relative().unwrap() <= 0.06
    };
    let alone = runs("0.06", 1);
    assert!((4..40).contains(&alone.len()), "{} runs", alone.len());
    assert!(narrow(&alone) && !narrow(&alone[..alone.len() - 1]));
    assert_eq!(alone, runs("0.06", 5));
    assert_eq!(runs("0.9", 5).len(), 3);
    assert_eq!(runs("0.000001", 5).len(), 40);
}

#[test]
fn a_rule_that_forbids_nothing_costs_nothing_and_one_that_forbids_the_near_node_costs_time() {
    let cost = |rule: &str| {
        let text = SMALL
            .replace("blocks = [0, 4]", "blocks = [0, 8]")
            .replace("blocks = [4, 8]", "blocks = [0, 8]")
            .replace("institution = \"north\"\nsite", "institution = \"near\"\nsite")
            .replace("institution = \"south\"\nsite", "institution = \"north\"\nsite")
            .replace("name = \"south\"", "name = \"near\"")
            .replace("toy\"\narrivals", "toy\"\nhome_site = \"delft\"\npolicy = \"p\"\narrivals");
        let world = world(&format!(
            "{text}[[policy]]\nname = \"p\"\n{rule}\n[run]\nwarm_up_s = 5\nruns = 3\n"
        ));
        let (runs, warm_up_s) = replicate(&world, 0, u64::MAX, &|_, _| ());
        rule_costs(&world, &runs, warm_up_s, &|_| ()).remove(0)
    };
    let free = cost("allowed_jurisdictions = [\"NL\", \"BE\"]");
    assert_eq!((free.tokens_per_s_less.mean, free.first_token_s_less.mean), (0.0, 0.0));
    assert_eq!(free.tokens_per_s, free.tokens_per_s_without);
    // The node in Delft is another institution's; its own is 4 ms away, and opening and prompt go there
    // and back.
    let far = cost("allowed_institutions = [\"north\"]");
    assert!((far.first_token_s_less.mean - 0.016).abs() < 1e-3, "{far:?}");
    assert!(far.first_token_s_less.half_width.unwrap() < 1e-3, "{far:?}");
    assert_eq!(far.refused.mean, 0.0);
}
