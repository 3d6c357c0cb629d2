//! The tables of a report. Not its words and pictures.

use super::{
    plots::bar,
    svg::escape,
    words::{amount_of, figure, signed},
};
use crate::{
    report::{InstitutionRow, LineRow, NodeRow, PolicyRow, RuleCost, Summary, WorkloadRow},
    statistics::Estimate,
};

/// Machines and lines that are listed.
const ROWS: usize = 12;

/// One column: its head, its unit, whether it is text.
pub(super) type Column = (&'static str, &'static str, bool);

/// A table whose cells are HTML already.
pub(super) fn table(columns: &[Column], rows: impl Iterator<Item = Vec<String>>) -> String {
    let class = |column: &Column| if column.2 { " class=\"text\"" } else { "" };
    let head = columns.iter().map(|column| {
        let unit = if column.1.is_empty() {
            String::new()
        } else {
            format!("<small>{}</small>", column.1)
        };
        format!("<th{}>{}{unit}</th>", class(column), column.0)
    });
    let head: String = head.collect();
    let row = |cells: Vec<String>| {
        let cells = columns.iter().zip(cells);
        let cells = cells.map(|(column, cell)| format!("<td{}>{cell}</td>", class(column)));
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let rows: Vec<String> = rows.map(row).collect();
    // On paper a short table stays whole.
    let class = if rows.len() <= ROWS { "wide short" } else { "wide" };
    let body = rows.concat();
    format!(
        "<div class=\"{class}\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\
         </div>"
    )
}

/// Times of all answers.
pub(super) fn times(summary: &Summary) -> String {
    let columns = [
        ("", "", true),
        ("mean", "", false),
        ("p50", "", false),
        ("p90", "", false),
        ("p95", "", false),
        ("p99", "", false),
    ];
    let rows = [
        ("first token, s", &summary.first_token_s, 1.0),
        ("further token, ms", &summary.token_s, 1e3),
        ("whole answer, s", &summary.answer_s, 1.0),
    ];
    let rows = rows.into_iter().map(|(name, it, scale)| {
        let cells = [&it.mean, &it.p50, &it.p90, &it.p95, &it.p99].map(|it| figure(it, scale));
        std::iter::once(name.to_owned()).chain(cells).collect()
    });
    table(&columns, rows)
}

/// A count with its interval; a plain zero where nothing ever was.
fn count(estimate: &Estimate) -> String {
    if estimate.mean == 0.0 { "0".to_owned() } else { figure(estimate, 1.0) }
}

pub(super) fn institutions(rows: &[InstitutionRow]) -> String {
    let columns = [
        ("institution", "", true),
        ("answered", "requests", false),
        ("refused", "requests", false),
        ("turned away", "requests", false),
        ("failed", "requests", false),
        ("given", "millions of positions × blocks", false),
        ("taken", "the same", false),
        ("own", "the same", false),
    ];
    let row = |row: &InstitutionRow| {
        let counts = [row.answered, row.refused, row.turned_away, row.failed];
        let work = [row.given, row.taken, row.own];
        let counts = counts.map(|it| count(&it));
        let work = work.map(|it| count(&it));
        std::iter::once(escape(&row.institution)).chain(counts).chain(work).collect()
    };
    table(&columns, rows.iter().map(row))
}

pub(super) fn workloads(rows: &[WorkloadRow]) -> String {
    let columns = [
        ("institution", "", true),
        ("model", "", true),
        ("policy", "", true),
        ("answers", "per second", false),
        ("first token p50", "s", false),
        ("first token p95", "s", false),
        ("further token p50", "ms", false),
        ("further token p95", "ms", false),
    ];
    let row = |row: &WorkloadRow| {
        vec![
            escape(&row.institution),
            escape(&row.model),
            escape(&row.policy),
            figure(&row.answers_per_s, 1.0),
            figure(&row.first_token_s.p50, 1.0),
            figure(&row.first_token_s.p95, 1.0),
            figure(&row.token_s.p50, 1e3),
            figure(&row.token_s.p95, 1e3),
        ]
    };
    table(&columns, rows.iter().map(row))
}

pub(super) fn policies(rows: &[PolicyRow]) -> String {
    let row = |row: &PolicyRow| {
        let rules = match row.rules.is_empty() {
            true => "no rule".to_owned(),
            false => escape(&row.rules.join("; ")),
        };
        vec![escape(&row.policy), rules]
    };
    table(&[("policy", "", true), ("where its requests may go", "", true)], rows.iter().map(row))
}

pub(super) fn nodes(rows: &[NodeRow]) -> String {
    let columns = [
        ("machine", "", true),
        ("institution", "", true),
        ("site", "", true),
        ("blocks", "first to last", true),
        ("running", "% of the time", false),
    ];
    let row = |row: &NodeRow| {
        let blocks = row.blocks.map_or_else(
            || "none".to_owned(),
            |[start, end]| {
                let star = if row.placed { " *" } else { "" };
                format!("{start} to {}{star}", end.saturating_sub(1))
            },
        );
        let names = [&row.node, &row.institution, &row.site].map(|it| escape(it));
        names.into_iter().chain([blocks, bar(&row.busy)]).collect()
    };
    table(&columns, rows.iter().take(ROWS).map(row))
}

pub(super) fn lines(rows: &[LineRow]) -> String {
    let columns = [
        ("line", "one direction", true),
        ("carried", "per run", false),
        ("sending", "% of the time", false),
    ];
    let row = |row: &LineRow| vec![escape(&row.line), amount_of(&row.megabytes), bar(&row.busy)];
    table(&columns, rows.iter().take(ROWS).map(row))
}

pub(super) fn rule_costs(rows: &[RuleCost]) -> String {
    let columns = [
        ("policy", "", true),
        ("all tokens without it", "per second", false),
        ("with it", "per second", false),
        ("difference", "per second", false),
        ("mean first token without it", "s", false),
        ("with it", "s", false),
        ("difference", "s", false),
    ];
    let row = |row: &RuleCost| {
        vec![
            escape(&row.policy),
            figure(&row.tokens_per_s_without, 1.0),
            figure(&row.tokens_per_s, 1.0),
            signed(&row.tokens_per_s_less, 1.0),
            figure(&row.first_token_s_without, 1.0),
            figure(&row.first_token_s, 1.0),
            signed(&row.first_token_s_less, 1.0),
        ]
    };
    table(&columns, rows.iter().map(row))
}
