//! A node that dies without a word, as processes and machines do.

use bytes::Bytes;
use comity_client::{Event, GenerateError, Generation};
use comity_protocol::{
    receipt::{FinishReason, Sampling},
    refusal::Cause,
    request::{Generate, Prompt},
    signed::{Domain, Signed},
    wire::Wire as _,
};

use crate::consortium::{Consortium, Daemon};

/// A greedy request long enough to be caught in the middle.
fn request() -> Generate {
    Generate {
        model: "tiny".into(),
        prompt: Prompt::Raw("the cat sat".into()),
        sampling: Sampling { max_tokens: 400, ..Sampling::default() },
        policy: String::new(),
        nonce: Bytes::new(),
        stages_min: 0,
        rules: None,
    }
}

async fn first_token(generation: &mut Generation) {
    while !matches!(generation.next().await.unwrap().unwrap(), Event::Token(_)) {}
}

/// Reads to the end; the error, if there was one.
async fn ended(generation: &mut Generation) -> Option<GenerateError> {
    while let Some(event) = generation.next().await {
        if let Err(error) = event {
            return Some(error);
        }
    }
    None
}

#[tokio::test]
async fn a_killed_stage_ends_its_answer_as_lost_and_is_chosen_no_more() {
    let consortium = Consortium::found(3);
    let first = consortium.start(0, &[]);
    let mut second = consortium.start(1, &first.control());
    let third = consortium.start(2, &first.control());
    first.ask(&[]);
    let client = first.client().await;
    let mut generation = client.generate(request()).await.unwrap();
    first_token(&mut generation).await;
    // SIGKILL: the process says nothing to anyone.
    second.process.kill().unwrap();
    let killed = second.peer().to_owned();
    assert!(ended(&mut generation).await.is_none(), "home lives and says how it ended");
    let finished = generation.finish().await.unwrap();
    let cause = finished.cause.unwrap_or_else(|| panic!("{:?}", finished.reason));
    assert_eq!((finished.reason, cause.cause), (FinishReason::Error, Cause::PeerLost), "{cause}");
    assert!(cause.detail.contains(&killed), "{cause} does not name {killed}");

    // Home may have heard it from the last stage, a moment before its own connection breaks; a
    // request that comes between the two ends likewise, and tells home.
    let mut refused = None;
    for _ in 0..3 {
        let mut generation = client.generate(request()).await.unwrap();
        refused = match ended(&mut generation).await {
            Some(GenerateError::Refused(refused)) => Some(refused),
            other => {
                let cause = generation.finish().await.unwrap().cause.map(|it| it.cause);
                assert_eq!(cause, Some(Cause::PeerLost), "{other:?}");
                continue;
            }
        };
        break;
    }
    let refused = refused.expect("planned again and again over a node that is gone");
    assert_eq!(refused.cause, Cause::NotServed);
    assert!(refused.detail.contains("no live peer serves blocks"), "{}", refused.detail);

    // Back under the same key, on other ports: heard again, and chosen.
    drop(second);
    let second: Daemon = consortium.start(1, &first.control());
    let answer = first.ask(&[]);
    assert_eq!(answer["stages"].as_array().unwrap().len(), 3, "{answer}");
    client.close().await;
    for daemon in [third, second, first] {
        assert_eq!(daemon.stop(), Some(0));
    }
}

/// How many records of `domain` are in the log of the consortium's first node.
fn records(consortium: &Consortium, domain: Domain) -> usize {
    let records = comity_node::log::read(&consortium.folder.path().join("m0/data")).unwrap();
    let signed = records.map(|record| Signed::decode(&record.unwrap().bytes).unwrap());
    signed.filter(|signed| signed.domain == domain.as_str()).count()
}

#[tokio::test]
async fn a_request_that_home_died_in_is_given_up_once_when_home_is_back() {
    let consortium = Consortium::found(1);
    let mut home = consortium.start(0, &[]);
    home.ask(&[]);
    let client = home.client().await;
    let mut generation = client.generate(request()).await.unwrap();
    first_token(&mut generation).await;
    home.process.kill().unwrap();
    drop(home);
    assert_eq!(records(&consortium, Domain::ABORT_RECORD), 0);
    assert_eq!(records(&consortium, Domain::OPEN_RECORD), 2);
    for _ in 0..2 {
        // Before a node is ready to be asked.
        let home = consortium.start(0, &[]);
        assert_eq!(records(&consortium, Domain::ABORT_RECORD), 1);
        assert_eq!(home.stop(), Some(0));
    }
    assert_eq!(records(&consortium, Domain::RECEIPT), 1);
}
