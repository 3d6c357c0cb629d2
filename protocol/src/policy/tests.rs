//! What a policy lets through, predicate by predicate.

use super::*;

fn country(code: &str) -> Country {
    code.parse().unwrap()
}

/// No agreements on data, any purpose.
const ANY: &BTreeSet<String> = &BTreeSet::new();

fn subject<'a>(institution: &'a str, jurisdiction: &str, parent: &str) -> Subject<'a> {
    let (jurisdiction, parent_country) = (country(jurisdiction), country(parent));
    Subject { institution, jurisdiction, parent_country, data_class_max: None, purposes: ANY }
}

/// Access to blocks [0, 1) of ten.
fn block() -> Access {
    Access::Blocks { blocks: BlockRange::new(0, 1).unwrap(), block_count: 10 }
}

/// What `policy` says to a request of "home" for that.
fn permits(policy: &Policy, subject: &Subject<'_>) -> Result<(), Denial> {
    policy.permits(subject, "home", block())
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
fn words_are_read_as_they_are_shown() {
    for class in ["public", "internal", "personal", "sensitive"] {
        assert_eq!(class.parse::<DataClass>().unwrap().to_string(), class);
    }
    assert_eq!("Public".parse::<DataClass>(), Err(DataClassError));
    assert_eq!("any".parse(), Ok(Recovery::Any));
    assert_eq!("text".parse(), Ok(Audit::Text));
}

#[test]
fn an_open_policy_restricts_nothing_but_audits() {
    let policy = Policy::open("open");
    let subject = subject("x", "ZZ", "QQ");
    let blocks = BlockRange::new(0, 30).unwrap();
    let whole = Access::Blocks { blocks, block_count: 30 };
    assert_eq!(policy.permits(&subject, "home", Access::Prompt), Ok(()));
    assert_eq!(policy.permits(&subject, "home", whole), Ok(()));
    let audit = policy.permits(&subject, "home", Access::Audit).unwrap_err();
    assert_eq!(audit, Denial::Audit { institution: "x".into(), audit: Audit::None });
}

#[test]
fn node_and_parent_must_both_be_allowed() {
    let policy = european();
    assert_eq!(permits(&policy, &subject("a", "FR", "DE")), Ok(()));
    let node = permits(&policy, &subject("a", "US", "FR")).unwrap_err();
    assert!(matches!(node, Denial::JurisdictionNotAllowed { .. }), "{node}");
    let parent = permits(&policy, &subject("a", "FR", "US")).unwrap_err();
    assert!(matches!(parent, Denial::ParentNotAllowed { .. }), "{parent}");
    assert_eq!(parent.predicate(), "allowed_jurisdictions");
    assert_eq!(parent.to_string(), "allowed_jurisdictions lacks US, country of a's parent");
}

#[test]
fn forbidden_wins_over_allowed() {
    let policy = Policy { forbidden_jurisdictions: [country("DE")].into(), ..european() };
    assert_eq!(permits(&policy, &subject("a", "FR", "FR")), Ok(()));
    let node = permits(&policy, &subject("a", "DE", "FR")).unwrap_err();
    assert!(matches!(node, Denial::JurisdictionForbidden { .. }), "{node}");
    let parent = permits(&policy, &subject("a", "FR", "DE")).unwrap_err();
    assert!(matches!(parent, Denial::ParentForbidden { .. }), "{parent}");
}

#[test]
fn only_listed_institutions_serve() {
    let policy = Policy { allowed_institutions: ["a".to_owned()].into(), ..Policy::open("p") };
    assert_eq!(permits(&policy, &subject("a", "FR", "FR")), Ok(()));
    let denial = permits(&policy, &subject("b", "FR", "FR")).unwrap_err();
    assert_eq!(denial, Denial::InstitutionNotAllowed { institution: "b".into() });
}

#[test]
fn data_above_public_goes_where_its_class_was_agreed() {
    use DataClass::{Internal, Personal, Public};
    let policy = |class| Policy { data_class: Some(class), ..Policy::open("p") };
    let node = |data_class_max| Subject { data_class_max, ..subject("a", "FR", "FR") };
    assert_eq!(permits(&policy(Public), &node(None)), Ok(()));
    assert_eq!(permits(&policy(Internal), &node(Some(Internal))), Ok(()));
    for max in [None, Some(Public), Some(Internal)] {
        let denial = permits(&policy(Personal), &node(max)).unwrap_err();
        let institution = "a".to_owned();
        assert_eq!(denial, Denial::DataClass { institution, class: Personal, max });
    }
    let home = subject("home", "FR", "FR");
    assert_eq!(permits(&policy(Personal), &home), Ok(()), "home's own institution");
    let denial = permits(&policy(Personal), &node(None)).unwrap_err();
    assert_eq!(denial.to_string(), "data_class is personal, and a agreed to none");
}

#[test]
fn sensitive_data_goes_to_named_institutions_alone() {
    let node = |institution| Subject {
        data_class_max: Some(DataClass::Sensitive),
        ..subject(institution, "FR", "FR")
    };
    let unlisted = Policy { data_class: Some(DataClass::Sensitive), ..Policy::open("p") };
    let denial = permits(&unlisted, &node("a")).unwrap_err();
    assert_eq!(denial, Denial::Unlisted { institution: "a".into() });
    assert_eq!(denial.predicate(), "data_class");
    assert_eq!(permits(&unlisted, &node("home")), Ok(()));
    let listed = Policy { allowed_institutions: ["a".to_owned()].into(), ..unlisted };
    assert_eq!(permits(&listed, &node("a")), Ok(()));
    assert!(permits(&listed, &node("b")).is_err());
}

#[test]
fn a_purpose_keeps_out_institutions_with_others() {
    let policy = Policy { purpose: "research".into(), ..Policy::open("p") };
    let (care, both) = (["care"], ["care", "research"]);
    let (care, both) =
        (care.map(String::from).into(), both.map(String::from).into_iter().collect());
    let node = |purposes| Subject { purposes, ..subject("a", "FR", "FR") };
    assert_eq!(permits(&policy, &node(ANY)), Ok(()));
    assert_eq!(permits(&policy, &node(&both)), Ok(()));
    let denial = permits(&policy, &node(&care)).unwrap_err();
    assert_eq!(denial.to_string(), "purpose research is none of a's");
    let home = Subject { purposes: &care, ..subject("home", "FR", "FR") };
    assert_eq!(permits(&policy, &home), Ok(()));
    assert_eq!(permits(&Policy::open("p"), &node(&care)), Ok(()), "no purpose stated");
}

#[test]
fn pinned_blocks_stay_with_home_alone() {
    let policy = Policy { pinned_first: 2, pinned_last: 1, ..Policy::open("pinned") };
    let check = |institution, start, end| {
        let blocks = BlockRange::new(start, end).unwrap();
        let access = Access::Blocks { blocks, block_count: 10 };
        policy.permits(&subject(institution, "FR", "FR"), "home", access)
    };
    assert_eq!(check("home", 0, 10), Ok(()));
    assert_eq!(check("other", 2, 9), Ok(()));
    assert_eq!(check("other", 1, 9).unwrap_err().predicate(), "pinned_first");
    assert_eq!(check("other", 2, 10).unwrap_err().predicate(), "pinned_last");
}

#[test]
fn pinning_more_than_the_model_has_keeps_all_of_it_home() {
    let policy = Policy { pinned_last: 1_024, ..Policy::open("pinned") };
    let denial = permits(&policy, &subject("other", "FR", "FR"));
    assert!(matches!(denial, Err(Denial::PinnedLast { .. })));
}

#[test]
fn what_is_forbidden_stays_so_for_home_itself() {
    let policy = Policy { forbidden_jurisdictions: [country("DE")].into(), ..european() };
    assert!(permits(&policy, &subject("home", "DE", "FR")).is_err());
    assert!(policy.permits(&subject("home", "DE", "FR"), "home", Access::Prompt).is_err());
}

#[test]
fn an_audit_sees_what_the_policy_says_where_it_may_go_at_all() {
    let policy = |audit| Policy { audit, ..european() };
    let may = |audit, institution, at| {
        policy(audit).permits(&subject(institution, at, "FR"), "home", Access::Audit).is_ok()
    };
    assert!(!may(Audit::None, "home", "FR") && !may(Audit::None, "a", "FR"));
    assert!(may(Audit::Home, "home", "FR") && !may(Audit::Home, "a", "FR"));
    assert!(may(Audit::Text, "home", "FR") && may(Audit::Text, "a", "FR"));
    assert!(!may(Audit::Text, "a", "US"), "outside the jurisdictions");
}

#[test]
fn denials_come_all_and_in_order() {
    let policy = Policy {
        forbidden_jurisdictions: [country("US")].into(),
        allowed_institutions: ["home".to_owned()].into(),
        data_class: Some(DataClass::Internal),
        purpose: "care".into(),
        pinned_first: 1,
        pinned_last: 10,
        ..european()
    };
    let purposes = ["research".to_owned()].into();
    let subject = Subject { purposes: &purposes, ..subject("a", "US", "US") };
    let denials = policy.denials(&subject, "home", block());
    let predicates: Vec<_> = denials.iter().map(Denial::predicate).collect();
    let expected = [
        "forbidden_jurisdictions",
        "forbidden_jurisdictions",
        "allowed_jurisdictions",
        "allowed_jurisdictions",
        "allowed_institutions",
        "data_class",
        "purpose",
        "pinned_first",
        "pinned_last",
    ];
    assert_eq!(predicates, expected);
    assert!(denials.is_sorted());
    assert!(denials.iter().all(|denial| denial.institution() == "a"));
    assert_eq!(permits(&policy, &subject).as_ref(), Err(&denials[0]));
}
