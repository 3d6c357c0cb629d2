//! Drives one stage's machine, and breaks it as the scenario says. Not its decisions.

use std::{collections::VecDeque, time::Duration};

use comity_protocol::{
    id::Digest,
    policy::Policy,
    prefix::{RowDigests, positions},
    receipt::StageReceipt,
    refusal::{Cause, Refusal},
    session::{
        Frame,
        stage::{Admission, Input, Output, Serving, Stage},
    },
    signed::{Domain, Signed},
    tensor::Hidden,
};

use super::{
    Event, Fault, Kept, Message, Scenario, World,
    consortium::{CHARTER, CLASS, key, manifest, member},
};
use crate::{
    clock::Instant,
    event::Ticket,
    model::{self, Cache, HIDDEN, Row},
};

/// One step, one signature, one reservation.
const WORK: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(super) struct StageNode {
    pub(super) index: usize,
    serving: Serving,
    fault: Option<Fault>,
    machine: Option<Stage>,
    cache: Cache,
    inbox: VecDeque<Message>,
    timer: Option<Ticket>,
    silent: bool,
    ended: bool,
    steps: u32,
    sequence: u64,
    reserved: u64,
    /// Positions reserved and freed.
    pub(super) kv: (u64, u64),
    /// Rows that crossed its boundaries in an earlier session: what it kept of the prompt.
    held: (Vec<Row>, Vec<Row>),
    pub(super) kept: Option<Kept>,
}

impl StageNode {
    pub(super) fn new(index: usize, scenario: &Scenario) -> Self {
        let manifest = manifest();
        let (digest, blocks) = (manifest.digest(), scenario.stages[index]);
        let held = positions(scenario.kept[index]) as usize;
        Self {
            index,
            serving: Serving { manifest, digest, blocks, numeric_class: CLASS.into() },
            fault: scenario.fault,
            machine: None,
            cache: Cache::default(),
            inbox: VecDeque::new(),
            timer: None,
            silent: false,
            ended: false,
            steps: 0,
            sequence: 0,
            reserved: 0,
            kv: (0, 0),
            held: model::crossing(blocks, &scenario.prompt[..held]),
            kept: None,
        }
    }

    pub(super) const fn survives(&self) -> bool {
        !self.silent
    }

    pub(super) const fn is_open(&self) -> bool {
        self.machine.is_some() && !self.ended
    }

    pub(super) fn die(&mut self, world: &mut World) {
        self.silent = true;
        world.close(self.index, true);
        world.close(self.index + 1, false);
    }

    pub(super) const fn stall(&mut self) {
        self.silent = true;
    }

    /// A neighbour sent what is no frame.
    pub(super) fn refuse(&mut self, world: &mut World, error: &str) {
        let index = u32::try_from(self.index).unwrap_or(u32::MAX);
        self.handle(world, Input::End(Refusal::new(Cause::Violation, index, error)));
    }

    pub(super) fn arrive(&mut self, world: &mut World, back: bool, message: Message) {
        if self.silent {
            return;
        }
        if back {
            let input =
                message.map_or(Input::DownstreamLost, |(frame, _)| Input::Downstream(frame));
            return self.handle(world, input);
        }
        self.inbox.push_back(message);
        self.read(world);
    }

    /// Reads the upstream hop as far as the machine wants; a lost link is always noticed.
    fn read(&mut self, world: &mut World) {
        loop {
            let lost = matches!(self.inbox.front(), Some(None));
            let wants = self.machine.as_ref().is_none_or(Stage::wants_upstream);
            if !wants && !lost {
                return;
            }
            let Some(message) = self.inbox.pop_front() else { return };
            match (&self.machine, message) {
                (None, Some((Frame::Open { signed, cached }, None))) => {
                    self.admit(world, signed, cached);
                }
                (None, _) => {}
                (Some(_), None) => self.advance(world, Input::UpstreamLost),
                (Some(_), Some((frame, rows))) => {
                    self.advance(world, Input::Upstream(frame, rows));
                }
            }
        }
    }

    fn admit(&mut self, world: &mut World, signed: Signed, cached: u32) {
        let admission = Admission {
            charter: CHARTER,
            me: key(self.index + 1).public(),
            from: key(self.index).public(),
            member: &member,
            policy: &|name| Some(Policy::open(name)),
            serving: std::slice::from_ref(&self.serving),
        };
        let mut outputs = Vec::new();
        match Stage::admit(world.now.timestamp(), signed, cached, &admission, &mut outputs) {
            Ok(machine) => {
                self.machine = Some(machine);
                self.perform(world, outputs);
            }
            Err(refusal) => {
                world.send(self.index, true, &Frame::Refusal(refusal), None);
            }
        }
    }

    pub(super) fn handle(&mut self, world: &mut World, input: Input) {
        self.advance(world, input);
        self.read(world);
    }

    fn advance(&mut self, world: &mut World, input: Input) {
        if self.silent || self.ended {
            return;
        }
        let Some(machine) = &mut self.machine else { return };
        let mut outputs = Vec::new();
        machine.handle(world.now.timestamp(), input, &mut outputs);
        self.perform(world, outputs);
    }

    fn perform(&mut self, world: &mut World, outputs: Vec<Output>) {
        for output in outputs {
            let done = match output {
                Output::OpenShard { positions_max, prefix, .. } => {
                    self.reserved = u64::from(positions_max);
                    self.kv.0 += self.reserved;
                    Input::ShardOpened(Ok(self.take_over(prefix.len())))
                }
                // A hop that was cut before it was needed cannot be had.
                Output::Downstream(..) if world.links[self.index + 1][0].is_cut() => {
                    Input::DownstreamLost
                }
                Output::Downstream(frame, rows) => {
                    self.forward(world, frame, rows);
                    continue;
                }
                Output::Upstream(frame) => {
                    world.send(self.index, true, &frame, None);
                    continue;
                }
                Output::Compute { start, hidden } => {
                    let mut rows = model::rows(&hidden);
                    self.cache.run(self.serving.blocks, start, &mut rows);
                    let Ok(hidden) = Hidden::from_values(rows.as_flattened(), HIDDEN) else {
                        continue;
                    };
                    Input::Computed(Ok(hidden))
                }
                Output::Sign { draft, last } => {
                    let Some(receipt) = self.sign(world, *draft) else { continue };
                    Input::Signed { receipt: Ok(receipt), last }
                }
                Output::Keep { scope, prefix, rows } => {
                    self.kept = Some(Kept { blocks: scope.blocks, prefix, rows });
                    continue;
                }
                Output::Ended(_) => {
                    self.ended = true;
                    self.kv.1 += std::mem::take(&mut self.reserved);
                    world.close(self.index, true);
                    world.close(self.index + 1, false);
                    continue;
                }
            };
            world.after(WORK, Event::Stage(self.index, done));
        }
        let due = self.machine.as_ref().and_then(Stage::poll_timeout).map(Instant::of);
        world.timer(&mut self.timer, due, Event::Stage(self.index, Input::Timeout));
    }

    /// Fills the cache with what is held of the first `pages` pages.
    fn take_over(&mut self, pages: usize) -> Vec<RowDigests> {
        let (received, sent) = &self.held;
        let count = received.len().min(positions(pages) as usize);
        self.cache.run(self.serving.blocks, 0, &mut received[..count].to_vec());
        let rows = received.iter().zip(sent).take(count);
        rows.map(|(input, output)| model::digests(input, output)).collect()
    }

    fn sign(&mut self, world: &World, mut draft: StageReceipt) -> Option<Signed> {
        self.sequence += 1;
        draft.sequence = self.sequence;
        draft.signed_at = world.now.timestamp();
        if self.fault == Some(Fault::Receipt(self.index)) {
            draft.input = Digest([1; 32]);
        }
        key(self.index + 1).sign(Domain::STAGE_RECEIPT, &CHARTER, &draft).ok()
    }

    /// Sends on, spoiling the step the scenario names.
    fn forward(&mut self, world: &mut World, mut frame: Frame, mut rows: Option<Hidden>) {
        let hop = self.index + 1;
        if let Frame::Step(step) = &mut frame {
            let (me, nth) = (self.index, self.steps);
            self.steps += 1;
            match self.fault {
                Some(Fault::Length(at, n)) if (at, n) == (me, nth) => step.positions += 1,
                Some(Fault::Position(at, n)) if (at, n) == (me, nth) => step.start += 1,
                Some(Fault::NotFinite(at, n)) if (at, n) == (me, nth) => {
                    let count = rows.as_ref().map_or(0, |rows| rows.values().len());
                    rows = Hidden::from_values(&vec![f32::NAN; count], HIDDEN).ok();
                }
                Some(Fault::Repeat(at, n)) if (at, n) == (me, nth) => {
                    world.send(hop, false, &frame, rows.as_ref());
                }
                Some(Fault::Garbage(at, n)) if (at, n) == (me, nth) => {
                    world.transmit(hop, false, Some((vec![0xFF; 40], None)));
                    return;
                }
                _ => {}
            }
        }
        world.send(hop, false, &frame, rows.as_ref());
    }
}
