//! What a node runs next, and what becomes of it. Not how steps travel.

use comity_protocol::limits::SHARE_MAX;

use super::{Run, processors::Of, session::Step};
use crate::device::Pass;

impl Run<'_> {
    /// Steps arrive at a node.
    pub(super) fn land(&mut self, flight: u32) {
        let landed = std::mem::take(&mut self.flights[flight as usize]);
        let node = landed.to as usize;
        self.receive(node, &landed.steps);
        self.recycle(flight, landed.steps);
    }

    pub(super) fn receive(&mut self, node: usize, steps: &[Step]) {
        if self.workers[node].down > 0 {
            return;
        }
        for step in steps {
            if !self.is_current(step) {
                continue;
            }
            let session = &self.sessions[step.session as usize];
            let worker = &mut self.workers[node];
            if usize::from(step.stage) == session.route.len() {
                worker.rows.push_back(*step);
            } else if step.prompt {
                worker.prompts.push_back(*step);
            } else {
                worker.decode.push_back(*step);
            }
        }
        self.run_next(node);
    }

    /// Starts what waits, if the node is idle.
    pub(super) fn run_next(&mut self, node: usize) {
        if self.workers[node].busy || self.workers[node].down > 0 {
            return;
        }
        let mut running = std::mem::take(&mut self.workers[node].running);
        running.clear();
        // Home's own part is short, and whole rings wait for it.
        self.take_rows(node, &mut running);
        let at_home = !running.is_empty();
        let ns = if at_home {
            let device = self.world.devices.get(self.world.nodes[node].device);
            device.map_or(0, |device| {
                device.home_ns(u32::try_from(running.len()).unwrap_or(u32::MAX))
            })
        } else {
            self.take_steps(node, &mut running);
            if running.is_empty() { 0 } else { self.pass_ns(node, &running) }
        };
        let worker = &mut self.workers[node];
        worker.at_home = at_home;
        worker.running = running;
        if worker.running.is_empty() {
            return;
        }
        worker.busy = true;
        worker.since = self.now;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0")]
        let ns = (ns as f64 * worker.slow) as u64;
        self.begin(Of::Pass(node), ns);
    }

    fn take_rows(&mut self, node: usize, running: &mut Vec<Step>) {
        while let Some(step) = self.workers[node].rows.pop_front() {
            if self.is_current(&step) {
                running.push(step);
            }
        }
    }

    /// What runs together: decode steps first, then pieces of prompts.
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
        let mut left = most - reserved;
        while left > 0
            && let Some(mut step) = worker.decode.pop_front()
        {
            step.piece = step.left;
            left -= step.piece.min(left);
            running.push(step);
        }
        left = left.saturating_add(reserved);
        let mut prompts = 0;
        while left > 0
            && prompts < device.prompts_max.unwrap_or(u32::MAX)
            && let Some(place) = self.next_prompt(node)
        {
            let worker = &mut self.workers[node];
            let Some(step) = worker.prompts.get_mut(place) else { break };
            step.piece = step.left.min(left);
            left -= step.piece;
            prompts += 1;
            let institution = self.world.workloads
                [self.sessions[step.session as usize].workload as usize]
                .institution;
            let share = self.world.institutions[institution].share;
            worker.had[institution] +=
                u64::from(step.piece) * u64::from(SHARE_MAX) / u64::from(share);
            let step = *step;
            // It waits in the pass; what is left of it comes back.
            worker.prompts.remove(place);
            running.push(step);
        }
    }

    fn drop_old(&mut self, node: usize) {
        let mut decode = std::mem::take(&mut self.workers[node].decode);
        let mut prompts = std::mem::take(&mut self.workers[node].prompts);
        if self.outages.any() {
            decode.retain(|step| self.is_current(step));
            prompts.retain(|step| self.is_current(step));
        }
        self.workers[node].decode = decode;
        self.workers[node].prompts = prompts;
    }

    /// The prompt whose institution had least; of its prompts one that has begun, then the first.
    fn next_prompt(&self, node: usize) -> Option<usize> {
        let worker = &self.workers[node];
        if worker.prompts.len() <= 1 || self.world.institutions.len() == 1 {
            return (!worker.prompts.is_empty()).then_some(0);
        }
        let of = |step: &Step| {
            let workload = self.sessions[step.session as usize].workload as usize;
            worker.had[self.world.workloads[workload].institution]
        };
        let all = worker.prompts.iter().enumerate();
        all.min_by_key(|(place, step)| (of(step), step.left == step.positions, *place))
            .map(|(place, _)| place)
    }

    fn pass_ns(&self, node: usize, running: &[Step]) -> u64 {
        let place = &self.world.nodes[node];
        let bytes = self.world.models[place.model].hidden_bytes;
        // Sessions may run different parts of what the node holds; each part is a pass of its own.
        let mut parts: Vec<Pass> = Vec::new();
        for step in running {
            let session = &self.sessions[step.session as usize];
            let blocks = session.route[usize::from(step.stage)].1.len();
            let part = match parts.iter_mut().find(|part| part.blocks == blocks) {
                Some(part) => part,
                None => {
                    parts.push(Pass { blocks, ..Pass::default() });
                    parts.last_mut().expect("one was just added")
                }
            };
            part.bytes += u64::from(step.piece) * bytes;
            if step.prompt {
                part.prompt += step.piece;
            } else {
                part.decode += step.piece;
                part.context += session.context;
            }
        }
        let device = &self.world.devices[place.device];
        parts.iter().map(|part| device.pass_ns(part)).sum()
    }

    /// A node is done with what it runs.
    pub(super) fn done(&mut self, node: usize) {
        self.ended_on_machine(Of::Pass(node));
        let worker = &mut self.workers[node];
        worker.busy = false;
        worker.done = None;
        let (since, at_home) = (worker.since, worker.at_home);
        let mut running = std::mem::take(&mut worker.running);
        self.measured.busy(node, since, self.now);
        if at_home {
            self.tokens(node, &running);
        } else {
            self.measured.passed(node, since, self.now, &running);
            self.passed(node, &mut running);
        }
        running.clear();
        if self.workers[node].running.capacity() == 0 {
            self.workers[node].running = running;
        }
        self.run_next(node);
    }

    /// Steps that are complete at this stage go on; pieces of prompts wait for the rest.
    fn passed(&mut self, node: usize, running: &mut Vec<Step>) {
        let mut unfinished = 0;
        running.retain_mut(|step| {
            let session = &self.sessions[step.session as usize];
            if session.epoch != step.epoch || !session.is_running() {
                return false;
            }
            let blocks = session.route[usize::from(step.stage)].1.len();
            let workload = &self.world.workloads[session.workload as usize];
            self.measured.given(self.world, node, workload.institution, step.piece, blocks);
            step.left -= step.piece;
            if step.left == 0 {
                return true;
            }
            self.workers[node].prompts.insert(unfinished, *step);
            unfinished += 1;
            false
        });
        for step in running.iter_mut() {
            step.stage += 1;
            step.left = step.positions;
        }
        self.send_on(node, running);
    }
}
