//! Straight lines through measured times, none of whose parts is below zero. Not what is measured.
//!
//! Errors count by their share of the time, outliers little (Huber 1964), and of all sets of parts
//! that come out above zero the best is taken: with so few parts that is exact (Lawson and Hanson
//! 1974 search the same optimum).

/// Rounds of reweighting: weights settle within a few.
const ROUNDS: usize = 12;
/// Deviations beyond which an error counts by its size only, and no longer by its square.
const TUNING: f64 = 1.345;
/// Median of absolute errors over the deviation, if they are normal.
const MEDIAN: f64 = 0.6745;
/// Deviations beyond which a time tells of a disturbance and not of the device.
const DISTURBED: f64 = 6.0;
/// Relative errors that are none.
const EXACT: f64 = 1e-6;
/// Least share of a column that others leave unexplained for it to be told apart from them.
const APART: f64 = 1e-9;

/// A time and what it is made of: how often each part is in it.
pub(super) type Row<const N: usize> = ([f64; N], f64);

/// Lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lines<const N: usize> {
    /// Time of each part.
    pub(super) parts: [f64; N],
    /// Its standard error; not a number where nothing tells it apart from others.
    pub(super) errors: [f64; N],
    /// Relative deviation of a single time.
    pub(super) deviation: f64,
    /// Rows.
    pub(super) rows: usize,
}

impl<const N: usize> Lines<N> {
    pub(super) fn at(&self, row: &[f64; N]) -> f64 {
        row.iter().zip(self.parts).map(|(x, part)| x * part).sum()
    }
}

/// Fits lines to times above zero; `None` without any.
pub(super) fn fit<const N: usize>(rows: &[Row<N>]) -> Option<Lines<N>> {
    if rows.is_empty() {
        return None;
    }
    let mut lines =
        Lines { parts: [0.0; N], errors: [f64::NAN; N], deviation: 0.0, rows: rows.len() };
    let mut weights = vec![1.0; rows.len()];
    let mut scale: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let mut sums = Sums::default();
    for _ in 0..ROUNDS {
        sums = Sums::of(rows, &weights, &scale);
        lines.parts = sums.best()?;
        let errors: Vec<f64> = rows
            .iter()
            .zip(&mut scale)
            .map(|((row, time), scale)| {
                // Errors are shares of what the lines say, once they say something.
                *scale = lines.at(row).max(time * 0.05);
                (time - lines.at(row)) / *scale
            })
            .collect();
        lines.deviation = deviation(&errors);
        for (weight, error) in weights.iter_mut().zip(&errors) {
            let far = error.abs() / (TUNING * lines.deviation).max(EXACT);
            *weight = if far > 1.0 { 1.0 / far } else { 1.0 };
        }
    }
    lines.errors = sums.errors(&lines.parts, rows.len());
    lines.level(rows);
    Some(lines)
}

impl<const N: usize> Lines<N> {
    /// The ratio of a time to what the lines say beyond which it tells of a disturbance.
    pub(super) const fn edge(&self) -> f64 {
        DISTURBED * self.deviation + 1.0
    }

    /// Raises the lines to the mean of the times: rates follow from means, and times have a long tail
    /// that the fit takes for outliers. What is far beyond it counts as its edge.
    fn level(&mut self, rows: &[Row<N>]) {
        let (mut measured, mut fitted) = (0.0, 0.0);
        for (row, time) in rows {
            let at = self.at(row);
            measured += time.min(at * self.edge());
            fitted += at;
        }
        let level = if fitted > 0.0 { measured / fitted } else { 1.0 };
        self.parts.iter_mut().for_each(|part| *part *= level);
        self.errors.iter_mut().for_each(|error| *error *= level);
    }
}

/// Deviation of errors by their median, which outliers do not move.
fn deviation(errors: &[f64]) -> f64 {
    let mut all: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    all.sort_by(f64::total_cmp);
    crate::statistics::percentile(&all, 0.5) / MEDIAN
}

/// Sums of squares and products of rows.
#[derive(Debug, Clone, Copy)]
struct Sums<const N: usize> {
    products: [[f64; N]; N],
    times: [f64; N],
    square: f64,
}

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self { products: [[0.0; N]; N], times: [0.0; N], square: 0.0 }
    }
}

impl<const N: usize> Sums<N> {
    fn of(rows: &[Row<N>], weights: &[f64], scale: &[f64]) -> Self {
        let mut sums = Self::default();
        for (((row, time), weight), scale) in rows.iter().zip(weights).zip(scale) {
            let weight = weight / (scale * scale);
            for one in 0..N {
                for other in 0..N {
                    sums.products[one][other] += weight * row[one] * row[other];
                }
                sums.times[one] += weight * row[one] * time;
            }
            sums.square += weight * time * time;
        }
        sums
    }

    /// What lines of these parts leave unexplained.
    fn left(&self, parts: &[f64; N]) -> f64 {
        let mut left = self.square;
        for (one, part) in parts.iter().enumerate() {
            let row: f64 = self.products[one].iter().zip(parts).map(|(sum, part)| sum * part).sum();
            left += part * (row - 2.0 * self.times[one]);
        }
        left
    }

    /// The best parts none of which is below zero: of all sets of parts that solve the equations so.
    fn best(&self) -> Option<[f64; N]> {
        let mut best: Option<([f64; N], f64)> = None;
        for set in 1_u32..1 << N {
            let Some(inverse) = self.inverse(set) else { continue };
            let mut parts = [0.0; N];
            for (part, row) in parts.iter_mut().zip(inverse) {
                *part = row.iter().zip(self.times).map(|(it, time)| it * time).sum();
            }
            if parts.iter().any(|part| *part < 0.0) {
                continue;
            }
            let left = self.left(&parts);
            // Of sets that explain as much the first one stays.
            if best.is_none_or(|(_, least)| left < least - 1e-9 * self.square) {
                best = Some((parts, left));
            }
        }
        best.map(|(parts, _)| parts)
    }

    /// Standard errors of the parts above zero.
    fn errors(&self, parts: &[f64; N], rows: usize) -> [f64; N] {
        let used = |place: &usize| parts[*place] > 0.0;
        let set = (0..N).filter(used).fold(0_u32, |set, place| set | 1 << place);
        let freedom = rows.saturating_sub(set.count_ones() as usize).max(1) as f64;
        let variance = self.left(parts).max(0.0) / freedom;
        let inverse = self.inverse(set);
        std::array::from_fn(|place| match inverse {
            Some(inverse) if used(&place) => (inverse[place][place] * variance).sqrt(),
            _ => f64::NAN,
        })
    }

    /// The inverse of the products of a set of parts, zero elsewhere; `None` if they cannot be told
    /// apart. By Gauss and Jordan, of columns scaled to one.
    fn inverse(&self, set: u32) -> Option<[[f64; N]; N]> {
        let within = |place: usize| set & 1 << place != 0;
        let size: [f64; N] = std::array::from_fn(|place| self.products[place][place].sqrt());
        if (0..N).any(|place| within(place) && size[place] <= 0.0) {
            return None;
        }
        let mut left = [[0.0; N]; N];
        let mut right = [[0.0; N]; N];
        for one in (0..N).filter(|one| within(*one)) {
            for other in (0..N).filter(|other| within(*other)) {
                left[one][other] = self.products[one][other] / (size[one] * size[other]);
            }
            right[one][one] = 1.0;
        }
        for pivot in (0..N).filter(|pivot| within(*pivot)) {
            let by = left[pivot][pivot];
            if by < APART {
                return None;
            }
            for column in 0..N {
                left[pivot][column] /= by;
                right[pivot][column] /= by;
            }
            for row in (0..N).filter(|row| *row != pivot && within(*row)) {
                let by = left[row][pivot];
                for column in 0..N {
                    left[row][column] -= by * left[pivot][column];
                    right[row][column] -= by * right[pivot][column];
                }
            }
        }
        for one in (0..N).filter(|one| within(*one)) {
            for other in (0..N).filter(|other| within(*other)) {
                right[one][other] /= size[one] * size[other];
            }
        }
        Some(right)
    }
}

#[cfg(test)]
mod tests;
