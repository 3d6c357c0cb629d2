//! Guesses over real nodes: from the text or a draft model, they change neither tokens nor proof.

use comity_protocol::{receipt::Sampling, request::Generate, speculation::DRAFTS_MAX};

use crate::swarm::{Swarm, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_the_same_with_any_guesses() {
    let text = "the cat sat on the mat and the cat sat on the";
    let sampled = Sampling { temperature: 800_000, seed: 7, max_tokens: 60, ..Sampling::default() };
    let mut answers = Vec::new();
    for (draft_tokens, draft_model) in [(0, false), (DRAFTS_MAX, false), (4, true)] {
        let swarm = Swarm::guessing(3, draft_tokens, draft_model).await;
        let greedy = swarm.ask(request(text, 60)).await;
        let drawn = swarm.ask(Generate { sampling: sampled.clone(), ..request(text, 60) }).await;
        for answer in [greedy, drawn] {
            let report = swarm.verify(&answer);
            assert!(report.complete, "{report:?}");
            let positions: Vec<_> = report.stages.iter().map(|stage| stage.positions).collect();
            answers.push((answer.tokens, positions, answer.finished.reason));
        }
        // The draft model's cache is freed too.
        swarm.until_idle().await;
        swarm.shutdown().await;
    }
    assert_eq!(answers[..2], answers[2..4]);
    assert_eq!(answers[..2], answers[4..]);
}

#[test]
fn a_draft_model_of_another_vocabulary_is_refused() {
    use comity_node::model::{LoadModelError, ModelSpec, Models};
    use comity_shard::{Device, fixture};
    let folder = tempfile::tempdir().unwrap();
    let (large, other) = (folder.path().join("large.gguf"), folder.path().join("other.gguf"));
    fixture::write_llama(&large, 1).unwrap();
    fixture::write_gemma3(&other, 1).unwrap();
    let spec = ModelSpec {
        file: large.clone(),
        name: "large".into(),
        blocks: None,
        device: Device::Cpu,
        home: true,
        kv_budget: 1 << 20,
        draft_tokens: 4,
        draft_file: Some(other.clone()),
        prefix_cache: true,
    };
    let refused = Models::load(&[spec], None).unwrap_err();
    assert!(matches!(
        refused,
        LoadModelError::Vocabulary { draft, file } if draft == other && file == large
    ));
}

#[test]
fn the_same_weights_in_two_sections_are_refused() {
    use comity_node::model::{LoadModelError, ModelSpec, Models};
    use comity_shard::{Device, fixture};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.gguf");
    fixture::write_llama(&file, 1).unwrap();
    let spec = |name: &str| ModelSpec {
        file: file.clone(),
        name: name.into(),
        blocks: None,
        device: Device::Cpu,
        home: true,
        kv_budget: 1 << 20,
        draft_tokens: 0,
        draft_file: None,
        prefix_cache: true,
    };
    let refused = Models::load(&[spec("one"), spec("two")], None).unwrap_err();
    assert!(matches!(refused, LoadModelError::Twice { .. }), "{refused}");
}
