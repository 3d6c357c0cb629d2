//! A page is whole, shows what it was given, runs nothing, and never says NaN.

use std::path::Path;

use super::*;
use crate::{
    capacity::{Options, simulate},
    report::{Load, summarise},
    scenario::{SMALL, ScenarioFile},
    statistics::Estimate,
    world::World,
};

fn summary(text: &str, until_s: f64) -> Summary {
    let file = ScenarioFile::parse(Path::new("x.toml"), text.to_owned()).unwrap();
    let world = World::resolve(&file, None).unwrap();
    let run =
        |seed| simulate(&world, Options { seed, until_s, passes_max: 0, requests_max: u64::MAX });
    summarise(&world, &[run(1), run(2)], 0.0)
}

fn estimate(mean: f64) -> Estimate {
    Estimate { mean, half_width: Some(mean / 10.0), runs: 5 }
}

fn check(page: &str) {
    for wrong in ["NaN", "inf", "<script", "http", "src="] {
        assert!(!page.contains(wrong), "{wrong}: {page}");
    }
    for tag in ["section", "svg", "table", "tr", "td", "figure", "div", "g", "text", "p"] {
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = page
            .match_indices(&open)
            .filter(|(at, _)| page[at + open.len()..].starts_with([' ', '>']));
        assert_eq!(opened.count(), page.matches(&close).count(), "{tag}");
    }
}

#[test]
fn names_of_a_scenario_never_become_markup() {
    let evil = "<script>alert('1')</script>&\\\"";
    let mut text = SMALL.to_owned();
    for name in ["two", "delft", "north", "toy", "a"] {
        text = text.replace(&format!("\"{name}\""), &format!("\"{evil}{name}\""));
    }
    let text =
        format!("{text}policy = \"{evil}\"\n[[policy]]\nname = \"{evil}\"\npurpose = \"{evil}\"\n");
    let mut summary = summary(&text, 60.0);
    summary.description = "<script>".to_owned();
    let sweep = Sweep {
        title: "<script>".to_owned(),
        x_label: "<script>".to_owned(),
        points: vec![(1.0, estimate(1.0)), (2.0, estimate(2.0))],
    };
    let rule = RuleCost {
        policy: "<script>".to_owned(),
        tokens_per_s: estimate(1.0),
        tokens_per_s_without: estimate(1.0),
        tokens_per_s_less: estimate(1.0),
        first_token_s: estimate(1.0),
        first_token_s_without: estimate(1.0),
        first_token_s_less: estimate(1.0),
        refused: estimate(0.0),
    };
    let page = page(&summary, &Further { outlooks: &[], sweeps: &[sweep], rules: &[rule] });
    check(&page);
    assert!(
        page.contains(
            "<title>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;two</title>"
        )
    );
    assert!(page.matches("&lt;script&gt;").count() > 15);
}

#[test]
fn the_page_says_what_was_measured() {
    let summary = summary(SMALL, 120.0);
    let page = page(&summary, &Further::default());
    check(&page);
    assert!(page.contains("keeps up"));
    assert!(page.contains(&figure(&summary.tokens_per_s, 1.0)));
    assert!(page.contains("seeds 1 to 2"));
    // Without coordinates there is a ring, with both sites named and one line between them.
    assert!(page.contains("in a ring"));
    assert!(page.contains(">delft NL "));
    assert_eq!(page.matches("class=\"flow").count(), 1);
    assert!(!page.contains("What if") && !page.contains("What each rule costs"));
}

#[test]
fn places_stand_where_they_are() {
    let text = SMALL
        .replace("country = \"NL\"", "country = \"NL\"\nlatitude = 52\nlongitude = 4.4")
        .replace("country = \"BE\"", "country = \"BE\"\nlatitude = 51\nlongitude = 3.7");
    let page = page(&summary(&text, 30.0), &Further::default());
    check(&page);
    assert!(page.contains("north up"));
    let circle = |name: &str| -> (f64, f64) {
        let at = page.find(&format!("<title>{name} (")).unwrap();
        let tag = &page[page[..at].rfind("<circle").unwrap()..at];
        let number = |key: &str| {
            let from = tag.find(key).unwrap() + key.len();
            tag[from..].split('"').next().unwrap().parse().unwrap()
        };
        (number("cx=\""), number("cy=\""))
    };
    let (delft, ghent) = (circle("delft"), circle("ghent"));
    assert!(delft.0 > ghent.0 && delft.1 < ghent.1, "{delft:?} {ghent:?}");
}

#[test]
fn a_run_without_answers_has_a_page_too() {
    let page = page(&summary(SMALL, 0.001), &Further::default());
    check(&page);
    assert!(page.contains("No answer has such a time"));
}

#[test]
fn the_verdict_names_what_is_full() {
    let mut summary = summary(SMALL, 30.0);
    summary.load = Load::Overloaded;
    summary.nodes[0].busy = estimate(0.99);
    let expected = format!("The bottleneck is the machine {} of", summary.nodes[0].node);
    assert!(page(&summary, &Further::default()).contains(&expected));
    summary.lines[0].busy = estimate(0.995);
    let expected = format!("The bottleneck is the line {}", summary.lines[0].line);
    assert!(page(&summary, &Further::default()).contains(&expected));
    summary.nodes.iter_mut().for_each(|node| node.busy = estimate(0.2));
    summary.lines.iter_mut().for_each(|line| line.busy = estimate(0.1));
    assert!(page(&summary, &Further::default()).contains("No machine and no line is full"));
}

#[test]
fn points_that_are_no_numbers_are_left_out_of_a_curve() {
    let points = vec![(2.0, estimate(20.0)), (1.0, estimate(10.0)), (3.0, estimate(f64::NAN))];
    let sweep = |points| Sweep { title: "tokens/s".into(), x_label: "Mbit/s".into(), points };
    let summary = summary(SMALL, 30.0);
    let shown = page(&summary, &Further { sweeps: &[sweep(points)], ..Further::default() });
    check(&shown);
    assert_eq!(shown.matches("class=\"point\"").count(), 2);
    let empty = [sweep(vec![(1.0, estimate(f64::NAN))])];
    let none = page(&summary, &Further { sweeps: &empty, ..Further::default() });
    check(&none);
    assert!(none.contains("No point of this could be measured"));
}

#[test]
fn the_page_answers_whoever_decides() {
    let rule =
        "policy = \"nl\"\n[[policy]]\nname = \"nl\"\nallowed_jurisdictions = [\"NL\", \"BE\"]\n";
    let offer = "[[offer]]\nname = \"one more\"\ninstitution = \"south\"\nsite = \"ghent\"\ndevice = \
                 \"box\"\nmodel = \"toy\"\nprice_eur = 1000\n";
    let text = format!("{SMALL}{rule}{offer}");
    let file = ScenarioFile::parse(Path::new("x.toml"), text.clone()).unwrap();
    let world = World::resolve(&file, None).unwrap();
    let settings = crate::plan::Settings { seed: 1, evaluations: 2_000 };
    let trials = crate::plan::buy::Trials { seeds: vec![1, 2], evaluations: 2_000 };
    let depth = crate::outlook::Depth { rules: Some(settings), offers: Some(trials) };
    let outlooks = crate::outlook::outlooks(&world, &depth, &mut |_| ()).unwrap();
    let page = page(&summary(&text, 60.0), &Further { outlooks: &outlooks, ..Further::default() });
    check(&page);
    for words in [
        "What people get:",
        "What toy could give at most:",
        "The strictest rule:</b> nl leaves",
        "The worst loss of a site:</b> without",
        "nothing is answered any more",
        "What to buy next:</b> one more, which adds",
        "site delft, institution north, country NL",
        "If machines gave all they can",
    ] {
        assert!(page.contains(words), "{words}");
    }
}
