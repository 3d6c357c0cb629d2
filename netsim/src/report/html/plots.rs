//! The plots of a report. Not how a plot is drawn.

use super::{
    svg::Plot,
    words::{figure, percent},
};
use crate::{
    report::{NodeRow, Percentiles, Summary, Sweep},
    statistics::mean,
};

/// Machines whose time is drawn one by one: more lines lie over each other.
const NODES: usize = 3;
/// Room above the highest point of a plot.
pub(super) const ROOM: f64 = 1.08;

/// Times to the first and to a further token, as shares of the answers.
pub(super) fn latencies(summary: &Summary) -> [String; 2] {
    [
        distribution(
            &summary.first_token_quantiles,
            (&summary.first_token_s, 1.0),
            ("seconds to the first token", "s"),
        ),
        distribution(
            &summary.token_quantiles,
            (&summary.token_s, 1e3),
            ("milliseconds of a further token", "ms"),
        ),
    ]
}

fn distribution(
    quantiles: &[f64],
    (times, scale): (&Percentiles, f64),
    (label, unit): (&str, &str),
) -> String {
    if quantiles.len() < 2 {
        return "<p class=\"dim\">No answer has such a time.</p>".to_owned();
    }
    let last = (quantiles.len() - 1) as f64;
    let points: Vec<(f64, f64)> = (0u32..)
        .zip(quantiles)
        .map(|(index, value)| (value * scale, f64::from(index) / last * 100.0))
        .collect();
    // The slowest hundredth would push all others to the left.
    let shown = &points[..points.len() - 1];
    let to = shown.last().map_or(1.0, |point| point.0);
    let mut plot = Plot::new((0.0, to), label, (0.0, 100.0), "answers at least as fast, %");
    plot.line(shown, "");
    // Words stand below the curve, at two heights, for the lines may be close to each other.
    for (estimate, name, height) in [(&times.p50, "p50", 0.25), (&times.p95, "p95", 0.08)] {
        let value = estimate.mean * scale;
        plot.mark(value, height, &format!("{name} {} {unit}", figure(estimate, scale)));
    }
    plot.end(&format!("share of the answers by {label}"))
}

/// A unit of time in which a run is read, and its seconds.
fn unit(seconds: f64) -> (&'static str, f64) {
    match seconds {
        it if it <= 900.0 => ("seconds from the start", 1.0),
        it if it <= 10_800.0 => ("minutes from the start", 60.0),
        _ => ("hours from the start", 3_600.0),
    }
}

/// Tokens per second, and how busy machines were, over time.
pub(super) fn over_time(summary: &Summary) -> [String; 2] {
    let total = summary.warm_up_s + summary.measured_s;
    let (label, seconds) = unit(total);
    let along = |values: &[f64], scale: f64| -> Vec<(f64, f64)> {
        let at = |index: u32| (f64::from(index) + 0.5) * summary.slice_s / seconds;
        (0u32..).zip(values).map(|(index, value)| (at(index), value * scale)).collect()
    };
    let tokens = along(&summary.over_time, 1.0);
    let most = tokens.iter().map(|point| point.1).fold(1.0, f64::max);
    let mut rate =
        Plot::new((0.0, total / seconds), label, (0.0, most * ROOM), "tokens per second");
    rate.line(&tokens, "");
    let mut busy = Plot::new((0.0, total / seconds), label, (0.0, 100.0), "running, % of the time");
    let drawn: Vec<&NodeRow> =
        summary.nodes.iter().filter(|node| !node.over_time.is_empty()).collect();
    for node in drawn.iter().take(NODES) {
        busy.line(&along(&smooth(&node.over_time), 100.0), &node.node);
    }
    if let Some(first) = drawn.first().filter(|_| drawn.len() > NODES) {
        let at =
            |slice: usize| -> Vec<f64> { drawn.iter().map(|it| it.over_time[slice]).collect() };
        let mean: Vec<f64> = (0..first.over_time.len()).map(|slice| mean(&at(slice))).collect();
        let name = format!("mean of the {} busiest", drawn.len());
        busy.line(&along(&smooth(&mean), 100.0), &name);
    }
    if summary.warm_up_s > 0.0 {
        rate.mark(summary.warm_up_s / seconds, 0.0, "measured from here");
        busy.mark(summary.warm_up_s / seconds, 0.0, "");
    }
    [rate.end("tokens per second over time"), busy.end("how busy machines were over time")]
}

/// Means of five neighbours: slices are short, and lines of noise cannot be told apart.
fn smooth(values: &[f64]) -> Vec<f64> {
    let around = |index: usize| {
        let part = &values[index.saturating_sub(2)..(index + 3).min(values.len())];
        mean(part).min(1.0)
    };
    (0..values.len()).map(around).collect()
}

/// A figure over what is changed, with the band of its intervals.
pub(super) fn sweep(sweep: &Sweep) -> String {
    let finite = |(x, it): &&(f64, _)| -> bool {
        let it: &crate::statistics::Estimate = it;
        x.is_finite() && it.mean.is_finite()
    };
    let mut points: Vec<_> = sweep.points.iter().filter(finite).copied().collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let Some((first, last)) = points.first().zip(points.last()) else {
        return "<p class=\"dim\">No point of this could be measured.</p>".to_owned();
    };
    let half = |it: &crate::statistics::Estimate| it.half_width.unwrap_or(0.0);
    let most = points.iter().map(|(_, it)| it.mean + half(it)).fold(0.0, f64::max);
    let mut plot =
        Plot::new((first.0, last.0), &sweep.x_label, (0.0, most.max(1e-9) * ROOM), &sweep.title);
    let band: Vec<_> = points
        .iter()
        .map(|(x, it)| (*x, (it.mean - half(it)).max(0.0), it.mean + half(it)))
        .collect();
    plot.band(&band);
    plot.line(&points.iter().map(|(x, it)| (*x, it.mean)).collect::<Vec<_>>(), "");
    for (x, it) in &points {
        plot.point(*x, it.mean, &format!("{} {x}: {}", sweep.x_label, figure(it, 1.0)));
    }
    plot.end(&format!("{} over {}", sweep.title, sweep.x_label))
}

/// A bar of a share, for tables.
pub(super) fn bar(share: &crate::statistics::Estimate) -> String {
    let width = if share.mean.is_finite() { share.mean.clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    format!("{}<span class=\"bar\"><i style=\"width:{width:.0}%\"></i></span>", percent(share))
}
