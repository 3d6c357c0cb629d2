//! A report as one HTML file that needs nothing else: no script, no file, no network. Not what it
//! says.
//!
//! Start at [`page`]. Every text of a scenario is escaped; values that are no numbers are said as
//! "none" and left out of pictures.

mod failures;
mod follows;
mod map;
mod plots;
mod svg;
mod tables;
mod words;

use self::{
    plots::ROOM,
    svg::{Plot, escape},
    words::{basis, bottleneck, figure, glossary, losses, slow, verdict},
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
        what_if(sweeps),
        section("Where it runs", &topology(summary)),
        section("How long people wait", &waiting(summary)),
        section("Over time", &over_time(summary)),
        follows::rules(outlooks, rules),
        failures::losses(outlooks),
        follows::offers(outlooks),
        section("Institutions", &institutions(summary, outlooks)),
        section("What is asked, under which rules", &asked(summary)),
        section("Busiest machines and lines", &busiest(summary)),
        section("How sure this is", &format!("<p>{}</p>", basis(summary))),
        format!("<section id=\"words\"><h2>Words</h2>\n{}</section>\n", glossary()),
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
    let slow = slow(summary);
    let class = if slow.is_some() && class == "stable" { "backlogged" } else { class };
    let further: String =
        [slow, losses(summary)].into_iter().flatten().map(|it| format!("<br>{it}")).collect();
    format!(
        "<header><h1>{}</h1><p class=\"dim\">{}</p></header>\n<div class=\"verdict {class}\">\
         <b>{verdict}</b><br>{}{further}</div>\n",
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
        "<div class=\"cards\">{}</div><p class=\"dim\">{intervals}{error} A token is about three \
         quarters of a word; p50: half of the answers are at least as fast. <a href=\"#words\">More \
         words</a></p>\n",
        cards.concat()
    )
}

fn topology(summary: &Summary) -> String {
    let drawn = map::draw(&summary.map);
    let place = match drawn.is_earth {
        true => "Sites stand where they are on the earth, north up",
        false => "Sites stand in a ring, for not all of them state where they are",
    };
    let unnamed = match drawn.unnamed {
        0 => String::new(),
        1 => " One site's name found no room.".to_owned(),
        count => format!(" Names of {count} sites found no room."),
    };
    let caption = format!(
        "{place}. Letters are countries, percents the time that the busiest machine there runs.\
         {unnamed}"
    );
    let most = summary.map.flows.iter().map(|flow| flow.megabytes).fold(0.0, f64::max);
    let legend = map::legend(&words::amount(most), drawn.has_points);
    figure_of(&format!("<div class=\"map\">{}</div>{legend}", drawn.picture), &caption)
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
    let note = "<p class=\"dim\">The band is the interval of each point. All other sections \
                are of the scenario file as it is.</p>";
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
