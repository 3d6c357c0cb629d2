//! The map of a report: places where they are, lines as wide as their traffic. Not its figures.

use std::{f64::consts::TAU, fmt::Write as _};

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
/// Width of a letter of a label and height of its line.
const LETTER: (f64, f64) = (5.9, 13.0);
/// Share of the time from which a machine or line counts as busy, and as nearly full.
pub(super) const BUSY: f64 = 0.5;
pub(super) const FULL: f64 = 0.85;

/// A rectangle: left, top, right, bottom.
type Box = (f64, f64, f64, f64);

/// The picture, and whether places are where they are on the earth.
pub(super) fn draw(map: &Map) -> (String, bool) {
    let shown: Vec<bool> = (0..map.places.len())
        .map(|index| {
            let carries = |flow: &Flow| flow.ends.contains(&index) && flow.megabytes > 0.0;
            map.places[index].country.is_some() || map.flows.iter().any(carries)
        })
        .collect();
    let known = (0..shown.len()).all(|index| !shown[index] || map.places[index].at.is_some());
    let (at, height) = if known { projected(map, &shown) } else { circle(map, &shown) };
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"map of sites and what \
         goes between them\">"
    );
    let most = map.flows.iter().map(|flow| flow.megabytes).fold(0.0, f64::max);
    for flow in &map.flows {
        let [one, other] = flow.ends;
        if shown[one] && shown[other] {
            line(&mut out, map, flow, (at[one], at[other]), most);
        }
    }
    let radius = |place: &Place| if place.nodes == 0 { 4.0 } else { 5.0 + 6.0 * place.busy };
    let mut taken: Vec<Box> = Vec::new();
    for (place, (x, y)) in map.places.iter().zip(&at).filter(|(place, _)| place.country.is_some()) {
        let r = radius(place);
        taken.push((x - r, y - r, x + r, y + r));
    }
    // Points of the network first: a site may stand on one.
    for is_site in [false, true] {
        for (index, place) in map.places.iter().enumerate().filter(|(index, _)| shown[*index]) {
            if place.country.is_some() == is_site {
                circle_of(&mut out, place, at[index], radius(place));
            }
        }
    }
    // The busiest first: where room is short, theirs are the names to read.
    let mut order: Vec<usize> =
        (0..shown.len()).filter(|index| map.places[*index].country.is_some()).collect();
    order.sort_by(|one, other| map.places[*other].busy.total_cmp(&map.places[*one].busy));
    for index in order {
        label(
            &mut out,
            &map.places[index],
            at[index],
            (radius(&map.places[index]), height),
            &mut taken,
        );
    }
    out.push_str("</svg>");
    (out, known)
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

fn circle_of(out: &mut String, place: &Place, (x, y): (f64, f64), radius: f64) {
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

/// A name beside its place, where it hides no other; nowhere if there is no such room.
fn label(
    out: &mut String,
    place: &Place,
    (x, y): (f64, f64),
    (radius, height): (f64, f64),
    taken: &mut Vec<Box>,
) {
    let country = place.country.as_deref().unwrap_or("");
    let text = match place.nodes {
        0 => format!("{} {country}", place.name),
        _ => format!("{} {country} {:.0} %", place.name, place.busy * 100.0),
    };
    let (wide, high) = (text.chars().count() as f64 * LETTER.0, LETTER.1);
    let gap = radius + 3.0;
    let spots = [
        (x + gap, y + 4.0, "start"),
        (x - gap, y + 4.0, "end"),
        (x, y - gap - 1.0, "middle"),
        (x, y + gap + 9.0, "middle"),
        (x + gap, y - 7.0, "start"),
        (x - gap, y - 7.0, "end"),
        (x + gap, y + 14.0, "start"),
        (x - gap, y + 14.0, "end"),
    ];
    let free = spots.into_iter().find_map(|(x, y, anchor)| {
        let left = match anchor {
            "start" => x,
            "end" => x - wide,
            _ => x - wide / 2.0,
        };
        let area = (left, y - high + 3.0, left + wide, y + 3.0);
        let inside = left >= 0.0 && area.2 <= WIDTH && area.1 >= 0.0 && area.3 <= height;
        let apart = |other: &Box| {
            area.2 <= other.0 || other.2 <= area.0 || area.3 <= other.1 || other.3 <= area.1
        };
        (inside && taken.iter().all(apart)).then_some((x, y, anchor, area))
    });
    if let Some((x, y, anchor, area)) = free {
        taken.push(area);
        let _ = write!(
            out,
            "<text class=\"name\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(&text)
        );
    }
}
