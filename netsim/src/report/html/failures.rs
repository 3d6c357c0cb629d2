//! What a loss leaves: the worst one, and each of more than a machine. Not its reckoning.

use std::collections::BTreeSet;

use super::{
    section,
    svg::escape,
    tables::{Column, table},
    words::whole,
};
use crate::outlook::{Lost, Outlook, text};

/// Rows of losses that are listed of each model, those that leave the same in one.
const ROWS: usize = 14;

/// The site whose loss is worst.
pub(super) fn worst(outlooks: &[Outlook]) -> Option<String> {
    let sites = outlooks.iter().flat_map(|it| {
        it.losses.iter().filter(|lost| lost.kind == "site").map(move |lost| (it, lost))
    });
    let (it, lost) = sites.max_by(|one, other| {
        let stops = one.1.stops.len().cmp(&other.1.stops.len());
        one.1.share.total_cmp(&other.1.share).then(stops)
    })?;
    let stops = match (lost.left <= 0.0, lost.stops.is_empty()) {
        (true, _) => "nothing is answered any more".to_owned(),
        (_, true) => "what is left still answers everybody".to_owned(),
        _ => format!(
            "requests under {} are no longer answered",
            escape(&text::stops(lost).join(", "))
        ),
    };
    // A model whose machines are all alike has many worst sites.
    let alike = it.losses.iter().filter(|other| other.kind == "site" && is_alike(other, lost));
    let names: Vec<&str> = alike.map(|other| other.name.as_str()).collect();
    let which = if names.len() > 1 { "any one of " } else { "" };
    Some(format!(
        "<b>The worst loss of a site:</b> without {which}{} {:.0} % of {} is gone, and {stops}.",
        escape(&text::shortened(&names.join(", "))),
        lost.share * 100.0,
        escape(&it.model)
    ))
}

/// What is left if something fails.
pub(super) fn losses(outlooks: &[Outlook]) -> String {
    let columns: [Column; 4] = [
        ("without", "", true),
        ("left", "tokens per second", false),
        ("gone", "%", false),
        ("no longer answered", "requests under", true),
    ];
    let row = |lost: &[&Lost], outlook: &Outlook| {
        let stops = escape(&text::stops(lost[0]).join(", "));
        vec![
            who(lost, &outlook.losses),
            whole(lost[0].left),
            format!("{:.0}", lost[0].share * 100.0),
            if stops.is_empty() { "none".to_owned() } else { stops },
        ]
    };
    let one = |outlook: &Outlook| {
        let groups = alike(&outlook.losses);
        let rows = groups.iter().take(ROWS).map(|lost| row(lost, outlook));
        let more = match groups.len().saturating_sub(ROWS) {
            0 => String::new(),
            count => format!("<p class=\"dim\">{count} more rows, of losses that leave more.</p>"),
        };
        format!("<h3>{}</h3>{}{more}", escape(&outlook.model), table(&columns, rows))
    };
    let parts: String = outlooks.iter().map(one).collect();
    if parts.is_empty() {
        return String::new();
    }
    let note = "<p class=\"dim\">Each by itself, the worst first; blocks stay where they are. Of the \
                largest flow, rules aside; the last column counts them.</p>";
    section("What if one fails", &format!("{parts}{note}"))
}

/// Losses of more than a node, each set of nodes once; those that leave the same together.
fn alike(losses: &[Lost]) -> Vec<Vec<&Lost>> {
    let mut seen = BTreeSet::new();
    let mut groups: Vec<Vec<&Lost>> = Vec::new();
    for lost in losses.iter().filter(|lost| lost.kind != "node" && lost.share > 0.0) {
        if !seen.insert(&lost.nodes) {
            continue;
        }
        match groups.iter_mut().find(|group| is_alike(group[0], lost)) {
            Some(group) => group.push(lost),
            None => groups.push(vec![lost]),
        }
    }
    groups
}

/// Whether two losses cannot be told apart by what a report says of them.
fn is_alike(one: &Lost, other: &Lost) -> bool {
    whole(one.left) == whole(other.left) && one.stops == other.stops
}

/// What is lost, by kind: the same nodes may be all of a site, of an institution and of a country.
fn who(group: &[&Lost], all: &[Lost]) -> String {
    let is_lost = |it: &&Lost| group.iter().any(|lost| lost.nodes == it.nodes);
    let same = |kind: &str| -> Vec<String> {
        let of_kind = all.iter().filter(|it| it.kind == kind).filter(is_lost);
        of_kind.map(|it| escape(&it.name)).collect()
    };
    let kinds = [("site", "sites"), ("institution", "institutions"), ("country", "countries")];
    let parts = kinds.into_iter().filter_map(|(kind, many)| match same(kind).as_slice() {
        [] => None,
        [name] => Some(format!("{kind} {name}")),
        names => Some(format!("{many} {}", names.join(", "))),
    });
    let parts: Vec<String> = parts.collect();
    match group.len() {
        1 => parts.join(", "),
        _ => format!("any one of: {}", parts.join("; ")),
    }
}
