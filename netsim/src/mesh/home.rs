//! Drives home's machine. Not its decisions.

use std::time::Duration;

use comity_protocol::{
    block::BlockRange,
    commitment::Salt,
    id::SessionId,
    manifest::Manifest,
    policy::Policy,
    refusal::{Cause, Refusal},
    route::RouteStage,
    sampler::Sampler,
    session::{
        Frame, Open,
        home::{Ending, Expected, Home, Input, Output, Request},
    },
    signed::Domain,
};

use super::{
    Event, Message, Scenario, World,
    consortium::{BLOCKS, CHARTER, CLASS, institution, key, manifest, prefix_key},
};
use crate::{clock::Instant, event::Ticket, model, random::Random};

/// How long home gives a session.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);
/// Purpose of the draft model's random numbers; links have small ones.
const DRAFTS: u64 = 1 << 32;
/// One embedding, head or draft.
const WORK: Duration = Duration::from_micros(300);

#[derive(Debug)]
pub(super) struct HomeNode {
    machine: Home,
    last: usize,
    storage: Duration,
    durable: bool,
    silent: bool,
    /// Whether a step or names of pages left before the record was durable.
    pub(super) leaked: bool,
    timer: Option<Ticket>,
    pub(super) ending: Option<Box<Ending>>,
    pub(super) tokens: Vec<u32>,
    pub(super) ended: Instant,
    prompt_tokens: usize,
    draft_model: DraftModel,
}

/// What guesses: it knows the answer, and says it right so often.
#[derive(Debug)]
struct DraftModel {
    answer: Vec<u32>,
    skill: u32,
    random: Random,
}

impl DraftModel {
    /// Guesses at what follows the first `drawn` tokens of the answer.
    fn draft(&mut self, drawn: usize, most: u32) -> Vec<u32> {
        let right = self.answer.iter().skip(drawn).take(most as usize);
        let guess = |token: &u32| {
            let knows = self.random.below(100) < u64::from(self.skill);
            if knows { *token } else { (*token + 1) % model::VOCAB }
        };
        right.map(guess).collect()
    }
}

impl HomeNode {
    pub(super) fn start(world: &mut World, scenario: &Scenario) -> Result<Self, String> {
        let manifest = manifest();
        let stages = scenario.stages.iter().enumerate();
        let stages = stages
            .map(|(index, blocks)| RouteStage { peer: key(index + 1).public(), blocks: *blocks });
        let policy = Policy::open(Policy::OPEN);
        let prefix_key = prefix_key();
        let mut prefix = prefix_key.tags(&scenario.prompt);
        prefix.truncate(scenario.kept.iter().copied().max().unwrap_or(0));
        let open = Open {
            session: SessionId([7; 16]),
            manifest: manifest.digest(),
            stages: stages.collect(),
            positions_max: manifest.context_length,
            policy,
            salt: Salt::new([8; 32]),
            deadline: world.now.timestamp() + DEADLINE,
            numeric_class: CLASS.into(),
            prefix,
        };
        let signed =
            key(0).sign(Domain::OPEN, &CHARTER, &open).map_err(|error| error.to_string())?;
        let request = Request {
            open,
            signed,
            charter: CHARTER,
            prompt: scenario.prompt.clone(),
            sampler: Sampler::new(&scenario.sampling).map_err(|error| error.to_string())?,
            max_tokens: scenario.sampling.max_tokens,
            ends: Vec::new(),
            row_bytes: manifest.hidden_bytes(),
            drafts: scenario.drafts,
            prefix_key: Some(prefix_key),
            institution: institution(0),
            expected: expected(&manifest, scenario),
        };
        let mut outputs = Vec::new();
        let machine = Home::new(world.now.timestamp(), request, &mut outputs);
        let last = scenario.stages.len();
        let (ending, tokens, ended) = (None, Vec::new(), Instant(0));
        let (storage, durable, silent, leaked) = (scenario.storage, false, false, false);
        let all = BlockRange::new(0, BLOCKS).map_err(|error| error.to_string())?;
        let sampler = Sampler::new(&scenario.sampling).map_err(|error| error.to_string())?;
        let draft_model = DraftModel {
            answer: model::answer(all, &scenario.prompt, &sampler, scenario.sampling.max_tokens),
            skill: scenario.draft_skill,
            random: Random::new(scenario.seed, DRAFTS),
        };
        let mut home = Self {
            machine,
            last,
            storage,
            durable,
            silent,
            leaked,
            timer: None,
            ending,
            tokens,
            ended,
            prompt_tokens: scenario.prompt.len(),
            draft_model,
        };
        home.perform(world, outputs);
        Ok(home)
    }

    pub(super) fn die(&mut self, world: &mut World) {
        self.silent = true;
        world.close(0, false);
        world.close(self.last, true);
    }

    pub(super) const fn stall(&mut self) {
        self.silent = true;
    }

    /// A peer sent what is no frame.
    pub(super) fn refuse(&mut self, world: &mut World, error: &str) {
        let stages = u32::try_from(self.last).unwrap_or(u32::MAX);
        self.handle(world, Input::End(Refusal::new(Cause::Violation, stages, error)));
    }

    /// `back`: on the first hop, against the flow; else on the last.
    pub(super) fn arrive(&mut self, world: &mut World, back: bool, message: Message) {
        let input = match (back, message) {
            (true, Some((frame, _))) => Input::First(frame),
            (true, None) => Input::FirstLost,
            (false, Some((frame, rows))) => Input::Return(frame, rows),
            (false, None) => Input::ReturnLost,
        };
        self.handle(world, input);
    }

    pub(super) fn handle(&mut self, world: &mut World, input: Input) {
        if self.silent {
            return;
        }
        self.durable |= matches!(input, Input::OpenDurable(_));
        let mut outputs = Vec::new();
        self.machine.handle(world.now.timestamp(), input, &mut outputs);
        self.perform(world, outputs);
    }

    fn perform(&mut self, world: &mut World, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::AppendOpen => {
                    world.after(self.storage, Event::Home(Input::OpenDurable(Ok(()))));
                }
                Output::First(frame, rows) => {
                    let sent = world.send(0, false, &frame, rows.as_ref());
                    let names = matches!(frame, Frame::Open { cached, .. } if cached > 0);
                    self.leaked |= !self.durable && (names || rows.is_some());
                    if rows.is_some() {
                        world.queue.push(sent, Event::Home(Input::Sent));
                    }
                }
                Output::Back(frame) => {
                    world.send(self.last, true, &frame, None);
                }
                Output::Embed { start, tokens } => {
                    if let Some(rows) = model::embeddings(&tokens) {
                        world.after(WORK, Event::Home(Input::Embedded { start, result: Ok(rows) }));
                    }
                }
                Output::Head { position, hidden } => {
                    let logits = model::rows(&hidden).iter().map(model::head).collect();
                    world.after(WORK, Event::Home(Input::Logits { position, result: Ok(logits) }));
                }
                Output::Draft { start, most, tokens } => {
                    let drawn = tokens.len() - self.prompt_tokens;
                    let tokens = self.draft_model.draft(drawn, most);
                    world.after(WORK, Event::Home(Input::Drafted { start, tokens }));
                }
                Output::Token { id, .. } => {
                    self.tokens.push(id);
                    world.after(Duration::ZERO, Event::Home(Input::Told));
                }
                Output::Ended(ending) => {
                    self.ending = Some(ending);
                    self.ended = world.now;
                    world.close(0, false);
                    world.close(self.last, true);
                }
            }
        }
        let due = self.machine.poll_timeout().map(Instant::of);
        world.timer(&mut self.timer, due, Event::Home(Input::Timeout));
    }
}

/// What each stage's receipts must say of it.
fn expected(manifest: &Manifest, scenario: &Scenario) -> Vec<Expected> {
    let stages = scenario.stages.iter().enumerate();
    let expected = stages.map(|(index, blocks)| Expected {
        institution: institution(index + 1),
        parameters: manifest.parameters(*blocks).unwrap_or(0),
    });
    expected.collect()
}
