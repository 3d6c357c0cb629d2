//! Guesses at home: whatever they are, the answer is that without any.

use std::collections::VecDeque;

use super::*;
use crate::speculation::WINDOWS_MAX;

/// Time of a way round, without and for each guess.
const WAY: Duration = Duration::from_millis(80);
const GUESS: Duration = Duration::from_millis(1);
const PROMPT: usize = 20;

/// A ring that computes at once and answers late, in order.
struct Ring {
    home: Home,
    now: Timestamp,
    /// Tokens behind the rows in the stages' caches.
    cache: Vec<u32>,
    /// What is on its way back, and when it is there.
    back: VecDeque<(Timestamp, Input)>,
    accepted: u32,
    seed: u32,
    /// Of 100 tokens that the draft model makes, how many are right.
    skill: u32,
    answer: Vec<u32>,
    steps: usize,
    in_flight: usize,
}

/// What follows `tokens`: a circle of pairs, left now and then.
fn next(tokens: &[u32], seed: u32) -> u32 {
    let [.., before, last] = tokens else { return 1 };
    let position = u32::try_from(tokens.len()).unwrap();
    let turn = if (position * 7 + seed).is_multiple_of(23) { position } else { 0 };
    (before * 3 + last * 5 + seed + turn) % 14
}

impl Ring {
    fn start(seed: u32, max_tokens: u32, drafts: Drafts) -> Self {
        let mut prompt = vec![1, 2];
        (2..PROMPT).for_each(|_| prompt.push(next(&prompt, seed)));
        let mut home = start_with(prompt, max_tokens, drafts);
        home.request.open.positions_max = 1_024;
        let (cache, back, answer) = (Vec::new(), VecDeque::new(), Vec::new());
        let (accepted, skill, steps, in_flight) = (0, (seed * 37) % 101, 0, 0);
        Self { home, now: NOW, cache, back, accepted, seed, skill, answer, steps, in_flight }
    }

    /// Runs to the close, which the holder asks for after `stop` tokens; returns its positions.
    fn run(&mut self, stop: usize) -> u32 {
        let opened = Frame::Opened { session: self.home.session(), cached: 0 };
        let mut turn = 0;
        let mut inputs = VecDeque::from([Input::OpenDurable(Ok(())), Input::Return(opened, None)]);
        loop {
            // What comes back may also come before home's own work is done.
            turn += 1;
            let early = turn % 5 == 0 && !self.back.is_empty();
            let input = if early { None } else { inputs.pop_front() }.or_else(|| {
                let (at, input) = self.back.pop_front()?;
                self.now = self.now.max(at);
                Some(input)
            });
            let input = match input.expect("home waits for something") {
                Input::Told if self.answer.len() == stop => Input::Finish(FinishReason::Stop),
                input => input,
            };
            let mut outputs = Vec::new();
            self.home.handle(self.now, input, &mut outputs);
            for output in outputs {
                match self.perform(output) {
                    Ok(Some(input)) => inputs.push_back(input),
                    Ok(None) => {}
                    Err(positions) => return positions,
                }
            }
        }
    }

    /// `Err` with the session's positions once home closes it.
    fn perform(&mut self, output: Output) -> Result<Option<Input>, u32> {
        Ok(Some(match output {
            Output::Embed { start, tokens } => {
                let mut values = Vec::new();
                assert!(start as usize <= self.cache.len(), "a gap at {start}");
                self.cache.truncate(start as usize);
                for token in tokens {
                    self.cache.push(token);
                    let follows = f32::from_bits(next(&self.cache, self.seed));
                    values.extend([follows, 0.0, 0.0, 0.0]);
                }
                let rows = Hidden::from_values(&values, values.len().min(4)).unwrap();
                Input::Embedded { start, result: Ok(rows) }
            }
            Output::First(Frame::Step(step), Some(rows)) => {
                self.send(&step, &rows);
                Input::Sent
            }
            Output::First(Frame::Close(close), None) => return Err(close.positions),
            Output::Head { position, hidden } => {
                let rows = hidden.values();
                let likely = |row: &[f32]| logits(row[0].to_bits());
                Input::Logits { position, result: Ok(rows.chunks(4).map(likely).collect()) }
            }
            Output::Draft { start, most, mut tokens } => {
                for turn in 0..most {
                    let right = next(&tokens, self.seed);
                    let luck = (start * 31 + turn * 17 + self.seed) % 100;
                    tokens.push(if luck < self.skill { right } else { right + 1 });
                }
                Input::Drafted { start, tokens: tokens.split_off(start as usize) }
            }
            Output::Token { id, .. } => {
                self.answer.push(id);
                Input::Told
            }
            Output::AppendOpen => return Ok(None),
            other => panic!("{other:?}"),
        }))
    }

    fn send(&mut self, step: &Step, rows: &Hidden) {
        assert!(self.accepted <= step.start, "final positions are never sent again");
        assert!((self.accepted..=step.end()).contains(&step.accepted));
        self.accepted = step.accepted;
        let last = self.home.prompt_tokens + self.home.request.max_tokens as usize - 1;
        assert!(step.end() as usize <= last, "the answer's last token is never sent");
        self.steps += 1;
        if step.returned == 0 {
            return;
        }
        let first = step.positions - step.returned;
        let returned = rows.rows(first..step.positions);
        let back = Step { start: step.start + first, positions: step.returned, ..step.clone() };
        let at = self.now + WAY + GUESS * (step.returned - 1);
        self.back.push_back((at, Input::Return(Frame::Step(back), returned)));
        self.in_flight = self.in_flight.max(self.back.len());
    }
}

#[test]
fn guesses_change_neither_the_answer_nor_what_is_signed_for() {
    let (mut faster, mut overlapped) = (0, 0);
    for seed in 0..60 {
        let tokens = 1 + (seed * 7) % 150;
        let mut plain = Ring::start(seed, tokens, Drafts::default());
        let positions = plain.run(usize::MAX);
        assert_eq!(plain.answer.len(), tokens as usize);
        for drafts in [Drafts { most: 15, model: false }, Drafts { most: 4, model: true }] {
            let mut ring = Ring::start(seed, tokens, drafts);
            assert_eq!(ring.run(usize::MAX), positions, "seed {seed}, {drafts:?}");
            assert_eq!(ring.answer, plain.answer, "seed {seed}, {drafts:?}");
            assert_eq!(ring.home.sent.head(), plain.home.sent.head(), "seed {seed}, {drafts:?}");
            assert!(ring.in_flight <= WINDOWS_MAX);
            faster += usize::from(ring.now < plain.now);
            overlapped += usize::from(ring.in_flight > 1);
        }
    }
    assert!(faster > 60 && overlapped > 5, "{faster} faster, {overlapped} with several windows");
}

#[test]
fn an_answer_that_ends_among_right_guesses_is_cut_there() {
    for (stop, seed) in [(3, 0), (9, 0), (5, 3)] {
        let mut plain = Ring::start(seed, 40, Drafts::default());
        plain.run(usize::MAX);
        let drafts = Drafts { most: 15, model: true };
        let mut ring = Ring::start(seed, 40, drafts);
        ring.skill = 100;
        // The holder's stop string is met with the token at `stop`.
        let ends = ring.run(stop);
        assert_eq!(ring.answer, plain.answer[..stop]);
        assert_eq!(ends as usize, PROMPT + stop - 1);
    }
}
