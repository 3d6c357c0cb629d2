//! What comes to a node on the mean, and how long that holds up who comes too. Not who it is.

use super::stage::Stage;

/// Nanoseconds over which prompts are averaged: those of some answers.
pub(super) const MEMORY_NS: f64 = 30e9;
/// The same at the beginning.
const FIRST_NS: f64 = 2e9;
/// Times that the length of a pass and what gathers meanwhile are found from each other, each time from
/// where they were left before.
const ROUNDS: u32 = 3;
/// Share of its time that home's own parts leave to passes at least.
const REST_MIN: f64 = 0.05;
/// Part of the time that prompts are there at most: rows come through.
const PROMPTED_MAX: f64 = 0.98;

/// Decode steps that come to a node, each nanosecond.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    /// Sessions' rows, and messages with such.
    pub rows: f64,
    pub trains: f64,
    /// Positions that rows look back at, and blocks they run.
    pub context: f64,
    pub blocks: f64,
    /// Nanoseconds of home's own parts, and their squares.
    pub heads: f64,
    pub heads_squared: f64,
}

/// What a node has to do.
///
/// Part of its time prompts are there: every pass then has a piece of one, and the next one begins at
/// once. In the rest passes have rows alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    pub flow: Flow,
    /// Sessions whose stage it is.
    pub sessions: u32,
    /// Messages that come from homes, and those that come from other stages: what they were when they left
    /// their homes.
    pub entry: f64,
    pub from: Vec<(u32, f64)>,
    /// Messages that come, each nanosecond.
    messages: f64,
    prompts: Recent,
    /// Part of the time that prompts are there, and nanoseconds of a pass then.
    prompted: f64,
    long: f64,
    /// Nanoseconds of a pass in the rest of the time, and how many there are each nanosecond then.
    short: f64,
    rate: f64,
    /// When it is done with the prompts it has, nanoseconds.
    pub free: f64,
    /// Until when its time is in the books.
    pub booked: u64,
}

/// Prompts that came lately.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    count: f64,
    pieces: f64,
    positions: f64,
    at: u64,
}

/// Nanoseconds over which what is remembered came.
pub(super) fn remembered_ns(now: f64) -> f64 {
    MEMORY_NS * -(-now.max(FIRST_NS) / MEMORY_NS).exp_m1()
}

impl Recent {
    fn fade(&mut self, now: u64) {
        let left = (-(now.saturating_sub(self.at) as f64) / MEMORY_NS).exp();
        self.count *= left;
        self.pieces *= left;
        self.positions *= left;
        self.at = now;
    }
}

/// Nanoseconds of a piece of a prompt at a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Until a pass with rows alone is over.
    pub waits: f64,
    /// That it runs, with others before and behind it, and if no other is there yet.
    pub takes: f64,
    pub alone: f64,
}

impl Flow {
    /// Adds another one so many times.
    pub(super) fn add(&mut self, other: &Self, times: f64) {
        let of = |sum: &mut f64, part: f64| *sum = times.mul_add(part, *sum).max(0.0);
        of(&mut self.rows, other.rows);
        of(&mut self.trains, other.trains);
        of(&mut self.context, other.context);
        of(&mut self.blocks, other.blocks);
        of(&mut self.heads, other.heads);
        of(&mut self.heads_squared, other.heads_squared);
    }

    fn blocks(&self) -> f64 {
        (self.blocks / self.rows).max(1.0)
    }

    fn context(&self) -> f64 {
        self.context / self.rows
    }
}

impl Load {
    /// A prompt of so many positions comes in so many pieces.
    pub(super) fn prompt(&mut self, now: u64, pieces: f64, positions: f64) {
        self.prompts.fade(now);
        self.prompts.count += 1.0;
        self.prompts.pieces += pieces;
        self.prompts.positions += positions;
    }

    /// Nobody decodes there: what is left of sums is nothing.
    pub(super) fn rest(&mut self) {
        let Flow { heads, heads_squared, .. } = self.flow;
        self.flow = Flow { heads, heads_squared, ..Flow::default() };
        self.entry = 0.0;
        self.from.clear();
    }

    /// Messages that leave, of so many that left their homes: what ran in one pass goes on together.
    pub(super) fn leaves(&self, trains: f64) -> f64 {
        if self.flow.trains <= 0.0 {
            return trains;
        }
        let part = (trains / self.flow.trains).min(1.0);
        // A pass with a prompt may have no rows, another one has some.
        let long = -(-self.messages * part * self.long).exp_m1() / self.long;
        let short = self.rate * (1.0 - (1.0 - part).powf(self.messages / self.rate));
        let long = if self.long > 0.0 { long } else { 0.0 };
        self.mean(long, if self.rate > 0.0 { short } else { 0.0 })
    }

    /// The mean of what is so while prompts are there and else.
    fn mean(&self, prompted: f64, otherwise: f64) -> f64 {
        self.prompted.mul_add(prompted - otherwise, otherwise)
    }

    /// Rows of a message.
    pub(super) fn together(&self) -> f64 {
        if self.messages > 0.0 { self.flow.rows / self.messages } else { 1.0 }
    }

    /// Adds messages that come from another stage.
    pub(super) fn come(&mut self, from: u32, trains: f64) {
        match self.from.iter_mut().find(|(other, _)| *other == from) {
            Some((_, sum)) => *sum = (*sum + trains).max(0.0),
            None => self.from.push((from, trains.max(0.0))),
        }
    }

    /// Share of its time that it runs something.
    pub(super) fn busy(&self) -> f64 {
        (self.mean(1.0, self.rate * self.short) + self.flow.heads).min(1.0)
    }

    /// Finds how long its passes are from what comes, of which so many messages with rows.
    ///
    /// What comes during a pass runs in the next one together. So a pass begins when the one before it
    /// ends, unless nothing has come: that is as likely as that of events without memory none
    /// happens.
    pub(super) fn settle(&mut self, now: u64, stage: &Stage<'_>, blocks: u32, messages: f64) {
        self.messages = messages;
        self.prompts.fade(now);
        let positions = self.prompts.positions / remembered_ns(now as f64);
        let blocks = if self.flow.rows > 0.0 { self.flow.blocks() } else { f64::from(blocks) };
        (self.prompted, self.long, self.rate) = (0.0, 0.0, 0.0);
        if positions > 0.0 {
            let each = self.prompts.positions / self.prompts.pieces;
            let (piece, long) = self.prompt_pass(stage, blocks, each);
            (self.long, self.prompted) = (long, (positions / piece * long).min(PROMPTED_MAX));
        }
        if self.flow.rows <= 0.0 {
            return;
        }
        for _ in 0..ROUNDS {
            let gap = (-messages * self.short).exp() / messages;
            let rows = self.flow.rows * (self.short + gap);
            let rows = rows.min(self.most(stage)).max(1.0);
            self.short = stage.pass_ns(blocks, rows, self.flow.context(), 0.0) / self.left();
        }
        self.rate = 1.0 / (self.short + (-messages * self.short).exp() / messages);
    }

    /// Positions of a prompt in a pass whose pieces are of so many, and how long that takes.
    fn prompt_pass(&self, stage: &Stage<'_>, blocks: f64, each: f64) -> (f64, f64) {
        let context = if self.flow.rows > 0.0 { self.flow.context() } else { 0.0 };
        let (mut rows, mut piece, mut long) = (0.0, each, 0.0);
        for _ in 0..ROUNDS {
            let room = f64::from(stage.device.positions_max) - rows;
            let room = room.max(stage.device.prompt_positions_min.into());
            piece = if stage.device.prompts_max.is_some() { each } else { each.min(room) };
            long = stage.pass_ns(blocks, rows, context, piece) / self.left();
            rows = (self.flow.rows * long).min(self.most(stage));
        }
        (piece, long)
    }

    /// Most rows of a pass.
    fn most(&self, stage: &Stage<'_>) -> f64 {
        f64::from(self.sessions.min(stage.device.positions_max))
    }

    /// Share of its time that home's own parts leave.
    fn left(&self) -> f64 {
        (1.0 - self.flow.heads).max(REST_MIN)
    }

    /// How likely something that comes while no prompt is there finds a pass under way, if so much of what
    /// comes is its own.
    pub(super) fn meets(&self, own: f64) -> f64 {
        let together = if self.flow.trains > 0.0 { self.messages / self.flow.trains } else { 1.0 };
        let work = (self.flow.trains - own).max(0.0) * together * self.short;
        work / (work + (-work).exp())
    }

    /// How likely a message finds a pass under way that is not of its like, and one that is, if so many
    /// messages of what comes are of its like, and one is itself.
    pub(super) fn meetings(&self, like: f64, itself: f64, round: f64) -> (f64, f64) {
        let (foreign, all) = (self.meets(like), self.meets(itself));
        let prompts = self.prompts.count / remembered_ns(self.prompts.at as f64) * round;
        (prompts.min(self.prompted) + self.mean(0.0, foreign), all - foreign)
    }

    /// Part of the time that prompts are there.
    pub(super) const fn prompted(&self) -> f64 {
        self.prompted
    }

    /// Nanoseconds that prompts stay, one or several without a gap.
    pub(super) fn stays_ns(&self) -> f64 {
        let each = remembered_ns(self.prompts.at as f64) / self.prompts.count;
        if self.prompts.count > 0.0 { self.prompted / (1.0 - self.prompted) * each } else { 0.0 }
    }

    /// Nanoseconds of as many passes as all its sessions fill.
    pub(super) fn full_ns(&self, stage: &Stage<'_>) -> f64 {
        let (device, sessions) = (stage.device, f64::from(self.sessions));
        let most = f64::from(device.positions_max);
        let beside =
            if device.prompts_max.is_some() { 0.0 } else { device.prompt_positions_min.into() };
        self.mean(self.long / (most - beside).max(1.0), self.short / most) * sessions
    }

    /// Nanoseconds from when a message of rows comes to when it leaves, if alone it would take `alone`:
    /// while prompts are there, and else, where it finds a pass under way as likely as `meets`.
    pub(super) fn visit_ns(&self, meets: f64, alone: f64) -> [f64; 2] {
        let runs = meets.mul_add(self.short.max(alone) - alone, alone);
        let [prompted, otherwise] = self.waits_ns(meets, 0.0);
        [prompted + self.long, otherwise + runs]
    }

    /// The mean of what waits while prompts are there and else.
    pub(super) fn waits_mean_ns(&self, alone: f64) -> f64 {
        let [prompted, otherwise] = self.waits_ns(self.meets(0.0), alone);
        self.mean(prompted, otherwise)
    }

    /// The same until what is under way is over, and then `alone`: home's own part does not wait for others.
    pub(super) fn waits_ns(&self, meets: f64, alone: f64) -> [f64; 2] {
        let heads = self.flow.heads_squared / 2.0 + alone;
        [self.long / 2.0 + heads, meets * self.short / 2.0 + heads]
    }

    /// What pieces of a prompt, of so many positions, meet.
    pub(super) fn piece(&self, stage: &Stage<'_>, blocks: u32, positions: f64) -> Piece {
        let (room, long) = self.prompt_pass(stage, f64::from(blocks), positions);
        let passes = positions / room;
        let without = stage.pass_ns(f64::from(blocks), 1.0, 0.0, 0.0) / self.left();
        let takes = long * passes;
        Piece {
            waits: self.meets(0.0) * self.short / 2.0,
            takes,
            // What is left of it runs without the beginning of the next.
            alone: (passes.ceil() - passes).mul_add(without, takes),
        }
    }

    /// How many messages of `trains` that each come every `round` nanoseconds become part of another one
    /// here, each nanosecond: those that wait for one pass together.
    pub(super) fn merges(&self, trains: f64, round: f64) -> f64 {
        if trains <= 1.0 {
            return 0.0;
        }
        // Of so many that come during a pass, all but one.
        let fewer = |takes: f64| {
            let chance = (takes / round).min(1.0);
            trains.mul_add(chance, -1.0) + (1.0 - chance).powf(trains)
        };
        let long = if self.long > 0.0 { fewer(self.long) / self.long } else { 0.0 };
        self.mean(long, self.rate * fewer(self.short)).max(0.0)
    }
}
