//! `comity charter diff`: what the newest version changes, and who must agree. Not whether it holds.

use comity_protocol::charter::{Change, Charter};
use serde_json::json;
use toml::{Table, Value};

use super::{CharterCommandError, CharterFile, show::signed, text};
use crate::commands::{Outcome, print, print_json, shown};

/// Says what the newest version changes.
pub(super) fn report(file: &CharterFile, json: bool) -> Result<Outcome, CharterCommandError> {
    let newest = file.newest();
    let before = match (file.proposal(), file.chain()) {
        (Some(_), Some(chain)) => Some(chain.current()),
        (None, Some(chain)) => newest.previous.and_then(|hash| chain.by_hash(&hash)),
        _ => None,
    };
    let Some(before) = before else {
        print("the genesis changes nothing: every founder signs it\n");
        return Ok(outcome(file));
    };
    let mut lines = Vec::new();
    compare("", &table(before)?, &table(newest)?, &mut lines);
    let change = Change::between(before, newest);
    let agreed = |charter: &Charter| {
        let roots = charter.institutions.iter().map(|institution| &institution.root_key);
        roots.filter(|key| signed(file, key)).count()
    };
    let votes = [before, newest].map(|charter| {
        let of = charter.institutions.len();
        (charter.version, agreed(charter), change.threshold(of), of)
    });
    if json {
        let votes = votes.map(|(version, got, needed, of)| {
            json!({ "version": version, "signed": got, "needed": needed, "of": of })
        });
        print_json(&json!({ "change": change.to_string(), "lines": lines, "votes": votes }));
    } else {
        let votes = votes.map(|(version, got, needed, of)| {
            format!("institutions of version {version}: {got} signed, {needed} of {of} needed\n")
        });
        let text = format!("{}\n{change}\n{}", lines.join("\n"), votes.concat());
        print(&shown(&text));
    }
    Ok(outcome(file))
}

const fn outcome(file: &CharterFile) -> Outcome {
    if file.proposal().is_some() { Outcome::Incomplete } else { Outcome::Done }
}

fn table(charter: &Charter) -> Result<Table, CharterCommandError> {
    let text = text::write(charter)?;
    // What was written as TOML a moment ago is TOML.
    Ok(text.parse().unwrap_or_default())
}

/// Appends one line for each value that differs; entries of lists are matched by what names them.
fn compare(path: &str, old: &Table, new: &Table, lines: &mut Vec<String>) {
    for (key, value) in old {
        let path = format!("{path}{key}");
        match (value, new.get(key)) {
            (_, Some(same)) if same == value => {}
            (Value::Array(old), Some(Value::Array(new))) => entries(&path, old, new, lines),
            (value, Some(other)) => lines.push(format!("~ {path}: {value} -> {other}")),
            (Value::Array(old), None) => entries(&path, old, &[], lines),
            (value, None) => lines.push(format!("- {path}: {value}")),
        }
    }
    for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        let path = format!("{path}{key}");
        match value {
            Value::Array(new) => entries(&path, &[], new, lines),
            value => lines.push(format!("+ {path}: {value}")),
        }
    }
}

fn entries(path: &str, old: &[Value], new: &[Value], lines: &mut Vec<String>) {
    for value in old {
        match new.iter().find(|other| name(other) == name(value)) {
            Some(other) if other == value => {}
            Some(Value::Table(other)) => {
                if let Value::Table(table) = value {
                    compare(&format!("{path} {}.", name(value)), table, other, lines);
                }
            }
            _ => lines.push(format!("- {path} {}", name(value))),
        }
    }
    for value in new.iter().filter(|value| !old.iter().any(|other| name(other) == name(value))) {
        lines.push(format!("+ {path} {}", name(value)));
    }
}

/// What an entry of a list is called.
fn name(value: &Value) -> String {
    let Value::Table(table) = value else { return value.to_string() };
    let names = ["id", "name", "institution", "peer"];
    let named = names.iter().find_map(|key| table.get(*key)?.as_str());
    named.map_or_else(|| value.to_string(), ToOwned::to_owned)
}
