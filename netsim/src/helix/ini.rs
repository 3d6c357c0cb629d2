//! Sections of keys and values. Not what they mean.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::LoadError;

/// A file of sections.
#[derive(Debug)]
pub(super) struct Ini {
    path: PathBuf,
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl Ini {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        let text = read(path)?;
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut current = String::new();
        for (number, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut current);
                sections.entry(current.clone()).or_default();
            } else if let Some((key, value)) = line.split_once('=') {
                let section = sections.entry(current.clone()).or_default();
                section.insert(key.trim().to_owned(), value.trim().to_owned());
            } else {
                return Err(LoadError::Line { path: path.to_owned(), line: number + 1 });
            }
        }
        Ok(Self { path: path.to_owned(), sections })
    }

    /// Names of sections, in alphabetical order.
    pub(super) fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// Keys of a section with their values.
    pub(super) fn section(&self, name: &str) -> Result<&BTreeMap<String, String>, LoadError> {
        self.sections.get(name).ok_or_else(|| self.missing(format!("section [{name}]")))
    }

    /// A value.
    pub(super) fn get(&self, section: &str, key: &str) -> Result<&str, LoadError> {
        let value = self.section(section)?.get(key);
        value.map(String::as_str).ok_or_else(|| self.missing(format!("{key} in [{section}]")))
    }

    /// A number of things.
    pub(super) fn count(&self, section: &str, key: &str) -> Result<usize, LoadError> {
        let value = self.get(section, key)?;
        value.parse().map_err(|_| self.wrong(key, value))
    }

    /// `NUMBER * UNIT` in bytes per second or seconds.
    pub(super) fn quantity(&self, section: &str, key: &str) -> Result<f64, LoadError> {
        let value = self.get(section, key)?;
        let (number, unit) = value.split_once('*').ok_or_else(|| self.wrong(key, value))?;
        let scale = match unit.trim() {
            // Bytes, not bits, whatever the name says.
            "kbps" => 1e3,
            "mbps" => 1e6,
            "gbps" => 1e9,
            "MilliSec" => 1e-3,
            "Sec" => 1.0,
            _ => return Err(self.wrong(key, value)),
        };
        let number: f64 = number.trim().parse().map_err(|_| self.wrong(key, value))?;
        Ok(number * scale)
    }

    /// `[1, 2, 'name']` as its items, without quotes.
    pub(super) fn list(&self, section: &str, key: &str) -> Result<Vec<&str>, LoadError> {
        let value = self.get(section, key)?;
        let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let inner = inner.ok_or_else(|| self.wrong(key, value))?;
        let items = inner.split(',').map(|item| item.trim().trim_matches(['\'', '"']));
        Ok(items.filter(|item| !item.is_empty()).collect())
    }

    pub(super) fn missing(&self, what: String) -> LoadError {
        LoadError::Missing { path: self.path.clone(), what }
    }

    pub(super) fn wrong(&self, what: &str, value: &str) -> LoadError {
        let path = self.path.clone();
        LoadError::Value { path, what: what.to_owned(), value: value.to_owned() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A file as text.
pub(super) fn read(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}
