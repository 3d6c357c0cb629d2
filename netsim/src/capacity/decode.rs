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
            if let Some(next) = self.draw(&row) {
                rows[kept] = next;
                kept += 1;
            }
        }
        rows.truncate(kept);
    }

    /// The token of a row, and the step that it makes.
    fn draw(&mut self, row: &Step) -> Option<Step> {
        if self.is_lossy && !self.is_current(row) {
            return None;
        }
        let session = &mut self.sessions[row.session as usize];
        if !row.prompt {
            session.context += u64::from(row.positions);
        }
        let first = session.state == State::Prompt;
        session.state = State::Decode;
        if session.output == 0 {
            // An audit: nothing is drawn.
            self.complete(row.session);
            return None;
        }
        session.produced += 1;
        if first && session.produced == 1 {
            session.first = self.now;
        }
        session.last = self.now;
        let whole = session.produced >= session.output;
        let mut next = Step {
            stage: 0,
            positions: 1,
            left: 1,
            piece: 1,
            context: u32::try_from(session.context).unwrap_or(u32::MAX),
            prompt: false,
            returns: true,
            ..*row
        };
        session.place(&mut next);
        self.measured.tokens(1, self.now);
        if first {
            let workload = session.workload as usize;
            self.backlog(workload, None);
        }
        if whole {
            self.complete(row.session);
            return None;
        }
        Some(next)
    }
}
