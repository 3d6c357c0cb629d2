//! The words of a policy: countries, classes of data, what may be continued and what be audited.

use std::{fmt, str::FromStr};

/// An ISO 3166-1 alpha-2 country code: two upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// Why a text is no [`Country`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two upper-case letters (ISO 3166-1 alpha-2), such as FR")]
pub struct CountryError;

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, CountryError> {
        match *text.as_bytes() {
            [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] => Ok(Self([first, second])),
            _ => Err(CountryError),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0;
        write!(f, "{}{}", char::from(first), char::from(second))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// An ordered choice with a name for each value, and the error of a text that names none.
macro_rules! words {
    (
        $(#[$doc:meta])* $name:ident or $error:ident: $problem:literal;
        $($(#[$of:meta])* $value:ident = $text:literal;)+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$of])* $value,)+
        }

        #[doc = concat!("Why a text is no [`", stringify!($name), "`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error($problem)]
        pub struct $error;

        impl $name {
            /// Its name in texts.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                match text {
                    $($text => Ok(Self::$value),)+
                    _ => Err($error),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// How much harm data can do in wrong hands, ascending.
    DataClass or DataClassError: "a class of data is public, internal, personal or sensitive";
    /// Anyone may see it.
    Public = "public";
    /// For members only.
    Internal = "internal";
    /// Personal data.
    Personal = "personal";
    /// Special categories of personal data, such as health.
    Sensitive = "sensitive";
}

words! {
    /// In which numeric class a session that lost a stage may go on; the stricter first.
    Recovery or RecoveryError: "recovery is exact or any";
    /// In its own alone: the answer is the one it would have been.
    Exact = "exact";
    /// In any; stream and receipt say from which position on.
    Any = "any";
}

words! {
    /// Who may see what to run an answer again; the strictest first.
    Audit or AuditError: "an audit may see none, home or text";
    /// Nobody anything.
    None = "none";
    /// Nodes of home's own institution, hidden states and token ids.
    Home = "home";
    /// Auditors within the policy, the text too.
    Text = "text";
}
