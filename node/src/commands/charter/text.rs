//! A charter as people write it. Not its signed form.

use std::{collections::BTreeSet, time::Duration};

use comity_protocol::{
    charter::{Charter, Institution},
    id::{Digest, PeerKey},
    policy::{Country, Policy},
    time::Timestamp,
};
use serde::Deserialize;

/// Seconds of a day.
const DAY: u64 = 86_400;
/// Version of a genesis.
const GENESIS_VERSION: u32 = 1;

/// What the help of `comity charter new` ends with.
pub(super) const EXAMPLE: &str = "\
Example:\n  comity charter new charter.toml --out charter.bin --key north/root.key --key \
east/root.key\n\nThe text:\n  name = \"Example consortium\"\n  days = 365\n\n  [[institution]]\n  \
id = \"uni-north\"\n  legal_name = \"Northern University\"\n  country = \"NL\"\n  root_key = \
\"<64 hexadecimal digits, from comity key show>\"\n  roster_key = \"<another key>\"\n  # \
parent_country, contacts\n\n  [[policy]]          # optional\n  name = \"eu-only\"\n  \
allowed_jurisdictions = [\"NL\", \"DE\"]\n  # forbidden_jurisdictions, allowed_institutions, \
pinned_first, pinned_last\n\nExit codes: 0 every institution signed, 1 failed, 2 signatures are still \
missing.";

/// Why a text is no charter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Not the TOML it should be; the message shows the line.
    #[error("{file}: {problem}")]
    Toml {
        /// The file.
        file: String,
        /// What is wrong, and where.
        problem: Box<toml::de::Error>,
    },
    /// A value is not what its key asks for.
    #[error("{file}: {key} of {of}: {problem}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: &'static str,
        /// Which institution, policy or node.
        of: String,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CharterText {
    name: String,
    days: u16,
    institution: Vec<InstitutionText>,
    #[serde(default)]
    policy: Vec<PolicyText>,
    #[serde(default)]
    models: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstitutionText {
    id: String,
    legal_name: String,
    country: String,
    parent_country: Option<String>,
    root_key: String,
    roster_key: String,
    #[serde(default)]
    contacts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyText {
    name: String,
    #[serde(default)]
    allowed_jurisdictions: Vec<String>,
    #[serde(default)]
    forbidden_jurisdictions: Vec<String>,
    #[serde(default)]
    allowed_institutions: BTreeSet<String>,
    #[serde(default)]
    pinned_first: u32,
    #[serde(default)]
    pinned_last: u32,
}

/// Names the place of a value that cannot be read.
pub(in crate::commands) struct Place<'a> {
    /// The file.
    pub(in crate::commands) file: &'a str,
    /// Which institution, policy or node.
    pub(in crate::commands) of: &'a str,
}

impl Place<'_> {
    /// Reads one value.
    pub(in crate::commands) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        key: &'static str,
        text: &str,
    ) -> Result<T, TextError> {
        text.parse().map_err(|error: T::Err| TextError::Value {
            file: self.file.to_owned(),
            key,
            of: self.of.to_owned(),
            problem: error.to_string(),
        })
    }

    /// Reads a list of values.
    fn parse_all<T: std::str::FromStr<Err: std::fmt::Display>, C: FromIterator<T>>(
        &self,
        key: &'static str,
        texts: &[String],
    ) -> Result<C, TextError> {
        texts.iter().map(|text| self.parse(key, text)).collect()
    }
}

/// Reads a text as TOML.
pub(in crate::commands) fn toml<T: serde::de::DeserializeOwned>(
    file: &str,
    text: &str,
) -> Result<T, TextError> {
    toml::from_str(text)
        .map_err(|error| TextError::Toml { file: file.to_owned(), problem: Box::new(error) })
}

/// The charter that `text` describes, created `now`. Lists are put in the order that is signed.
pub(super) fn parse(file: &str, text: &str, now: Timestamp) -> Result<Charter, TextError> {
    let text: CharterText = toml(file, text)?;
    let institutions = text.institution.iter().map(|text| institution(file, text));
    let mut institutions = institutions.collect::<Result<Vec<_>, _>>()?;
    institutions.sort_by(|a, b| a.id.cmp(&b.id));
    let policies = text.policy.iter().map(|text| policy(file, text));
    let mut policies = policies.collect::<Result<Vec<_>, _>>()?;
    policies.sort_by(|a, b| a.name.cmp(&b.name));
    let place = Place { file, of: "the charter" };
    let models: BTreeSet<Digest> = place.parse_all("models", &text.models)?;
    Ok(Charter {
        version: GENESIS_VERSION,
        previous: None,
        name: text.name,
        created_at: now,
        expires_at: now + Duration::from_secs(u64::from(text.days) * DAY),
        institutions,
        policies,
        models: models.into_iter().collect(),
    })
}

fn institution(file: &str, text: &InstitutionText) -> Result<Institution, TextError> {
    let place = Place { file, of: &text.id };
    let country: Country = place.parse("country", &text.country)?;
    let parent_country = match &text.parent_country {
        Some(parent) => place.parse("parent_country", parent)?,
        None => country,
    };
    Ok(Institution {
        id: text.id.clone(),
        legal_name: text.legal_name.clone(),
        country,
        parent_country,
        root_key: place.parse::<PeerKey>("root_key", &text.root_key)?,
        roster_key: place.parse::<PeerKey>("roster_key", &text.roster_key)?,
        contacts: text.contacts.clone(),
    })
}

fn policy(file: &str, text: &PolicyText) -> Result<Policy, TextError> {
    let place = Place { file, of: &text.name };
    Ok(Policy {
        name: text.name.clone(),
        allowed_jurisdictions: place
            .parse_all("allowed_jurisdictions", &text.allowed_jurisdictions)?,
        forbidden_jurisdictions: place
            .parse_all("forbidden_jurisdictions", &text.forbidden_jurisdictions)?,
        allowed_institutions: text.allowed_institutions.clone(),
        pinned_first: text.pinned_first,
        pinned_last: text.pinned_last,
    })
}
