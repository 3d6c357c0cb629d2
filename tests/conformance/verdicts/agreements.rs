//! Bundles whose stages agreed to the request's data and purpose, or had not; answers that broke off
//! where nobody signed as far as another.

use comity_protocol::{
    policy::{DataClass, Policy},
    receipt::FinishReason,
    refusal::Cause,
};

use super::{
    Case,
    charters::taken_under,
    contents::{broken, under},
};
use crate::story::Story;

type Told = fn(&mut Story);

/// What is asked of data and purpose, and the field at which it is too much.
const AGREED: [(&str, Told, &str); 9] = [
    ("public data that nobody agreed to", |s| under(s, |p| class(p, DataClass::Public)), ""),
    (
        "data of a class that all agreed to",
        |s| {
            agree(s, [DataClass::Personal; 2]);
            under(s, |p| class(p, DataClass::Personal));
        },
        "",
    ),
    (
        "data above a class that one agreed to",
        |s| {
            agree(s, [DataClass::Personal, DataClass::Internal]);
            under(s, |p| class(p, DataClass::Personal));
        },
        "receipt.stages[2]",
    ),
    (
        "sensitive data at institutions that are named",
        |s| {
            agree(s, [DataClass::Sensitive; 2]);
            under(s, |p| class(p, DataClass::Sensitive));
        },
        "",
    ),
    (
        "sensitive data at institutions that are not named",
        |s| {
            agree(s, [DataClass::Sensitive; 2]);
            under(s, |p| *p = Policy::open(Policy::OPEN));
            under(s, |p| class(p, DataClass::Sensitive));
        },
        "receipt.stages[1]",
    ),
    (
        "a purpose that all serve",
        |s| {
            serve(s, 1, &["care", "research"]);
            serve(s, 2, &["care"]);
            under(s, |p| p.purpose = "care".into());
        },
        "",
    ),
    (
        "a purpose that one does not serve",
        |s| {
            serve(s, 2, &["research", "teaching"]);
            under(s, |p| p.purpose = "care".into());
        },
        "receipt.stages[2]",
    ),
    (
        "a purpose that home's own need not state",
        |s| {
            serve(s, 0, &["research"]);
            under(s, |p| p.purpose = "care".into());
        },
        "",
    ),
    ("no purpose, where one serves few", |s| serve(s, 1, &["research"]), ""),
];

/// How far each stage of an answer that broke off signed, and the field at which it cannot be so.
const BROKEN: [(&str, Told, &str); 5] = [
    (
        "a stage that signed as far as others and is named unsigned",
        |s| {
            broken(s);
            s.receipt.unsigned_stages = vec![1, 2];
        },
        "stage_receipts[1].positions",
    ),
    (
        "a stage that signed less than others and is not named",
        |s| {
            broken(s);
            s.stages[1].positions = 6;
        },
        "stage_receipts[1].positions",
    ),
    (
        "a stage that signed more than others and is named unsigned",
        |s| {
            broken(s);
            s.receipt.unsigned_stages = vec![1, 2];
            s.stages[1].positions = 8;
        },
        "stage_receipts[1].positions",
    ),
    ("nobody signed all", |s| nobody(s, 8), ""),
    ("somebody signed more than there was", |s| nobody(s, 9), "stage_receipts[1].positions"),
];

fn class(policy: &mut Policy, class: DataClass) {
    policy.data_class = Some(class);
}

/// The institutions of the second and third stage process data of these classes for others.
fn agree(story: &mut Story, classes: [DataClass; 2]) {
    for (institution, class) in story.charter.institutions[1..].iter_mut().zip(classes) {
        institution.data_class_max = Some(class);
    }
}

fn serve(story: &mut Story, owner: usize, purposes: &[&str]) {
    story.charter.institutions[owner].purposes =
        purposes.iter().map(|purpose| (*purpose).to_owned()).collect();
}

/// No stage signed as far as it was sent; the second one `positions`.
fn nobody(story: &mut Story, positions: u32) {
    story.receipt.finish_reason = FinishReason::Error;
    story.receipt.cause = Some(Cause::PeerLost);
    story.receipt.unsigned_stages = vec![0, 1, 2];
    for (stage, positions) in story.stages.iter_mut().zip([5, positions, 6]) {
        stage.positions = positions;
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, tell, field) in AGREED {
        let mut story = Story::new();
        tell(&mut story);
        let bundle = taken_under(&story, &story.charter);
        let case = Case::new(format!("agreed: {name}"), &story, &bundle);
        cases.push(if field.is_empty() { case } else { case.fails("E_POLICY", field) });
    }
    for (name, tell, field) in BROKEN {
        let mut story = Story::new();
        tell(&mut story);
        let case = Case::new(format!("broken: {name}"), &story, &story.bundle()).incomplete();
        cases.push(if field.is_empty() { case } else { case.fails("E_POSITIONS", field) });
    }
    cases
}
