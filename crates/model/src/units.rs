//! Speeds and volumes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is no speed or volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The text is not a number with an optional unit.
    #[error("not a {what}: write a whole number with {units} or nothing behind it")]
    Malformed { what: &'static str, units: &'static str },
    /// The value is too large.
    #[error("the {what} is too large")]
    TooLarge { what: &'static str },
}

fn parse(text: &str, what: &'static str, units: &'static str, step: u64) -> Result<u64, UnitError> {
    let malformed = UnitError::Malformed { what, units };
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit {
        "" => 1,
        "k" | "K" => step,
        "M" => step.pow(2),
        "G" => step.pow(3),
        _ => return Err(malformed),
    };
    if digits.is_empty() {
        return Err(malformed);
    }
    let number: u64 = digits.parse().map_err(|_| UnitError::TooLarge { what })?;
    // Values are stored as signed 64-bit integers.
    number.checked_mul(factor).filter(|value| i64::try_from(*value).is_ok()).ok_or(UnitError::TooLarge { what })
}

fn render(value: u64, step: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (unit, power) in [("G", 3), ("M", 2), ("k", 1)] {
        let factor = step.pow(power);
        if value != 0 && value.is_multiple_of(factor) {
            return write!(f, "{}{unit}", value / factor);
        }
    }
    write!(f, "{value}")
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $what:literal, $units:literal, $step:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = u64))]
        pub struct $name(pub u64);

        impl FromStr for $name {
            type Err = UnitError;

            fn from_str(text: &str) -> Result<Self, UnitError> {
                parse(text, $what, $units, $step).map(Self)
            }
        }

        impl fmt::Display for $name {
            /// Writes the shortest exact form.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                render(self.0, $step, f)
            }
        }
    };
}

unit! {
    /// A speed in bits per second; in text `10M` is 10,000,000, as RouterOS reads it.
    BitsPerSec, "speed", "k, M or G (bits per second)", 1_000
}
unit! {
    /// A volume in bytes; in text `1G` is 1,073,741,824, as RouterOS reads it.
    Bytes, "volume", "k, M or G (of 1024 bytes)", 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        assert_eq!("10M".parse(), Ok(BitsPerSec(10_000_000)));
        assert_eq!("512k".parse(), Ok(BitsPerSec(512_000)));
        assert_eq!(BitsPerSec(10_000_000).to_string(), "10M");
        assert_eq!(BitsPerSec(1_500_000).to_string(), "1500k");
        assert_eq!(BitsPerSec(0).to_string(), "0");
        for text in ["", "M", "10 M", "10m", "-1", "1.5M"] {
            assert!(text.parse::<BitsPerSec>().is_err(), "{text}");
        }
        assert_eq!("99999999999999999999".parse::<BitsPerSec>(), Err(UnitError::TooLarge { what: "speed" }));
        assert_eq!("10000000000000000000".parse::<BitsPerSec>(), Err(UnitError::TooLarge { what: "speed" }));
    }

    #[test]
    fn volumes_count_in_1024() {
        assert_eq!("1G".parse(), Ok(Bytes(1 << 30)));
        assert_eq!(Bytes(1 << 30).to_string(), "1G");
    }
}
