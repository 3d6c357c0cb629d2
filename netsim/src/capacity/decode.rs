//! Tokens come out at home and the next steps leave. Not the blocks.

use super::{
    Run,
    session::{State, Step},
};

impl Run<'_> {
    /// Home has drawn a token for each of these rows; leaves the steps that follow them.
    pub(super) fn tokens(&mut self, rows: &mut Vec<Step>) {
        let mut kept = 0;
        for place in 0..rows.len() {
            let row = rows[place];
            if self.is_lossy && !self.is_current(&row) {
                continue;
            }
            if let Some(next) = self.follow(&row) {
                rows[kept] = next;
                kept += 1;
            }
        }
        rows.truncate(kept);
    }

    /// The step of those of a row's sessions that go on.
    fn follow(&mut self, row: &Step) -> Option<Step> {
        let (mut id, mut step) = (row.session, None::<Step>);
        for _ in 0..row.count() {
            // What ends may be followed by another session in its place.
            let behind = self.sessions[id as usize].next;
            if self.draw(id, row.prompt) {
                let session = &self.sessions[id as usize];
                let (context, epoch) = (session.context, session.epoch);
                match &mut step {
                    Some(step) => step.add(&mut self.sessions, id, context),
                    None => {
                        step = Some(Step {
                            session: id,
                            last: id,
                            epoch,
                            stage: 0,
                            positions: 1,
                            left: 1,
                            piece: 1,
                            context,
                            prompt: false,
                            returns: true,
                            ..*row
                        });
                    }
                }
            }
            id = behind;
        }
        let mut step = step?;
        self.sessions[step.session as usize].place(&mut step);
        Some(step)
    }

    /// A token of a session; whether another one follows.
    pub(super) fn draw(&mut self, id: u32, prompt: bool) -> bool {
        let session = &mut self.sessions[id as usize];
        session.context += u64::from(!prompt);
        let first = session.state == State::Prompt;
        session.state = State::Decode;
        if first {
            let entry = &mut self.workers[session.route[0].0 as usize];
            entry.fresh = entry.fresh.saturating_sub(1);
        }
        if session.output == 0 {
            // An audit: nothing is drawn.
            self.complete(id);
            return false;
        }
        session.produced += 1;
        if first && session.produced == 1 {
            session.first = self.now;
        }
        session.last = self.now;
        let whole = session.produced >= session.output;
        let workload = session.workload as usize;
        self.measured.tokens(1, self.now);
        if first {
            self.backlog(workload, None);
        }
        if whole {
            self.complete(id);
        }
        !whole
    }
}
