//! Tokens come out at home and the next steps leave. Not the blocks.

use super::{
    Run,
    session::{State, Step},
};

impl Run<'_> {
    /// Home has drawn a token for each of these rows.
    pub(super) fn tokens(&mut self, home: usize, rows: &[Step]) {
        let mut next = Vec::with_capacity(rows.len());
        for row in rows {
            if !self.is_current(row) {
                continue;
            }
            let session = &mut self.sessions[row.session as usize];
            let first = session.state == State::Prompt;
            // A row of the last of a prompt's steps stands for all of them.
            session.context = match first {
                true => u64::from(session.prompt) + u64::from(session.produced),
                false => session.context + u64::from(row.positions),
            };
            session.state = State::Decode;
            if session.output == 0 {
                // An audit: nothing is drawn.
                self.complete(row.session);
                continue;
            }
            session.produced += 1;
            if first && session.produced == 1 {
                session.first = self.now;
            }
            session.last = self.now;
            let whole = session.produced >= session.output;
            let workload = session.workload as usize;
            self.measured.token(workload, self.now);
            if first {
                self.backlog(workload, None);
            }
            if whole {
                self.complete(row.session);
                continue;
            }
            next.push(Step {
                stage: 0,
                positions: 1,
                left: 1,
                piece: 1,
                prompt: false,
                returns: true,
                ..*row
            });
        }
        self.send_on(home, &mut next);
    }
}
