//! Predictions beside measurements, for people and for tables. Not what they are.

use std::fmt::Write as _;

use super::{
    Errors, FIRST_TOKEN_GOAL, RANK_GOAL, RATE_GOAL, Row, TOKEN_GOAL, Validation, relative,
};

/// Least width of the column of names.
const NAME: usize = 12;

impl Validation {
    /// The text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.chars().count()).fold(NAME, usize::max) + 2;
        let mut out = format!(
            "{:<width$}{:^26}{:^26}{:^26}{:^26}\n{:<width$}",
            "", "tokens/s", "first token, s (p50)", "first token, s (p95)", "further token, ms", ""
        );
        for _ in 0..4 {
            let _ = write!(out, "{:>9}{:>9}{:>8}", "measured", "said", "off, %");
        }
        out.push('\n');
        for row in &self.rows {
            out.push_str(&line(row, width));
        }
        for name in &self.empty {
            let _ = writeln!(out, "{name:<width$}no request was answered in the time that counts");
        }
        self.summary(&mut out);
        out
    }

    fn summary(&self, out: &mut String) {
        let of = match self.on_its_own {
            true => "ALL of which the calibration rests on: this says nothing about others",
            false => "which the calibration does not rest on (it does on those with a *)",
        };
        let _ = writeln!(out, "\nOver {} configurations, {of}:", self.judged);
        let _ = writeln!(
            out,
            "{:<32}{:>10}{:>10}{:>10}{:>10}",
            "error, %", "median", "p95", "bias", "goal"
        );
        for (name, Errors { median, p95, bias }, goal) in [
            ("time of a further token", self.token, Some(TOKEN_GOAL)),
            ("time to the first token, p50", self.first_token, Some(FIRST_TOKEN_GOAL)),
            ("time to the first token, p95", self.first_token_p95, None),
            ("tokens/s", self.rate, Some(RATE_GOAL)),
        ] {
            let goal = goal.map_or_else(String::new, |goal| {
                let word = if median <= goal { "met" } else { "MISSED" };
                format!("{:>10.0}  {word}", goal * 100.0)
            });
            let _ = writeln!(
                out,
                "{name:<32}{:>10.1}{:>10.1}{:>+10.1}{goal}",
                median * 100.0,
                p95 * 100.0,
                bias * 100.0
            );
        }
        for (name, rank) in
            [("rank of tokens/s", self.rate_rank), ("rank of a further token", self.token_rank)]
        {
            let text = rank.map_or_else(
                || "too few configurations".to_owned(),
                |rank| {
                    let word = if rank >= RANK_GOAL { "met" } else { "MISSED" };
                    format!("{rank:>10.3}{:>30.2}  {word}", RANK_GOAL)
                },
            );
            let _ = writeln!(out, "{name:<32}{text}");
        }
    }

    /// One line for every configuration, with a head line.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = String::from(
            "measurement,calibrated,answers,tokens_per_s,tokens_per_s_predicted,first_token_s,\
             first_token_s_predicted,first_token_p95_s,first_token_p95_s_predicted,token_s,\
             token_s_predicted\n",
        );
        for row in &self.rows {
            let (is, said) = (&row.measured, &row.predicted);
            let _ = writeln!(
                out,
                "\"{}\",{},{},{},{},{},{},{},{},{},{}",
                row.name.replace('"', "\"\""),
                row.calibrated,
                is.answers,
                is.tokens_per_s,
                said.tokens_per_s,
                is.first_token_s,
                said.first_token_s,
                is.first_token_p95_s,
                said.first_token_p95_s,
                is.token_s,
                said.token_s
            );
        }
        out
    }
}

fn line(row: &Row, width: usize) -> String {
    let (is, said) = (&row.measured, &row.predicted);
    let star = if row.calibrated { "*" } else { "" };
    let mut out = format!("{:<width$}", format!("{}{star}", row.name));
    for (is, said, scale, digits) in [
        (is.tokens_per_s, said.tokens_per_s, 1.0, 1),
        (is.first_token_s, said.first_token_s, 1.0, 3),
        (is.first_token_p95_s, said.first_token_p95_s, 1.0, 3),
        (is.token_s, said.token_s, 1e3, 1),
    ] {
        let _ = write!(
            out,
            "{:>9.digits$}{:>9.digits$}{:>+8.1}",
            is * scale,
            said * scale,
            relative(is, said) * 100.0
        );
    }
    out.push('\n');
    out
}
