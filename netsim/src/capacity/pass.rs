//! What a node runs next, and what becomes of it. Not how steps travel.

use super::{Run, processors::Of, session::Step};
use crate::{clock::Instant, device::Pass, fabric};

impl Run<'_> {
    /// Steps will be at a node at this time.
    pub(super) fn deliver(&mut self, at: Instant, flight: u32) {
        let node = self.flights[flight as usize].to as usize;
        let worker = &mut self.workers[node];
        let earlier = worker.inbox.iter().rposition(|(other, _)| *other <= at);
        worker.inbox.insert(earlier.map_or(0, |place| place + 1), (at, flight));
        if !worker.busy {
            self.expect_steps(node);
        }
    }

    /// Makes sure that a node wakes when the first steps on their way arrive.
    pub(super) fn expect_steps(&mut self, node: usize) {
        // What came to a node that failed while it ran lies in its past.
        let Some(first) = self.workers[node].inbox.front().map(|(at, _)| *at.max(&self.now)) else {
            return;
        };
        if self.timers.at(node).is_none_or(|planned| planned > first) {
            self.timers.set(node, first, self.queue.number());
        }
    }

    /// A node is done with what it runs, or the first steps have come to one that runs nothing.
    pub(super) fn rings(&mut self, node: usize) {
        if self.workers[node].busy {
            self.ended_on_machine(Of::Pass(node));
            self.ended(node);
        } else {
            self.go_on(node);
        }
    }

    /// Takes in what has arrived at an idle node, and starts what waits.
    pub(super) fn go_on(&mut self, node: usize) {
        while let Some((_, flight)) =
            self.workers[node].inbox.pop_front_if(|(at, _)| *at <= self.now)
        {
            let steps = std::mem::take(&mut self.flights[flight as usize].steps);
            self.receive(node, &steps);
            self.recycle(flight, steps);
        }
        self.run_next(node);
        if !self.workers[node].busy {
            self.expect_steps(node);
        }
    }

    /// Takes in steps at a node.
    pub(super) fn receive(&mut self, node: usize, steps: &[Step]) {
        let worker = &mut self.workers[node];
        if worker.down > 0 {
            return;
        }
        for step in steps {
            if self.is_lossy && !self.sessions[step.session as usize].awaits(step) {
                continue;
            }
            if step.is_home() {
                worker.rows.push(*step);
            } else if step.prompt {
                worker.prompts.push(*step);
            } else {
                worker.decode.push(*step);
            }
        }
    }

    /// Starts what waits, if the node is idle.
    pub(super) fn run_next(&mut self, node: usize) {
        let worker = &mut self.workers[node];
        let nothing =
            worker.rows.is_empty() && worker.decode.is_empty() && worker.prompts.is_empty();
        if worker.busy || nothing || worker.down > 0 {
            return;
        }
        let mut running = std::mem::take(&mut worker.running);
        running.clear();
        // Home's own part is short, and whole rings wait for it.
        self.take_rows(node, &mut running);
        let at_home = !running.is_empty();
        let ns = if at_home {
            self.head_ns(node, running.iter().map(Step::count).sum())
        } else {
            self.take_steps(node, &mut running);
            let ns = if running.is_empty() { 0 } else { self.pass_ns(node, &running) };
            self.variations[node].as_mut().map_or(ns, |variation| variation.of(ns))
        };
        let worker = &mut self.workers[node];
        worker.at_home = at_home;
        worker.running = running;
        if worker.running.is_empty() {
            return;
        }
        worker.busy = true;
        worker.since = self.now;
        self.occupy(node, self.slowed(node, ns));
    }

    /// Nanoseconds of home's own part for so many rows.
    pub(super) fn head_ns(&self, node: usize, rows: u32) -> u64 {
        // A home without blocks may have no device.
        let device = self.world.devices.get(self.world.nodes[node].device);
        device.map_or(0, |device| device.home_ns(rows))
    }

    /// What something takes that takes so many nanoseconds as long as the node is not slow.
    pub(super) fn slowed(&self, node: usize, ns: u64) -> u64 {
        fabric::whole(ns as f64 * self.workers[node].slow)
    }

    /// Takes the rows that wait, if nothing runs yet.
    fn take_rows(&mut self, node: usize, running: &mut Vec<Step>) {
        std::mem::swap(running, &mut self.workers[node].rows);
        if self.is_lossy {
            running.retain(|step| self.is_current(step));
        }
    }

    /// What runs together, if nothing does yet: decode steps first, then pieces of prompts.
    fn take_steps(&mut self, node: usize, running: &mut Vec<Step>) {
        // A home without blocks has no device.
        let Some(device) = self.world.devices.get(self.world.nodes[node].device) else { return };
        self.drop_old(node);
        let worker = &mut self.workers[node];
        let (most, reserved) = match (device.prompts_max, worker.prompts.is_empty()) {
            (Some(_), _) => (u32::MAX, 0),
            (None, true) => (device.positions_max, 0),
            (None, false) => (device.positions_max, device.prompt_positions_min),
        };
        let decode: u32 = worker.decode.iter().map(Step::count).sum();
        let free = most - reserved;
        if decode <= free {
            std::mem::swap(running, &mut worker.decode);
        } else {
            self.take_first(node, free, running);
        }
        let worker = &mut self.workers[node];
        let (mut left, mut prompts) = (most - decode.min(free), 0);
        let share = |institution: u32| self.world.institutions[institution as usize].share;
        while left > 0
            && prompts < device.prompts_max.unwrap_or(u32::MAX)
            && let Some(step) = worker.prompts.take(left, share)
        {
            left -= step.piece;
            prompts += 1;
            running.push(step);
        }
    }

    /// Takes decode steps of so many sessions, those that came first.
    fn take_first(&mut self, node: usize, most: u32, running: &mut Vec<Step>) {
        let (mut decode, mut left) = (std::mem::take(&mut self.workers[node].decode), most);
        let whole = decode.iter().take_while(|step| {
            let fits = step.count() <= left;
            left -= if fits { step.count() } else { 0 };
            fits
        });
        let whole = whole.count();
        running.extend(decode.drain(..whole));
        if left > 0 {
            let rest = self.part(&mut decode[0], left);
            running.push(std::mem::replace(&mut decode[0], rest));
        }
        self.workers[node].decode = decode;
    }

    fn drop_old(&mut self, node: usize) {
        let worker = &mut self.workers[node];
        if !self.is_lossy || worker.current_at == self.epochs {
            return;
        }
        worker.current_at = self.epochs;
        let mut decode = std::mem::take(&mut self.workers[node].decode);
        let mut prompts = std::mem::take(&mut self.workers[node].prompts);
        decode.retain(|step| self.is_current(step));
        prompts.retain(|step| self.is_current(step));
        self.workers[node].decode = decode;
        self.workers[node].prompts = prompts;
    }

    fn pass_ns(&mut self, node: usize, running: &[Step]) -> u64 {
        let place = &self.world.nodes[node];
        let bytes = self.world.models[place.model].hidden_bytes;
        // Sessions may run different parts of what the node holds; each part is a pass of its own.
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        let mut at = 0;
        for step in running {
            let blocks = u32::from(step.blocks);
            if parts.get(at).is_none_or(|part: &Pass| part.blocks != blocks) {
                let found = parts.iter().position(|part| part.blocks == blocks);
                at = found.unwrap_or(parts.len());
                if found.is_none() {
                    parts.push(Pass { blocks, ..Pass::default() });
                }
            }
            let part = &mut parts[at];
            part.bytes += u64::from(step.piece) * bytes;
            if step.prompt {
                part.prompt += step.piece;
            } else {
                part.decode += step.piece;
                part.context += step.context;
            }
        }
        let device = &self.world.devices[place.device];
        let ns = parts.iter().map(|part| device.pass_ns(part)).sum();
        self.parts = parts;
        ns
    }

    fn ended(&mut self, node: usize) {
        let worker = &mut self.workers[node];
        worker.busy = false;
        let (since, at_home) = (worker.since, worker.at_home);
        let mut running = std::mem::take(&mut worker.running);
        self.measured.busy(node, since, self.now);
        if at_home {
            self.tokens(&mut running);
            self.leap(node, &mut running);
        } else {
            self.measured.passed(node, (since, self.now), || {
                let of = |prompt: bool| {
                    running.iter().filter(|step| step.prompt == prompt).map(|step| step.piece).sum()
                };
                (of(true), of(false))
            });
            self.passed(node, &mut running);
        }
        self.send_on(node, &mut running);
        if self.workers[node].running.capacity() == 0 {
            self.workers[node].running = running;
        }
        self.go_on(node);
    }

    /// Steps that are complete at this stage go on; pieces of prompts wait for the rest.
    fn passed(&mut self, node: usize, running: &mut Vec<Step>) {
        let giver = self.world.nodes[node].institution;
        running.retain_mut(|step| {
            let session = &self.sessions[step.session as usize];
            if self.is_lossy && !session.awaits(step) {
                return false;
            }
            let taker = step.institution as usize;
            self.measured.given(giver, taker, step.piece, u32::from(step.blocks));
            step.left -= step.piece;
            if step.left == 0 {
                step.left = step.positions;
                step.stage += 1;
                return session.place(step);
            }
            // Only the last of a pass is cut.
            self.workers[node].prompts.put_back(*step);
            false
        });
        self.join(running);
    }

    /// Schedules the end of what a node has begun.
    fn occupy(&mut self, node: usize, ns: u64) {
        if ns == 0 && self.workers[node].at_home {
            // A head that takes no time needs no event.
            self.ended(node);
        } else {
            self.begin(Of::Pass(node), ns);
        }
    }
}
