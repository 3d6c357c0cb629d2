//! Scenarios that do not hold: every command that reads one says why in one line, with file and line
//! of what is wrong, and ends with an exit code that is not 0.
//!
//! The second line of each file of this folder is the error that is expected, after `# error: ` and
//! without the file: `LINE: TEXT`, or `TEXT` where there is no line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A scenario that holds, to compare with.
const GOOD: &str = "scenarios/two-universities.toml";
/// What the third line of a file says that only has its blocks in the wrong places.
const MOVABLE: &str = "# plan and buy take it: they may move blocks.";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn netsim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comity-netsim"))
        .args(arguments)
        .env_remove("COMITY_DATA")
        .output()
        .unwrap()
}

/// Every way in which a command reads the scenario, and whether it only plans.
fn ways(file: &str) -> Vec<(Vec<String>, bool)> {
    let good = here(GOOD).to_str().unwrap().to_owned();
    let way = |words: &[&str], plans| (words.iter().map(|it| (*it).to_owned()).collect(), plans);
    vec![
        way(&["run", file, "--runs", "1"], false),
        way(&["fail", file], false),
        way(&["sweep", file, "--vary", "seed=1,2"], false),
        way(&["compare", file, &good], false),
        way(&["compare", &good, file], false),
        way(&["plan", file, "--evaluations", "1000"], true),
        way(&["buy", file, "--evaluations", "1000"], true),
    ]
}

#[test]
fn every_bad_scenario_gives_one_clear_error_with_its_line() {
    let mut count = 0;
    for entry in fs::read_dir(here("tests/bad")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut lines = text.lines().skip(1);
        let error = lines.next().and_then(|line| line.strip_prefix("# error: "));
        let error = error.unwrap_or_else(|| panic!("{path:?} does not say what is expected"));
        let is_movable = lines.next() == Some(MOVABLE);
        let file = path.to_str().unwrap();
        let expected = format!("comity-netsim: {file}:{error}\n");
        for (way, plans) in ways(file) {
            let words: Vec<&str> = way.iter().map(String::as_str).collect();
            let output = netsim(&words);
            let said = String::from_utf8_lossy(&output.stderr);
            if plans && is_movable {
                assert!(!said.contains(file), "{words:?} refuses what can be planned: {said}");
                continue;
            }
            assert_eq!(said, expected, "{words:?}");
            assert_eq!(output.status.code(), Some(1), "{words:?}");
            assert!(output.stdout.is_empty(), "{words:?} prints beside its error");
        }
        count += 1;
    }
    assert!(count >= 20, "{count} bad scenarios");
}

#[test]
fn an_error_of_what_is_varied_names_it_and_no_line() {
    let file = here(GOOD);
    let file = file.to_str().unwrap();
    let output = netsim(&["sweep", file, "--vary", "link.*.rate_mbit=100,-5"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!("comity-netsim: {file} with link.*.rate_mbit=-5: -5 is not above 0\n");
    assert_eq!(said, expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn link_takes_a_planners_scenario_only_if_its_nodes_say_where_they_are() {
    let file = here("scenarios/five-hospitals.toml");
    let text = fs::read_to_string(&file).unwrap();
    let line = text.lines().position(|line| line == "[[node]]").unwrap() + 1;
    let file = file.to_str().unwrap();
    let output = netsim(&["link", file]);
    let said = String::from_utf8_lossy(&output.stderr);
    let missing = "node \"berlin-1\" does not say where it is: add listen";
    assert_eq!(said, format!("comity-netsim: {file}:{line}: {missing}\n"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = netsim(&["run", "nowhere.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("comity-netsim: nowhere.toml cannot be read: "), "{said}");
    assert_eq!((said.lines().count(), output.status.code()), (1, Some(1)));
}

#[test]
fn averaged_rounds_have_no_passes_to_trace() {
    let good = here(GOOD).to_str().unwrap().to_owned();
    let output = netsim(&["run", &good, "--averaged", "--trace", "never-written.json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("comity-netsim: --trace writes passes"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert!(!Path::new("never-written.json").exists());
}

#[test]
fn figures_of_averaged_rounds_say_so() {
    let good = here(GOOD).to_str().unwrap().to_owned();
    for (averaged, ways) in [(true, vec!["--averaged"]), (false, vec![])] {
        let mut words = vec!["run", &good, "--runs", "1"];
        words.extend(ways);
        let output = netsim(&words);
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.contains("rounds are averaged"), averaged, "{said}");
    }
}
