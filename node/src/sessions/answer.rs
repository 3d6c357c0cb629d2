//! Turns accepted tokens into text: whole characters only, and never past a stop string. Not the
//! choice of tokens.

use comity_shard::TextDecoder;

/// The text of one answer as it grows.
#[derive(Debug)]
pub struct Answer {
    decoder: TextDecoder,
    stops: Vec<String>,
    text: String,
    /// Bytes of `text` already given out; the rest may yet turn out to start a stop string.
    given: usize,
    stopped: bool,
}

impl Answer {
    /// An empty answer that ends before any of `stops`; empty strings among them never match.
    #[must_use]
    pub fn new(decoder: TextDecoder, stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { decoder, stops, text: String::new(), given: 0, stopped: false }
    }

    /// Adds a token; returns the text that became certain. After a stop string nothing is added.
    pub fn push(&mut self, token: u32) -> String {
        if !self.stopped
            && let Some(piece) = self.decoder.push(token)
        {
            self.add(&piece);
        }
        let held = if self.stopped { 0 } else { self.held() };
        self.give(self.text.len() - held)
    }

    /// Ends the answer; returns the text held back so far.
    pub fn finish(&mut self) -> String {
        if !self.stopped
            && let Some(rest) = self.decoder.flush()
        {
            self.add(&rest);
        }
        self.give(self.text.len())
    }

    /// Whether a stop string was met.
    #[must_use]
    pub const fn stopped(&self) -> bool {
        self.stopped
    }

    /// The whole text, what is held back included.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn add(&mut self, piece: &str) {
        self.text.push_str(piece);
        let found = self.stops.iter().filter_map(|stop| {
            let from = self.text.floor_char_boundary(self.given);
            self.text[from..].find(stop.as_str()).map(|at| from + at)
        });
        if let Some(end) = found.min() {
            self.text.truncate(end);
            self.stopped = true;
        }
    }

    /// Bytes at the end of the text that may start a stop string.
    fn held(&self) -> usize {
        let starts = |stop: &String| {
            let longest = (1..stop.len()).rev().filter(|length| stop.is_char_boundary(*length));
            longest.into_iter().find(|length| self.text.ends_with(&stop[..*length])).unwrap_or(0)
        };
        self.stops.iter().map(starts).max().unwrap_or(0)
    }

    fn give(&mut self, until: usize) -> String {
        let until = until.max(self.given);
        let piece = self.text[self.given..until].to_owned();
        self.given = until;
        piece
    }
}
