//! Rules on top of a policy never permit more than either, and strictness is an order.

use proptest::{prelude::*, sample::select};

use super::*;
use crate::{
    block::BlockRange,
    policy::{Access, Audit, Country, Recovery, Subject},
    wire::Wire as _,
};

const COUNTRIES: [&str; 3] = ["DE", "FR", "US"];
const NAMES: [&str; 3] = ["a", "b", "home"];
const PURPOSES: [&str; 2] = ["care", "research"];
const CLASSES: [DataClass; 4] =
    [DataClass::Public, DataClass::Internal, DataClass::Personal, DataClass::Sensitive];

fn countries() -> impl Strategy<Value = BTreeSet<Country>> {
    let country = select(&COUNTRIES[..]).prop_map(|code| code.parse().unwrap());
    proptest::collection::btree_set(country, 0..3)
}

fn texts(of: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<String>> {
    proptest::collection::btree_set(select(of).prop_map(String::from), 0..3)
}

/// One of the texts, mostly none.
fn text() -> impl Strategy<Value = String> {
    let stated = select(&PURPOSES[..]).prop_map(String::from);
    prop_oneof![2 => Just(String::new()), 1 => stated]
}

prop_compose! {
    fn policy()(
        allowed_jurisdictions in countries(),
        forbidden_jurisdictions in countries(),
        allowed_institutions in texts(&NAMES),
        (pinned_first, pinned_last) in (0u32..3, 0u32..3),
        data_class in proptest::option::of(select(&CLASSES[..])),
        (purpose, transfer_basis) in (text(), text()),
        recovery in select(&[Recovery::Exact, Recovery::Any][..]),
        audit in select(&[Audit::None, Audit::Home, Audit::Text][..]),
    ) -> Policy {
        Policy {
            name: "p".into(),
            allowed_jurisdictions,
            forbidden_jurisdictions,
            allowed_institutions,
            pinned_first,
            pinned_last,
            data_class,
            purpose,
            recovery,
            audit,
            transfer_basis,
        }
    }
}

prop_compose! {
    /// Who asks for what: institution, where, class, purposes, and access.
    fn asked()(
        institution in select(&NAMES[..]),
        (jurisdiction, parent) in (select(&COUNTRIES[..]), select(&COUNTRIES[..])),
        class in proptest::option::of(select(&CLASSES[..])),
        purposes in texts(&PURPOSES),
        start in 0u32..4,
        kind in 0u8..3,
    ) -> (&'static str, Country, Country, Option<DataClass>, BTreeSet<String>, Access) {
        let blocks = BlockRange::new(start, start + 1).unwrap();
        let access = match kind {
            0 => Access::Prompt,
            1 => Access::Audit,
            _ => Access::Blocks { blocks, block_count: 4 },
        };
        let place = |code: &str| code.parse().unwrap();
        (institution, place(jurisdiction), place(parent), class, purposes, access)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn whoever_the_restriction_permits_both_permit(
        (policy, rules) in (policy(), policy()),
        asked in asked(),
    ) {
        let (institution, jurisdiction, parent_country, data_class_max, purposes, access) = asked;
        let purposes = &purposes;
        let subject =
            Subject { institution, jurisdiction, parent_country, data_class_max, purposes };
        let may = |policy: &Policy| policy.permits(&subject, "home", access).is_ok();
        if let Ok(both) = policy.restrict(&rules) {
            prop_assert!(both.is_within(&policy) && both.is_within(&rules), "{both:?}");
            prop_assert_eq!(may(&both), may(&policy) && may(&rules));
        }
        if policy.is_within(&rules) {
            prop_assert!(may(&rules) || !may(&policy));
            prop_assert_eq!(policy.restrict(&rules), Ok(policy));
        }
    }

    #[test]
    fn strictness_is_a_partial_order((a, b, c) in (policy(), policy(), policy())) {
        prop_assert!(a.is_within(&a));
        prop_assert!(!(a.is_within(&b) && b.is_within(&a)) || a == b);
        prop_assert!(!(a.is_within(&b) && b.is_within(&c)) || a.is_within(&c));
        // Random policies are seldom comparable; what one restricts is.
        if let Ok(ab) = a.restrict(&b) {
            if let Ok(abc) = ab.restrict(&c) {
                prop_assert!(abc.is_within(&a) && abc.is_within(&b));
            }
            prop_assert!(!a.is_within(&ab) || a == ab);
        }
    }

    #[test]
    fn every_policy_is_within_rules_that_restrict_nothing(policy in policy()) {
        let most = Policy::rules("p");
        prop_assert!(policy.is_within(&most));
        prop_assert_eq!(most.is_within(&policy), policy == most);
        prop_assert_eq!(most.restrict(&policy), Ok(policy.clone()));
        prop_assert_eq!(policy.restrict(&most), Ok(policy));
    }
}

fn open() -> Policy {
    Policy::open("p")
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_intersection_is_an_error_that_names_the_list() {
    let at = |code: &str| -> BTreeSet<Country> { [code.parse().unwrap()].into() };
    let (french, german) = (
        Policy { allowed_jurisdictions: at("FR"), ..open() },
        Policy { allowed_jurisdictions: at("DE"), ..open() },
    );
    let error = french.restrict(&german).unwrap_err();
    let field = "allowed_jurisdictions";
    assert_eq!(error, RestrictError::Disjoint { field, policy: "p".into() });
    let of = |name| Policy { allowed_institutions: names(&[name]), ..open() };
    let error = of("a").restrict(&of("b")).unwrap_err();
    let field = "allowed_institutions";
    assert_eq!(error, RestrictError::Disjoint { field, policy: "p".into() });
    assert_eq!(open().restrict(&french), Ok(french.clone()));
    assert_eq!(french.restrict(&open()), Ok(french));
}

#[test]
fn a_list_never_opens_what_sensitive_data_keeps_home() {
    let sensitive = Policy { data_class: Some(DataClass::Sensitive), ..open() };
    let listed = Policy { allowed_institutions: names(&["a"]), ..open() };
    assert_eq!(sensitive.restrict(&listed), Err(RestrictError::Sensitive));
    assert_eq!(listed.restrict(&sensitive), Err(RestrictError::Sensitive));
    let both = Policy { data_class: Some(DataClass::Sensitive), ..listed.clone() };
    assert!(!both.is_within(&sensitive) && both.is_within(&listed));
    assert_eq!(listed.restrict(&both), Ok(both));
    let named = Policy { data_class: None, ..sensitive.clone() };
    assert_eq!(named.restrict(&sensitive), Ok(sensitive));
}

#[test]
fn different_names_and_texts_are_errors() {
    let error = open().restrict(&Policy::open("q")).unwrap_err();
    assert_eq!(error, RestrictError::Name { policy: "p".into(), rules: "q".into() });
    assert!(!Policy::open("q").is_within(&open()));
    let care = Policy { purpose: "care".into(), ..open() };
    let research = Policy { purpose: "research".into(), ..open() };
    let error = care.restrict(&research).unwrap_err();
    assert_eq!(error.to_string(), "purpose: the policy states \"care\", the rules \"research\"");
    let basis = |text: &str| Policy { transfer_basis: text.into(), ..open() };
    let error = basis("SCC 1").restrict(&basis("SCC 2")).unwrap_err();
    assert!(matches!(error, RestrictError::Differs { field: "transfer_basis", .. }), "{error}");
}

/// What comes out can be sent: every bound of the wire holds.
#[test]
fn together_lists_stay_within_their_bound() {
    let at = |first: u8| -> BTreeSet<Country> {
        let code = |n: u8| format!("{}{}", char::from(first + n / 26), char::from(b'A' + n % 26));
        (0..40).map(|n| code(n).parse().unwrap()).collect()
    };
    let forbids = |first| Policy { forbidden_jurisdictions: at(first), ..open() };
    let field = "forbidden_jurisdictions";
    let error = forbids(b'A').restrict(&forbids(b'M')).unwrap_err();
    assert_eq!(error, RestrictError::TooMany { field, got: 80 });
    let most = forbids(b'A').restrict(&forbids(b'A')).unwrap();
    assert!(Policy::decode(&most.encode()).is_ok());
}
