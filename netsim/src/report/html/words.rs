//! A report in words: the verdict, what limits, what words mean. Not its tables and pictures.

use super::{map::FULL, svg::escape};
use crate::{
    report::{LineRow, Load, NodeRow, Summary, WorkloadRow, table},
    statistics::{CONFIDENCE, Estimate},
};

/// Points over time for which a machine is full before it is worth a word: a twentieth of the run.
const RUSH: usize = 10;

/// Seconds to a first token after which people turn to something else (Nielsen, Usability
/// Engineering, 1993, ch. 5).
const PATIENCE_S: f64 = 10.0;

/// Words of a report and what they mean.
const GLOSSARY: &[(&str, &str)] = &[
    ("token", "A piece of text, about three quarters of an English word."),
    (
        "first token",
        "Seconds from the request to the first token of its answer: what a person waits.",
    ),
    (
        "further token",
        "Mean milliseconds between the following tokens of an answer. A person reads \
      one token in 200 to 300 ms.",
    ),
    ("p50, p95, p99", "Of 100 answers, 50, 95 or 99 are at least as fast."),
    (
        "node, block",
        "A node is one machine of an institution. A model is a row of blocks, and each \
      node holds some of them; an answer passes through nodes that together hold all.",
    ),
    (
        "busy",
        "Share of the time that a machine computed, or that a line was sending. From 85 % on, \
      waiting times grow steeply.",
    ),
    (
        "given, taken, own",
        "Work that an institution did for others, that others did for it, and that \
      it did for itself, in millions of positions (tokens of prompts and answers) times blocks, \
      per run.",
    ),
    (
        "fairness",
        "Jain's index of what institutions give over what they take: 1 if all give in \
      proportion to what they take, near 0 if few give for all.",
    ),
    (
        "refused, turned away, failed",
        "No machine may or can serve the request; none had room for it; \
      it broke off. Requests, per run.",
    ),
    (
        "largest flow",
        "Tokens per second at most, if every machine were as busy as its memory lets it be: nothing \
      waits, nothing is left to chance. What is simulated stays below.",
    ),
    ("policy", "Rules of an institution that say where its requests may be computed."),
];

/// Megabytes in a unit that people read.
pub(super) fn amount(megabytes: f64) -> String {
    match megabytes {
        it if it >= 1e6 => format!("{:.1} TB", it / 1e6),
        it if it >= 1e3 => format!("{:.1} GB", it / 1e3),
        it => format!("{it:.1} MB"),
    }
}

/// The same with its interval, in one unit.
pub(super) fn amount_of(megabytes: &Estimate) -> String {
    let (unit, scale) = match megabytes.mean {
        it if it >= 1e6 => ("TB", 1e-6),
        it if it >= 1e3 => ("GB", 1e-3),
        _ => ("MB", 1.0),
    };
    format!("{} {unit}", table::interval(megabytes, scale, 1))
}

/// A figure with its interval, as exact as is worth reading.
pub(super) fn figure(estimate: &Estimate, scale: f64) -> String {
    let digits = match (estimate.mean * scale).abs() {
        it if it >= 100.0 => 0,
        it if it >= 10.0 => 1,
        it if it >= 1.0 => 2,
        _ => 3,
    };
    table::interval(estimate, scale, digits)
}

/// The same with its sign, for differences.
pub(super) fn signed(estimate: &Estimate, scale: f64) -> String {
    match estimate.mean * scale {
        it if it > 0.0 => format!("+{}", figure(estimate, scale)),
        it if it < 0.0 => figure(estimate, scale).replacen('-', "−", 1),
        _ if estimate.half_width.is_none_or(|half| half == 0.0) => "0".to_owned(),
        _ => figure(estimate, scale),
    }
}

/// A large figure without a fraction, its thousands apart.
pub(super) fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::from(if value <= -0.5 { "−" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share as percent with its interval.
pub(super) fn percent(estimate: &Estimate) -> String {
    table::interval(estimate, 100.0, 1)
}

/// How the verdict is marked, and its sentence.
pub(super) fn verdict(load: Load) -> (&'static str, &'static str) {
    match load {
        Load::Stable => ("stable", "The consortium keeps up with what is asked of it."),
        Load::Backlogged => (
            "backlogged",
            "The consortium does not quite keep up: requests still wait at the end, or were turned \
             away for want of room.",
        ),
        Load::Overloaded => (
            "overloaded",
            "The consortium is overloaded: more is asked than it answers. Waiting times depend on \
             how long was simulated, and would grow further.",
        ),
    }
}

/// What limits it.
pub(super) fn bottleneck(summary: &Summary) -> String {
    let busiest = |one: &&LineRow, other: &&LineRow| one.busy.mean.total_cmp(&other.busy.mean);
    let line = summary.lines.iter().max_by(busiest);
    let of_line = |row: &LineRow| {
        format!("the line {}, sending {} % of the time", escape(&row.line), percent(&row.busy))
    };
    let of_node = |row: &NodeRow| {
        format!(
            "the machine {} of {} in {}, running {} % of the time",
            escape(&row.node),
            escape(&row.institution),
            escape(&row.site),
            percent(&row.busy)
        )
    };
    let Some(node) = summary.nodes.first() else { return String::new() };
    let share = |row: Option<&LineRow>| row.map_or(0.0, |row| row.busy.mean);
    let by_line = share(line) > node.busy.mean;
    let what = match line.filter(|_| by_line) {
        Some(line) => of_line(line),
        None => of_node(node),
    };
    if node.busy.mean.max(share(line)) >= FULL {
        let second = summary.nodes.get(1).filter(|row| !by_line && row.busy.mean >= FULL);
        let next = second.map_or(String::new(), |row| format!("; next is {}", of_node(row)));
        return format!("The bottleneck is {what}{next}.");
    }
    match summary.load {
        Load::Stable => match rushes(summary) {
            0 => format!("Nothing is near its limit; the busiest is {what}."),
            count => format!(
                "On the whole nothing is near its limit (the busiest is {what}), but {count} of the \
                 machines are full for a while, and who asks then waits."
            ),
        },
        _ => format!(
            "No machine and no line is full on the whole (the busiest is {what}): requests wait \
             for room in the machines' memory, for a machine that failed, or in rushes shorter than \
             the run."
        ),
    }
}

/// Machines that were full for a while, though not on the whole.
fn rushes(summary: &Summary) -> usize {
    let full = |part: &[f64]| crate::statistics::mean(part) >= 0.98;
    summary.nodes.iter().filter(|node| node.over_time.windows(RUSH).any(full)).count()
}

/// Those who wait long though the consortium keeps up; nothing if nobody does.
pub(super) fn slow(summary: &Summary) -> Option<String> {
    let p95 = |row: &WorkloadRow| row.first_token_s.p95.mean;
    let is_slow = |row: &&WorkloadRow| p95(row).is_finite() && p95(row) > PATIENCE_S;
    let slow = || summary.workloads.iter().filter(is_slow);
    let worst = slow().max_by(|one, other| p95(one).total_cmp(&p95(other)))?;
    let who = match (slow().count(), summary.workloads.len()) {
        (_, 1) => String::new(),
        (count, all) => format!(
            "in {count} of the {all} groups that ask, most of all at {}, ",
            escape(&worst.institution)
        ),
    };
    (summary.load == Load::Stable).then(|| {
        format!(
            "Yet not everybody is answered soon: {who}more than 5 of 100 wait longer than \
             {PATIENCE_S:.0} s for the first token."
        )
    })
}

/// What went wrong for requests, if anything did.
pub(super) fn losses(summary: &Summary) -> Option<String> {
    let sum = |of: fn(&crate::report::InstitutionRow) -> f64| {
        summary.institutions.iter().map(of).sum::<f64>()
    };
    let kinds = [
        (sum(|row| row.refused.mean), "refused, because no machine may or can serve them"),
        (sum(|row| row.turned_away.mean), "turned away, because none had room"),
        (sum(|row| row.failed.mean), "broken off by a failure"),
    ];
    let asked =
        sum(|row| row.answered.mean + row.refused.mean + row.turned_away.mean + row.failed.mean);
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|(count, _)| *count > 0.0)
        .map(|(count, what)| format!("{count:.1} ({:.1} %) were {what}", count / asked * 100.0))
        .collect();
    (!told.is_empty()).then(|| format!("Of {asked:.0} requests per run, {}.", told.join("; ")))
}

/// What the figures rest on.
pub(super) fn basis(summary: &Summary) -> String {
    let (runs, seed) = (summary.runs, summary.seed);
    let last = seed.wrapping_add((runs as u64).saturating_sub(1));
    let seeds = if runs == 1 { format!("seed {seed}") } else { format!("seeds {seed} to {last}") };
    let intervals = match runs {
        1 => "A single run says nothing about others, so there are no intervals.".to_owned(),
        _ => format!(
            "The figure after ± is half of a {:.0} % interval of the mean over runs (Student's t): \
             how far chance in arrivals, lengths and failures moves it.",
            CONFIDENCE * 100.0
        ),
    };
    let model = match summary.model_error {
        Some(error) => format!(
            "Devices were calibrated: their error, ± {:.1} % of every time and rate, is part of these \
             intervals.",
            error * 100.0
        ),
        None => {
            "How far the model itself is from real machines is not known and not part of it: no \
                 device here was calibrated by measurements with a stated error."
                .to_owned()
        }
    };
    let averaged = match summary.averaged {
        true => {
            " Rounds were averaged, not run pass by pass, and the error of that is in no interval."
        }
        false => "",
    };
    format!(
        "{runs} {} of {:.0} s each, after {:.0} s of warm-up that do not count ({seeds}; {} \
         events). {intervals}{averaged} {model}",
        if runs == 1 { "run" } else { "runs" },
        summary.measured_s,
        summary.warm_up_s,
        whole(summary.events as f64)
    )
}

/// What words mean.
pub(super) fn glossary() -> String {
    let entry = |(word, meaning): &(&str, &str)| format!("<dt>{word}</dt><dd>{meaning}</dd>");
    format!("<dl>{}</dl>", GLOSSARY.iter().map(entry).collect::<String>())
}
