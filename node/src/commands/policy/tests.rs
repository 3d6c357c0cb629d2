//! What is typed becomes rules, and mistakes name their flag.

use clap::{CommandFactory as _, FromArgMatches as _};

use super::*;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    policy: PolicyArgs,
}

fn parse(args: &[&str]) -> Result<PolicyArgs, clap::Error> {
    let words = [&["comity"], args].concat();
    let matches = Cli::command().try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches).map(|cli| cli.policy)
}

#[test]
fn without_flags_there_are_no_rules() {
    let args = parse(&[]).unwrap();
    assert_eq!((args.name(), args.rules()), (String::new(), None));
    assert_eq!(parse(&["--policy", "nl-de"]).unwrap().rules(), None);
}

#[test]
fn every_flag_is_a_rule_under_the_policys_name() {
    let countries = |codes: &[&str]| codes.iter().map(|code| code.parse().unwrap()).collect();
    let args =
        ["--policy=eu", "--only-in=NL,DE", "--not-in", "US", "--only", "b,a", "--purpose=care"];
    let more = ["--data-class", "personal", "--pin-first", "2", "--pin-last", "1"];
    let args = parse(&[args.as_slice(), &more].concat()).unwrap();
    let expected = Policy {
        allowed_jurisdictions: countries(&["DE", "NL"]),
        forbidden_jurisdictions: countries(&["US"]),
        allowed_institutions: ["a", "b"].map(String::from).into(),
        data_class: Some(DataClass::Personal),
        purpose: "care".into(),
        pinned_first: 2,
        pinned_last: 1,
        ..Policy::rules("eu")
    };
    assert_eq!((args.name(), args.rules()), ("eu".to_owned(), Some(expected)));
    let open = parse(&["--pin-last=1"]).unwrap().rules().unwrap();
    assert_eq!(open.name, Policy::OPEN);
}

#[test]
fn wrong_values_name_their_flag() {
    let cases = [
        ("--only-in", ["nl", "NL;DE", "", "NL,"].as_slice()),
        ("--not-in", &["USA"]),
        ("--only", &["", "a,,b"]),
        ("--data-class", &["secret"]),
        ("--purpose", &[""]),
        ("--pin-first", &["1025", "-1"]),
        ("--pin-last", &["x"]),
    ];
    for (flag, values) in cases {
        for value in values {
            let error = parse(&[&format!("{flag}={value}")]).unwrap_err();
            assert!(error.to_string().contains(flag), "{flag} {value}: {error}");
        }
    }
}
