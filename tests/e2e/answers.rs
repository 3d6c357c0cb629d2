//! Answers: the same on any split, proved, and leaving nothing behind.

use comity_protocol::{
    receipt::{FinishReason, Sampling},
    request::{ChatMessage, Generate, Prompt},
};

use crate::swarm::{Answer, Swarm, default_model, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_two_and_three_stages_give_the_same_tokens_and_a_proof() {
    let sampled = Sampling { temperature: 800_000, seed: 7, max_tokens: 40, ..Sampling::default() };
    let mut answers: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
    for nodes in 1..=3 {
        let swarm = Swarm::of_fixture(nodes).await;
        let greedy = swarm.ask(request("the cat sat on the", 40)).await;
        let drawn = Generate { sampling: sampled.clone(), ..request("the cat sat on the", 40) };
        let drawn = swarm.ask(drawn).await;
        for answer in [&greedy, &drawn] {
            let report = swarm.verify(answer);
            assert!(report.complete, "{report:?}");
            assert_eq!(report.stages.len(), nodes as usize);
        }
        answers.push((greedy.tokens, drawn.tokens));
        swarm.until_idle().await;
        swarm.shutdown().await;
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert!(!answers[0].0.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_model_names_paris_on_one_and_three_stages() {
    let Some(file) = default_model().await else { return };
    let question = |stages_min| Generate {
        prompt: Prompt::Chat(vec![ChatMessage {
            role: "user".into(),
            content: "What is the capital of France?".into(),
        }]),
        stages_min,
        ..request("", 32)
    };
    let mut answers: Vec<Answer> = Vec::new();
    for nodes in [1, 3] {
        let swarm = Swarm::of_file(file.clone(), nodes).await;
        let answer = swarm.ask(question(nodes)).await;
        assert!(answer.text.contains("Paris"), "{}", answer.text);
        assert_eq!(answer.finished.reason, FinishReason::Stop);
        assert!(swarm.verify(&answer).complete);
        answers.push(answer);
        swarm.shutdown().await;
    }
    assert_eq!(answers[0].tokens, answers[1].tokens);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_sessions_in_sequence_free_their_cache() {
    let swarm = Swarm::of_fixture(3).await;
    for _ in 0..200 {
        let answer = swarm.ask(request("a b c", 3)).await;
        assert_ne!(answer.finished.reason, FinishReason::Error);
    }
    swarm.until_idle().await;
    assert!(swarm.home().context().returns.lock().unwrap().is_empty());
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_string_ends_the_answer_before_it() {
    let swarm = Swarm::of_fixture(2).await;
    let whole = swarm.ask(request("the cat", 40)).await;
    let middle = whole.text.len() / 2;
    let start = whole.text.floor_char_boundary(middle);
    let end = whole.text.ceil_char_boundary(start + 3);
    let stop = whole.text[start..end].to_owned();
    let sampling = Sampling { max_tokens: 40, stop: vec![stop.clone()], ..Sampling::default() };
    let cut = swarm.ask(Generate { sampling, ..request("the cat", 40) }).await;
    let expected = &whole.text[..whole.text.find(&stop).unwrap()];
    assert_eq!(cut.text, expected);
    assert_eq!(cut.finished.reason, FinishReason::Stop);
    assert!(swarm.verify(&cut).complete);
    swarm.shutdown().await;
}
