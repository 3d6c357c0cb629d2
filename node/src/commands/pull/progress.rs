//! What a pull shows while it runs. Not what it does.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two turns of the spinner: smooth to the eye, idle to the processor.
const TICK: Duration = Duration::from_millis(120);

/// Told by a pull how far it is.
pub trait Progress: Send {
    /// A new part of the work begins; `bytes` is its size, if it has one.
    fn begin(&mut self, what: &str, bytes: Option<u64>);
    /// So many bytes of the part are done.
    fn at(&mut self, bytes: u64);
    /// Something worth a line.
    fn note(&mut self, text: &str);
    /// The part is over.
    fn end(&mut self);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _what: &str, _bytes: Option<u64>) {}
    fn at(&mut self, _bytes: u64) {}
    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }
    fn end(&mut self) {}
}

/// Bars and spinners on the terminal; notes go to the log.
#[derive(Debug)]
pub struct Terminal {
    bar: ProgressBar,
}

/// Bars if standard error is a terminal and people read it, else nothing.
#[must_use]
pub fn for_people(json: bool) -> Box<dyn Progress> {
    if json || !stderr().is_terminal() {
        Box::new(Silent)
    } else {
        Box::new(Terminal { bar: ProgressBar::hidden() })
    }
}

impl Progress for Terminal {
    fn begin(&mut self, what: &str, bytes: Option<u64>) {
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).expect("the templates are constants");
        self.bar = bar.with_style(style).with_message(what.to_owned());
        self.bar.enable_steady_tick(TICK);
    }

    fn at(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    fn note(&mut self, text: &str) {
        self.bar.println(text);
        tracing::info!("{text}");
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}
