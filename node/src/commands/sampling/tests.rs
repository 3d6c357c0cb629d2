//! Wrong parameters are usage errors that name their flag.

use clap::{CommandFactory as _, FromArgMatches as _, error::ErrorKind};

use super::*;

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    sampling: SamplingArgs,
}

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    let words = [&["comity"], args].concat();
    Cli::command().try_get_matches_from(words).and_then(|m| Cli::from_arg_matches(&m))
}

#[test]
fn wrong_values_name_their_flag() {
    let cases = [
        ("--temperature", ["NaN", "-1", "5.1", "inf", "warm"].as_slice()),
        ("--top-p", &["0", "1.5", "NaN", "-0.1"]),
        ("--min-p", &["1.5", "-1", "NaN"]),
        ("--repetition-penalty", &["0", "11", "NaN"]),
        ("--max-tokens", &["0", "16777217", "x"]),
        ("--top-k", &["1048577"]),
        ("--stop", &[""]),
    ];
    for (flag, values) in cases {
        for value in values {
            let error = parse(&[flag, value]).unwrap_err();
            assert!(error.to_string().contains(flag), "{flag} {value}: {error}");
            assert_ne!(error.kind(), ErrorKind::DisplayHelp);
        }
    }
}

#[test]
fn parameters_arrive_as_millionths() {
    let args = ["--temperature", "0.8", "--seed", "7", "--max-tokens", "32", "--stop", "###"];
    let sampling = parse(&args).unwrap().sampling.sampling().unwrap();
    assert_eq!((sampling.temperature, sampling.seed, sampling.max_tokens), (800_000, 7, 32));
    assert_eq!(sampling.stop, ["###"]);
    assert_eq!(parse(&[]).unwrap().sampling.sampling().unwrap(), Sampling::default());
}
