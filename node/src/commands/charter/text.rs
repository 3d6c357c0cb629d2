//! A charter as people write it. Not its signed form.

mod policy;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, UNIX_EPOCH},
};

use comity_protocol::{
    charter::{Charter, Institution, InstitutionKeys, Revocation, Revoked},
    id::{Digest, PeerKey},
    policy::Country,
    time::{Timestamp, Validity},
};
use serde::{Deserialize, Serialize};

use crate::commands::date;

/// Seconds of a day.
const DAY: u64 = 86_400;
/// Milliseconds of a second.
const SECOND_MS: u64 = 1_000;
/// Millionths of one percent of requests.
const PERCENT: f64 = 10_000.0;

/// What the help of `comity charter new` ends with.
pub(super) const EXAMPLE: &str = "\
Example:\n  comity charter new charter.toml --out charter.signed --key north/root.key\n\nThe text:\n  \
name = \"Example consortium\"\n  days = 365\n\n  [[institution]]\n  \
id = \"uni-north\"\n  legal_name = \"Northern University\"\n  country = \"NL\"\n  root_key = \
\"<64 hexadecimal digits, from comity key show>\"\n  roster_key = \"<another key>\"\n  witness_key = \
\"<a third key>\"\n  # parent_country, contacts, data_protection_officer, data_class_max, purposes, \
share, quota\n\n  [[policy]]          # optional\n  name = \"eu-only\"\n  \
allowed_jurisdictions = [\"NL\", \"DE\"]\n  # forbidden_jurisdictions, allowed_institutions, \
pinned_first, pinned_last,\n  # data_class, purpose, recovery = \"exact\" or \"any\", audit = \"none\", \
\"home\" or \"text\", transfer_basis\n\n  # before the first [[...]]: models = [manifest digests], witnesses = 1, \
audit_rate = 2.0 (percent)\n\nExit codes: 0 every institution signed, 1 failed, 2 signatures are still \
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

/// A charter as text. Lists may stand in any order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CharterText {
    name: String,
    /// Days it holds from now on; or else `expires`.
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u16>,
    /// When it ends, as `comity charter show` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    models: Vec<String>,
    /// Percent of requests.
    #[serde(default, skip_serializing_if = "is_default")]
    audit_rate: f64,
    #[serde(default, skip_serializing_if = "is_default")]
    witnesses: u32,
    institution: Vec<InstitutionText>,
    #[serde(default, skip_serializing_if = "is_default")]
    policy: Vec<policy::Text>,
    #[serde(default, skip_serializing_if = "is_default")]
    revocation: Vec<RevocationText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstitutionText {
    id: String,
    legal_name: String,
    country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_country: Option<String>,
    root_key: String,
    roster_key: String,
    witness_key: String,
    #[serde(default, skip_serializing_if = "is_default")]
    contacts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_class_max: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    purposes: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    data_protection_officer: String,
    #[serde(default = "one")]
    share: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    quota: u64,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevocationText {
    #[serde(skip_serializing_if = "Option::is_none")]
    institution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    /// As `comity charter show` prints times; without it, when the text becomes a charter.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    reason: String,
}

/// Institutions that are to join.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstitutionsText {
    institution: Vec<InstitutionText>,
}

const fn one() -> u32 {
    1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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

    /// Reads a time as `comity charter show` prints it: whole seconds.
    fn time(&self, key: &'static str, text: &str) -> Result<Timestamp, TextError> {
        let time = httpdate::parse_http_date(text).ok();
        let since_1970 = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let time = since_1970.map(|since| Timestamp::from_ms(0) + since);
        time.ok_or_else(|| self.value(key, "a time such as Sun, 06 Nov 1994 08:49:37 GMT"))
    }

    /// A value that is not what its key asks for.
    fn value(&self, key: &'static str, problem: &str) -> TextError {
        let (file, of) = (self.file.to_owned(), self.of.to_owned());
        TextError::Value { file, key, of, problem: problem.to_owned() }
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

/// The charter that `text` describes, as a genesis created `now`. Lists are put in the order that is
/// signed.
pub(super) fn parse(file: &str, text: &str, now: Timestamp) -> Result<Charter, TextError> {
    let now = whole_seconds(now);
    let text: CharterText = toml(file, text)?;
    let place = Place { file, of: "the charter" };
    let until = match (text.days, &text.expires) {
        (Some(days), None) => now + Duration::from_secs(u64::from(days) * DAY),
        (None, Some(expires)) => place.time("expires", expires)?,
        _ => return Err(place.value("days", "give either days or expires")),
    };
    let institutions = text.institution.iter().map(|text| institution(file, text));
    let institutions = institutions.collect::<Result<Vec<_>, _>>()?;
    let policies = text.policy.iter().map(|text| policy::read(file, text));
    let mut policies = policies.collect::<Result<Vec<_>, _>>()?;
    policies.sort_by(|a, b| a.name.cmp(&b.name));
    let models: BTreeSet<Digest> = place.parse_all("models", &text.models)?;
    if !(0.0..=100.0).contains(&text.audit_rate) {
        return Err(place.value("audit_rate", "a percentage, 0 to 100"));
    }
    let revocations = text.revocation.iter().map(|text| revocation(file, text, now));
    let revocations = revocations.collect::<Result<BTreeMap<_, _>, _>>()?;
    if revocations.len() != text.revocation.len() {
        return Err(place.value("revocation", "the same institution or peer is there twice"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a percentage, checked above"
    )]
    let audit_rate_millionths = (text.audit_rate * PERCENT).round() as u32;
    Ok(Charter {
        policies,
        models: models.into_iter().collect(),
        audit_rate_millionths,
        witnesses: text.witnesses,
        revocations,
        ..Charter::genesis(text.name, Validity { from: now, until }, institutions)
    })
}

/// `time` as texts say it: a charter must survive being written as one.
pub(super) const fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_ms(time.as_ms() / SECOND_MS * SECOND_MS)
}

/// The institutions that `text` lists, and nothing else.
pub(in crate::commands) fn institutions(
    file: &str,
    text: &str,
) -> Result<Vec<Institution>, TextError> {
    let text: InstitutionsText = toml(file, text)?;
    text.institution.iter().map(|text| institution(file, text)).collect()
}

fn institution(file: &str, text: &InstitutionText) -> Result<Institution, TextError> {
    let place = Place { file, of: &text.id };
    let country: Country = place.parse("country", &text.country)?;
    let parent_country = match &text.parent_country {
        Some(parent) => place.parse("parent_country", parent)?,
        None => country,
    };
    let keys = InstitutionKeys {
        root: place.parse::<PeerKey>("root_key", &text.root_key)?,
        roster: place.parse::<PeerKey>("roster_key", &text.roster_key)?,
        witness: place.parse::<PeerKey>("witness_key", &text.witness_key)?,
    };
    let class = text.data_class_max.as_ref();
    Ok(Institution {
        parent_country,
        contacts: text.contacts.clone(),
        data_class_max: class.map(|class| place.parse("data_class_max", class)).transpose()?,
        purposes: text.purposes.clone(),
        data_protection_officer: text.data_protection_officer.clone(),
        share: text.share,
        quota: text.quota,
        ..Institution::new(&text.id, &text.legal_name, country, keys)
    })
}

fn revocation(
    file: &str,
    text: &RevocationText,
    now: Timestamp,
) -> Result<(Revoked, Revocation), TextError> {
    let of = text.institution.as_ref().or(text.peer.as_ref()).map_or("a revocation", |it| it);
    let place = Place { file, of };
    let revoked = match (&text.institution, &text.peer) {
        (Some(institution), None) => Revoked::Institution(institution.clone()),
        (None, Some(peer)) => Revoked::Peer(place.parse("peer", peer)?),
        _ => return Err(place.value("revocation", "give either institution or peer")),
    };
    let at = text.at.as_ref().map(|at| place.time("at", at)).transpose()?.unwrap_or(now);
    Ok((revoked, Revocation { at, reason: text.reason.clone() }))
}

/// The text that describes `charter`: to be edited into its next version.
pub(super) fn write(charter: &Charter) -> Result<String, toml::ser::Error> {
    toml::to_string_pretty(&CharterText {
        name: charter.name.clone(),
        days: None,
        expires: Some(date(charter.expires_at)),
        models: charter.models.iter().map(ToString::to_string).collect(),
        audit_rate: f64::from(charter.audit_rate_millionths) / PERCENT,
        witnesses: charter.witnesses,
        institution: charter.institutions.iter().map(institution_text).collect(),
        policy: charter.policies.iter().map(policy::write).collect(),
        revocation: charter.revocations.iter().map(revocation_text).collect(),
    })
}

/// The text with which `institution` asks to be admitted.
pub(in crate::commands) fn application(
    institution: &Institution,
) -> Result<String, toml::ser::Error> {
    let institution = vec![institution_text(institution)];
    toml::to_string_pretty(&InstitutionsText { institution })
}

fn institution_text(institution: &Institution) -> InstitutionText {
    let parent = institution.parent_country;
    InstitutionText {
        id: institution.id.clone(),
        legal_name: institution.legal_name.clone(),
        country: institution.country.to_string(),
        parent_country: (parent != institution.country).then(|| parent.to_string()),
        root_key: institution.root_key.to_string(),
        roster_key: institution.roster_key.to_string(),
        witness_key: institution.witness_key.to_string(),
        contacts: institution.contacts.clone(),
        data_class_max: institution.data_class_max.map(|class| class.to_string()),
        purposes: institution.purposes.clone(),
        data_protection_officer: institution.data_protection_officer.clone(),
        share: institution.share,
        quota: institution.quota,
    }
}

fn revocation_text((revoked, revocation): (&Revoked, &Revocation)) -> RevocationText {
    let (institution, peer) = match revoked {
        Revoked::Institution(id) => (Some(id.clone()), None),
        Revoked::Peer(peer) => (None, Some(peer.to_string())),
    };
    let at = Some(date(revocation.at));
    RevocationText { institution, peer, at, reason: revocation.reason.clone() }
}
