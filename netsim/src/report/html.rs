//! A report as one HTML file that needs nothing else: no script, no file, no network. Not what it
//! says.
//!
//! Start at [`page`]. Every text of a scenario is escaped; values that are no numbers are said as
//! "none" and left out of pictures.

mod follows;
mod map;
mod plots;
mod svg;
mod tables;
mod words;

use self::{
    plots::ROOM,
    svg::{Plot, escape},
    words::{basis, bottleneck, figure, glossary, losses, verdict},
};
use super::{RuleCost, Summary, Sweep};
use crate::outlook::Outlook;

const STYLE: &str = include_str!("html/style.css");

/// What a report says beside its runs; sections of what there is none of are left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Further<'a> {
    /// What the largest flow of each model says.
    pub outlooks: &'a [Outlook],
    /// What rules cost, simulated.
    pub rules: &'a [RuleCost],
    /// Curves over what was varied.
    pub sweeps: &'a [Sweep],
}

/// The report.
#[must_use]
pub fn page(summary: &Summary, further: &Further<'_>) -> String {
    let Further { outlooks, rules, sweeps } = *further;
    let name = escape(&summary.scenario);
    let parts = [
        head(summary),
        cards(summary),
        follows::in_short(summary, outlooks, rules),
        section("Where it runs", &topology(summary)),
        section("How long people wait", &waiting(summary)),
        section("Over time", &over_time(summary)),
        what_if(sweeps),
        follows::rules(outlooks, rules),
        follows::losses(outlooks),
        follows::offers(outlooks),
        section("Institutions", &institutions(summary, outlooks)),
        section("What is asked, under which rules", &asked(summary)),
        section("Busiest machines and lines", &busiest(summary)),
        section("How sure this is", &format!("<p>{}</p>", basis(summary))),
        section("Words", &glossary()),
    ];
    document(&name, &parts.concat())
}

/// A page of curves: of each what its first numbers are and its points, whose second numbers `label`
/// names.
#[must_use]
pub fn curves(title: &str, label: &str, curves: &[(&str, &[(f64, f64)])]) -> String {
    let curve = |(name, points): &(&str, &[(f64, f64)])| {
        let most = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(0.0, f64::max);
        let (x, y) = ((0.0, most(|point| point.0)), (0.0, most(|point| point.1) * ROOM));
        let mut plot = Plot::new(x, name, y, label);
        plot.line(points, "");
        figure_of(&plot.end(title), &escape(name))
    };
    let title = escape(title);
    document(&title, &format!("<h1>{title}</h1>{}", curves.iter().map(curve).collect::<String>()))
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>\n{STYLE}</style></head><body>\n{body}</body></html>\n"
    )
}

fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2>\n{body}</section>\n")
}

/// A share of 1, or that there is none.
fn figure_or_none(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:.2}"))
}

fn figure_of(picture: &str, caption: &str) -> String {
    format!("<figure>{picture}<figcaption>{caption}</figcaption></figure>")
}

fn head(summary: &Summary) -> String {
    let (class, verdict) = verdict(summary.load);
    let losses = losses(summary).map(|it| format!("<br>{it}")).unwrap_or_default();
    format!(
        "<header><h1>{}</h1><p class=\"dim\">{}</p></header>\n<div class=\"verdict {class}\">\
         <b>{verdict}</b><br>{}{losses}</div>\n",
        escape(&summary.scenario),
        escape(&summary.description),
        bottleneck(summary)
    )
}

fn cards(summary: &Summary) -> String {
    let card = |figure: String, unit: &str, what: String| {
        format!("<div class=\"card\"><b>{figure}</b> {unit}<br><small>{what}</small></div>")
    };
    let (first, further) = (&summary.first_token_s, &summary.token_s);
    let cards = [
        card(
            figure(&summary.tokens_per_s, 1.0),
            "tokens per second",
            "of all answers together".to_owned(),
        ),
        card(
            figure(&summary.answers_per_s, 1.0),
            "answers per second",
            format!("an answer takes {} s (p50)", figure(&summary.answer_s.p50, 1.0)),
        ),
        card(
            format!("{} s", figure(&first.p50, 1.0)),
            "to the first token (p50)",
            format!("95 of 100 within {} s", figure(&first.p95, 1.0)),
        ),
        card(
            format!("{} ms", figure(&further.p50, 1e3)),
            "for each further token (p50)",
            format!("95 of 100 answers within {} ms", figure(&further.p95, 1e3)),
        ),
    ];
    let error = summary.model_error.map_or_else(String::new, |error| {
        format!(" Of times and rates it holds ± {:.1} % of the calibrated devices.", error * 100.0)
    });
    let intervals = match summary.runs {
        1 => "One run: no intervals.".to_owned(),
        runs => format!("± is half of a 95 % interval over {runs} runs."),
    };
    format!(
        "<div class=\"cards\">{}</div><p class=\"dim\">{intervals}{error}</p>\n",
        cards.concat()
    )
}

fn topology(summary: &Summary) -> String {
    let (picture, known) = map::draw(&summary.map);
    let place = match known {
        true => "Sites stand where they are on the earth, north up",
        false => "Sites stand in a ring, for not all of them state where they are",
    };
    let most = summary.map.flows.iter().map(|flow| flow.megabytes).fold(0.0, f64::max);
    let caption = format!(
        "{place}. Lines are as wide as the root of what they carry, {} a run at most; red ones send \
         more than {:.0} % of the time. Circles: the busiest machine runs less than {:.0} % of the \
         time (blue), up to {:.0} % (yellow), more (red); empty ones only ask. Letters are countries, \
         percents the time the busiest machine there runs; small squares are points of the network. \
         A place whose name found no room says it under the pointer.",
        words::amount(most),
        map::FULL * 100.0,
        map::BUSY * 100.0,
        map::FULL * 100.0,
    );
    figure_of(&picture, &caption)
}

fn waiting(summary: &Summary) -> String {
    let [first, further] = plots::latencies(summary);
    let pictures = format!(
        "<div class=\"pair\">{}{}</div>",
        figure_of(
            &first,
            "Answers whose first token came within so many seconds, up to the 99th of 100."
        ),
        figure_of(
            &further,
            "Answers whose further tokens took so long on average, up to the 99th of 100."
        ),
    );
    format!("{pictures}{}", tables::times(summary))
}

fn over_time(summary: &Summary) -> String {
    let [rate, busy] = plots::over_time(summary);
    format!(
        "<div class=\"pair\">{}{}</div>",
        figure_of(&rate, "Tokens of all answers, mean of all runs."),
        figure_of(&busy, "The busiest machines, mean of all runs, smoothed over five points."),
    )
}

fn what_if(sweeps: &[Sweep]) -> String {
    if sweeps.is_empty() {
        return String::new();
    }
    let one = |sweep: &Sweep| figure_of(&plots::sweep(sweep), &escape(&sweep.title));
    let pictures: String = sweeps.iter().map(one).collect();
    let note = "<p class=\"dim\">The band is the interval of each point.</p>";
    section("What if", &format!("<div class=\"pair\">{pictures}</div>{note}"))
}

fn institutions(summary: &Summary, outlooks: &[Outlook]) -> String {
    format!(
        "{}<p class=\"dim\">All per run. Fairness of given over taken: {} of 1.</p>{}",
        tables::institutions(&summary.institutions),
        figure(&summary.fairness, 1.0),
        follows::accounts(outlooks)
    )
}

fn asked(summary: &Summary) -> String {
    let (workloads, policies) =
        (tables::workloads(&summary.workloads), tables::policies(&summary.policies));
    format!("{workloads}<h3>Rules</h3>{policies}")
}

fn busiest(summary: &Summary) -> String {
    let placed = match summary.placed.len() {
        0 => "",
        _ => {
            "<p class=\"dim\">Blocks with a star were chosen by the planner, for the scenario names \
             none.</p>"
        }
    };
    format!("{}{placed}<br>{}", tables::nodes(&summary.nodes), tables::lines(&summary.lines))
}

#[cfg(test)]
mod tests;
