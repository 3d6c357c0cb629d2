//! Answers of a run as CSV, one line each. Not sums or percentiles.

use std::{borrow::Cow, fmt::Write as _};

use crate::{capacity::Measured, world::World};

/// Names of the columns. Seconds since the start of the run: `asked_s`, `ended_s`; seconds that
/// something took: `first_s` (until the first token), `token_s` (mean of a further token; empty of
/// an answer of one token). Tokens: `prompt`, `output`.
const HEAD: &str = "institution,policy,asked_s,first_s,token_s,ended_s,prompt,output\n";

/// The answers of a run, in order of their ends. Lines end with a line feed.
#[must_use]
pub fn answers(world: &World, run: &Measured) -> String {
    let mut out = HEAD.to_owned();
    for sample in &run.samples {
        let workload = &world.workloads[sample.workload as usize];
        let institution = field(&world.institutions[workload.institution].name);
        let policy = field(&world.policies[workload.policy].name);
        let token = match sample.token_s.is_finite() {
            true => format!("{:.9}", sample.token_s),
            false => String::new(),
        };
        let _ = writeln!(
            out,
            "{institution},{policy},{:.9},{:.9},{token},{:.9},{},{}",
            sample.asked_s, sample.first_s, sample.ended_s, sample.prompt, sample.output
        );
    }
    out
}

/// A field, in quotes where it needs them, and with a mark before what spreadsheets would take for a
/// formula. Sources: RFC 4180; OWASP, CSV injection.
fn field(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t']) {
        return format!("\"'{}\"", text.replace('"', "\"\"")).into();
    }
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests;
