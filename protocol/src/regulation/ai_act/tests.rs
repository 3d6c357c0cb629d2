//! The AI Act's view of a few requests.

use std::time::Duration;

use super::{super::tests::*, *};
use crate::{
    id::Digest,
    receipt::{FinishReason, Migration, Receipt},
    refusal::Cause,
};

fn document(story: &Story) -> AiAct {
    ai_act(&story.evidence)
}

#[test]
fn a_use_lasts_from_its_opening_to_the_record_that_ends_it() {
    let mut story = Story::all();
    story.proved(receipt(1), "inst-1", "DE");
    story.abort(2);
    story.open(&receipt(3));
    let uses = document(&story).uses.entries;
    let period = |it: &Use| (it.outcome, it.started_ms, it.ended_ms);
    let ms = |number| minute(number).as_ms();
    assert_eq!(period(&uses[0]), ("stop", ms(1), Some(ms(2))));
    assert_eq!(period(&uses[1]), ("aborted", ms(2), Some(ms(90))));
    assert_eq!(period(&uses[2]), ("open", ms(3), None));
    let said = uses[0].receipt.as_ref().unwrap();
    assert_eq!((uses[0].record, said.record), (1, 2));
    let stage = &said.stages[1];
    assert_eq!(stage.institution.as_deref(), Some("inst-1"));
    assert_eq!((stage.jurisdiction.as_deref(), stage.blocks), (Some("DE"), [2, 4]));
    assert!(uses[1].receipt.is_none() && uses[2].receipt.is_none());
}

#[test]
fn what_stands_out_is_an_event() {
    let mut story = Story::all();
    story.close(receipt(1));
    story.close(receipt(2));
    let migration =
        Migration { position: 5, stage: 1, from: node(1), to: node(2), cause: Cause::PeerLost };
    story.close(Receipt {
        manifest: Digest([4; 32]),
        charter: Digest([5; 32]),
        software: "newer".into(),
        finish_reason: FinishReason::Error,
        cause: Some(Cause::Timeout),
        migrations: vec![migration],
        unsigned_stages: vec![1],
        filters: vec!["words".into()],
        ..receipt(3)
    });
    story.abort(4);
    story.open(&receipt(5));
    let events = document(&story).events.entries;
    let of = |number: u8| {
        let of = events.iter().filter(|event| event.session == session(number).to_string());
        of.map(|event| event.kind).collect::<Vec<_>>()
    };
    let new = ["model_first_used", "charter_first_used", "software_first_used"];
    assert_eq!(of(1), new);
    assert!(of(2).is_empty(), "nothing of it is new");
    assert_eq!(of(3)[..3], new);
    assert_eq!(of(3)[3..], ["migration", "unsigned_stages", "filtered", "failed"]);
    assert_eq!((of(4), of(5)), (vec!["aborted"], vec!["unfinished"]));
    let failed = events.iter().find(|event| event.kind == "failed").unwrap();
    assert_eq!((failed.record, failed.detail.as_str()), (6, "timeout"));
    assert_eq!(failed.at_ms, minute(4).as_ms(), "when its receipt was signed");
}

#[test]
fn models_and_charters_are_counted_with_what_is_known_of_them() {
    let mut story = Story::all();
    story.proved(receipt(1), "inst-1", "DE");
    story.close(receipt(7));
    story.close(Receipt { manifest: Digest([4; 32]), charter: Digest([5; 32]), ..receipt(3) });
    let document = document(&story);
    let [first, second] = &document.models.entries[..] else { panic!("two models") };
    assert_eq!((first.requests, first.name.as_deref()), (2, Some("tiny")));
    assert_eq!((first.first_ms, first.last_ms), (minute(1).as_ms(), minute(7).as_ms()));
    assert_eq!((second.requests, &second.name), (1, &None));
    let versions: Vec<_> =
        document.charters.entries.iter().map(|it| (it.version, it.requests)).collect();
    assert_eq!(versions, [(None, 1), (Some(1), 2)]);
    assert_eq!(lacking(&document.missing, "the charter acted on"), Some((1, 3)));
}

#[test]
fn a_term_below_six_months_is_found() {
    let mut story = Story::all();
    story.close(receipt(1));
    assert!(document(&story).retention.too_short.is_empty(), "183 days are enough");
    let exact = receipt(2);
    let retained_until = exact.closed_at + RETENTION_MIN.saturating_sub(Duration::from_millis(1));
    story.close(Receipt { retained_until, ..exact });
    let document = document(&story);
    assert_eq!(document.retention.too_short, [session(2).to_string()]);
    assert_eq!(
        (document.retention.required_days, document.retention.shortest_days),
        (183, Some(182))
    );
    assert_eq!(lacking(&document.missing, "a term of at least 183"), Some((1, 2)));
}

#[test]
fn what_is_missing_is_counted() {
    let mut story = Story::all();
    let empty = document(&story);
    assert!(empty.deployer.is_none());
    assert_eq!(lacking(&empty.missing, "the deployer"), Some((1, 1)));
    story.proved(receipt(1), "inst-1", "DE");
    let whole = document(&story);
    for what in ["the end of", "the stages", "whose", "in which", "a signature", "a term"] {
        assert_eq!(lacking(&whole.missing, what), None, "{what}");
    }
    assert_eq!(lacking(&whole.missing, "the people who oversee"), Some((1, 1)));
    story.close(Receipt { unsigned_stages: vec![0], ..receipt(2) });
    story.abort(3);
    story.open(&receipt(4));
    let missing = document(&story).missing;
    assert_eq!(lacking(&missing, "the end of"), Some((1, 4)));
    assert_eq!(lacking(&missing, "the stages"), Some((1, 3)));
    assert_eq!(lacking(&missing, "whose a stage was"), Some((2, 4)));
    assert_eq!(lacking(&missing, "in which jurisdiction"), Some((2, 4)));
    assert_eq!(lacking(&missing, "a signature of every stage"), Some((1, 2)));
    let refused = missing.iter().find(|it| it.what.starts_with("requests refused")).unwrap();
    assert_eq!((refused.lacking, refused.of), (None, None), "nobody counted them");
}

#[test]
fn what_became_of_the_texts_is_counted() {
    let mut story = Story::all();
    for (number, text, held) in [(1, true, true), (2, false, false), (3, true, false)] {
        let receipt = story.close(receipt(number));
        let kept = super::super::Kept { text, held, ..kept(&receipt, "inst-1", "DE") };
        story.evidence.kept(&receipt.session, kept);
    }
    story.close(receipt(4));
    story.abort(5);
    let texts = document(&story).retention.texts;
    assert_eq!((texts.kept, texts.erased, texts.held, texts.without_proof), (2, 1, 1, 1));
}

#[test]
fn field_names_are_those_of_the_format() {
    let mut story = Story::all();
    story.proved(receipt(1), "inst-1", "DE");
    let json = serde_json::to_value(document(&story)).unwrap();
    let names = |value: &serde_json::Value| {
        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&json), "charters deployer events format missing models retention scope uses");
    assert_eq!(json["format"], "comity-ai-act/1");
    assert_eq!(
        names(&json["uses"]["entries"][0]),
        "cause charter ended_ms model outcome policy receipt record session started_ms"
    );
    assert_eq!(
        names(&json["uses"]["entries"][0]["receipt"]),
        "client filters numeric_class output_tokens policy prompt_tokens record \
         retained_until_ms sampler software stages system_prompt_by template unsigned_stages"
    );
}
