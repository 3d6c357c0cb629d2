//! `comity-netsim sweep`: the same scenario with other numbers, and two scenarios side by side. Not
//! single runs.

mod vary;

use std::{fmt::Write as _, fs, path::PathBuf};

use rayon::prelude::*;
use serde_json::json;
use toml::Value;

use self::vary::{Varied, combinations, varied_error};
use super::{
    Outcome, print, print_json,
    progress::Progress,
    run::{CommandError, Common, outlook, save},
};
use crate::{
    capacity::{Measured, Options, simulate},
    replicate::replicate,
    report::{
        Load, Sweep, html, summarise,
        table::{AVERAGED, interval},
    },
    scenario::Rounds,
    statistics::{Estimate, mean},
    world::{Need, World},
};

/// What to vary.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  comity-netsim sweep two-universities.toml --vary \
    workload.1.arrivals.gamma.per_s=0.5,1,2,4\n  comity-netsim sweep two-universities.toml \
    --vary link.*.rate_mbit=100,1000,10000 --vary link.*.round_trip_ms=5,20\n\nRuns of all points \
    draw the same arrivals and lengths, so that differences are of the numbers, not of chance.")]
pub struct Args {
    /// The scenario file.
    pub scenario: PathBuf,
    #[command(flatten)]
    common: Common,
    /// A number of the scenario and its values: keys with dots between, sections by their number
    /// from 0 or `*` for all. Several are combined.
    #[arg(long, value_name = "KEY=VALUE,..", required = true)]
    vary: Vec<String>,
    /// Write a report of the scenario as it stands for a browser, with curves over what is varied.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What to compare.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comity-netsim compare today.toml with-new-link.toml")]
pub struct CompareArgs {
    /// One scenario.
    pub scenario: PathBuf,
    /// The other one.
    pub other: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// What is kept of a point.
struct Point {
    values: Vec<String>,
    tokens: Vec<f64>,
    first: Vec<f64>,
    token: Vec<f64>,
    unanswered: Vec<f64>,
    load: Load,
}

/// Runs it.
///
/// # Errors
/// [`CommandError`].
pub fn run(args: &Args) -> Result<Outcome, CommandError> {
    let text = fs::read_to_string(&args.scenario)
        .map_err(|source| CommandError::Read { path: args.scenario.clone(), source })?;
    // The file as it stands must hold, so that its errors have lines.
    let world = args.common.world(&args.scenario, Need::Routes)?;
    let varied: Vec<Varied> =
        args.vary.iter().map(|text| Varied::parse(text)).collect::<Result<_, _>>()?;
    let points = combinations(&varied);
    let bar = Progress::new("points");
    let count = points.len() as u64;
    let points: Vec<Point> = points
        .into_par_iter()
        .map(|values| {
            let point = point(args, &text, &varied, values);
            bar.step(count);
            point
        })
        .collect::<Result<_, _>>()?;
    bar.end();
    let keys: Vec<&str> = varied.iter().map(|varied| varied.key.as_str()).collect();
    if let Some(path) = &args.html {
        let document = toml::from_str(&text).unwrap_or(Value::Boolean(false));
        let words: Vec<String> = varied.iter().map(|varied| varied.words(&document)).collect();
        save(path, &page(&world, &words, &points)?)?;
    }
    match args.common.json {
        true => print_json(
            &json!({ "points": points.iter().map(|point| point.json(&keys)).collect::<Vec<_>>() }),
        ),
        false => print(&(table(&keys, &points) + averaged(&world))),
    }
    Ok(Outcome::Done)
}

/// Runs two scenarios with the same seeds and says how they differ.
///
/// # Errors
/// [`CommandError`].
pub fn compare(args: &CompareArgs) -> Result<Outcome, CommandError> {
    let [one, other] =
        [&args.scenario, &args.other].map(|path| args.common.world(path, Need::Routes));
    let worlds = [one?, other?];
    let runs = worlds[0].run.runs.max(2);
    let bar = Progress::new("runs");
    let points: Vec<Point> = worlds
        .par_iter()
        .map(|world| {
            let point = Point::of(world, vec![world.name.clone()], runs);
            bar.step(2);
            point
        })
        .collect();
    bar.end();
    let mut out = format!(
        "{:<24}{:>24}{:>24}{:>28}\n",
        "",
        shorten(&worlds[0].name),
        shorten(&worlds[1].name),
        "second less first"
    );
    let mut rows = serde_json::Map::new();
    for (name, scale, digits, value) in [
        ("tokens/s", 1.0, 1, (|point: &Point| point.tokens.clone()) as fn(&Point) -> Vec<f64>),
        ("first token, s", 1.0, 3, |point| point.first.clone()),
        ("further token, ms", 1e3, 1, |point| point.token.clone()),
        ("unanswered, %", 100.0, 1, |point| point.unanswered.clone()),
    ] {
        let [a, b] = [value(&points[0]), value(&points[1])];
        let less: Vec<f64> = b.iter().zip(&a).map(|(b, a)| b - a).collect();
        let all = [&a, &b, &less].map(|values| Estimate::of(values));
        let [a, b, less] = all.map(|estimate| interval(&estimate, scale, digits));
        let _ = writeln!(out, "{name:<24}{a:>24}{b:>24}{less:>28}");
        rows.insert(
            name.to_owned(),
            json!({ "first": all[0], "second": all[1], "difference": all[2] }),
        );
    }
    let words = points.iter().map(|point| point.load.word()).collect::<Vec<_>>();
    let _ = writeln!(out, "{:<24}{:>24}{:>24}", "keeps up?", words[0], words[1]);
    rows.insert("load".to_owned(), json!([points[0].load, points[1].load]));
    out.push_str("(runs in pairs of the same seed; intervals of 95 %)\n");
    out.push_str(worlds.iter().map(averaged).max().unwrap_or_default());
    match args.common.json {
        true => print_json(&rows.into()),
        false => print(&out),
    }
    Ok(Outcome::Done)
}

/// What is said of averaged rounds.
fn averaged(world: &World) -> &'static str {
    if world.run.rounds == Rounds::Averaged { AVERAGED } else { "" }
}

fn shorten(name: &str) -> String {
    name.chars().take(22).collect()
}

fn point(
    args: &Args,
    text: &str,
    varied: &[Varied],
    values: Vec<String>,
) -> Result<Point, CommandError> {
    let world = vary::scenario(&args.scenario, text, varied, &values)
        .and_then(|file| args.common.resolve(&file, Need::Routes))
        .map_err(|error| varied_error(error, varied, &values))?;
    let runs = world.run.runs;
    Ok(Point::of(&world, values, runs))
}

impl Point {
    fn of(world: &World, values: Vec<String>, runs: u32) -> Self {
        let warm = world.run.warm_up_s.map_or(0.0, |seconds| seconds.get());
        let until_s = warm + world.run.duration_s.get();
        let run = |number: u32| {
            let seed = world.seed.wrapping_add(u64::from(number));
            let (passes_max, requests_max) = (0, u64::MAX);
            simulate(world, Options { seed, until_s, passes_max, requests_max })
        };
        let measured: Vec<Measured> = (0..runs).map(run).collect();
        // Where it is not stated, a tenth is left out; nobody looks at the warm-up of every point.
        let cut = if warm > 0.0 { warm } else { until_s / 10.0 };
        let over = |value: &dyn Fn(&Measured) -> f64| measured.iter().map(value).collect();
        let times = |run: &Measured, value: fn(&crate::capacity::Sample) -> f64| {
            let late = run.samples.iter().filter(|sample| sample.ended_s >= cut);
            mean(&late.map(value).filter(|time| time.is_finite()).collect::<Vec<_>>())
        };
        let unanswered = |run: &Measured| {
            let lost: u64 =
                run.institutions.iter().map(|it| it.refused + it.turned_away + it.failed).sum();
            (lost + run.waiting) as f64 / run.requests.max(1) as f64
        };
        Self {
            values,
            tokens: over(&|run| run.tokens_per_s(cut)),
            first: over(&|run| times(run, |sample| sample.first_s)),
            token: over(&|run| times(run, |sample| sample.token_s)),
            unanswered: over(&unanswered),
            load: Load::of(&measured, cut),
        }
    }

    fn json(&self, keys: &[&str]) -> serde_json::Value {
        let values: serde_json::Map<_, _> = keys
            .iter()
            .zip(&self.values)
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        json!({ "values": values, "tokens_per_s": Estimate::of(&self.tokens),
            "first_token_s": Estimate::of(&self.first), "token_s": Estimate::of(&self.token),
            "unanswered": Estimate::of(&self.unanswered), "load": self.load })
    }
}

/// The scenario as it stands, and curves over each key that is varied, the others at their first
/// value.
fn page(world: &World, varied: &[String], points: &[Point]) -> Result<String, CommandError> {
    let bar = Progress::new("runs");
    let (runs, warm_up) = replicate(world, 0, u64::MAX, &|_, most| bar.step(most as u64));
    bar.end();
    let summary = summarise(world, &runs, warm_up);
    let outlooks = outlook(world, true)?;
    let mut sweeps = Vec::new();
    for (place, words) in varied.iter().enumerate() {
        let others = |point: &&Point| {
            (0..varied.len()).all(|at| at == place || point.values[at] == points[0].values[at])
        };
        let along: Vec<(f64, &Point)> = points
            .iter()
            .filter(others)
            .filter_map(|point| Some((point.values[place].parse().ok()?, point)))
            .collect();
        let curve = |title: &str, value: fn(&Point) -> Vec<f64>| Sweep {
            title: title.to_owned(),
            x_label: words.clone(),
            points: along.iter().map(|(x, point)| (*x, Estimate::of(&value(point)))).collect(),
        };
        if along.len() > 1 {
            sweeps.push(curve("tokens per second", |point| point.tokens.clone()));
            sweeps.push(curve("mean seconds to the first token", |point| point.first.clone()));
        }
    }
    let further = html::Further { outlooks: &outlooks, rules: &[], sweeps: &sweeps };
    Ok(html::page(&summary, &further))
}

fn table(keys: &[&str], points: &[Point]) -> String {
    let mut out = String::new();
    for key in keys {
        let _ = write!(out, "{:>16}", key.rsplit('.').next().unwrap_or(key));
    }
    let _ = writeln!(
        out,
        "{:>20}{:>20}{:>22}{:>18}  keeps up?",
        "tokens/s", "first token, s", "further token, ms", "unanswered, %"
    );
    for point in points {
        for value in &point.values {
            let _ = write!(out, "{value:>16}");
        }
        let cell = |values: &[f64], scale, digits| interval(&Estimate::of(values), scale, digits);
        let _ = writeln!(
            out,
            "{:>20}{:>20}{:>22}{:>18}  {}",
            cell(&point.tokens, 1.0, 1),
            cell(&point.first, 1.0, 3),
            cell(&point.token, 1e3, 1),
            cell(&point.unanswered, 100.0, 1),
            point.load.word()
        );
    }
    out
}
