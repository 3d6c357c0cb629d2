//! A summary as text for a terminal. Not its other forms.

use std::fmt::Write as _;

use super::{Load, Percentiles, Summary};
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
        "\n{:<20}{:>10}{:>9}{:>9}{:>8}{:>12}{:>12}{:>12}",
        "institution", "answered", "refused", "turned", "failed", "given", "taken", "own"
    );
    for row in &summary.institutions {
        let _ = writeln!(
            out,
            "{:<20}{:>10.1}{:>9.1}{:>9.1}{:>8.1}{:>12.2}{:>12.2}{:>12.2}",
            row.institution,
            row.answered,
            row.refused,
            row.turned_away,
            row.failed,
            row.given,
            row.taken,
            row.own
        );
    }
    let _ = writeln!(
        out,
        "(given, taken, own: millions of positions times blocks per run; fairness {:.2})",
        summary.fairness
    );
    out
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
    let _ = writeln!(out, "\n{:<48}{:>12}{:>10}", "busiest lines", "MB", "busy, %");
    for line in summary.lines.iter().take(ROWS) {
        let _ =
            writeln!(out, "{:<48}{:>12.1}{:>10.1}", line.line, line.megabytes, line.busy * 100.0);
    }
}

fn percentiles(name: &str, times: &Percentiles, scale: f64, digits: usize) -> String {
    let cell = |estimate: &Estimate| interval(estimate, scale, digits);
    let [mean, p50, p95, p99] = [&times.mean, &times.p50, &times.p95, &times.p99].map(cell);
    format!("{name:<20}{mean:>18}{p50:>18}{p95:>18}{p99:>18}\n")
}
