//! Parts of an outlook as tables for a terminal. Not what they say.

use std::fmt::Write as _;

use super::{Account, Bought, Lost, RulePrice};
use crate::report::table::interval;

/// What rules cost; nothing if there are none.
#[must_use]
pub fn rules(model: &str, rows: &[RulePrice]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "\nwhat rules cost {model} (tokens/s of the largest flow, through the nodes that they let in)\n"
    );
    let searched = rows.iter().any(|row| row.planned.is_some());
    let last = if searched { "placed anew" } else { "" };
    let _ = writeln!(out, "{:<20}{:<32}{:>12}{:>12}{last:>14}", "rule", "of", "without", "with");
    for row in rows {
        let planned = row.planned.map_or_else(String::new, |rate| format!("{rate:.1}"));
        let _ = writeln!(
            out,
            "{:<20}{:<32}{:>12.1}{:>12.1}{planned:>14}",
            row.policy,
            shortened(&row.institution),
            row.free,
            row.kept
        );
    }
    out
}

/// A long list of names, cut.
#[must_use]
pub fn shortened(names: &str) -> String {
    let all: Vec<&str> = names.split(", ").collect();
    match all.len() {
        0..=3 => names.to_owned(),
        count => format!("{} and {} more", all[..2].join(", "), count - 2),
    }
}

/// What is left without each thing, at most so many rows.
#[must_use]
pub fn losses(rows: &[Lost], most: usize) -> String {
    let mut out = format!(
        "{:<44}{:>16}{:>10}  {}\n",
        "without", "tokens/s left", "lost, %", "no longer answered"
    );
    for row in rows.iter().take(most) {
        let name = format!("{} {}", row.kind, row.name);
        let _ = writeln!(
            out,
            "{name:<44}{:>16.1}{:>10.1}  {}",
            row.left,
            row.share * 100.0,
            stops(row).join(", ")
        );
    }
    out
}

/// What is no longer answered, in words.
#[must_use]
pub fn stops(row: &Lost) -> Vec<String> {
    if row.left <= 0.0 {
        return vec!["everything".to_owned()];
    }
    let words = |name: &String| match name.is_empty() {
        true => "what is under no rule".to_owned(),
        false => name.clone(),
    };
    row.stops.iter().map(words).collect()
}

/// Who gives and takes.
#[must_use]
pub fn accounts(rows: &[Account], fairness: Option<f64>) -> String {
    let mut out =
        format!("\n{:<20}{:>16}{:>16}{:>16}\n", "institution", "asks, tokens/s", "gives", "takes");
    for row in rows {
        let _ = writeln!(
            out,
            "{:<20}{:>16.1}{:>16.1}{:>16.1}",
            row.institution, row.asked, row.given, row.taken
        );
    }
    let even = fairness.map_or_else(|| "none".to_owned(), |index| format!("{index:.2}"));
    let _ = writeln!(
        out,
        "(of the largest flow, shared as it is asked; fairness of given over taken {even})"
    );
    out
}

/// What could be bought.
#[must_use]
pub fn offers(rows: &[Bought]) -> String {
    let mut out =
        format!("{:<32}{:>12}{:>24}{:>28}\n", "offer", "euro", "tokens/s gained", "per 1,000 euro");
    for row in rows {
        let per = interval(&row.gain, 1_000.0 / row.price_eur, 3);
        let _ = writeln!(
            out,
            "{:<32}{:>12.0}{:>24}{per:>28}",
            row.offer,
            row.price_eur,
            interval(&row.gain, 1.0, 2)
        );
    }
    out
}
