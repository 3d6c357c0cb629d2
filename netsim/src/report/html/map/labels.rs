//! Names beside places, none over another or over a place. Not what is named.

use std::{f64::consts::TAU, fmt::Write as _};

use super::super::svg::escape;

/// Width of a letter of a label and height of its line.
const LETTER: (f64, f64) = (5.9, 13.0);
/// How far away from a place its name may stand, with a line to it, if there is no room beside it.
const REACHES: [f64; 5] = [22.0, 32.0, 44.0, 58.0, 74.0];
/// Directions in which room is looked for at each of them.
const DIRECTIONS: u32 = 16;

/// A rectangle: left, top, right, bottom.
pub(super) type Area = (f64, f64, f64, f64);

/// Names that found room so far.
#[derive(Debug)]
pub(super) struct Labels {
    taken: Vec<Area>,
    size: (f64, f64),
}

/// Where a name could stand: its baseline's end, which end that is, and whether a line leads there.
#[derive(Debug, Clone, Copy)]
struct Spot {
    x: f64,
    y: f64,
    anchor: &'static str,
    is_far: bool,
}

impl Labels {
    /// No name yet, on a picture of this width and height where these areas are taken.
    pub(super) fn around(taken: Vec<Area>, size: (f64, f64)) -> Self {
        Self { taken, size }
    }

    /// Writes a name beside its place, or near it with a line to it; says whether there was room.
    pub(super) fn put(
        &mut self,
        out: &mut String,
        text: &str,
        (x, y): (f64, f64),
        radius: f64,
    ) -> bool {
        let wide = text.chars().count() as f64 * LETTER.0;
        let near = beside((x, y), radius + 3.0).into_iter();
        let mut spots = near.chain(REACHES.iter().flat_map(|reach| around((x, y), *reach)));
        let free = spots.find_map(|spot| {
            let area = area(spot, wide);
            self.is_free(area).then_some((spot, area))
        });
        let Some((spot, area)) = free else { return false };
        self.taken.push(area);
        if spot.is_far {
            let end = (x.clamp(area.0, area.2), y.clamp(area.1, area.3));
            let _ = write!(
                out,
                "<path class=\"leader\" d=\"M{x:.1} {y:.1}L{:.1} {:.1}\"/>",
                end.0, end.1
            );
        }
        let Spot { x, y, anchor, .. } = spot;
        let _ = write!(
            out,
            "<text class=\"name\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(text)
        );
        true
    }

    /// The least area with all of it.
    pub(super) fn bounds(&self) -> Area {
        let wider = |all: Area, one: &Area| {
            (all.0.min(one.0), all.1.min(one.1), all.2.max(one.2), all.3.max(one.3))
        };
        match self.taken.split_first() {
            Some((first, rest)) => rest.iter().fold(*first, wider),
            None => (0.0, 0.0, self.size.0, self.size.1),
        }
    }

    fn is_free(&self, area: Area) -> bool {
        let inside =
            area.0 >= 0.0 && area.2 <= self.size.0 && area.1 >= 0.0 && area.3 <= self.size.1;
        inside && !self.taken.iter().any(|other| overlap(area, *other))
    }
}

fn overlap(one: Area, other: Area) -> bool {
    one.0 < other.2 && other.0 < one.2 && one.1 < other.3 && other.1 < one.3
}

/// The area of a name that stands there.
fn area(spot: Spot, wide: f64) -> Area {
    let left = match spot.anchor {
        "start" => spot.x,
        "end" => spot.x - wide,
        _ => spot.x - wide / 2.0,
    };
    (left, spot.y - LETTER.1 + 3.0, left + wide, spot.y + 3.0)
}

/// Spots that touch the place, the best first.
fn beside((x, y): (f64, f64), gap: f64) -> [Spot; 8] {
    let spot = |x, y, anchor| Spot { x, y, anchor, is_far: false };
    [
        spot(x + gap, y + 4.0, "start"),
        spot(x - gap, y + 4.0, "end"),
        spot(x, y - gap - 1.0, "middle"),
        spot(x, y + gap + 9.0, "middle"),
        spot(x + gap, y - 7.0, "start"),
        spot(x - gap, y - 7.0, "end"),
        spot(x + gap, y + 14.0, "start"),
        spot(x - gap, y + 14.0, "end"),
    ]
}

/// Spots all around at some distance.
fn around((x, y): (f64, f64), reach: f64) -> impl Iterator<Item = Spot> {
    (0..DIRECTIONS).map(move |number| {
        let angle = TAU * f64::from(number) / f64::from(DIRECTIONS);
        let anchor = match angle.cos() {
            it if it > 0.3 => "start",
            it if it < -0.3 => "end",
            _ => "middle",
        };
        let (x, y) = (angle.cos().mul_add(reach, x), angle.sin().mul_add(reach, y) + 4.0);
        Spot { x, y, anchor, is_far: true }
    })
}
