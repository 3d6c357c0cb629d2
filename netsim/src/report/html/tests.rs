//! A page is whole, shows what it was given, runs nothing, and never says NaN.

use std::path::Path;

use super::*;
use crate::{
    capacity::{Options, simulate},
    outlook::{Lost, RulePrice},
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
    assert_eq!(page.matches("busier direction").count(), 1);
    // What its signs mean stands beside it; a point of the network is none of them here.
    assert!(page.contains("85 % and more") && page.contains("only asks"));
    assert!(!page.contains("point of the network"));
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
    let outlooks = crate::outlook::outlooks(&world, &depth, &mut |_| ()).unwrap().told;
    let page = page(&summary(&text, 60.0), &Further { outlooks: &outlooks, ..Further::default() });
    check(&page);
    for words in [
        "What people get:",
        "What toy could give at most:",
        "The strictest rule:</b> nl leaves",
        "The worst loss of a site:</b> without",
        "nothing is answered any more",
        "What to buy next:</b> one more, which adds",
        "any one of: sites delft, ghent; institutions north, south; countries BE, NL",
        "If machines gave all they can",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

fn outlook(losses: Vec<Lost>, rules: Vec<RulePrice>) -> Outlook {
    Outlook {
        model: "toy".to_owned(),
        tokens_per_s: 14_151.2,
        bottlenecks: vec![crate::outlook::Limit {
            part: "big itself".to_owned(),
            tokens_per_s: 14_151.2,
        }],
        rules,
        losses,
        accounts: Vec::new(),
        fairness: None,
        offers: Vec::new(),
    }
}

fn lost(kind: &'static str, name: &str, node: usize, left: f64) -> Lost {
    let share = 1.0 - left / 100.0;
    Lost { kind, name: name.to_owned(), nodes: vec![node], left, share, stops: Vec::new() }
}

#[test]
fn losses_that_leave_the_same_are_one_row() {
    let mut losses = vec![
        lost("site", "ghent", 1, 40.0),
        lost("country", "BE", 1, 40.0),
        lost("site", "delft", 2, 40.0),
        lost("site", "lyon", 3, 40.0),
    ];
    losses[3].stops = vec!["strict".to_owned()];
    let shown = failures::losses(&[outlook(losses.clone(), Vec::new())]);
    assert!(shown.contains("any one of: sites ghent, delft; country BE<"), "{shown}");
    assert!(shown.contains(">site lyon<") && shown.contains(">strict<"), "{shown}");
    assert_eq!(shown.matches("<tr>").count(), 3);
    losses[3].stops.clear();
    let summary = summary(SMALL, 30.0);
    let short = follows::in_short(&summary, &[outlook(losses, Vec::new())], &[]);
    assert!(short.contains("without any one of ghent, delft, lyon 60 % of toy"), "{short}");
    let many = (0u32..20).map(|it| lost("site", "s", it as usize, f64::from(it)));
    let shown = failures::losses(&[outlook(many.collect(), Vec::new())]);
    assert!(shown.contains("6 more rows"), "{shown}");
}

#[test]
fn what_a_rule_changes_has_a_direction_or_may_be_chance() {
    let price = RulePrice {
        policy: "strict".to_owned(),
        institution: "north".to_owned(),
        free: 14_151.2,
        kept: 10_613.4,
        planned: None,
    };
    let summary = summary(SMALL, 30.0);
    let less = |rate: f64, half_width: f64| {
        let costs = [RuleCost {
            policy: "strict".to_owned(),
            tokens_per_s: estimate(100.0),
            tokens_per_s_without: estimate(100.0),
            tokens_per_s_less: Estimate { mean: rate, half_width: Some(half_width), runs: 5 },
            first_token_s: estimate(1.0),
            first_token_s_without: estimate(1.0),
            first_token_s_less: Estimate { mean: 0.0, half_width: Some(0.0), runs: 5 },
            refused: estimate(0.0),
        }];
        let short =
            follows::in_short(&summary, &[outlook(Vec::new(), vec![price.clone()])], &costs);
        (short, tables::rule_costs(&costs))
    };
    let (short, table) = less(-20.0, 5.0);
    assert!(short.contains("get 20.0 ± 5.0 tokens per second fewer than without"), "{short}");
    assert!(short.contains("comes neither later nor sooner"), "{short}");
    assert!(short.contains("leaves 10,613 of 14,151 tokens"), "{short}");
    assert!(short.contains("held down by the machine big."), "{short}");
    assert!(table.contains(">−20.0 ± 5.0<") && table.contains(">0<"), "{table}");
    let (short, table) = less(20.0, 30.0);
    assert!(short.contains("20.0 ± 30.0 tokens per second more (which may be chance)"), "{short}");
    assert!(table.contains(">+20.0 ± 30.0<"), "{table}");
}

#[test]
fn a_verdict_names_those_who_wait_though_all_keeps_up() {
    let mut summary = summary(SMALL, 30.0);
    summary.load = Load::Stable;
    let short = page(&summary, &Further::default());
    assert!(short.contains("class=\"verdict stable\"") && !short.contains("Yet not everybody"));
    summary.workloads[0].first_token_s.p95 = estimate(50.0);
    let long = page(&summary, &Further::default());
    assert!(long.contains("class=\"verdict backlogged\"") && long.contains("Yet not everybody"));
    let mut other = summary.workloads[0].clone();
    other.institution = "south".to_owned();
    other.first_token_s.p95 = estimate(60.0);
    summary.workloads.push(other);
    let two = page(&summary, &Further::default());
    assert!(two.contains("in 2 of the 2 groups that ask, most of all at south"));
}

#[test]
fn words_beside_a_mark_stay_right_of_it_and_inside_the_plot() {
    let at = |x: f64| -> f64 {
        let mut plot = Plot::new((0.0, 100.0), "x", (0.0, 1.0), "y");
        plot.mark(x, 0.5, "p50 43.9 ± 0.5 ms");
        let picture = plot.end("t");
        let tag = picture.split("class=\"note name\" x=\"").nth(1).unwrap();
        tag.split('"').next().unwrap().parse().unwrap()
    };
    // The frame is from 58 to 466 of 480.
    assert!((at(70.0) - (58.0 + 0.7 * 408.0 + 4.0)).abs() < 0.1, "{}", at(70.0));
    assert!(at(99.0) + 17.0 * 6.0 < 480.0, "{}", at(99.0));
}

#[test]
fn thousands_stand_apart() {
    let shown = [0.0, 999.4, 1_000.0, 18_736_562.0, -1_234.0].map(words::whole);
    assert_eq!(shown, ["0", "999", "1,000", "18,736,562", "−1,234"]);
}
