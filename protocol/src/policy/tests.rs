//! What a policy lets through, predicate by predicate.

use super::*;

fn country(code: &str) -> Country {
    code.parse().unwrap()
}

fn subject<'a>(institution: &'a str, jurisdiction: &str, parent: &str) -> Subject<'a> {
    Subject { institution, jurisdiction: country(jurisdiction), parent_country: country(parent) }
}

fn european() -> Policy {
    Policy { allowed_jurisdictions: ["DE", "FR"].map(country).into(), ..Policy::open("european") }
}

#[test]
fn a_country_is_two_upper_case_letters() {
    for text in ["", "F", "FRA", "fr", "F1", "É", "F ", "\u{0}F"] {
        assert_eq!(text.parse::<Country>(), Err(CountryError), "{text:?}");
    }
    assert_eq!(country("FR").to_string(), "FR");
}

#[test]
fn an_open_policy_restricts_nothing() {
    let policy = Policy::open("open");
    let blocks = BlockRange::new(0, 30).unwrap();
    assert_eq!(policy.permits(&subject("x", "ZZ", "QQ")), Ok(()));
    assert_eq!(policy.permits_stage(&subject("x", "ZZ", "QQ"), blocks, 30, "home"), Ok(()));
}

#[test]
fn node_and_parent_must_both_be_allowed() {
    let policy = european();
    assert_eq!(policy.permits(&subject("a", "FR", "DE")), Ok(()));
    let node = policy.permits(&subject("a", "US", "FR")).unwrap_err();
    assert!(matches!(node, Denial::JurisdictionNotAllowed { .. }), "{node}");
    let parent = policy.permits(&subject("a", "FR", "US")).unwrap_err();
    assert!(matches!(parent, Denial::ParentNotAllowed { .. }), "{parent}");
    assert_eq!(parent.predicate(), "allowed_jurisdictions");
    assert_eq!(parent.to_string(), "allowed_jurisdictions lacks US, country of a's parent");
}

#[test]
fn forbidden_wins_over_allowed() {
    let policy = Policy { forbidden_jurisdictions: [country("DE")].into(), ..european() };
    assert_eq!(policy.permits(&subject("a", "FR", "FR")), Ok(()));
    let node = policy.permits(&subject("a", "DE", "FR")).unwrap_err();
    assert!(matches!(node, Denial::JurisdictionForbidden { .. }), "{node}");
    let parent = policy.permits(&subject("a", "FR", "DE")).unwrap_err();
    assert!(matches!(parent, Denial::ParentForbidden { .. }), "{parent}");
}

#[test]
fn only_listed_institutions_serve() {
    let policy = Policy { allowed_institutions: ["a".to_owned()].into(), ..Policy::open("p") };
    assert_eq!(policy.permits(&subject("a", "FR", "FR")), Ok(()));
    let denial = policy.permits(&subject("b", "FR", "FR")).unwrap_err();
    assert_eq!(denial, Denial::InstitutionNotAllowed { institution: "b".into() });
}

#[test]
fn pinned_blocks_stay_with_home_alone() {
    let policy = Policy { pinned_first: 2, pinned_last: 1, ..Policy::open("pinned") };
    let check = |institution, start, end| {
        let blocks = BlockRange::new(start, end).unwrap();
        policy.permits_stage(&subject(institution, "FR", "FR"), blocks, 10, "home")
    };
    assert_eq!(check("home", 0, 10), Ok(()));
    assert_eq!(check("other", 2, 9), Ok(()));
    assert_eq!(check("other", 1, 9).unwrap_err().predicate(), "pinned_first");
    assert_eq!(check("other", 2, 10).unwrap_err().predicate(), "pinned_last");
}

#[test]
fn pinning_more_than_the_model_has_keeps_all_of_it_home() {
    let policy = Policy { pinned_last: 1_024, ..Policy::open("pinned") };
    let blocks = BlockRange::new(0, 1).unwrap();
    let denial = policy.permits_stage(&subject("other", "FR", "FR"), blocks, 10, "home");
    assert!(matches!(denial, Err(Denial::PinnedLast { .. })));
}

#[test]
fn what_is_forbidden_stays_so_for_home_itself() {
    let policy = Policy { forbidden_jurisdictions: [country("DE")].into(), ..european() };
    let blocks = BlockRange::new(0, 1).unwrap();
    assert!(policy.permits_stage(&subject("home", "DE", "FR"), blocks, 10, "home").is_err());
}
