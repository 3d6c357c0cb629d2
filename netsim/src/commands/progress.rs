//! How far long work is, on a terminal. Not its result.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; nothing where that is no terminal.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar that counts `what`.
    pub(super) fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:32} {pos} of {len} {msg}, {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(bar)
    }

    /// One more is done, of so many that may come.
    pub(super) fn step(&self, most: u64) {
        self.steps(1, most);
    }

    /// So many more are done, of so many that may come.
    pub(super) fn steps(&self, more: u64, most: u64) {
        self.0.set_length(most);
        self.0.inc(more);
    }

    /// So much of so much is done.
    pub(super) fn at(&self, done: u64, most: u64) {
        self.0.set_length(most);
        self.0.set_position(done);
    }

    /// Hears of one search after the other, `most` placements in all.
    pub(super) fn searches(&self, most: u64) -> impl FnMut(crate::plan::Progress) + use<'_> {
        let (mut done, mut last) = (0, 0);
        move |at| {
            // A search that begins counts from zero again.
            done += at.evaluations.checked_sub(last).unwrap_or(at.evaluations);
            last = at.evaluations;
            self.at(done, most);
        }
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
