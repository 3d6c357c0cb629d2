//! Sessions that do not open, and the requests that are answered all the same.

use std::{pin::pin, time::Duration};

use comity_node::{
    bodies::{Bodies, BodyError},
    clock::Clock,
    log,
    node::{Node, Setup},
    sessions::{Generation, SESSIONS_MAX},
};
use comity_protocol::{
    block::BlockRange,
    limits::OPENINGS_MAX,
    receipt::{FinishReason, Receipt},
    refusal::Cause,
    request::{ClientEvent, Started},
    signed::{Domain, Signed},
    wire::Wire as _,
};
use comity_shard::fixture;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{interval, timeout},
};

use crate::{
    founded::Founded,
    quota,
    swarm::{Answer, MODEL, PATIENCE, next, read, request},
};

/// Between two looks at what home does.
const LOOK: Duration = Duration::from_millis(10);

/// Says to one node what another one says of itself, as their control planes would.
async fn tell(from: &Node, to: &Node) {
    from.met(&[from.peer()]).await;
    let hello = from.context().directory.hello(from.peer()).await.unwrap();
    for roster in hello.rosters {
        to.context().directory.insert_roster(roster).await.unwrap();
    }
    for announcement in hello.announcements {
        // What it has heard of others may be no news.
        let _ = to.context().directory.insert_announcement(announcement).await;
    }
}

/// Three nodes that split the model and whose control planes never meet. Each knows the others, but
/// the second one nothing of the third.
async fn apart(founded: &Founded) -> [Node; 3] {
    let spawn = |member| {
        let setup = founded.setup(member, Vec::new());
        Node::spawn(Setup { retention: Some(PATIENCE), ..setup })
    };
    let [home, second, third] =
        [spawn(0).await.unwrap(), spawn(1).await.unwrap(), spawn(2).await.unwrap()];
    tell(&home, &second).await;
    tell(&second, &third).await;
    for other in [&second, &third] {
        tell(other, &home).await;
    }
    timeout(PATIENCE, home.ready(MODEL)).await.expect("home knows who serves what");
    [home, second, third]
}

/// The records of one kind in home's log.
fn records(founded: &Founded, domain: Domain) -> Vec<Signed> {
    let records = log::read(&founded.folder(0)).unwrap();
    let signed = records.map(|record| Signed::decode(&record.unwrap().bytes).unwrap());
    signed.filter(|signed| signed.domain == domain.as_str()).collect()
}

/// The receipts in home's log.
fn receipts(founded: &Founded) -> Vec<Receipt> {
    let receipts = records(founded, Domain::RECEIPT).into_iter();
    receipts.map(|signed| Receipt::decode(&signed.payload).unwrap()).collect()
}

/// How many sessions home has begun to open.
fn opened(founded: &Founded) -> usize {
    records(founded, Domain::OPEN_RECORD).len()
}

/// Waits until home has closed a session.
async fn closed(founded: &Founded) {
    let mut ticks = interval(LOOK);
    while receipts(founded).is_empty() {
        ticks.tick().await;
    }
}

/// All session slots of a node, as soon as no session has one.
async fn slots(node: &Node) -> OwnedSemaphorePermit {
    let all = u32::try_from(SESSIONS_MAX).unwrap();
    let slots = node.context().slots.clone().acquire_many_owned(all);
    timeout(PATIENCE, slots).await.expect("a session keeps its slot").unwrap()
}

/// Reads an answer whose session begins.
async fn begun(mut generation: Generation) -> (Started, Answer) {
    let ClientEvent::Started(started) = next(&mut generation).await else {
        panic!("an answer begins with Started");
    };
    (started, read(generation).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_has_yet_to_hear_of_the_next_one_is_asked_again() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let [home, second, third] = apart(&founded).await;
    let generation = home.generate(request("the cat sat", 8)).await.unwrap();
    let mut answer = pin!(begun(generation));
    tokio::select! {
        () = closed(&founded) => {}
        (_, answered) = &mut answer => panic!("{:?}", answered.finished),
    }
    tell(&third, &second).await;
    let (started, answer) = timeout(PATIENCE, answer).await.unwrap();
    assert_eq!((answer.finished.cause, answer.finished.reason), (None, FinishReason::Length));
    assert_eq!(answer.tokens.len(), 8);
    let stages: Vec<_> = started.stages.iter().map(|stage| stage.peer).collect();
    assert_eq!(stages, [home.peer(), second.peer(), third.peer()]);

    // What did not open is closed in the log for what it was, and holds and leaves nothing.
    let bodies = Bodies::new(&founded.folder(0));
    assert!(bodies.load(&started.session).unwrap().opening.is_some());
    let (answered, failed): (Vec<_>, Vec<_>) =
        receipts(&founded).into_iter().partition(|it| it.session == started.session);
    assert_eq!((answered.len(), failed.is_empty()), (1, false));
    for receipt in failed {
        assert_eq!((receipt.finish_reason, receipt.output_tokens), (FinishReason::Error, 0));
        assert!(matches!(receipt.cause, Some(Cause::NotAdmitted | Cause::PeerLost)));
        assert!(matches!(bodies.load(&receipt.session), Err(BodyError::Unknown(_))));
    }
    assert!(home.context().returns.lock().unwrap().is_empty());
    for node in [home, second, third] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_dropped_between_two_openings_ends_at_once() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let [home, second, third] = apart(&founded).await;
    let generation = home.generate(request("the cat sat", 8)).await.unwrap();
    timeout(PATIENCE, closed(&founded)).await.expect("the first one is refused");
    // Between two of them a request keeps no slot.
    drop(slots(&home).await);
    let before = opened(&founded);
    // Drops all but what shows when the request is over.
    let mut events = {
        let generation = generation;
        generation.events
    };
    while let Some(event) = timeout(PATIENCE, events.recv()).await.expect("it never ended") {
        assert!(matches!(event, ClientEvent::Finished(_)), "{event:?}");
    }
    assert!(home.context().returns.lock().unwrap().is_empty());
    assert_eq!(opened(&founded), before, "another one began");
    for node in [home, second, third] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_finds_no_slot_after_its_pause_ends_as_its_last_session_did() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let [home, second, third] = apart(&founded).await;
    let generation = home.generate(request("the cat sat", 8)).await.unwrap();
    timeout(PATIENCE, closed(&founded)).await.expect("the first one is refused");
    let slots = slots(&home).await;
    let before = opened(&founded);
    let finished = timeout(PATIENCE, read(generation)).await.unwrap().finished;
    let cause = finished.cause.map(|refusal| refusal.cause);
    assert!(matches!(cause, Some(Cause::NotAdmitted | Cause::PeerLost)), "{cause:?}");
    assert_eq!(opened(&founded), before, "another one began");
    drop(slots);
    for node in [home, second, third] {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_that_stops_between_two_openings_says_how_the_last_one_ended() {
    let founded = Founded::new(3, Clock::start().now(), |_| {});
    let [home, second, third] = apart(&founded).await;
    let generation = home.generate(request("the cat sat", 8)).await.unwrap();
    timeout(PATIENCE, closed(&founded)).await.expect("the first one is refused");
    timeout(PATIENCE, home.shutdown()).await.expect("the request never ended");
    let finished = read(generation).await.finished;
    let cause = finished.cause.map(|refusal| refusal.cause);
    assert!(
        matches!(cause, Some(Cause::NotAdmitted | Cause::PeerLost | Cause::Shutdown)),
        "{cause:?}"
    );
    assert!(receipts(&founded).len() < OPENINGS_MAX as usize, "it was tried to the end");
    for node in [second, third] {
        node.shutdown().await;
    }
}

/// A node that holds the whole model; the first one is home and holds nothing.
fn setup(founded: &Founded, member: u8) -> Setup {
    let mut setup = founded.setup(member, Vec::new());
    let all = BlockRange::new(0, fixture::BLOCKS).unwrap();
    setup.models[0].blocks = (member > 0).then_some(all);
    setup
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_refuses_is_passed_over_where_another_serves() {
    let founded = Founded::new(3, Clock::start().now(), |it| it.institutions[0].quota = 1);
    quota::had(&founded, 1).await;
    let spawn = |member| Node::spawn(setup(&founded, member));
    let [home, near, far] =
        [spawn(0).await.unwrap(), spawn(1).await.unwrap(), spawn(2).await.unwrap()];
    for other in [&near, &far] {
        tell(&home, other).await;
        tell(other, &home).await;
    }
    // Nobody else measures: their control planes never meet.
    for (node, round_trip) in [(&near, 0), (&far, 500)] {
        let round_trip = Duration::from_millis(round_trip);
        home.context().directory.measured(node.peer(), round_trip).await;
    }
    let generation = home.generate(request("the cat sat", 8)).await.unwrap();
    let (started, answer) = begun(generation).await;
    assert_eq!((started.stages.len(), started.stages[0].peer), (1, far.peer()));
    assert_eq!((answer.finished.cause, answer.tokens.len()), (None, 8));
    let told = receipts(&founded).into_iter().map(|it| (it.session == started.session, it.cause));
    assert_eq!(told.collect::<Vec<_>>(), [(false, Some(Cause::Quota)), (true, None)]);
    for node in [home, near, far] {
        node.shutdown().await;
    }
}
