//! Nodes that share a machine, and passes that vary.

use super::*;

/// Both nodes of the small world on one machine of so many processors, with more in their device.
fn shared(processors: u32, users: u32, device: &str) -> Measured {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", &format!("closed = {{ users = {users} }}"))
        .replace("decode_us = 10", &format!("decode_us = 10\n{device}"))
        .replace(
            "[[device]]",
            &format!("[[machine]]\nname = \"m\"\nprocessors = {processors}\n[[device]]"),
        )
        .replace("blocks = [", "machine = \"m\"\nblocks = [");
    simulate(&world(&text), Options { passes_max: 100_000, ..options(60.0) })
}

/// Mean seconds of passes of one decoded position.
fn single_s(measured: &Measured) -> f64 {
    let passes = measured.passes.iter().filter(|pass| (pass.prompt, pass.decode) == (0, 1));
    let times: Vec<f64> = passes.map(|pass| (pass.to_ns - pass.from_ns) as f64 / 1e9).collect();
    times.iter().sum::<f64>() / times.len() as f64
}

#[test]
fn who_runs_alone_bears_no_contention() {
    let [bare, contended] = ["", "contention = 0.5"].map(|device| shared(2, 1, device));
    assert_eq!(bare.samples[3], contended.samples[3]);
}

#[test]
fn all_processors_at_work_slow_each_other_down() {
    let contended = shared(2, 8, "contention = 0.5");
    let single = 100e-6 + 4.0 * 410e-6;
    let longest = contended.passes.iter().filter(|pass| (pass.prompt, pass.decode) == (0, 1));
    let longest = longest.map(|pass| pass.to_ns - pass.from_ns).max().unwrap() as f64 / 1e9;
    assert!((longest / single - 1.5).abs() < 1e-3, "{longest} for {single}");
    let mean = single_s(&contended) / single;
    assert!(mean > 1.1 && mean < 1.5, "{mean}");
    // Of four processors, one beside another is a third of the way.
    let roomy = shared(4, 8, "contention = 0.5");
    let longest = roomy.passes.iter().filter(|pass| (pass.prompt, pass.decode) == (0, 1));
    let longest = longest.map(|pass| pass.to_ns - pass.from_ns).max().unwrap() as f64 / 1e9;
    assert!((longest / single - 1.0 - 0.5 / 3.0).abs() < 1e-3, "{longest} for {single}");
}

#[test]
fn passes_vary_about_what_their_device_says() {
    let measured = shared(4, 1, "deviation = 0.2");
    let passes = measured.passes.iter().filter(|pass| (pass.prompt, pass.decode) == (0, 1));
    let times: Vec<f64> = passes.map(|pass| (pass.to_ns - pass.from_ns) as f64 / 1e9).collect();
    let single = 100e-6 + 4.0 * 410e-6;
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let square = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / times.len() as f64;
    assert!((mean / single - 1.0).abs() < 0.02, "{mean} for {single}");
    assert!((square.sqrt() / single - 0.2).abs() < 0.02, "{}", square.sqrt() / single);
}

#[test]
fn passes_that_vary_do_so_in_every_round() {
    let text = SMALL
        .replace("poisson = { per_s = 2.0 }", "closed = { users = 1 }")
        .replace("decode_us = 10", "decode_us = 10\ndeviation = 0.2");
    let exact = text.replacen("[[site]]", "[run]\nrounds = \"exact\"\n[[site]]", 1);
    let [leaps, exact] = [text, exact].map(|text| simulate(&world(&text), options(20.0)).samples);
    assert_eq!(leaps, exact);
}
