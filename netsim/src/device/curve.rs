//! A measured curve: straight lines between its points. Not what is measured.

/// Points in ascending order of their first number.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    points: Vec<(f64, f64)>,
}

/// Why a text is no curve.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CurveError {
    /// A line is not two numbers.
    #[error("line {0} is not two numbers with a comma between")]
    Line(usize),
    /// Points do not ascend, or none takes time.
    #[error("line {0} does not ascend")]
    Order(usize),
    /// Nothing to draw a line between.
    #[error("fewer than two points")]
    TooFew,
}

impl Curve {
    /// Whether it never falls, not beyond its ends either.
    #[must_use]
    pub fn rises(&self) -> bool {
        self.points.is_sorted_by(|one, next| one.1 <= next.1)
    }

    /// Reads lines of two numbers.
    ///
    /// # Errors
    /// [`CurveError`].
    pub fn parse(text: &str) -> Result<Self, CurveError> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (line, row) in (1..).zip(text.lines()).filter(|(_, row)| !row.trim().is_empty()) {
            let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<f64>().ok());
            let mut cells = row.split(',');
            let (Some(x), Some(y), None) =
                (number(cells.next()), number(cells.next()), cells.next())
            else {
                // A head line is no point.
                if line == 1 { continue } else { return Err(CurveError::Line(line)) }
            };
            if !x.is_finite() || !y.is_finite() || y < 0.0 {
                return Err(CurveError::Line(line));
            }
            if points.last().is_some_and(|last| x <= last.0) {
                return Err(CurveError::Order(line));
            }
            points.push((x, y));
        }
        if points.len() < 2 { Err(CurveError::TooFew) } else { Ok(Self { points }) }
    }

    /// The value at `x`: between the nearest points, or along the last line beyond them.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        if x <= self.points[0].0 {
            return self.points[0].1;
        }
        let above = self.points.partition_point(|point| point.0 < x);
        let above = above.clamp(1, self.points.len() - 1);
        let ((x0, y0), (x1, y1)) = (self.points[above - 1], self.points[above]);
        ((y1 - y0) * (x - x0) / (x1 - x0) + y0).max(0.0)
    }

    /// The largest number that was measured.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.points[self.points.len() - 1].0
    }

    /// The same as [`Self::at`], but nothing above zero takes less than the first measured number above zero: a
    /// pass of one row takes no half of a pass of two.
    #[must_use]
    pub fn at_least_first(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        let first = self.points.iter().find(|point| point.0 > 0.0).map_or(0.0, |point| point.0);
        self.at(x.max(first))
    }
}
