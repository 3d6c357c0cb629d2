//! Days of the command line. Not times of day.

use std::str::FromStr;

use comity_protocol::{regulation::Period, time::Timestamp};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// A day, written as YYYY-MM-DD, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(Timestamp);

/// Why a text is no [`Day`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a day is written as YYYY-MM-DD, from 1970-01-01 to 9999-12-31")]
pub struct DayError;

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        let mut parts = text.splitn(3, '-');
        let mut number = |digits: usize| -> Result<u64, DayError> {
            let part = parts.next().filter(|part| part.len() == digits).ok_or(DayError)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then_some(()).ok_or(DayError)?;
            part.parse().map_err(|_| DayError)
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let february = if leap(year) { 29 } else { 28 };
        let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let index = usize::try_from(month).ok().and_then(|month| month.checked_sub(1));
        let (index, length) =
            index.and_then(|index| Some((index, *months.get(index)?))).ok_or(DayError)?;
        if year < 1_970 || !(1..=length).contains(&day) {
            return Err(DayError);
        }
        let years: u64 = (1_970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
        let days = years + months[..index].iter().sum::<u64>() + day - 1;
        Ok(Self(Timestamp::from_ms(days * DAY_MS)))
    }
}

/// From the beginning of the first day to the end of the last.
pub(super) fn period(first: Option<Day>, last: Option<Day>) -> Period {
    Period {
        from: first.map_or_else(Timestamp::default, |day| day.0),
        to: last.map(|day| Timestamp::from_ms(day.0.as_ms() + DAY_MS)),
    }
}

#[cfg(test)]
mod tests;
