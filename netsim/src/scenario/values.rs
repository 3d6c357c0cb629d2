//! Numbers that a scenario may hold: finite, and within what they mean.

use serde::{Deserialize, Deserializer, de::Error as _};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// The number itself.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let value = f64::deserialize(from)?;
                let valid: fn(f64) -> bool = $valid;
                if value.is_finite() && valid(value) {
                    Ok(Self(value))
                } else {
                    Err(D::Error::custom(format!(concat!("{} is not ", $what), value)))
                }
            }
        }
    };
}

number!(
    /// Above zero.
    Positive, "above 0", |value| value > 0.0
);
number!(
    /// Zero or above.
    NotNegative, "0 or more", |value| value >= 0.0
);
number!(
    /// From 0 to 1.
    Share, "between 0 and 1", |value| (0.0..=1.0).contains(&value)
);

impl Positive {
    /// A number that the program itself states.
    ///
    /// # Panics
    /// Unless it is above zero and finite.
    #[must_use]
    pub const fn new(value: f64) -> Self {
        assert!(value > 0.0 && value.is_finite(), "the number is above 0");
        Self(value)
    }
}

impl NotNegative {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);

    /// A number that the program itself found; what is below zero or none counts as zero.
    #[must_use]
    pub const fn of(value: f64) -> Self {
        Self(if value > 0.0 && value.is_finite() { value } else { 0.0 })
    }
}

impl Default for NotNegative {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Default for Share {
    fn default() -> Self {
        Self(0.0)
    }
}

impl Share {
    /// A share that the program itself states.
    ///
    /// # Panics
    /// Unless it is between 0 and 1.
    #[must_use]
    pub const fn of(value: f64) -> Self {
        assert!(value >= 0.0 && value <= 1.0, "the share is between 0 and 1");
        Self(value)
    }
}
