//! The worker's order and the bytes of passes that run together.

use comity_shard::{ModelFile, fixture};

use super::{worker::Worker, *};

const MODEL: Digest = Digest([1; 32]);

struct Bench {
    _folder: tempfile::TempDir,
    file: ModelFile,
    manifest: comity_protocol::manifest::Manifest,
    home: Arc<Home>,
    worker: Worker,
}

impl Bench {
    fn new() -> Self {
        Self::with_prefix_cache(true)
    }

    fn with_prefix_cache(prefix_cache: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        fixture::write_llama(&path, 1).unwrap();
        let file = ModelFile::open(&path).unwrap();
        let manifest = file.manifest().unwrap();
        let home = Arc::new(Home::load(&file, &manifest).unwrap());
        let shard = Some(Self::shard(&file, &manifest));
        let model = Model { shard, home: Some(home.clone()), prefix_cache, told: Some(0) };
        let worker = Worker::new([(MODEL, model)].into(), None);
        Self { _folder: folder, file, manifest, home, worker }
    }

    fn shard(file: &ModelFile, manifest: &comity_protocol::manifest::Manifest) -> Shard {
        let range = BlockRange::new(0, fixture::BLOCKS).unwrap();
        let mut shard = Shard::load(file, range, manifest).unwrap();
        // Room for some dozens of sessions.
        shard.set_kv_budget(64 * u64::from(fixture::CONTEXT) * shard.kv_bytes_per_position());
        shard
    }

    fn open(&mut self, id: u8) -> SessionId {
        self.open_with(id, None);
        SessionId([id; 16])
    }

    /// Opens a session; returns the digests of the rows it takes over.
    fn open_with(&mut self, id: u8, prefix: Option<Prefix>) -> Vec<RowDigests> {
        self.open_for(id, 1, prefix)
    }

    /// The same, for an institution of this weight.
    fn open_for(&mut self, id: u8, share: u32, prefix: Option<Prefix>) -> Vec<RowDigests> {
        self.try_open(Opening { share, prefix, ..opening(id) }).unwrap()
    }

    fn try_open(&mut self, opening: Opening) -> Result<Vec<RowDigests>, PassError> {
        let (reply, mut answer) = oneshot::channel();
        self.worker.accept(Pass::Open { model: MODEL, opening, reply });
        answer.try_recv().unwrap()
    }

    fn embed(&self, tokens: &[u32]) -> Hidden {
        let values = self.home.embed(tokens).unwrap();
        Hidden::from_values(&values, values.len() / tokens.len()).unwrap()
    }

    fn forward(&mut self, session: SessionId, start: u32, count: u32) -> Answer {
        let tokens = (0..count).map(|i| 10 + (u32::from(session.0[0]) * 7 + start + i) % 250);
        let hidden = self.embed(&tokens.collect::<Vec<_>>());
        let (reply, answer) = oneshot::channel();
        self.worker.accept(Pass::Forward {
            model: MODEL,
            forward: Forward { session, start, hidden: hidden.clone(), came: None, reply },
        });
        Answer { session, start, hidden, answer }
    }
}

/// A queued pass and what it was given.
struct Answer {
    session: SessionId,
    start: u32,
    hidden: Hidden,
    answer: oneshot::Receiver<Result<Hidden, PassError>>,
}

#[test]
fn a_decode_step_overtakes_a_long_prefill() {
    let mut bench = Bench::new();
    let (long, short) = (bench.open(1), bench.open(2));
    let mut prefill = bench.forward(long, 0, 200);
    bench.worker.turn();
    let mut decode = bench.forward(short, 0, 1);
    bench.worker.turn();
    decode.answer.try_recv().unwrap().unwrap();
    assert!(prefill.answer.try_recv().is_err(), "72 of its positions are still to come");
    bench.worker.turn();
    bench.worker.turn();
    prefill.answer.try_recv().unwrap().unwrap();
}

#[test]
fn an_institution_of_more_weight_is_done_sooner() {
    let turns = |share| {
        let mut bench = Bench::new();
        bench.open_for(1, share, None);
        bench.open_for(2, 1, None);
        let [mut first, _second] =
            [1, 2].map(|id| bench.forward(SessionId([id; 16]), 0, fixture::CONTEXT));
        let done = (1..100).find(|_| {
            bench.worker.turn();
            first.answer.try_recv().is_ok()
        });
        done.expect("it is done at some time")
    };
    assert!(turns(9) < turns(1), "{} {}", turns(9), turns(1));
}

#[test]
fn passes_that_run_together_and_in_pieces_have_the_bytes_of_each_alone() {
    let mut bench = Bench::new();
    let sessions: Vec<_> = (1..6).map(|id| bench.open(id)).collect();
    let mut answers = Vec::new();
    for (session, count) in sessions.iter().zip([150, 1, 40, 3, 90]) {
        answers.push(bench.forward(*session, 0, count));
        // A second step of the session waits for the first.
        answers.push(bench.forward(*session, count, 1));
        answers.push(bench.forward(*session, count - 1, 2));
    }
    (0..12).for_each(|_| bench.worker.turn());
    let mut alone = Bench::shard(&bench.file, &bench.manifest);
    for session in &sessions {
        alone.open_session(*session, fixture::CONTEXT).unwrap();
    }
    for Answer { session, start, hidden, mut answer } in answers {
        let expected = alone.forward(&session, start, &hidden.values()).unwrap();
        assert_eq!(answer.try_recv().unwrap().unwrap().values(), expected);
    }
}

#[test]
fn heads_that_run_together_have_the_logits_of_each_alone() {
    let mut bench = Bench::new();
    let mut answers = Vec::new();
    for token in 0..40 {
        let hidden = bench.embed(&[token, 7, 8][..1 + token as usize % 3]);
        let (reply, answer) = oneshot::channel();
        bench.worker.accept(Pass::Head { model: MODEL, hidden: hidden.clone(), reply });
        answers.push((hidden, answer));
    }
    bench.worker.turn();
    let home = Home::load(&bench.file, &bench.manifest).unwrap();
    for (hidden, mut answer) in answers {
        let values = hidden.values();
        let rows = values.chunks_exact(hidden.row_bytes() / size_of::<f32>());
        let expected: Vec<_> = rows.map(|row| home.logits(row).unwrap()).collect();
        assert_eq!(answer.try_recv().unwrap().unwrap(), expected);
    }
}

/// A session over all blocks, as long as the model has positions.
fn opening(id: u8) -> Opening {
    Opening {
        session: SessionId([id; 16]),
        institution: format!("institution {}", id % 2),
        share: 1,
        blocks: BlockRange::new(0, fixture::BLOCKS).unwrap(),
        positions_max: fixture::CONTEXT,
        prefix: None,
    }
}

#[test]
fn only_a_session_that_may_fit_later_is_refused_as_overloaded() {
    let mut bench = Bench::new();
    bench.open(1);
    let beyond = BlockRange::new(0, fixture::BLOCKS + 1).unwrap();
    let long = Opening { positions_max: fixture::CONTEXT + 1, ..opening(2) };
    let cases = [
        (opening(1), Cause::Violation),
        (Opening { blocks: beyond, ..opening(2) }, Cause::NotServed),
        (long, Cause::Limit),
    ];
    for (opening, cause) in cases {
        assert_eq!(bench.try_open(opening).unwrap_err().cause, cause);
    }
    let full = (2..=u8::MAX).find_map(|id| bench.try_open(opening(id)).err());
    assert_eq!(full.expect("the budget is spent").cause, Cause::Overloaded);
}

#[test]
fn a_failed_step_leaves_the_others_of_its_microbatch() {
    let mut bench = Bench::new();
    let (good, bad) = (bench.open(1), bench.open(2));
    let mut first = bench.forward(good, 0, 1);
    let mut gap = bench.forward(bad, 5, 100);
    bench.worker.turn();
    first.answer.try_recv().unwrap().unwrap();
    assert_eq!(gap.answer.try_recv().unwrap().unwrap_err().cause, Cause::PositionMismatch);
    assert_eq!(bench.worker.waiting(), 0);
}

#[test]
fn what_a_closed_session_has_queued_is_dropped() {
    let mut bench = Bench::new();
    let session = bench.open(1);
    let mut queued = bench.forward(session, 0, 200);
    bench.worker.turn();
    bench.worker.accept(Pass::Close { model: MODEL, session });
    assert_eq!(bench.worker.waiting(), 0);
    assert_eq!(queued.answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    let mut late = bench.forward(session, 0, 1);
    assert_eq!(late.answer.try_recv().unwrap().unwrap_err().cause, Cause::Bug);
    assert_eq!(bench.worker.usage().kv_bytes, 0);
}

#[test]
fn pages_are_found_by_later_sessions_until_they_expire_if_the_node_keeps_any() {
    let rows = vec![RowDigests { input: Digest([1; 32]), output: Digest([2; 32]) }; 32];
    let prefix = |now: u64| {
        let blocks = BlockRange::new(0, fixture::BLOCKS).unwrap();
        let home = comity_protocol::id::PeerKey([1; 32]);
        let scope = Scope { home, policy: Digest([2; 32]), blocks };
        Prefix { scope, tags: vec![PrefixTag([1; 16])], now: Timestamp::from_ms(now) }
    };
    for keeps in [true, false] {
        let mut bench = Bench::with_prefix_cache(keeps);
        let session = bench.open(1);
        let mut step = bench.forward(session, 0, 40);
        bench.worker.turn();
        step.answer.try_recv().unwrap().unwrap();
        let keep = Pass::Keep { model: MODEL, session, prefix: prefix(0), rows: rows.clone() };
        bench.worker.accept(keep);
        bench.worker.accept(Pass::Close { model: MODEL, session });
        let expected = if keeps { rows.clone() } else { Vec::new() };
        assert_eq!(bench.open_with(2, Some(prefix(1))), expected);
        assert_eq!(bench.worker.usage().prefix_bytes > 0, keeps);
        bench.worker.accept(Pass::Expire { now: Timestamp::from_ms(1_000_000) });
        assert_eq!(bench.worker.usage().prefix_bytes, 0);
        assert!(bench.open_with(3, Some(prefix(1_000_000))).is_empty());
    }
}
