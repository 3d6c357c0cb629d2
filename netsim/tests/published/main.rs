//! Every scenario that comes along, run to a short end by the command as anybody would. Not its
//! figures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use comity_netsim::data;
use serde_json::Value;

/// Simulated seconds in which all but the next end answers.
const DURATION_S: i64 = 300;
/// Those with one stream of answers that take up to 50 minutes each, and what ends one.
const SLOW: (&str, i64) = ("petals", 3_600);
/// The published pipelines that hold more blocks than the publication has rates for: what they come to
/// is simulated, and no largest flow is told.
const WITHOUT_FLOW: &str = "70b-separate";

/// All scenarios below a folder, by name.
fn scenarios() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![here.join("scenarios")];
    let mut files = vec![here.join("examples/scenario.toml")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// The scenario with a short run in place of its own.
fn shortened(path: &Path) -> toml::Table {
    let mut scenario: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let run = scenario.entry("run").or_insert_with(|| toml::Table::new().into());
    let run = run.as_table_mut().unwrap();
    let is_slow = path.parent().is_some_and(|folder| folder.ends_with(SLOW.0));
    let duration_s = if is_slow { SLOW.1 } else { DURATION_S };
    run.insert("duration_s".into(), duration_s.into());
    run.insert("warm_up_s".into(), 0.into());
    run.remove("precision");
    scenario
}

/// Whether it names tables that do not come along.
fn needs_data(scenario: &toml::Table) -> bool {
    let network = scenario.get("network");
    scenario.contains_key("helix") || network.is_some_and(|it| it.get("topology").is_some())
}

/// What is wrong with what the command says of a scenario.
fn fault(path: &Path, folder: Option<&Path>) -> Option<String> {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_comity-netsim"));
    command.arg("run").arg(path).args(["--runs", "1", "--json"]).env_remove("COMITY_DATA");
    folder.map(|folder| command.arg("--data").arg(folder));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Some(format!("{name} is refused: {said}"));
    }
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for figure in ["tokens_per_s", "answers_per_s"] {
        if found[figure]["mean"].as_f64().is_none_or(|it| it <= 0.0) {
            return Some(format!("{name} answers nothing: {figure} is {}", found[figure]));
        }
    }
    let flows = found["outlook"].as_array().unwrap();
    let flows = flows.iter().filter(|it| it["tokens_per_s"].as_f64().is_some_and(|it| it > 0.0));
    let (count, is_told) = (flows.count(), said.is_empty());
    let is_expected = if name.contains(WITHOUT_FLOW) { !is_told } else { is_told && count > 0 };
    (!is_expected).then(|| format!("{name} has {count} flows: {said:?}"))
}

#[test]
#[expect(clippy::print_stderr, reason = "a check that skips says so")]
fn every_scenario_that_comes_along_is_run_and_answers() {
    let data = data::folder();
    let folder = env::temp_dir().join(format!("comity-netsim-published-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (mut faults, mut count) = (Vec::new(), 0);
    for path in scenarios() {
        let scenario = shortened(&path);
        if needs_data(&scenario) && data.is_none() {
            eprintln!("{} is skipped: no public data here (COMITY_DATA)", path.display());
            continue;
        }
        let short = folder.join(path.file_name().unwrap());
        fs::write(&short, toml::to_string(&scenario).unwrap()).unwrap();
        faults.extend(fault(&short, data.as_deref()));
        count += 1;
    }
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(faults, Vec::<String>::new());
    let least = if data.is_some() { 40 } else { 15 };
    assert!(count >= least, "{count} scenarios");
}
