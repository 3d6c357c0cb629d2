//! What was put into simulated measurements is found again, and what was found is read again.

use std::path::Path;

use super::{CalibrateError, Calibrated, calibrate};
use crate::{
    measurement::{
        Measurement,
        tests::{Folder, timed},
    },
    scenario::{DeviceTime, ScenarioFile},
    validate::validate,
    world::World,
};

/// A mesh that is slower than its planner took it for, with software and an opening.
fn truth(told: &str) -> String {
    told.replace("block_us = 400", "block_us = 550")
        .replace("decode_us = 10", "decode_us = 35\ndeviation = 0.03")
        .replace("prompt_us = 30", "prompt_us = 45")
        .replace("[[site]]\nname = \"delft\"", "[router]\nopen_ms = 3\nclose_ms = 2\n[network]\nhop_us = 400\nstep_us = 150\n[[site]]\nname = \"delft\"")
}

fn users(count: u32) -> String {
    timed(20).replace("poisson = { per_s = 2.0 }", &format!("closed = {{ users = {count} }}"))
}

fn measured(name: &str, counts: &[u32]) -> Vec<Measurement> {
    let folder = |count: &u32| {
        let told = users(*count);
        Folder::of(&format!("{name}-{count}"), &told, &truth(&told)).load().unwrap()
    };
    counts.iter().map(folder).collect()
}

fn near(value: f64, expected: f64, share: f64) {
    assert!((value / expected - 1.0).abs() <= share, "{value}, not {expected}");
}

#[test]
fn what_measurements_were_made_of_is_found_again() {
    let found = calibrate(&measured("found", &[1, 4, 16])).unwrap();
    let [device] = &found.devices[..] else { panic!("{:?}", found.devices) };
    let [block, decode, prompt, context, pass] = device.pass;
    // All nodes hold four blocks: what is of a pass counts as of its blocks.
    near(block.us, 550.0 + 25.0, 0.02);
    assert_eq!(pass.error, None);
    near(decode.us, 35.0, 0.1);
    near(prompt.us, 45.0, 0.02);
    assert!(context.us < 0.2, "{context:?}");
    assert!(device.error < 0.02, "{}", device.error);
    assert_eq!(device.kv_positions, 12_345);
    near(found.open.unwrap().open_ms, 3.0, 0.05);
    near(found.open.unwrap().close_ms, 2.0, 0.05);
    let software = found.software.unwrap();
    assert_eq!((software.alone, software.together), (1, 2));
    near(software.hop_us + software.step_us, 550.0, 0.1);
    // What is busy and what only waits look alike while processors abound.
    assert!(software.step_us > 0.0 && software.left < 0.01, "{software:?}");
}

#[test]
fn what_was_found_foretells_what_it_does_not_rest_on() {
    let all = measured("foretold", &[1, 2, 4, 8, 12, 16]);
    let (known, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|it| ["-1", "-8"].iter().any(|end| it.name.ends_with(end)));
    let found = calibrate(&known).unwrap();
    let text = found.text();
    let folder = Folder::new("text");
    let path = folder.0.join("calibrated.toml");
    std::fs::write(&path, &text).unwrap();
    let calibrated = Calibrated::load(&path).unwrap();
    let mut all = known;
    all.extend(others);
    let validation = validate(&all, &calibrated, &|_| {}).unwrap();
    assert_eq!((validation.judged, validation.on_its_own), (4, false));
    assert!(validation.meets(), "{}\n{text}", validation.text());
    let errors = [validation.token.p95, validation.rate.p95];
    assert!(errors.iter().all(|error| *error < 0.06), "{}", validation.text());
    // As its planner took it for, the mesh is another one.
    let nothing = Calibrated { devices: Vec::new(), router: None, network: None, ..calibrated };
    let without = validate(&all, &nothing, &|_| {}).unwrap();
    assert!(!without.meets(), "{}", without.text());
}

/// Sections of the output stand in a scenario as they are.
#[test]
fn the_output_is_part_of_a_scenario() {
    let all = measured("part", &[1]);
    let found = calibrate(&all).unwrap();
    let told = users(1);
    let (start, end) = (told.find("[[device]]").unwrap(), told.find("[[node]]").unwrap());
    let text = format!("{}{}\n{}", &told[..start], found.text(), &told[end..]);
    let file = ScenarioFile::parse(Path::new("x.toml"), text).unwrap();
    assert_eq!(file.scenario.calibration.as_ref().unwrap().measurements, found.measurements);
    let world = World::resolve(&file, None).unwrap();
    let error = found.devices[0].error;
    assert!((world.devices[0].error - error).abs() < 1e-4 && error > 0.0, "{error}");
    let mut other = ScenarioFile::parse(Path::new("x.toml"), told).unwrap();
    found.sections().apply(&mut other);
    let DeviceTime::Measured { blocks_max, .. } = other.scenario.devices[0].get_ref().time else {
        panic!("it is measured")
    };
    // Four were held; the scenario says that eight fit.
    assert_eq!(blocks_max, 8);
}

#[test]
fn a_device_without_passes_is_named() {
    let told = users(1);
    let folder = Folder::of("few", &told, &truth(&told));
    let mut measurement = folder.load().unwrap();
    measurement.records.iter_mut().for_each(|record| record.passes.truncate(5));
    let error = calibrate(&[measurement]).unwrap_err();
    assert!(
        matches!(&error, CalibrateError::NoPasses { name, passes: 10 } if name == "box"),
        "{error}"
    );
}

/// Passes that waited for processors are no measure of the device: the simulator slows them again.
#[test]
fn passes_that_others_slowed_down_are_left_out() {
    let shared = |text: String| {
        text.replace("model = \"toy\"\nblocks", "model = \"toy\"\nmachine = \"one\"\nblocks")
            .replace(
                "[[node]]\nname = \"a\"",
                "[[machine]]\nname = \"one\"\nprocessors = 1\n[[node]]\nname = \"a\"",
            )
    };
    let told = shared(users(8));
    // Sending would slow passes too, unseen.
    let truth = truth(&told).replace("step_us = 150", "step_us = 0");
    let folder = Folder::of("shared", &told, &truth);
    let found = calibrate(&[folder.load().unwrap()]).unwrap();
    assert!(!found.devices[0].disturbed && found.devices[0].left_out > 100, "{found:?}");
    near(found.devices[0].pass[0].us, 575.0, 0.03);
}

#[test]
fn what_slows_down_in_a_crowd_is_told_from_what_is_slow() {
    let told = users(8)
        .replace("[[device]]", "[[machine]]\nname = \"here\"\nprocessors = 2\n[[device]]")
        .replace("blocks = [", "machine = \"here\"\nblocks = [");
    let truth =
        told.replace("decode_us = 10", "decode_us = 10\ncontention = 0.25\ndeviation = 0.1");
    let all: Vec<_> = [("crowd", &told, &truth)]
        .map(|(name, told, truth)| Folder::of(name, told, truth).load().unwrap())
        .into();
    let found = calibrate(&all).unwrap();
    let device = &found.devices[0];
    near(device.contention, 0.25, 0.1);
    near(device.deviation, 0.1, 0.15);
    near(device.pass[0].us + device.pass[4].us / 4.0, 400.0 + 25.0, 0.03);
}
