//! A receipt may be under stricter rules than the charter's policy of its name, never under wider.

use comity_protocol::{
    bundle::verify,
    policy::{Audit, DataClass, Policy, Recovery},
    wire::Wire as _,
};

use super::{fault, genesis};
use crate::story::{Story, country};

type Change = fn(&mut Policy);

/// The story, its request and its receipt under a changed policy.
fn under(change: Change) -> Story {
    let mut story = Story::new();
    change(&mut story.receipt.policy);
    story.open.policy = story.receipt.policy.digest();
    story
}

#[test]
fn a_receipt_under_stricter_rules_verifies() {
    let stricter: [Change; 4] = [
        |p| p.pinned_first = 2,
        |p| p.forbidden_jurisdictions.extend([country("GB")]),
        |p| p.purpose = "care".into(),
        |p| p.transfer_basis = "SCC 2021/914".into(),
    ];
    for change in stricter {
        let report = verify(&under(change).bundle().encode(), &genesis()).unwrap();
        assert_eq!(report.policy, "europe");
    }
}

#[test]
fn a_receipt_under_wider_rules_does_not() {
    let wider: [Change; 7] = [
        |p| p.pinned_first = 1,
        |p| p.allowed_jurisdictions.extend([country("GB")]),
        |p| p.allowed_jurisdictions.clear(),
        |p| p.forbidden_jurisdictions.clear(),
        |p| p.allowed_institutions.clear(),
        |p| p.recovery = Recovery::Any,
        |p| p.audit = Audit::Text,
    ];
    for change in wider {
        let found = fault(&under(change).bundle());
        assert_eq!(found, ("E_POLICY_NAME", "receipt.policy".into()));
    }
}

#[test]
fn stricter_rules_hold_for_home_and_every_stage() {
    let table: [(Change, &str); 4] = [
        (|p| p.forbidden_jurisdictions.extend([country("FR")]), "receipt.policy"),
        (|p| p.data_class = Some(DataClass::Internal), "receipt.stages[1]"),
        (|p| p.pinned_first = 3, "receipt.stages[1]"),
        (|p| p.pinned_last = 1, "receipt.stages[2]"),
    ];
    for (change, field) in table {
        assert_eq!(fault(&under(change).bundle()), ("E_POLICY", field.into()));
    }
}
