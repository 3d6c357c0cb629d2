//! A calibration as sections of a scenario, with what each number rests on. Not what is done with it.

use std::fmt::Write as _;

use super::{Calibration, DeviceFit, Part, PathFit};

/// Standard errors of half a 95 % interval.
const HALF: f64 = 1.96;
/// Milliseconds by which what scenarios say may differ and still be the same line.
const SAME_MS: f64 = 1e-6;

impl Calibration {
    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::from(
            "# Measured on a real mesh: sections to put in place of those of a scenario.\n# ± is half \
             of a 95 % interval, of chance within these measurements.\n\n[calibration]\nmeasurements \
             = [\n",
        );
        for name in &self.measurements {
            let _ = writeln!(out, "    {},", quoted(name));
        }
        out.push_str("]\n");
        if let Some(open) = &self.open {
            let _ = writeln!(
                out,
                "\n# Of {} requests: from their arrival to the first step, and from the last token to \
                 their end,\n# less one way round the ring each.\n[router]\nopen_ms = {:.3}\n\
                 close_ms = {:.3}",
                open.requests, open.open_ms, open.close_ms
            );
        }
        self.software(&mut out);
        for device in &self.devices {
            section(&mut out, device);
        }
        self.lines(&mut out);
        out
    }

    fn software(&self, out: &mut String) {
        let Some(software) = &self.software else {
            out.push_str(
                "\n# What software adds to a hop is not known: no measurement had one request at a \
                 time.\n",
            );
            return;
        };
        let half = software
            .half_width_us
            .map_or_else(String::new, |half| format!(" (both together ± {half:.0} us)"));
        let _ = writeln!(
            out,
            "\n# What measured tokens of {} measurements with one request at a time take longer than \
             devices\n# and lines{half}.",
            software.alone
        );
        let _ = match software.together {
            0 => {
                writeln!(out, "# No measurement had several: how much of it is busy is not known.")
            }
            count => writeln!(
                out,
                "# The busy part is what comes nearest to {count} measurements with several: {:.1} % \
                 off a token's\n# time on the mean.",
                software.left * 100.0
            ),
        };
        let _ = writeln!(
            out,
            "[network]\nhop_us = {:.1}\nstep_us = {:.1}",
            software.hop_us, software.step_us
        );
    }

    /// Lines: as sections where all measurements were over the same, else as a remark.
    fn lines(&self, out: &mut String) {
        let mut pairs: Vec<&[String; 2]> = self.paths.iter().map(|path| &path.between).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs {
            let seen: Vec<&PathFit> =
                self.paths.iter().filter(|path| path.between == *pair).collect();
            let same = seen.windows(2).all(|two| {
                (two[0].stated_round_trip_ms - two[1].stated_round_trip_ms).abs() < SAME_MS
                    && two[0].stated_rate_mbit == two[1].stated_rate_mbit
            });
            let remark = |out: &mut String, path: &PathFit| {
                let _ = writeln!(
                    out,
                    "# {}: {:.2} ms at least (said to be {:.2}), up to {:.1} Mbit/s (of {:.0}), {:.3} \
                     % of {} packets lost",
                    path.measurement,
                    path.round_trip_ms,
                    path.stated_round_trip_ms,
                    path.rate_mbit,
                    path.stated_rate_mbit,
                    path.loss * 100.0,
                    path.packets
                );
            };
            let _ = writeln!(out, "\n# Between {} and {}:", pair[0], pair[1]);
            seen.iter().for_each(|path| remark(out, path));
            if same && pair[0] != pair[1] {
                link(out, pair, &seen);
            }
        }
    }
}

/// A line that all measurements had. Its rate is what the scenario says, or more if more was seen.
fn link(out: &mut String, pair: &[String; 2], seen: &[&PathFit]) {
    let over = |value: fn(&PathFit) -> f64, start: f64, pick: fn(f64, f64) -> f64| {
        seen.iter().map(|path| value(path)).fold(start, pick)
    };
    let packets: u64 = seen.iter().map(|path| path.packets).sum();
    let lost: f64 = seen.iter().map(|path| path.loss * path.packets as f64).sum();
    let rate = over(|path| path.rate_mbit.max(path.stated_rate_mbit), 0.0, f64::max);
    let _ = writeln!(
        out,
        "[[link]]\nbetween = [{}, {}]\nround_trip_ms = {:.3}\nrate_mbit = {rate:.1}\nloss = {:.6}",
        quoted(&pair[0]),
        quoted(&pair[1]),
        over(|path| path.round_trip_ms, f64::INFINITY, f64::min),
        if packets == 0 { 0.0 } else { lost / packets as f64 }
    );
}

fn section(out: &mut String, device: &DeviceFit) {
    let _ = writeln!(
        out,
        "\n# {} passes; {} more ran while there were not processors for all, or both decoded and took \
         in\n# prompts. A single pass is {:.1} % off the lines, a node of a measurement {:.1} %.",
        device.passes,
        device.left_out,
        device.deviation * 100.0,
        device.error * 100.0
    );
    if device.disturbed {
        out.push_str("# TOO FEW RAN ALONE: these include passes that others slowed down.\n");
    }
    let [block, decode, prompt, context, pass] = device.pass;
    let _ = writeln!(out, "[[device]]\nname = {}\n[device.time.measured]", quoted(&device.name));
    let mut number = |key: &str, part: Part, scale: f64| {
        let error = match part.error {
            Some(error) => format!("± {:.3}", error * scale * HALF),
            None if part.us > 0.0 => String::new(),
            None => "not told apart from the others".to_owned(),
        };
        let _ = writeln!(out, "{key} = {:.4}   # {error}", part.us * scale);
    };
    number("pass_us", pass, 1.0);
    number("block_us", block, 1.0);
    number("decode_us", decode, 1.0);
    number("prompt_us", prompt, 1.0);
    number("context_ns", context, 1e3);
    if let Some([head, position]) = device.head {
        number("head_us", head, 1.0);
        number("head_position_us", position, 1.0);
    }
    let _ = writeln!(
        out,
        "kv_positions = {}\nblocks_max = {}   # as many were held; more may fit\nerror = {:.4}\n\
         deviation = {:.4}\ncontention = {:.4}",
        device.kv_positions,
        device.blocks,
        device.error.clamp(0.0, 1.0),
        device.deviation.clamp(0.0, 1.0),
        device.contention
    );
}

/// A name as TOML has it.
fn quoted(name: &str) -> String {
    toml::Value::String(name.to_owned()).to_string()
}
