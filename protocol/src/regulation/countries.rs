//! Which countries are third countries. Not whether a transfer there is lawful.

use crate::policy::Country;

/// The European Economic Area, where the GDPR applies: the 27 member states of the Union and
/// Iceland, Liechtenstein and Norway; ISO 3166-1 alpha-2 codes as of 2026. Everything else is a third
/// country, whether or not the Commission found its protection adequate.
pub const EEA: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS",
    "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Whether `country` is outside the [`EEA`].
#[must_use]
pub fn is_third_country(country: Country) -> bool {
    !EEA.contains(&country.to_string().as_str())
}
