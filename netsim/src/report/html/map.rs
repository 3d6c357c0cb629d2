//! The map of a report: places where they are, lines as wide as their traffic. Not its figures.

mod labels;

use std::{f64::consts::TAU, fmt::Write as _};

use self::labels::{Area, Labels};
use super::{svg::escape, words::amount};
use crate::report::{Flow, Map, Place};

/// Width of the picture, and room around the places.
const WIDTH: f64 = 960.0;
const MARGIN: f64 = 60.0;
/// Height at least, and at most: of few places, and of many.
const HEIGHT: (f64, f64, f64) = (260.0, 380.0, 860.0);
/// From how many places on they are many.
const MANY: usize = 10;
/// Width of the line that carries the most.
const LINE_MAX: f64 = 9.0;
/// Room that stays around what is drawn, and the width of a picture at least: of two places in a
/// column too.
const RIM: f64 = 10.0;
const WIDTH_MIN: f64 = 320.0;
/// Share of its size down to which a narrow window shrinks a map: below, its names (11 px) are too
/// small to read, and the map is to be moved instead.
const SHRINK_MIN: f64 = 0.8;
/// Share of the time from which a machine or line counts as busy, and as nearly full.
pub(super) const BUSY: f64 = 0.5;
pub(super) const FULL: f64 = 0.85;

/// A map as it was drawn.
#[derive(Debug)]
pub(super) struct Drawn {
    /// The picture.
    pub(super) picture: String,
    /// Whether places are where they are on the earth.
    pub(super) is_earth: bool,
    /// Whether points of the network are shown.
    pub(super) has_points: bool,
    /// Sites whose names found no room.
    pub(super) unnamed: usize,
}

/// The picture of a map, as large as what is on it.
pub(super) fn draw(map: &Map) -> Drawn {
    let shown: Vec<bool> = (0..map.places.len())
        .map(|index| {
            let carries = |flow: &Flow| flow.ends.contains(&index) && flow.megabytes > 0.0;
            map.places[index].country.is_some() || map.flows.iter().any(carries)
        })
        .collect();
    let is_earth = (0..shown.len()).all(|index| !shown[index] || map.places[index].at.is_some());
    let (at, height) = if is_earth { projected(map, &shown) } else { circle(map, &shown) };
    let mut body = String::new();
    let most = map.flows.iter().map(|flow| flow.megabytes).fold(0.0, f64::max);
    for flow in &map.flows {
        let [one, other] = flow.ends;
        if shown[one] && shown[other] {
            line(&mut body, map, flow, (at[one], at[other]), most);
        }
    }
    let is_site = |index: &usize| map.places[*index].country.is_some();
    let (mut sites, points): (Vec<usize>, Vec<usize>) =
        (0..shown.len()).filter(|index| shown[*index]).partition(is_site);
    let circles = points.iter().chain(&sites).map(|index| {
        let ((x, y), r) = (at[*index], radius(&map.places[*index]));
        (x - r, y - r, x + r, y + r)
    });
    let mut labels = Labels::around(circles.collect(), (WIDTH, height));
    // Points of the network first: a site may stand on one.
    for index in points.iter().chain(&sites) {
        circle_of(&mut body, &map.places[*index], at[*index]);
    }
    // The busiest first: where room is short, theirs are the names to read.
    sites.sort_by(|one, other| map.places[*other].busy.total_cmp(&map.places[*one].busy));
    let named = sites
        .iter()
        .filter(|index| {
            let place = &map.places[**index];
            labels.put(&mut body, &name(place), at[**index], radius(place))
        })
        .count();
    let picture = framed(&body, labels.bounds());
    let has_points = !points.is_empty();
    Drawn { picture, is_earth, has_points, unnamed: sites.len() - named }
}

/// What was drawn within `bounds`, at its own size if there is room for it.
fn framed(body: &str, (left, top, right, bottom): Area) -> String {
    let (width, height) = (right - left + 2.0 * RIM, bottom - top + 2.0 * RIM);
    let wide = width.max(WIDTH_MIN);
    format!(
        "<svg viewBox=\"{:.0} {:.0} {wide:.0} {height:.0}\" width=\"{wide:.0}\" \
         style=\"min-width:{:.0}px\" role=\"img\" aria-label=\"map of sites and what goes between \
         them\">{body}</svg>",
        left - RIM - (wide - width) / 2.0,
        top - RIM,
        wide * SHRINK_MIN
    )
}

/// What signs on a map mean; `most` is what its widest line carries.
pub(super) fn legend(most: &str, has_points: bool) -> String {
    let (busy, full) = (BUSY * 100.0, FULL * 100.0);
    let circle = |class: &str, words: String| {
        (format!("<circle class=\"place {class}\" cx=\"14\" cy=\"7\" r=\"6\"/>"), words)
    };
    let line = |class: &str, words: String| {
        let path = format!("<path class=\"flow {class}\" stroke-width=\"4\" d=\"M2 7H26\"/>");
        (path, words)
    };
    let point = has_points.then(|| {
        let sign = "<rect class=\"hop\" x=\"12\" y=\"5\" width=\"4\" height=\"4\"/>";
        (sign.to_owned(), "point of the network".to_owned())
    });
    let signs = [
        circle("low", format!("busiest machine runs less than {busy:.0} % of the time")),
        circle("mid", format!("{busy:.0} to {full:.0} %")),
        circle("high", format!("{full:.0} % and more")),
        circle("", "only asks".to_owned()),
        line("", format!("traffic: the wider the more, {most} a run at most")),
        line("full", format!("line sending {full:.0} % of the time or more")),
    ];
    let item = |(sign, words): (String, String)| {
        format!("<span><svg viewBox=\"0 0 28 14\" aria-hidden=\"true\">{sign}</svg>{words}</span>")
    };
    let items: String = signs.into_iter().chain(point).map(item).collect();
    format!("<p class=\"legend\">{items}</p>")
}

/// Degrees to the picture: as far as they are apart on the middle latitude, north up.
fn projected(map: &Map, shown: &[bool]) -> (Vec<(f64, f64)>, f64) {
    let places = map.places.iter().zip(shown).filter(|(_, shown)| **shown);
    let known: Vec<(f64, f64)> = places.filter_map(|(place, _)| place.at).collect();
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        let values = || known.iter().map(of);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let ((south, north), (west, east)) = (bounds(|at| at.0), bounds(|at| at.1));
    let squeeze = f64::midpoint(south, north).to_radians().cos().max(0.1);
    let wide = ((east - west) * squeeze).max(0.1);
    let high = (north - south).max(0.1);
    let room = WIDTH - 2.0 * MARGIN;
    let highest = if known.len() < MANY { HEIGHT.1 } else { HEIGHT.2 };
    let scale = (room / wide).min((highest - 2.0 * MARGIN) / high);
    let height = high.mul_add(scale, 2.0 * MARGIN).max(HEIGHT.0);
    let (left, top) = ((WIDTH - wide * scale) / 2.0, (height - high * scale) / 2.0);
    let place = |place: &Place| {
        let (latitude, longitude) = place.at.unwrap_or((south, west));
        let x = ((longitude - west) * squeeze).mul_add(scale, left);
        (x, (north - latitude).mul_add(scale, top))
    };
    (map.places.iter().map(place).collect(), height)
}

/// Places in a ring, in the order of the scenario.
fn circle(map: &Map, shown: &[bool]) -> (Vec<(f64, f64)>, f64) {
    let count = shown.iter().filter(|shown| **shown).count().max(1) as f64;
    let height = if count > 8.0 { 640.0 } else { 420.0 };
    let (middle, reach) = (height / 2.0, height / 2.0 - MARGIN);
    let mut number = 0.0;
    let at = map.places.iter().zip(shown).map(|(_, shown)| {
        let angle = TAU * (number / count - 0.5);
        number += f64::from(u8::from(*shown));
        let wider = reach * 1.4;
        (angle.cos().mul_add(wider, WIDTH / 2.0), angle.sin().mul_add(reach, middle))
    });
    (at.collect(), height)
}

type Ends = ((f64, f64), (f64, f64));

fn line(out: &mut String, map: &Map, flow: &Flow, (from, to): Ends, most: f64) {
    let share = if most > 0.0 { flow.megabytes / most } else { 0.0 };
    let width = share.sqrt().mul_add(LINE_MAX, 0.6);
    let class = if flow.busy >= FULL { "flow full" } else { "flow" };
    let [one, other] = flow.ends.map(|end| escape(&map.places[end].name));
    let _ = write!(
        out,
        "<path class=\"{class}\" stroke-width=\"{width:.1}\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"><title>\
         {one} – {other}: {} a run, busier direction sending {:.1} % of the time</title></path>",
        from.0,
        from.1,
        to.0,
        to.1,
        amount(flow.megabytes),
        flow.busy * 100.0
    );
}

fn radius(place: &Place) -> f64 {
    match (&place.country, place.nodes) {
        (None, _) => 3.0,
        (_, 0) => 4.0,
        _ => 6.0f64.mul_add(place.busy, 5.0),
    }
}

fn circle_of(out: &mut String, place: &Place, (x, y): (f64, f64)) {
    let radius = radius(place);
    let name = escape(&place.name);
    let Some(country) = &place.country else {
        let (x, y) = (x - 2.0, y - 2.0);
        let _ = write!(
            out,
            "<rect class=\"hop\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"4\" height=\"4\"><title>point \
             {name} of the network</title></rect>"
        );
        return;
    };
    let class = match place.nodes {
        0 => "place",
        _ if place.busy >= FULL => "place high",
        _ if place.busy >= BUSY => "place mid",
        _ => "place low",
    };
    let nodes = match place.nodes {
        0 => "no machine".to_owned(),
        1 => format!("1 machine, running {:.0} % of the time", place.busy * 100.0),
        count => format!("{count} machines, the busiest {:.0} % of the time", place.busy * 100.0),
    };
    let _ = write!(
        out,
        "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"><title>{name} \
         ({}): {nodes}</title></circle>",
        escape(country)
    );
}

/// What stands beside a site.
fn name(place: &Place) -> String {
    let country = place.country.as_deref().unwrap_or("");
    match place.nodes {
        0 => format!("{} {country}", place.name),
        _ => format!("{} {country} {:.0} %", place.name, place.busy * 100.0),
    }
}

#[cfg(test)]
mod tests;
