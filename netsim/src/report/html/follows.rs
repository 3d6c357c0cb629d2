//! What follows for people who decide: what people get, what rules cost, what to buy. Not what was
//! measured.

use super::{
    failures, figure_or_none, section,
    svg::escape,
    tables::{Column, rule_costs, table},
    words::{figure, whole},
};
use crate::{
    outlook::{Account, Bought, Outlook, RulePrice, text},
    report::{RuleCost, Summary, WorkloadRow},
    statistics::Estimate,
};

/// Accounts that are listed of each model.
const ACCOUNTS: usize = 48;

/// The questions of whoever decides, each with one line; nothing if there is nothing to say.
pub(super) fn in_short(summary: &Summary, outlooks: &[Outlook], costs: &[RuleCost]) -> String {
    if outlooks.is_empty() {
        return String::new();
    }
    let mut lines = vec![waits(summary)];
    for it in outlooks {
        let model = escape(&it.model);
        let parts: Vec<String> =
            it.bottlenecks.iter().take(3).map(|limit| full(&limit.part)).collect();
        let rest = it.bottlenecks.len().saturating_sub(parts.len());
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let what = match parts.is_empty() {
            true => "its nodes leave a gap".to_owned(),
            false => format!("held down by {}{more}", parts.join(", ")),
        };
        lines.push(format!(
            "<b>What {model} could give at most:</b> {} tokens per second, {what}.",
            whole(it.tokens_per_s)
        ));
    }
    lines.extend(strictest(outlooks, costs));
    lines.extend(failures::worst(outlooks));
    let offers = outlooks.iter().flat_map(|it| it.offers.iter().map(move |offer| (it, offer)));
    if let Some((it, best)) =
        offers.max_by(|one, other| one.1.gain_per_eur.total_cmp(&other.1.gain_per_eur))
    {
        lines.push(match best.gain_per_eur > 0.0 {
            true => format!(
                "<b>What to buy next:</b> {}, which adds {} tokens per second at most to {} for {} \
                 euro.",
                escape(&best.offer),
                figure(&best.gain, 1.0),
                escape(&it.model),
                whole(best.price_eur)
            ),
            false => "<b>What to buy next:</b> none of the offers adds anything.".to_owned(),
        });
    }
    let items: String = lines.iter().map(|line| format!("<li>{line}</li>")).collect();
    section("In short", &format!("<ul>{items}</ul>"))
}

/// What is full, said so that a machine is not taken for a line.
fn full(part: &str) -> String {
    let machine = part.strip_suffix(" itself").map(|node| format!("the machine {}", escape(node)));
    machine.unwrap_or_else(|| escape(part))
}

/// How long people wait, and who waits longest.
fn waits(summary: &Summary) -> String {
    let (first, further) = (&summary.first_token_s, &summary.token_s);
    let p95 = |row: &&WorkloadRow| row.first_token_s.p95.mean;
    let measured = summary.workloads.iter().filter(|row| p95(row).is_finite());
    let slowest = measured.max_by(|one, other| p95(one).total_cmp(&p95(other)));
    let who = slowest.filter(|_| summary.workloads.len() > 1).map_or_else(String::new, |row| {
        format!(
            " Longest wait those of {} who ask {} under {}: half within {} s, 95 of 100 within {} s.",
            escape(&row.institution),
            escape(&row.model),
            escape(&row.policy),
            figure(&row.first_token_s.p50, 1.0),
            figure(&row.first_token_s.p95, 1.0)
        )
    });
    format!(
        "<b>What people get:</b> half of them see the first token within {} s, 95 of 100 within {} s, and \
         then one every {} ms.{who}",
        figure(&first.p50, 1.0),
        figure(&first.p95, 1.0),
        figure(&further.p50, 1e3)
    )
}

/// The rule that leaves least, and what was simulated of it.
fn strictest(outlooks: &[Outlook], costs: &[RuleCost]) -> Option<String> {
    let all = outlooks.iter().flat_map(|it| it.rules.iter().map(move |rule| (it, rule)));
    let share = |rule: &RulePrice| if rule.free > 0.0 { rule.kept / rule.free } else { 1.0 };
    let (it, rule) = all.min_by(|one, other| share(one.1).total_cmp(&share(other.1)))?;
    let simulated = costs.iter().find(|cost| cost.policy == rule.policy);
    let simulated = simulated.map_or_else(String::new, |cost| {
        let rate = ("tokens per second", "more", "fewer");
        let time = ("s", "later", "sooner");
        format!(
            " As simulated, with it all institutions together get {} than without, and the first \
             token of its requests comes {}, on average.",
            difference(&cost.tokens_per_s_less, rate),
            difference(&cost.first_token_s_less, time)
        )
    });
    Some(format!(
        "<b>The strictest rule:</b> {} leaves {} of {} tokens per second of {} to its requests.\
         {simulated}",
        escape(&rule.policy),
        whole(rule.kept),
        whole(rule.free),
        escape(&it.model)
    ))
}

/// A difference and its direction in words, or that chance may have made it.
fn difference(it: &Estimate, (unit, more, less): (&str, &str, &str)) -> String {
    let word = if it.mean < 0.0 { less } else { more };
    let size = Estimate { mean: it.mean.abs(), ..*it };
    match it.half_width {
        _ if it.mean == 0.0 => format!("neither {more} nor {less}"),
        Some(half) if half >= size.mean => {
            format!("{} {unit} {word} (which may be chance)", figure(&size, 1.0))
        }
        _ => format!("{} {unit} {word}", figure(&size, 1.0)),
    }
}

/// What each rule costs: simulated, and of the largest flow.
pub(super) fn rules(outlooks: &[Outlook], costs: &[RuleCost]) -> String {
    let flows: String = outlooks.iter().map(flow_of_rules).collect();
    if flows.is_empty() && costs.is_empty() {
        return String::new();
    }
    let simulated = match costs.is_empty() {
        true => String::new(),
        false => format!(
            "{}<p class=\"dim\">Simulated. Both ask the same, at the same times: what differs is the \
             rule. Differences are with it less without it; one whose ± is the larger may be chance. A \
             rule may also help others, whose machines it keeps free.</p>",
            rule_costs(costs)
        ),
    };
    let note = "<p class=\"dim\">Largest flow: tokens per second at most, through all machines and \
                through those that the rule lets in, as blocks are placed; placed anew is the best that \
                a search found if those may hold other blocks.</p>";
    let note = if flows.is_empty() { "" } else { note };
    section("What each rule costs", &format!("{simulated}{flows}{note}"))
}

fn flow_of_rules(outlook: &Outlook) -> String {
    if outlook.rules.is_empty() {
        return String::new();
    }
    let columns: [Column; 6] = [
        ("rule", "", true),
        ("of", "", true),
        ("without it", "tokens per second", false),
        ("with it", "tokens per second", false),
        ("kept", "%", false),
        ("placed anew", "tokens per second", false),
    ];
    let row = |row: &RulePrice| {
        let share = if row.free > 0.0 { row.kept / row.free * 100.0 } else { 100.0 };
        vec![
            escape(&row.policy),
            escape(&text::shortened(&row.institution)),
            whole(row.free),
            whole(row.kept),
            format!("{share:.0}"),
            row.planned.map_or_else(|| "not searched".to_owned(), whole),
        ]
    };
    format!("<h3>{}</h3>{}", escape(&outlook.model), table(&columns, outlook.rules.iter().map(row)))
}

/// What to buy.
pub(super) fn offers(outlooks: &[Outlook]) -> String {
    let columns: [Column; 4] = [
        ("offer", "", true),
        ("price", "euro", false),
        ("adds at most", "tokens per second", false),
        ("per 1,000 euro", "tokens per second", false),
    ];
    let row = |it: &Bought| {
        vec![
            escape(&it.offer),
            whole(it.price_eur),
            figure(&it.gain, 1.0),
            figure(&it.gain, 1_000.0 / it.price_eur),
        ]
    };
    let some = outlooks.iter().filter(|it| !it.offers.is_empty());
    let parts: String = some
        .map(|it| {
            format!("<h3>{}</h3>{}", escape(&it.model), table(&columns, it.offers.iter().map(row)))
        })
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    let note = "<p class=\"dim\">Of the largest flow, all blocks placed anew with and without it and \
                rules aside; ± is the spread over searches.</p>";
    section("What to buy next", &format!("{parts}{note}"))
}

/// Who gives and takes of the largest flow.
pub(super) fn accounts(outlooks: &[Outlook]) -> String {
    let columns: [Column; 4] = [
        ("institution", "", true),
        ("asks", "tokens per second", false),
        ("gives", "of the largest flow", false),
        ("takes", "shared as it is asked", false),
    ];
    let row = |it: &Account| {
        let figures = [it.asked, it.given, it.taken].map(|value| format!("{value:.1}"));
        std::iter::once(escape(&it.institution)).chain(figures).collect()
    };
    let one = |it: &Outlook| {
        let rows = it.accounts.iter().take(ACCOUNTS).map(row);
        let even = figure_or_none(it.fairness);
        format!("<h3>{} (fairness {even})</h3>{}", escape(&it.model), table(&columns, rows))
    };
    let parts: String = outlooks.iter().map(one).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("<details><summary>If machines gave all they can</summary>{parts}</details>")
}
