//! A summary as text for a terminal. Not its other forms.

use std::fmt::Write as _;

use super::{Load, Percentiles, RuleCost, Summary};
use crate::statistics::Estimate;

/// Rows of nodes and lines that are printed.
const ROWS: usize = 8;

/// A number with its interval.
#[must_use]
pub fn interval(estimate: &Estimate, scale: f64, digits: usize) -> String {
    let mean = estimate.mean * scale;
    match estimate.half_width {
        _ if !mean.is_finite() => "none".to_owned(),
        Some(half) => format!("{mean:.digits$} ± {:.digits$}", half * scale),
        None => format!("{mean:.digits$}"),
    }
}

/// The text.
#[must_use]
pub fn text(summary: &Summary) -> String {
    let mut out = String::new();
    let load = match summary.load {
        Load::Stable => "keeps up",
        Load::Backlogged => "BACKLOGGED: requests wait at the end or were turned away",
        Load::Overloaded => "OVERLOADED: more comes than is answered; times grow with the length",
    };
    let runs =
        if summary.runs == 1 { "1 run".to_owned() } else { format!("{} runs", summary.runs) };
    let _ = writeln!(
        out,
        "{}: {load}\n{runs} of {:.0} s after {:.0} s of warm-up; intervals are of 95 %\n",
        summary.scenario, summary.measured_s, summary.warm_up_s
    );
    let _ = writeln!(out, "tokens/s            {}", interval(&summary.tokens_per_s, 1.0, 1));
    let _ = writeln!(out, "answers/s           {}", interval(&summary.answers_per_s, 1.0, 3));
    if let Some(error) = summary.model_error {
        let _ = writeln!(
            out,
            "model error         ± {:.1} % of times and rates, within their intervals",
            error * 100.0
        );
    }
    let _ = writeln!(out, "\n{:<20}{:>18}{:>18}{:>18}{:>18}", "", "mean", "p50", "p95", "p99");
    for (name, times, scale, digits) in [
        ("first token, s", &summary.first_token_s, 1.0, 3),
        ("further token, ms", &summary.token_s, 1e3, 1),
        ("answer, s", &summary.answer_s, 1.0, 2),
    ] {
        out.push_str(&percentiles(name, times, scale, digits));
    }
    busiest(&mut out, summary);
    let _ = writeln!(
        out,
        "\n{:<20}{:>16}{:>13}{:>13}{:>13}{:>17}{:>17}{:>17}",
        "institution", "answered", "refused", "turned", "failed", "given", "taken", "own"
    );
    for row in &summary.institutions {
        let _ = writeln!(
            out,
            "{:<20}{:>16}{:>13}{:>13}{:>13}{:>17}{:>17}{:>17}",
            row.institution,
            count(&row.answered, 1),
            count(&row.refused, 1),
            count(&row.turned_away, 1),
            count(&row.failed, 1),
            count(&row.given, 2),
            count(&row.taken, 2),
            count(&row.own, 2)
        );
    }
    let _ = writeln!(
        out,
        "(given, taken, own: millions of positions times blocks per run; fairness {})",
        interval(&summary.fairness, 1.0, 2)
    );
    out
}

/// A count with its interval; a plain zero where nothing ever was.
fn count(estimate: &Estimate, digits: usize) -> String {
    if estimate.mean == 0.0 { "0".to_owned() } else { interval(estimate, 1.0, digits) }
}

/// The nodes and lines that have most to do.
fn busiest(out: &mut String, summary: &Summary) {
    let _ = writeln!(
        out,
        "\n{:<28}{:<20}{:<12}{:>14}",
        "busiest nodes", "institution", "blocks", "busy, %"
    );
    for node in summary.nodes.iter().take(ROWS) {
        let blocks = node
            .blocks
            .map_or_else(|| "none".to_owned(), |[start, end]| format!("[{start}, {end})"));
        let busy = interval(&node.busy, 100.0, 1);
        let _ = writeln!(out, "{:<28}{:<20}{blocks:<12}{busy:>14}", node.node, node.institution);
    }
    if !summary.placed.is_empty() {
        let named = summary
            .placed
            .iter()
            .take(ROWS)
            .map(|(node, [start, end])| format!("{node} [{start}, {end})"));
        let named: Vec<String> = named.collect();
        let more = summary.placed.len() - named.len();
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        let _ = writeln!(
            out,
            "(placed by the planner, for the scenario gives them no blocks: {}{rest})",
            named.join(", ")
        );
    }
    let _ = writeln!(out, "\n{:<48}{:>22}{:>16}", "busiest lines", "MB", "busy, %");
    for line in summary.lines.iter().take(ROWS) {
        let _ = writeln!(
            out,
            "{:<48}{:>22}{:>16}",
            line.line,
            interval(&line.megabytes, 1.0, 1),
            interval(&line.busy, 100.0, 1)
        );
    }
}

/// What rules cost as simulated; nothing if there are none.
#[must_use]
pub fn rule_costs(rows: &[RuleCost]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "\n{:<20}{:>20}{:>20}{:>20}{:>22}\n",
        "rule, simulated", "tokens/s without", "with", "with less without", "first token, s, less"
    );
    for row in rows {
        let _ = writeln!(
            out,
            "{:<20}{:>20}{:>20}{:>20}{:>22}",
            row.policy,
            interval(&row.tokens_per_s_without, 1.0, 1),
            interval(&row.tokens_per_s, 1.0, 1),
            interval(&row.tokens_per_s_less, 1.0, 1),
            interval(&row.first_token_s_less, 1.0, 3)
        );
    }
    out.push_str(
        "(runs in pairs of the same seed; times of the workloads that are under the rule)\n",
    );
    out
}

fn percentiles(name: &str, times: &Percentiles, scale: f64, digits: usize) -> String {
    let cell = |estimate: &Estimate| interval(estimate, scale, digits);
    let [mean, p50, p95, p99] = [&times.mean, &times.p50, &times.p95, &times.p99].map(cell);
    format!("{name:<20}{mean:>18}{p50:>18}{p95:>18}{p99:>18}\n")
}
