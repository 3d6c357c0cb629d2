//! A summary as text for a terminal. Not its other forms.

use std::fmt::Write as _;

use super::{InstitutionRow, Load, Percentiles, RuleCost, Summary};
use crate::statistics::Estimate;

/// What stands beside figures of averaged rounds.
pub const AVERAGED: &str = "rounds are averaged, not run: their error is in no interval\n";
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
    if summary.averaged {
        out.push_str(AVERAGED);
        out.push('\n');
    }
    let _ = writeln!(out, "tokens/s            {}", interval(&summary.tokens_per_s, 1.0, 1));
    let _ = writeln!(out, "answers/s           {}", interval(&summary.answers_per_s, 1.0, 3));
    if let Some(error) = summary.model_error {
        let _ = writeln!(
            out,
            "model error         ± {:.1} % of times and rates, within their intervals",
            error * 100.0
        );
    }
    out.push('\n');
    out.push_str(&times(summary));
    busiest(&mut out, summary);
    out.push('\n');
    out.push_str(&institutions(summary));
    let _ = writeln!(
        out,
        "(given, taken, own: millions of positions times blocks per run)\nfairness            {}",
        interval(&summary.fairness, 1.0, 2)
    );
    out
}

/// Rows as lines, every column as wide as its widest cell; the first `left` of them start at the
/// left, figures end at the right.
fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| wide(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, wide))| {
            if column < left { format!("{cell:<wide$}") } else { format!("{cell:>wide$}") }
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn times(summary: &Summary) -> String {
    let mut rows = vec![head(&["", "mean", "p50", "p95", "p99"])];
    for (name, times, scale, digits) in [
        ("first token, s", &summary.first_token_s, 1.0, 3),
        ("further token, ms", &summary.token_s, 1e3, 1),
        ("answer, s", &summary.answer_s, 1.0, 2),
    ] {
        let Percentiles { mean, p50, p95, p99, .. } = times;
        let cells = [mean, p50, p95, p99].map(|it| interval(it, scale, digits));
        rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    aligned(&rows, 1)
}

/// What institutions got and gave. Of what nobody met, such as refusals, there is no column.
fn institutions(summary: &Summary) -> String {
    type Value = fn(&InstitutionRow) -> &Estimate;
    let rows = &summary.institutions;
    let columns: [(&str, Value, usize); 7] = [
        ("answered", |row| &row.answered, 1),
        ("refused", |row| &row.refused, 1),
        ("turned", |row| &row.turned_away, 1),
        ("failed", |row| &row.failed, 1),
        ("given", |row| &row.given, 2),
        ("taken", |row| &row.taken, 2),
        ("own", |row| &row.own, 2),
    ];
    let is_fault = |name: &str| ["refused", "turned", "failed"].contains(&name);
    let is_none = |value: Value| rows.iter().all(|row| value(row).mean == 0.0);
    let (without, shown): (Vec<_>, Vec<_>) =
        columns.into_iter().partition(|(name, value, _)| is_fault(name) && is_none(*value));
    let names = std::iter::once("institution").chain(shown.iter().map(|column| column.0));
    let mut lines = vec![head(&names.collect::<Vec<_>>())];
    for row in rows {
        let cells = shown.iter().map(|(_, value, digits)| count(value(row), *digits));
        lines.push(std::iter::once(row.institution.clone()).chain(cells).collect());
    }
    let mut out = aligned(&lines, 1);
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|column| column.0).collect();
        let _ = writeln!(out, "({}: none)", names.join(", "));
    }
    out
}

/// A count with its interval; a plain zero where nothing ever was.
fn count(estimate: &Estimate, digits: usize) -> String {
    if estimate.mean == 0.0 { "0".to_owned() } else { interval(estimate, 1.0, digits) }
}

/// The nodes and lines that have most to do.
fn busiest(out: &mut String, summary: &Summary) {
    let mut rows = vec![head(&["busiest nodes", "institution", "blocks", "busy, %"])];
    for node in summary.nodes.iter().take(ROWS) {
        let blocks = node
            .blocks
            .map_or_else(|| "none".to_owned(), |[start, end]| format!("[{start}, {end})"));
        let busy = interval(&node.busy, 100.0, 1);
        rows.push(vec![node.node.clone(), node.institution.clone(), blocks, busy]);
    }
    let _ = write!(out, "\n{}", aligned(&rows, 3));
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
    let mut rows = vec![head(&["busiest lines", "MB", "busy, %"])];
    for line in summary.lines.iter().take(ROWS) {
        let (carried, busy) = (interval(&line.megabytes, 1.0, 1), interval(&line.busy, 100.0, 1));
        rows.push(vec![line.line.clone(), carried, busy]);
    }
    let _ = write!(out, "\n{}", aligned(&rows, 1));
}

/// What rules cost as simulated; nothing if there are none.
#[must_use]
pub fn rule_costs(rows: &[RuleCost]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads = ["rule", "tokens/s without", "with", "difference", "first token, s"];
    let mut lines = vec![head(&heads)];
    for row in rows {
        lines.push(vec![
            row.policy.clone(),
            interval(&row.tokens_per_s_without, 1.0, 1),
            interval(&row.tokens_per_s, 1.0, 1),
            interval(&row.tokens_per_s_less, 1.0, 1),
            interval(&row.first_token_s_less, 1.0, 3),
        ]);
    }
    format!(
        "\nwhat rules cost, simulated\n{}(differences: with it less without, of tokens/s of all and \
         of the mean first\ntoken of the workloads under the rule; runs in pairs of the same seed)\n",
        aligned(&lines, 1)
    )
}

#[cfg(test)]
mod tests;
