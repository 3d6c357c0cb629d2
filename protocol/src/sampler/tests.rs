//! Known answers, distributions, and what each filter keeps.

use super::*;

/// Written by a second implementation, from the specification alone.
const VECTORS: &str = include_str!("../../../tests/conformance/vectors/gumbel-2.txt");

fn vectors(kind: &str) -> Vec<Vec<&'static str>> {
    let fields = VECTORS.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let found: Vec<_> = fields.filter(|fields| fields[0] == kind).collect();
    assert!(found.len() > 20, "{kind} vectors are there");
    found
}

fn bits(field: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(field, 16).unwrap())
}

fn sampler(sampling: &Sampling) -> Sampler {
    Sampler::new(sampling).unwrap()
}

fn warm(seed: u64) -> Sampling {
    Sampling { temperature: MILLION, seed, ..Sampling::default() }
}

/// Ids drawn at some position out of many.
fn drawn(sampling: &Sampling, logits: &[f32]) -> Vec<u32> {
    let sampler = sampler(sampling);
    let mut drawn: Vec<u32> =
        (0..2_000).map(|position| sampler.sample(logits, &[], position).unwrap()).collect();
    drawn.sort_unstable();
    drawn.dedup();
    drawn
}

#[test]
fn philox_gives_the_known_answers_of_its_authors() {
    let ones = u32::MAX;
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    let table = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([ones; 4], [ones; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
    ];
    for (counter, key, answer) in table {
        // The same in every lane, with this machine's widest instructions and with none.
        let (counter, answer) = (counter.map(|word| [word; 16]), answer.map(|word| [word; 16]));
        let plain = noise::rounds(counter, key);
        assert_eq!(noise::philox(counter, key), plain);
        assert_eq!(plain.most, answer.iter().flatten().copied().max().unwrap());
        assert!((0..64).all(|index| plain.of(index) == answer[index % 4][0]));
    }
}

#[test]
fn ln_and_exp_give_the_published_bits() {
    for fields in vectors("ln") {
        assert_eq!(math::ln(bits(fields[1])).to_bits(), bits(fields[2]).to_bits(), "{fields:?}");
    }
    for fields in vectors("exp") {
        assert_eq!(exp(bits(fields[1])).to_bits(), bits(fields[2]).to_bits(), "{fields:?}");
    }
}

#[test]
fn ln_and_exp_are_accurate_over_their_ranges() {
    let relative = |got: f64, expected: f64| ((got - expected) / expected).abs();
    for step in 0..200_000 {
        let x = f64::from(step) / 2_000.0 - 60.0;
        let argument = x.exp();
        if argument.ln() != 0.0 {
            assert!(relative(math::ln(argument), argument.ln()) < 1e-14, "ln {argument}");
        }
        let near_one = 1.0 - f64::from(step + 1) * f64::EPSILON;
        assert!(relative(math::ln(near_one), near_one.ln()) < 1e-14, "ln {near_one}");
        let power = -f64::from(step) / 6_000.0;
        assert!(relative(exp(power), power.exp()) < 1e-14, "exp {power}");
    }
}

#[test]
fn noise_gives_the_published_bits() {
    for fields in vectors("noise") {
        let seed = fields[1].parse().unwrap();
        let (position, token) = (fields[2].parse().unwrap(), fields[3].parse().unwrap());
        let (first, index) = draw::place(token);
        let word = noise::words(seed, position, first).of(index);
        assert_eq!(noise::uniform(word).to_bits(), bits(fields[4]).to_bits(), "{fields:?}");
        assert_eq!(noise::gumbel(word).to_bits(), bits(fields[5]).to_bits(), "{fields:?}");
        assert!(noise::gumbel(word) < noise::bound(word.leading_ones()), "{fields:?}");
    }
}

#[test]
fn draws_follow_softmax() {
    let logits = [2.0, 1.0, 0.0, -1.0, 1.5, -3.0, 0.5, 0.25];
    for (temperature, seed) in [(500_000, 1), (MILLION, 2), (2 * MILLION, 3), (5 * MILLION, 4)] {
        let sampler = sampler(&Sampling { temperature, seed, ..Sampling::default() });
        let draws = 40_000;
        let mut counts = [0_u32; 8];
        for position in 0..draws {
            counts[sampler.sample(&logits, &[], position).unwrap() as usize] += 1;
        }
        let t = f64::from(temperature) / f64::from(MILLION);
        let weights = logits.map(|logit| (f64::from(logit) / t).exp());
        let total: f64 = weights.iter().sum();
        let chi_square: f64 = (counts.iter().zip(weights))
            .map(|(count, weight)| {
                let expected = f64::from(draws) * weight / total;
                (f64::from(*count) - expected).powi(2) / expected
            })
            .sum();
        // 7 degrees of freedom: 24.3 is passed once in a thousand.
        assert!(chi_square < 24.3, "chi-square {chi_square} at {temperature}: {counts:?}");
    }
}

#[test]
fn seeds_positions_and_tokens_draw_independently() {
    let logits = [0.0; 2];
    let draws = |seed: u64, first: u32| -> Vec<u32> {
        let sampler = sampler(&warm(seed));
        (first..first + 10_000).map(|p| sampler.sample(&logits, &[], p).unwrap()).collect()
    };
    let base = draws(1, 0);
    // Neighbouring seeds, a seed that differs in its upper half alone, shifted positions.
    for other in [draws(2, 0), draws(1 << 32 | 1, 0), draws(1, 1), draws(1, 1 << 20)] {
        let agree = base.iter().zip(&other).filter(|(left, right)| left == right).count();
        // Half of 10,000 ± 5 standard deviations.
        assert!((4_750..5_250).contains(&agree), "{agree} of 10,000 agree");
    }
}

#[test]
fn a_draw_depends_on_nothing_drawn_before() {
    let logits: Vec<f32> = (0..50_u8).map(|t| f32::from(t % 7)).collect();
    let sampler = sampler(&warm(9));
    let forward: Vec<_> = (0..64).map(|p| sampler.sample(&logits, &[], p).unwrap()).collect();
    let backward: Vec<_> =
        (0..64).rev().map(|p| sampler.sample(&logits, &[], p).unwrap()).collect();
    assert!(forward.iter().eq(backward.iter().rev()));
}

#[test]
fn each_filter_keeps_what_it_says() {
    // Shares at T = 1: about 0.64, 0.24, 0.09, 0.03, in the order of ids 2, 0, 3, 1.
    let logits = [2.0, 0.0, 3.0, 1.0];
    let base = warm(5);
    let table = [
        (base.clone(), vec![0, 1, 2, 3]),
        (Sampling { top_k: 1, ..base.clone() }, vec![2]),
        (Sampling { top_k: 2, ..base.clone() }, vec![0, 2]),
        (Sampling { top_k: 9, ..base.clone() }, vec![0, 1, 2, 3]),
        (Sampling { top_p: 1, ..base.clone() }, vec![2]),
        (Sampling { top_p: 640_000, ..base.clone() }, vec![2]),
        (Sampling { top_p: 650_000, ..base.clone() }, vec![0, 2]),
        (Sampling { top_p: 880_000, ..base.clone() }, vec![0, 2]),
        (Sampling { top_p: 890_000, ..base.clone() }, vec![0, 2, 3]),
        (Sampling { top_p: 999_999, ..base.clone() }, vec![0, 1, 2, 3]),
        (Sampling { min_p: MILLION, ..base.clone() }, vec![2]),
        (Sampling { min_p: 367_000, ..base.clone() }, vec![0, 2]),
        (Sampling { min_p: 369_000, ..base.clone() }, vec![2]),
        (Sampling { min_p: 135_000, ..base.clone() }, vec![0, 2, 3]),
        // Of the two best, 0.73 is the first one's: top-p looks at what top-k left.
        (Sampling { top_k: 2, top_p: 720_000, ..base.clone() }, vec![2]),
        (Sampling { top_k: 2, top_p: 740_000, ..base.clone() }, vec![0, 2]),
        (Sampling { top_k: 3, min_p: 200_000, ..base.clone() }, vec![0, 2]),
        (Sampling { top_p: 890_000, min_p: 200_000, ..base }, vec![0, 2]),
    ];
    for (sampling, kept) in table {
        assert_eq!(drawn(&sampling, &logits), kept, "{sampling:?}");
    }
    // Half is enough for a top-p of a half; of equals the lower id comes first.
    assert_eq!(drawn(&Sampling { top_p: MILLION / 2, ..warm(5) }, &[1.0, 1.0]), [0]);
}

#[test]
fn tokens_far_below_the_best_are_out() {
    // At T = 5 a token 160 below is out of reach. Noise never bridges as much, so what is seen is
    // that it is not drawn and does not disturb the rest.
    let sampling = Sampling { temperature: 5 * MILLION, ..warm(3) };
    assert_eq!(drawn(&sampling, &[0.0, -160.0, -161.0, 0.0]), [0, 3]);
    let cold = Sampling { temperature: 1, ..warm(3) };
    assert_eq!(drawn(&cold, &[0.0, 1.0, 0.999_9]), [1]);
    assert_eq!(drawn(&cold, &[f32::MAX, f32::MIN, f32::MAX]), [0, 2]);
}

#[test]
fn what_is_passed_over_could_not_have_been_drawn() {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0
    };
    for vocab in [1, 63, 64, 65, 1_000] {
        for spread in [0.0, 1.0, 30.0] {
            let logits: Vec<f32> = (0..vocab).map(|_| random() * spread).collect();
            let sampler =
                sampler(&Sampling { temperature: 700_000, seed: 5, ..Sampling::default() });
            let scores = Scores::new(&logits).unwrap();
            let best = scores.best().unwrap();
            let all = scores.from(f64::MIN);
            for position in 0..200 {
                let expected = sampler.draw(&all, best, position);
                assert_eq!(sampler.sample(&logits, &[], position), Ok(expected));
            }
        }
    }
}

#[test]
fn what_top_k_is_sure_to_cut_need_not_be_looked_at() {
    // Few values, so that many tokens tie with the last that is left.
    let logits: Vec<f32> = (0..5_000_u16).map(|i| f32::from(i % 97 * 31 % 97) / 8.0).collect();
    let seen: Vec<u32> = (0..200).map(|i| i * 23).collect();
    for top_k in [1, 2, 40, 78, 79, 80, 600] {
        for repetition_penalty in [1_000_000, 1_500_000] {
            let sampling = Sampling {
                temperature: 700_000,
                top_k,
                repetition_penalty,
                seed: 5,
                ..Sampling::default()
            };
            let sampler = sampler(&sampling);
            let scores = sampler.penalise(Scores::new(&logits).unwrap(), &seen).unwrap();
            let best = scores.best().unwrap();
            let mut all = scores.from(f64::MIN);
            sampler.cut(&mut all, best);
            assert_eq!(all.len(), top_k as usize);
            for position in 0..50 {
                let expected = sampler.draw(&all, best, position);
                assert_eq!(sampler.sample(&logits, &seen, position), Ok(expected));
            }
        }
    }
}

#[test]
fn greedy_takes_the_best_and_of_equals_the_lowest_id() {
    let greedy = sampler(&Sampling { seed: 7, top_k: 2, ..Sampling::default() });
    for position in 0..100 {
        assert_eq!(greedy.sample(&[1.0, 3.0, 3.0, 2.0], &[], position), Ok(1));
        assert_eq!(greedy.sample(&[-0.0, 0.0], &[], position), Ok(0));
    }
    // A zero equals a negative zero in the order of top-k, too.
    assert_eq!(drawn(&Sampling { top_k: 1, ..warm(1) }, &[-0.0, 0.0]), [0]);
    assert_eq!(drawn(&Sampling { top_k: 1, ..warm(1) }, &[0.0, 2.0, 2.0]), [1]);
}

#[test]
fn the_repetition_penalty_weakens_each_seen_token_once() {
    let sampling = Sampling { repetition_penalty: 2 * MILLION, ..Sampling::default() };
    let sampler = sampler(&sampling);
    // 4 becomes 2 however often it was seen, below 3; a negative logit doubles.
    assert_eq!(sampler.sample(&[4.0, 3.0, 1.5], &[], 0), Ok(0));
    assert_eq!(sampler.sample(&[4.0, 3.0, 1.5], &[0], 0), Ok(1));
    assert_eq!(sampler.sample(&[4.0, 1.0, 1.5], &[0, 0, 0], 0), Ok(0));
    assert_eq!(sampler.sample(&[-1.0, -1.5], &[0], 0), Ok(1));
    let table = [(MILLION / 2, 0), (MILLION, 1)];
    for (repetition_penalty, token) in table {
        let sampler =
            Sampler::new(&Sampling { repetition_penalty, ..Sampling::default() }).unwrap();
        assert_eq!(sampler.sample(&[2.0, 3.0], &[0], 0), Ok(token));
    }
}

#[test]
fn what_cannot_be_sampled_is_refused() {
    let sampler = sampler(&warm(0));
    assert_eq!(sampler.sample(&[], &[], 0), Err(SampleError::Empty));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = SampleError::NotFinite { token: 1 };
        assert_eq!(sampler.sample(&[0.0, bad, f32::NAN], &[], 0), Err(error));
    }
    let error = SampleError::UnknownToken { token: 2, vocab: 2 };
    assert_eq!(sampler.sample(&[0.0, 0.0], &[0, 2], 0), Err(error));
}

#[test]
fn bad_parameters_are_refused_by_name() {
    let base = Sampling::default;
    let table = [
        (Sampling { temperature: TEMPERATURE_MAX + 1, ..base() }, "temperature"),
        (Sampling { top_k: crate::limits::VOCAB_MAX + 1, ..base() }, "top_k"),
        (Sampling { top_p: 0, ..base() }, "top_p"),
        (Sampling { top_p: MILLION + 1, ..base() }, "top_p"),
        (Sampling { min_p: MILLION + 1, ..base() }, "min_p"),
        (Sampling { repetition_penalty: 0, ..base() }, "repetition_penalty"),
        (Sampling { max_tokens: 0, ..base() }, "max_tokens"),
        (Sampling { stop: vec![String::new()], ..base() }, "stop"),
        (Sampling { stop: vec!["x".repeat(257)], ..base() }, "stop"),
        (Sampling { stop: vec!["x".to_owned(); 17], ..base() }, "stop"),
    ];
    for (sampling, field) in table {
        let error = Sampler::new(&sampling).unwrap_err();
        assert_eq!(error.field(), field);
        assert!(error.to_string().starts_with(field), "{error}");
    }
}

#[test]
fn fractions_are_checked_before_they_are_rounded() {
    let base = Sampling::default;
    assert_eq!(base().with_temperature(0.8).unwrap().temperature, 800_000);
    assert_eq!(base().with_temperature(0.0).unwrap().temperature, 0);
    assert_eq!(base().with_top_p(1.0).unwrap().top_p, MILLION);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9, 5.1, 1e300] {
        assert_eq!(base().with_temperature(bad).unwrap_err().field(), "temperature", "{bad}");
    }
    for bad in [f64::NAN, 0.0, 1.1] {
        assert_eq!(base().with_top_p(bad).unwrap_err().field(), "top_p", "{bad}");
    }
    assert_eq!(base().with_min_p(1.1).unwrap_err().field(), "min_p");
    assert_eq!(base().with_repetition_penalty(0.0).unwrap_err().field(), "repetition_penalty");
}
