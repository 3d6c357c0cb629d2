//! Members that speak out of turn on the data plane: refused with a cause, to nobody else's harm.

use comity_node::sessions::Generation;
use comity_protocol::{
    block::BlockRange,
    id::SessionId,
    receipt::FinishReason,
    refusal::Cause,
    request::{ClientEvent, Generate},
    route::RouteStage,
    session::{Close, Frame, Step},
    tensor::Hidden,
};
use comity_shard::fixture::BLOCKS;

use crate::{
    rogue::{Rogue, Wire},
    swarm::{Swarm, next, read, request},
};

/// An honest answer under way. It is not read meanwhile and so, longer than what may wait unread,
/// lasts until it is.
struct Honest {
    session: SessionId,
    generation: Generation,
    tokens: Vec<u32>,
    expected: Vec<u32>,
}

impl Honest {
    async fn start(swarm: &Swarm) -> Self {
        let expected = swarm.ask(request("the cat", 200)).await.tokens;
        assert!(expected.len() > 100, "the answer is too short to be disturbed");
        let mut generation = swarm.home().generate(request("the cat", 200)).await.unwrap();
        let ClientEvent::Started(started) = next(&mut generation).await else {
            panic!("an answer begins with Started");
        };
        let ClientEvent::Token(token) = next(&mut generation).await else { panic!("no token") };
        Self { session: started.session, generation, tokens: vec![token.id], expected }
    }

    /// Reads the rest: it must be what it would have been.
    async fn finish(mut self, swarm: &Swarm) {
        let rest = read(self.generation).await;
        assert_eq!(rest.finished.cause, None);
        assert!(swarm.verify(&rest).complete);
        self.tokens.extend(rest.tokens);
        assert_eq!(self.tokens, self.expected);
    }
}

fn blocks(start: u32, end: u32) -> BlockRange {
    BlockRange::new(start, end).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_for_sessions_of_others_or_of_nobody_are_refused_and_change_nothing() {
    let swarm = Swarm::of_fixture(2).await;
    let (home, last) = (&swarm.demo.nodes[0], &swarm.demo.nodes[1]);
    let rogue = Rogue::join(&swarm, 1, "DE", blocks(0, BLOCKS / 2)).await;
    let honest = Honest::start(&swarm).await;

    // A session of its own under the id of the honest one, at each of its stages.
    let stage = |peer, start, end| RouteStage { peer, blocks: blocks(start, end) };
    let me = rogue.key.public();
    let routes = [
        (home, [stage(home.peer(), 0, BLOCKS / 2), stage(last.peer(), BLOCKS / 2, BLOCKS)]),
        (last, [stage(me, 0, BLOCKS / 2), stage(last.peer(), BLOCKS / 2, BLOCKS)]),
    ];
    for (node, route) in routes {
        let mut wire = rogue.dial(node).await;
        wire.send(rogue.opening(&swarm, honest.session, route.to_vec())).await;
        let refusal = wire.refusal().await;
        assert_eq!(refusal.cause, Cause::Violation, "{refusal}");
        assert!(refusal.detail.contains("served already"), "{refusal}");
    }
    // The ring of a session that has one, a ring nobody waits for, and frames of no session.
    let step = Step { positions: 1, returned: 1, ..Step::default() };
    let frames = [
        (Frame::Opened { session: honest.session, cached: 0 }, Cause::Cancelled),
        (Frame::Opened { session: SessionId([9; 16]), cached: 0 }, Cause::Cancelled),
        (Frame::Step(step), Cause::Violation),
        (Frame::Close(Close::default()), Cause::Violation),
    ];
    for (frame, cause) in frames {
        let mut wire = rogue.dial(home).await;
        wire.send(frame).await;
        assert_eq!(wire.refusal().await.cause, cause);
    }

    honest.finish(&swarm).await;
    swarm.until_idle().await;
    assert!(home.context().returns.lock().unwrap().is_empty());
    rogue.leave();
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_stage_that_returns_an_old_step_is_blamed_and_no_token_is_repeated() {
    let swarm = Swarm::of_fixture(2).await;
    let (home, second) = (&swarm.demo.nodes[0], &swarm.demo.nodes[1]);
    let honest = Honest::start(&swarm).await;
    // Holds the end of the model, and so is last where three stages are asked for.
    let mut rogue = Rogue::join(&swarm, 1, "DE", blocks(BLOCKS - 2, BLOCKS)).await;
    let asked = Generate { stages_min: 3, ..request("the cat sat", 40) };
    let generation = home.generate(asked).await.unwrap();

    let mut upstream = rogue.accept(second).await;
    assert!(matches!(upstream.next().await.0, Frame::Open { .. }));
    let waiting = home.context().returns.lock().unwrap().keys().copied().next();
    let session = waiting.expect("home waits for the ring");
    let opened = Frame::Opened { session, cached: 0 };
    // Another member cannot close it in the last stage's place, nor keep that from closing it.
    let link = second.context().data.open(home.peer(), &[home.data_address()]).await.unwrap();
    let mut usurper = Wire::new(link, home);
    usurper.send(opened.clone()).await;
    assert_eq!(usurper.refusal().await.cause, Cause::Violation);
    let mut ring = rogue.dial(home).await;
    ring.send(opened).await;
    let mut old: Option<(u32, Hidden)> = None;
    for _ in 0..3 {
        let (Frame::Step(step), Some(hidden)) = upstream.next().await else { panic!("no step") };
        // Plausible values: what came in goes out.
        let row = hidden.rows(step.positions - 1..step.positions).unwrap();
        ring.step(step.end() - 1, &row).await;
        old = old.or(Some((step.end() - 1, row)));
    }
    let (start, row) = old.expect("three steps came");
    ring.step(start, &row).await;

    let told = ring.refusal().await;
    let answer = read(generation).await;
    let cause = answer.finished.cause.expect("an error has a cause");
    assert_eq!((told.cause, told.stage), (Cause::PositionMismatch, 2), "{told}");
    assert_eq!(cause, told);
    assert_eq!(answer.finished.reason, FinishReason::Error);
    assert!(answer.tokens.len() <= 3, "a token for each step that was not old");

    honest.finish(&swarm).await;
    swarm.until_idle().await;
    rogue.leave();
    swarm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_after_a_replayed_one_does_not_find_the_cache_it_had() {
    let swarm = Swarm::of_fixture(2).await;
    let last = &swarm.demo.nodes[1];
    let honest = Honest::start(&swarm).await;
    let mut rogue = Rogue::join(&swarm, 1, "DE", blocks(0, BLOCKS / 2)).await;
    let route = vec![
        RouteStage { peer: rogue.key.public(), blocks: blocks(0, BLOCKS / 2) },
        RouteStage { peer: last.peer(), blocks: blocks(BLOCKS / 2, BLOCKS) },
    ];
    let session = SessionId([3; 16]);
    let mut wire = rogue.dial(last).await;
    wire.send(rogue.opening(&swarm, session, route)).await;
    let mut ring = rogue.accept(last).await;
    assert_eq!(ring.next().await.0, Frame::Opened { session, cached: 0 });

    let width = last.context().serving[0].manifest.hidden_bytes() / size_of::<f32>();
    let row = |value: f32| {
        let values: Vec<f32> = (0..width).map(|i| value + i as f32 / 100.0).collect();
        Hidden::from_values(&values, width).unwrap()
    };
    let mut returned = Vec::new();
    for (start, value) in [(0, 0.1), (1, 0.2), (2, 0.3), (1, 0.2)] {
        wire.step(start, &row(value)).await;
        let (Frame::Step(step), Some(hidden)) = ring.next().await else { panic!("no step") };
        assert_eq!(step.start, start);
        returned.push(hidden.bytes().clone());
    }
    // Said again, an old step is a rollback: the same bytes, and nothing held after it.
    assert_eq!(returned[3], returned[1]);
    wire.step(3, &row(0.4)).await;
    for wire in [&mut wire, &mut ring] {
        let refusal = wire.refusal().await;
        assert_eq!((refusal.cause, refusal.stage), (Cause::PositionMismatch, 1), "{refusal}");
    }

    honest.finish(&swarm).await;
    swarm.until_idle().await;
    rogue.leave();
    swarm.shutdown().await;
}
