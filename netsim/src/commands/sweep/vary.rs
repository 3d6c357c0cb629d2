//! What a sweep varies: keys of a scenario, their values, and what a reader calls them. Not runs.

use std::path::Path;

use toml::Value;

use crate::{commands::run::CommandError, scenario::ScenarioFile, toml_file::TomlFileError};

/// Ends of keys that name a unit, and what it is called; the longest first.
const UNITS: [(&str, &str); 10] = [
    ("_s_per_gb", "s/GB"),
    ("_per_s", "requests/s"),
    ("_mbit", "Mbit/s"),
    ("_hours", "hours"),
    ("_us", "µs"),
    ("_ns", "ns"),
    ("_ms", "ms"),
    ("_gb", "GB"),
    ("_eur", "€"),
    ("_s", "s"),
];

/// One key of a scenario and the values it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Varied {
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl Varied {
    /// Reads `KEY=VALUE,..`.
    pub(super) fn parse(text: &str) -> Result<Self, CommandError> {
        let wrong = || CommandError::Vary { text: text.to_owned() };
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        if key.is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self { key: key.trim().to_owned(), values })
    }

    /// What is varied, in words: the last key with its unit, and whose it is.
    pub(super) fn words(&self, document: &Value) -> String {
        let path: Vec<&str> = self.key.split('.').collect();
        let last = path.last().copied().unwrap_or(&self.key);
        let unit = UNITS.iter().find(|(end, _)| last.ends_with(end) || last == &end[1..]);
        let (name, unit) = match unit {
            Some((end, unit)) => (last.strip_suffix(end).unwrap_or_default(), *unit),
            None => (last, ""),
        };
        // What bears only a unit is called by what it is of.
        let before = || path.iter().rev().skip(1);
        let name = match name {
            "" => {
                before().find(|key| **key == "arrivals").or_else(|| before().next()).unwrap_or(&"")
            }
            _ => name,
        };
        let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
        let of = whose(document, &path).map_or_else(String::new, |of| format!(" ({of})"));
        format!("{}{unit}{of}", name.replace('_', " "))
    }
}

/// Which section of several a path goes into.
fn whose(document: &Value, path: &[&str]) -> Option<String> {
    let [kind, index, ..] = path else { return None };
    let sections = document.get(*kind)?.as_array()?;
    if *index == "*" {
        return (sections.len() > 1).then(|| format!("all {} of [[{kind}]]", sections.len()));
    }
    let section = sections.get(index.parse::<usize>().ok()?)?;
    let text = |key: &str| section.get(key).and_then(Value::as_str);
    let between = || {
        let ends = section.get("between")?.as_array()?;
        Some(ends.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" to "))
    };
    let name = text("name").or_else(|| text("institution")).map(str::to_owned).or_else(between);
    Some(format!("{kind} {}", name.unwrap_or_else(|| (*index).to_owned())))
}

/// Every combination of the values.
pub(super) fn combinations(varied: &[Varied]) -> Vec<Vec<String>> {
    varied.iter().fold(vec![Vec::new()], |points, varied| {
        let with = |point: &Vec<String>, value: &String| {
            point.iter().chain([value]).cloned().collect::<Vec<_>>()
        };
        points
            .iter()
            .flat_map(|point| varied.values.iter().map(move |value| with(point, value)))
            .collect()
    })
}

/// A scenario with other values.
pub(super) fn scenario(
    path: &Path,
    text: &str,
    varied: &[Varied],
    values: &[String],
) -> Result<ScenarioFile, CommandError> {
    let mut document: Value =
        toml::from_str(text).map_err(|_| CommandError::Vary { text: text.to_owned() })?;
    for (Varied { key, .. }, value) in varied.iter().zip(values) {
        let parsed: Value = toml::from_str::<toml::Table>(&format!("it = {value}"))
            .ok()
            .and_then(|mut table| table.remove("it"))
            .unwrap_or_else(|| Value::String(value.clone()));
        let path: Vec<&str> = key.split('.').collect();
        if set(&mut document, &path, &parsed) == 0 {
            return Err(CommandError::Vary { text: format!("{key}={value}") });
        }
    }
    let text = toml::to_string(&document).unwrap_or_default();
    Ok(ScenarioFile::parse(path, text)?)
}

/// An error with what was varied in place of a line, for the varied text is in no file.
pub(super) fn varied_error(
    error: CommandError,
    varied: &[Varied],
    values: &[String],
) -> CommandError {
    let CommandError::File(TomlFileError::Parse { path, message, .. }) = error else {
        return error;
    };
    let set = varied.iter().zip(values).map(|(Varied { key, .. }, value)| format!("{key}={value}"));
    CommandError::Varied { path, set: set.collect::<Vec<_>>().join(" "), message }
}

/// Sets every value that a path names; says how many there were.
fn set(value: &mut Value, path: &[&str], to: &Value) -> usize {
    let Some((first, rest)) = path.split_first() else {
        *value = to.clone();
        return 1;
    };
    match value {
        Value::Array(items) if *first == "*" => {
            items.iter_mut().map(|item| set(item, rest, to)).sum()
        }
        Value::Array(items) => {
            let item = first.parse().ok().and_then(|index: usize| items.get_mut(index));
            item.map_or(0, |item| set(item, rest, to))
        }
        Value::Table(table) => match table.get_mut(*first) {
            Some(item) => set(item, rest, to),
            // A key with a default need not stand in the file; an unknown one is refused later.
            None if rest.is_empty() => {
                table.insert((*first).to_owned(), to.clone());
                1
            }
            None => 0,
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
