//! Plots as inline SVG: a frame with axes, lines and bands, a legend below. Not what they show.

use std::fmt::Write as _;

/// Size of a plot, and of the room around its frame: left, right, top, bottom.
const SIZE: (f64, f64) = (480.0, 250.0);
const MARGINS: (f64, f64, f64, f64) = (58.0, 14.0, 12.0, 42.0);
/// Ticks of an axis, about.
const TICKS: f64 = 5.0;
/// Height of one row of the legend.
const ROW: f64 = 17.0;
/// Width of a letter of a word in a plot, at most.
const LETTER: f64 = 6.4;
/// Dashes of lines, so that they differ without colours too.
const DASHES: [&str; 6] = ["none", "7 3", "2 2", "9 3 2 3", "4 4", "1 3"];

/// Text that may stand in HTML or in an attribute.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(it),
        }
    }
    out
}

/// A plot that is being drawn.
#[derive(Debug)]
pub(super) struct Plot {
    x: (f64, f64),
    y: (f64, f64),
    body: String,
    legend: Vec<String>,
}

/// A step of 1, 2 or 5 times a power of ten that divides `span` into about [`TICKS`].
fn step(span: f64) -> f64 {
    let rough = span / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|it| it * power >= rough);
    factor.unwrap_or(10.0) * power
}

/// A range that can be drawn: finite, and with some width.
fn range((from, to): (f64, f64)) -> (f64, f64) {
    match from.is_finite() && to.is_finite() && to > from {
        true => (from, to),
        false => (0.0, 1.0),
    }
}

impl Plot {
    /// An empty frame over these ranges.
    pub(super) fn new(x: (f64, f64), x_label: &str, y: (f64, f64), y_label: &str) -> Self {
        let mut plot = Self { x: range(x), y: range(y), body: String::new(), legend: Vec::new() };
        plot.ticks(true);
        plot.ticks(false);
        let (left, right, top, bottom) = MARGINS;
        let (width, height) = SIZE;
        let (middle, center) = ((left + width - right) / 2.0, (top + height - bottom) / 2.0);
        let _ = write!(
            plot.body,
            "<text class=\"axis\" text-anchor=\"middle\" x=\"{middle}\" y=\"{:.0}\">{}</text>\
             <text class=\"axis\" text-anchor=\"middle\" transform=\"translate(12 {center}) \
             rotate(-90)\">{}</text>",
            height - 6.0,
            escape(x_label),
            escape(y_label)
        );
        plot
    }

    fn ticks(&mut self, along_x: bool) {
        let (from, to) = if along_x { self.x } else { self.y };
        let step = step(to - from);
        let digits =
            if step >= 1.0 { 0 } else { usize::from(step < 0.1) + 1 + usize::from(step < 0.01) };
        let first = (from / step).ceil();
        let values = (0..20).map(|tick| (first + f64::from(tick)) * step);
        for value in values.take_while(|value| *value <= to + step * 1e-6) {
            let (x, y) = if along_x { (value, self.y.0) } else { (self.x.0, value) };
            let (x, y) = self.place(x, y);
            let text = format!("{value:.digits$}");
            let (width, height) = SIZE;
            let (left, right, top, bottom) = MARGINS;
            let _ = match along_x {
                true => write!(
                    self.body,
                    "<path class=\"grid\" d=\"M{x:.1} {top}V{:.1}\"/><text text-anchor=\"middle\" \
                     x=\"{x:.1}\" y=\"{:.1}\">{text}</text>",
                    height - bottom,
                    height - bottom + 15.0
                ),
                false => write!(
                    self.body,
                    "<path class=\"grid\" d=\"M{left} {y:.1}H{:.1}\"/><text text-anchor=\"end\" \
                     x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
                    width - right,
                    left - 5.0,
                    y + 4.0
                ),
            };
        }
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (left, right, top, bottom) = MARGINS;
        let across = (x - self.x.0) / (self.x.1 - self.x.0);
        let up = (y - self.y.0) / (self.y.1 - self.y.0);
        let (width, height) = (SIZE.0 - left - right, SIZE.1 - top - bottom);
        (left + across.clamp(0.0, 1.0) * width, top + (1.0 - up.clamp(0.0, 1.0)) * height)
    }

    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let finite = points.filter(|(x, y)| x.is_finite() && y.is_finite());
        let mut path = String::new();
        for (x, y) in finite {
            let (x, y) = self.place(x, y);
            let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
        }
        path
    }

    /// A line, named in the legend if it has a name.
    pub(super) fn line(&mut self, points: &[(f64, f64)], name: &str) {
        let number = self.legend.len() % DASHES.len();
        let style = format!("class=\"line l{number}\" stroke-dasharray=\"{}\"", DASHES[number]);
        let path = self.path(points.iter().copied());
        let _ =
            write!(self.body, "<path {style} d=\"{path}\"><title>{}</title></path>", escape(name));
        self.legend.push(match name {
            "" => String::new(),
            _ => format!(
                "<path {style} d=\"M0 0H26\"/><text x=\"32\" y=\"4\">{}</text>",
                escape(name)
            ),
        });
    }

    /// A band between two lines over the same values: an interval.
    pub(super) fn band(&mut self, points: &[(f64, f64, f64)]) {
        let lower = points.iter().map(|(x, low, _)| (*x, *low));
        let upper = points.iter().rev().map(|(x, _, high)| (*x, *high));
        let path = self.path(lower.chain(upper));
        let _ = write!(self.body, "<path class=\"band\" d=\"{path}Z\"/>");
    }

    /// A point of a line, with what it says.
    pub(super) fn point(&mut self, x: f64, y: f64, text: &str) {
        if x.is_finite() && y.is_finite() {
            let (x, y) = self.place(x, y);
            let text = escape(text);
            let _ = write!(
                self.body,
                "<circle class=\"point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{text}</title>\
                 </circle>"
            );
        }
    }

    /// An upright line with a word beside it, at `height` (0 at the foot, 1 at the top).
    pub(super) fn mark(&mut self, x: f64, height: f64, text: &str) {
        if x.is_finite() && x <= self.x.1 {
            let ((x, y), (_, end)) = (self.place(x, self.y.1), self.place(x, self.y.0));
            // The word stands on the right, where curves that rise are above it; near the edge only
            // as far to the right as there is room.
            let most = (text.chars().count() as f64).mul_add(-LETTER, SIZE.0 - MARGINS.1);
            let at = (x + 4.0).min(most).max(MARGINS.0);
            let _ = write!(
                self.body,
                "<path class=\"mark\" d=\"M{x:.1} {y:.1}V{end:.1}\"/><text class=\"note name\" \
                 x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                (end - y).mul_add(-height, end - 5.0),
                escape(text)
            );
        }
    }

    /// The picture; `title` is what it is for those who do not see it.
    pub(super) fn end(self, title: &str) -> String {
        let (width, height) = SIZE;
        let named: Vec<&String> = self.legend.iter().filter(|it| !it.is_empty()).collect();
        let rows = named.len().div_ceil(2);
        let mut legend = String::new();
        for (index, item) in named.into_iter().enumerate() {
            let x =
                if index.is_multiple_of(2) { MARGINS.0 } else { f64::midpoint(MARGINS.0, width) };
            let y = ((index / 2) as f64).mul_add(ROW, height + 10.0);
            let _ = write!(legend, "<g transform=\"translate({x:.0} {y:.0})\">{item}</g>");
        }
        let height = (rows as f64).mul_add(ROW, height);
        let (title, body) = (escape(title), self.body);
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">{body}\
             {legend}</svg>"
        )
    }
}
