//! How far averaged rounds are from single passes. Not how long either takes.

use std::path::Path;

use comity_netsim::{
    capacity::{Measured, Options, simulate},
    data,
    scenario::{Rounds, ScenarioFile},
    statistics::percentile,
    world::World,
};

use super::{
    harness::say,
    scale::{self, Shape},
};

/// Requests of a made world, and seconds of one of the gallery after the first part is left out.
const REQUESTS: f64 = 10_000.0;
/// Part of a run that is left out.
const WARM_UP: f64 = 0.2;

/// Prints a table.
pub(crate) fn report() {
    say(&format!(
        "\naverages for single passes, %\n{:<52}{:>10}{:>8}{:>8}{:>10}{:>8}{:>8}{:>10}{:>8}",
        "", "1st token", "p50", "p95", "further", "p50", "p95", "tokens/s", "busy"
    ));
    let shapes = [
        ("40 nodes, rings over 4 sites", Shape::Forty, [0.05, 0.5, 1.0, 1.5]),
        ("40 fast nodes, rings over 4 sites", Shape::Fast, [0.5, 2.0, 4.0, 6.0]),
        ("4 nodes, rings of 2", Shape::Pair, [0.1, 0.5, 1.0, 1.5]),
        ("248 nodes, rings within a site", Shape::Wide(1), [1.0, 10.0, 50.0, 100.0]),
    ];
    for (name, shape, rates) in shapes {
        for per_s in rates {
            let world = scale::world(shape, REQUESTS, per_s);
            compare(&format!("{name}, {per_s} requests/s each"), world, None);
        }
    }
    let Some(folder) = data::folder() else { return };
    for name in ["two-universities", "five-hospitals", "forty-institutions"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = path.join(format!("netsim/scenarios/{name}.toml"));
        let file = ScenarioFile::load(&path).expect("the scenario");
        let world = World::resolve(&file, Some(&folder)).expect("its world");
        let until_s = world.run.duration_s.get();
        compare(&format!("netsim/scenarios/{name}.toml"), world, Some(until_s));
    }
}

fn compare(name: &str, mut world: World, until_s: Option<f64>) {
    let options = scale::options(&world);
    let options = Options { until_s: until_s.unwrap_or(options.until_s), ..options };
    let [single, averaged] = [Rounds::Leaped, Rounds::Averaged].map(|rounds| {
        world.run.rounds = rounds;
        figures(&simulate(&world, options))
    });
    let off: Vec<f64> =
        averaged.iter().zip(&single).map(|(one, other)| (one / other - 1.0) * 100.0).collect();
    let cells = off.iter().zip([10, 8, 8, 10, 8, 8, 10, 8]);
    let cells: String = cells.map(|(off, wide)| format!("{off:>+wide$.1}")).collect();
    say(&format!("{name:<52}{cells}"));
}

/// Times to a first and a further token with their middle and their 95th of a hundred, tokens a second,
/// and the time that nodes were busy.
fn figures(run: &Measured) -> [f64; 8] {
    let from = run.until_s * WARM_UP;
    let times = |value: fn(&comity_netsim::capacity::Sample) -> f64| {
        let kept = run.samples.iter().filter(|it| it.ended_s >= from).map(value);
        let mut times: Vec<f64> = kept.filter(|it| it.is_finite()).collect();
        times.sort_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        [mean, percentile(&times, 0.5), percentile(&times, 0.95)]
    };
    let [first, further] = [times(|it| it.first_s), times(|it| it.token_s)];
    let busy = run.nodes.iter().map(|node| node.busy_s).sum();
    let [a, b, c] = first;
    let [d, e, f] = further;
    [a, b, c, d, e, f, run.tokens_per_s(from), busy]
}
