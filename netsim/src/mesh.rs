//! One session over virtual links: home, its stages, and one fault. Not the daemon's driver.

mod consortium;
mod home;
mod stage;

use std::time::Duration;

use comity_protocol::{
    block::BlockRange,
    id::PrefixTag,
    prefix::RowDigests,
    receipt::Sampling,
    session::{Frame, home::Ending},
    speculation::Drafts,
    tensor::Hidden,
    wire::Wire as _,
};

use self::{home::HomeNode, stage::StageNode};
use crate::{
    clock::Instant,
    event::{Queue, Ticket},
    link::{Link, Path},
    model::HIDDEN,
    random::Random,
};

/// What goes wrong, at a stage from 0 or on a hop from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Stage vanishes at this time.
    Die(usize, Instant),
    /// Hop is cut at this time.
    Cut(usize, Instant),
    /// Stage stops acting at this time, its links staying up.
    Stall(usize, Instant),
    /// Home vanishes at this time.
    HomeDie(Instant),
    /// Home stops acting at this time, its links staying up.
    HomeStall(Instant),
    /// Stage sends bytes that are no frame in place of its n-th step.
    Garbage(usize, u32),
    /// Stage drops a row of its n-th step.
    Length(usize, u32),
    /// Stage sends NaN in its n-th step.
    NotFinite(usize, u32),
    /// Stage sends its n-th step one position too far.
    Position(usize, u32),
    /// Stage sends its n-th step twice.
    Repeat(usize, u32),
    /// Stage signs another input than it received.
    Receipt(usize),
}

impl Fault {
    /// When it happens; `None` if it is bound to a step.
    const fn at(self) -> Option<Instant> {
        match self {
            Self::Die(_, at)
            | Self::Cut(_, at)
            | Self::Stall(_, at)
            | Self::HomeDie(at)
            | Self::HomeStall(at) => Some(at),
            _ => None,
        }
    }
}

/// One simulation.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Decides links' jitter and losses.
    pub seed: u64,
    /// Blocks of each stage, tiling `[0, BLOCKS)`.
    pub stages: Vec<BlockRange>,
    /// Paths of the hops: home to stage 0, and so on, the last one back to home.
    pub paths: Vec<Path>,
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    /// Pages of the prompt that each stage kept of an earlier session. Home names them all, unless
    /// nobody kept any.
    pub kept: Vec<usize>,
    /// How the answer is drawn, and how long it is.
    pub sampling: Sampling,
    /// How long home's record of the opening takes to be durable.
    pub storage: Duration,
    /// Where home's guesses come from.
    pub drafts: Drafts,
    /// Of 100 tokens that the draft model guesses, how many are right.
    pub draft_skill: u32,
    /// What goes wrong.
    pub fault: Option<Fault>,
}

/// What a simulation left behind.
#[derive(Debug)]
pub struct Outcome {
    /// How the session ended at home; `None` if it never did, or home was gone before.
    pub ending: Option<Box<Ending>>,
    /// Tokens as they were given out.
    pub tokens: Vec<u32>,
    /// When home ended.
    pub ended: Instant,
    /// Whether home sent anything made from the prompt before its record was durable.
    pub leaked: bool,
    /// When the last thing happened anywhere.
    pub quiet: Instant,
    /// What each stage kept in the end.
    pub kept: Vec<Option<Kept>>,
    /// Surviving stages that were opened and never ended.
    pub left: Vec<usize>,
    /// KV positions reserved and freed at surviving stages.
    pub kv: (u64, u64),
    /// Every delivery in order: time, receiver, bytes.
    pub trace: Vec<(Instant, usize, usize)>,
}

/// What one stage kept of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Blocks it belongs to.
    pub blocks: BlockRange,
    /// Names of the pages.
    pub prefix: Vec<PrefixTag>,
    /// Digests of their positions' rows.
    pub rows: Vec<RowDigests>,
}

/// Something a node learns.
#[derive(Debug)]
enum Event {
    Arrive { hop: usize, back: bool, bytes: Option<(Vec<u8>, Option<Vec<u8>>)> },
    Home(comity_protocol::session::home::Input),
    Stage(usize, comity_protocol::session::stage::Input),
    Fault(Fault),
}

/// What all nodes share.
#[derive(Debug)]
struct World {
    now: Instant,
    queue: Queue<Event>,
    /// Each hop's forward and backward direction.
    links: Vec<[Link; 2]>,
    trace: Vec<(Instant, usize, usize)>,
}

impl World {
    /// Sends over the wire encoding; returns when the last byte left.
    fn send(&mut self, hop: usize, back: bool, frame: &Frame, rows: Option<&Hidden>) -> Instant {
        let rows = rows.map(|rows| rows.bytes().to_vec());
        self.transmit(hop, back, Some((frame.encode(), rows)))
    }

    /// Ends a node's direction of a hop, behind what it sent.
    fn close(&mut self, hop: usize, back: bool) {
        self.transmit(hop, back, None);
    }

    fn transmit(
        &mut self,
        hop: usize,
        back: bool,
        bytes: Option<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Instant {
        let len =
            bytes.as_ref().map_or(1, |(head, rows)| head.len() + rows.as_ref().map_or(0, Vec::len));
        let link = &mut self.links[hop][usize::from(back)];
        let Some(passage) = link.send(self.now, len) else { return self.now };
        self.queue.push(passage.arrives, Event::Arrive { hop, back, bytes });
        passage.sent
    }

    fn after(&mut self, delay: Duration, event: Event) -> Ticket {
        self.queue.push(self.now + delay, event)
    }

    /// Replaces a node's timer.
    fn timer(&mut self, old: &mut Option<Ticket>, at: Option<Instant>, event: Event) {
        if let Some(old) = old.take() {
            self.queue.cancel(old);
        }
        *old = at.map(|at| self.queue.push(at.max(self.now), event));
    }
}

/// Runs one scenario until nothing is left to happen.
///
/// # Errors
/// A text naming what of the scenario cannot be: it is the test's fault.
pub fn run(scenario: &Scenario) -> Result<Outcome, String> {
    let path = |hop: usize, back: u64| {
        let purpose = u64::try_from(hop).unwrap_or(0) * 2 + back;
        Link::new(scenario.paths[hop], Random::new(scenario.seed, purpose))
    };
    let count = scenario.stages.len();
    let links = (0..=count).map(|hop| [path(hop, 0), path(hop, 1)]).collect();
    let mut world = World { now: Instant(0), queue: Queue::default(), links, trace: Vec::new() };
    if let Some((fault, at)) = scenario.fault.and_then(|fault| Some((fault, fault.at()?))) {
        world.queue.push(at, Event::Fault(fault));
    }
    drive(world, scenario)
}

fn drive(mut world: World, scenario: &Scenario) -> Result<Outcome, String> {
    let mut home = HomeNode::start(&mut world, scenario)?;
    let count = scenario.stages.len();
    let mut stages: Vec<_> = (0..count).map(|index| StageNode::new(index, scenario)).collect();
    while let Some((now, event)) = world.queue.pop() {
        world.now = now;
        match event {
            Event::Home(input) => home.handle(&mut world, input),
            Event::Stage(index, input) => stages[index].handle(&mut world, input),
            Event::Arrive { hop, back, .. } if world.links[hop][usize::from(back)].is_cut() => {}
            Event::Arrive { hop, back, bytes } => {
                let to = if back { hop } else { (hop + 1) % (count + 1) };
                let len = bytes.as_ref().map_or(0, |(head, _)| head.len());
                world.trace.push((now, to, len));
                match (to.checked_sub(1), decode(bytes)) {
                    (None, Ok(message)) => home.arrive(&mut world, back, message),
                    (Some(index), Ok(message)) => stages[index].arrive(&mut world, back, message),
                    (None, Err(error)) => home.refuse(&mut world, &error),
                    (Some(index), Err(error)) => stages[index].refuse(&mut world, &error),
                }
            }
            Event::Fault(Fault::Die(index, _)) => stages[index].die(&mut world),
            Event::Fault(Fault::Stall(index, _)) => stages[index].stall(),
            Event::Fault(Fault::HomeDie(_)) => home.die(&mut world),
            Event::Fault(Fault::HomeStall(_)) => home.stall(),
            Event::Fault(Fault::Cut(hop, _)) => {
                world.links[hop].iter_mut().for_each(Link::cut);
                for (node, back) in [(hop, true), ((hop + 1) % (count + 1), false)] {
                    match node.checked_sub(1) {
                        None => home.arrive(&mut world, back, None),
                        Some(index) => stages[index].arrive(&mut world, back, None),
                    }
                }
            }
            Event::Fault(_) => {}
        }
    }
    let alive = || stages.iter().filter(|stage| stage.survives());
    Ok(Outcome {
        left: alive().filter(|stage| stage.is_open()).map(|stage| stage.index).collect(),
        kv: alive().fold((0, 0), |(r, f), stage| (r + stage.kv.0, f + stage.kv.1)),
        kept: stages.iter().map(|stage| stage.kept.clone()).collect(),
        leaked: home.leaked,
        quiet: world.now,
        ending: home.ending,
        tokens: home.tokens,
        ended: home.ended,
        trace: world.trace,
    })
}

type Message = Option<(Frame, Option<Hidden>)>;

/// What a receiver makes of bytes; an error is its peer's fault.
fn decode(bytes: Option<(Vec<u8>, Option<Vec<u8>>)>) -> Result<Message, String> {
    let Some((head, rows)) = bytes else { return Ok(None) };
    let frame = Frame::decode(&head).map_err(|error| error.to_string())?;
    let rows = rows.map(|rows| Hidden::new(rows.into(), HIDDEN * size_of::<f32>()));
    Ok(Some((frame, rows.transpose().map_err(|error| error.to_string())?)))
}
