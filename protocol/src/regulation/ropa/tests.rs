//! The record of processing activities of a few requests.

use super::{super::tests::*, *};
use crate::{
    charter::{
        Chain,
        tests::{consortium, country, root},
    },
    policy::Policy,
    receipt::{Receipt, Work},
};

fn document(story: &Story) -> Ropa {
    ropa(&story.evidence)
}

/// A request of minute `number` for `purpose`, on `basis`.
fn under(number: u8, purpose: &str, basis: &str) -> Receipt {
    let policy = Policy {
        purpose: purpose.into(),
        transfer_basis: basis.into(),
        data_class: Some(DataClass::Personal),
        ..Policy::open("care")
    };
    Receipt { policy, ..receipt(number) }
}

#[test]
fn requests_of_one_purpose_class_and_policy_are_one_activity() {
    let mut story = Story::all();
    story.close(under(5, "triage", ""));
    story.close(under(2, "triage", ""));
    story.close(under(3, "research", ""));
    story.close(receipt(4));
    let document = document(&story);
    let activities = &document.activities.entries;
    let told: Vec<_> =
        activities.iter().map(|it| (it.purpose.as_deref(), it.data_class, it.requests)).collect();
    let (personal, none) = (Some("personal"), None);
    assert_eq!(
        told,
        [(None, none, 1), (Some("research"), personal, 1), (Some("triage"), personal, 2)]
    );
    let triage = &activities[2];
    assert_eq!((triage.first_ms, triage.last_ms), (minute(2).as_ms(), minute(5).as_ms()));
    assert_eq!(lacking(&document.missing, "the purpose"), Some((1, 4)));
    assert_eq!(lacking(&document.missing, "the class of data"), Some((1, 4)));
}

#[test]
fn third_countries_are_found_by_node_establishment_and_parent() {
    let mut story = Story::all();
    story.proved(under(1, "", "clauses 7"), "inst-1", "DE");
    story.proved(under(2, "", "clauses 7"), "inst-2", "NL");
    story.proved(under(3, "", ""), "inst-2", "CH");
    let document = document(&story);
    let told: Vec<_> = document
        .transfers
        .entries
        .iter()
        .map(|it| (it.institution.as_str(), it.country.as_str(), it.ground))
        .collect();
    assert_eq!(told, [("inst-2", "CH", "node"), ("inst-2", "US", "parent")]);
    let parent = &document.transfers.entries[1];
    assert_eq!((parent.requests, parent.without_basis, parent.bases.len()), (2, 1, 1));
    assert_eq!(lacking(&document.missing, "the basis of a transfer"), Some((1, 2)));
}

#[test]
fn an_institution_established_outside_is_a_third_country_wherever_its_node_stands() {
    let mut charter = consortium();
    charter.institutions[1].country = country("CH");
    let signed = charter.sign_all(&[root(0), root(1), root(2)]).unwrap();
    let mut story = Story::under(Chain::verify(&[signed], None).unwrap());
    story.proved(receipt(1), "inst-1", "DE");
    let document = document(&story);
    let told: Vec<_> =
        document.transfers.entries.iter().map(|it| (it.country.as_str(), it.ground)).collect();
    assert_eq!(told, [("CH", "establishment")], "its parent is in DE still");
}

#[test]
fn recipients_are_the_other_institutions_of_the_route() {
    let mut story = Story::all();
    story.proved(receipt(1), "inst-1", "DE");
    story.proved(receipt(2), "inst-1", "NL");
    story.proved(receipt(3), "inst-0", "FR");
    let work = Work { stage: 1, institution: "inst-2".into(), computed: 1, parameters: 1 };
    story.close(Receipt { work: vec![work], ..receipt(4) });
    let document = document(&story);
    let [first, second] = &document.recipients.entries[..] else { panic!("not home's own") };
    assert_eq!((first.party.institution.as_str(), first.requests), ("inst-1", 2));
    assert_eq!(first.party.legal_name.as_deref(), Some("Institution 1 gGmbH"));
    assert_eq!(first.jurisdictions.iter().collect::<Vec<_>>(), ["DE", "NL"]);
    // Signed work names it, but no roster says where it stood.
    assert_eq!((second.party.institution.as_str(), second.requests), ("inst-2", 1));
    assert!(second.jurisdictions.is_empty());
    assert_eq!(lacking(&document.missing, "in which jurisdiction"), Some((2, 8)));
    assert_eq!(lacking(&document.missing, "whose a stage was"), Some((1, 8)));
    assert_eq!(lacking(&document.missing, "an institution's data-prot"), Some((3, 3)));
    assert_eq!(lacking(&document.missing, "contacts"), None);
}

#[test]
fn what_was_computed_for_others_is_listed_by_institution() {
    let mut story = Story::all();
    story.serve(1, "inst-1");
    story.serve(4, "inst-1");
    story.serve(2, "inst-0");
    let document = document(&story);
    let [only] = &document.on_behalf.entries[..] else { panic!("its own is nobody's commission") };
    assert_eq!((only.party.institution.as_str(), only.sessions), ("inst-1", 2));
    assert_eq!((only.first_ms, only.last_ms), (minute(1).as_ms(), minute(4).as_ms()));
    assert_eq!(lacking(&document.missing, "purposes and class"), Some((2, 2)));
    assert_eq!(document.controller.unwrap().institution, "inst-0");
}

#[test]
fn terms_of_erasure_are_those_of_the_receipts() {
    let mut story = Story::all();
    assert_eq!(document(&story).limits.shortest_days, None);
    let longer = receipt(1);
    let retained_until = longer.retained_until + std::time::Duration::from_secs(86_400);
    story.close(Receipt { retained_until, ..longer });
    story.close(receipt(2));
    story.abort(3);
    let document = document(&story);
    let Limits { shortest_days, longest_days, records, .. } = document.limits;
    assert_eq!((shortest_days, longest_days, records), (Some(183), Some(184), 6));
    assert_eq!(lacking(&document.missing, "purpose, class of data and"), Some((1, 3)));
}

#[test]
fn field_names_are_those_of_the_format() {
    let mut story = Story::all();
    story.proved(receipt(1), "inst-2", "NL");
    let json = serde_json::to_value(document(&story)).unwrap();
    let names = |value: &serde_json::Value| {
        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        names(&json),
        "activities controller format limits measures missing on_behalf recipients scope transfers"
    );
    assert_eq!(json["format"], "comity-ropa/1");
    assert_eq!(
        names(&json["transfers"]["entries"][0]),
        "bases country ground institution requests without_basis"
    );
    assert_eq!(
        names(&json["activities"]["entries"][0]),
        "allowed_institutions allowed_jurisdictions data_class first_ms forbidden_jurisdictions \
         last_ms policy purpose requests transfer_basis"
    );
}
