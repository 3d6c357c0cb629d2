//! Rates, bursts and lengths are what was asked for, and streams stay apart.

use super::*;
use crate::statistics::mean;

fn workload(arrival: Arrival) -> Workload {
    Workload {
        institution: 0,
        home: 0,
        model: 0,
        policy: 0,
        arrival,
        length: Length::Drawn(LengthsOf::Fixed(3), LengthsOf::Fixed(4)),
        diurnal: None,
        turns: None,
        prefix: None,
        audit: 0.0,
    }
}

fn times(workload: &Workload, seed: u64, until: f64) -> Vec<f64> {
    let mut source = Source::new(workload, 0, seed);
    let (mut at, mut times) = (0.0, Vec::new());
    while let Some(next) = source.next(at).filter(|next| *next < until) {
        times.push(next);
        at = next;
    }
    times
}

#[test]
fn rates_are_kept() {
    for arrival in [
        Arrival::Gamma(2.0, 1.0),
        Arrival::Gamma(2.0, 3.0),
        Arrival::Mmpp([1.0, 5.0], [30.0, 10.0]),
        Arrival::Counts(vec![0, 4, 2], 3.0, 2.0),
    ] {
        let rates: Vec<f64> = (0..20)
            .map(|seed| times(&workload(arrival.clone()), seed, 2_000.0).len() as f64 / 2_000.0)
            .collect();
        assert!((mean(&rates) - 2.0).abs() < 0.1, "{arrival:?}: {}", mean(&rates));
    }
}

#[test]
fn gaps_vary_as_much_as_was_asked() {
    for wanted in [0.5, 1.0, 3.0] {
        let times = times(&workload(Arrival::Gamma(1.0, wanted)), 1, 50_000.0);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let middle = mean(&gaps);
        let spread = mean(&gaps.iter().map(|gap| (gap - middle).powi(2)).collect::<Vec<_>>());
        let got = spread.sqrt() / middle;
        assert!((got / wanted - 1.0).abs() < 0.1, "{got} in place of {wanted}");
    }
}

#[test]
fn more_is_asked_at_the_peak() {
    let mut it = workload(Arrival::Gamma(1.0, 1.0));
    let (peak_hour, swing) = (toml_number("12"), toml_number("0.8"));
    it.diurnal = Some(Diurnal { peak_hour, swing: crate::scenario::Share::of(swing.get()) });
    let day = times(&it, 1, 86_400.0);
    let within = |from: f64, to: f64| {
        day.iter().filter(|at| (from..to).contains(&(**at / 3_600.0))).count() as f64 / 7_200.0
    };
    assert!((within(11.0, 13.0) - 1.79).abs() < 0.1, "{}", within(11.0, 13.0));
    assert!((within(0.0, 1.0) * 2.0 - 0.21).abs() < 0.1, "{}", within(0.0, 1.0));
}

fn toml_number(text: &str) -> crate::scenario::NotNegative {
    let table: std::collections::BTreeMap<String, crate::scenario::NotNegative> =
        toml::from_str(&format!("it = {text}")).unwrap();
    table["it"]
}

#[test]
fn lengths_do_not_depend_on_arrivals() {
    let mut it = workload(Arrival::Gamma(1.0, 1.0));
    let positive = crate::scenario::Positive::new;
    let lognormal =
        LengthsOf::Lognormal { median: positive(100.0), sigma: toml_number("0.9"), max: 4_096 };
    it.length = Length::Drawn(lognormal, LengthsOf::Geometric { mean: positive(50.0), max: 999 });
    let (mut one, mut other) = (Source::new(&it, 0, 1), Source::new(&it, 0, 1));
    let drawn: Vec<_> = (0..4_000).map(|_| one.length()).collect();
    for expected in &drawn {
        other.next(0.0);
        assert_eq!(other.length(), *expected);
    }
    let mut prompts: Vec<f64> = drawn.iter().map(|it| f64::from(it.0)).collect();
    prompts.sort_by(f64::total_cmp);
    assert!((prompts[2_000] / 100.0 - 1.0).abs() < 0.1, "{}", prompts[2_000]);
    let outputs = mean(&drawn.iter().map(|it| f64::from(it.1)).collect::<Vec<_>>());
    assert!((outputs / 50.0 - 1.0).abs() < 0.1, "{outputs}");
}
