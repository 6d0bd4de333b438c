//! Money is an integer number of minor units and a currency; it is never a float and never mixed silently.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a currency: three capital letters of ISO 4217 belong here, as in KES")]
pub struct CurrencyError;

/// A currency by its ISO 4217 letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[A-Z]{3}$", example = "KES"))]
pub struct Currency([u8; 3]);

impl Currency {
    /// Kenya's shilling, of 100 cents.
    pub const KES: Self = Self(*b"KES");

    /// Returns the three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters are let in")
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(CurrencyError) }
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;

    fn try_from(text: String) -> Result<Self, CurrencyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why two amounts could not be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amounts are in different currencies.
    #[error("amounts in {0} and {1} cannot be added")]
    Currency(Currency, Currency),
    /// The sum is larger than 64 bits hold.
    #[error("the amount is too large")]
    Overflow,
}

/// An amount in minor units (cents), positive or negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Money {
    /// Minor units: 50000 are 500 shillings.
    pub minor: i64,
    /// The currency the units are of.
    pub currency: Currency,
}

impl Money {
    /// Makes an amount from minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Adds an amount of the same currency.
    ///
    /// # Errors
    /// When the currencies differ or the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Currency(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, currency: self.currency })
    }
}

impl fmt::Display for Money {
    /// Writes `KES 500.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        write!(f, "{} {sign}{}.{:02}", self.currency, minor / 100, minor % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_with_two_places() {
        assert_eq!(Money::new(50_005, Currency::KES).to_string(), "KES 500.05");
        assert_eq!(Money::new(-5, Currency::KES).to_string(), "KES -0.05");
        assert_eq!(Money::new(i64::MIN, Currency::KES).to_string(), "KES -92233720368547758.08");
    }

    #[test]
    fn only_like_is_added_to_like() {
        let usd: Currency = "USD".parse().expect("a currency");
        let one = Money::new(100, Currency::KES);
        assert_eq!(one.checked_add(Money::new(100, usd)), Err(MoneyError::Currency(Currency::KES, usd)));
        assert_eq!(one.checked_add(Money::new(i64::MAX, Currency::KES)), Err(MoneyError::Overflow));
        assert_eq!(one.checked_add(one), Ok(Money::new(200, Currency::KES)));
        assert!("kes".parse::<Currency>().is_err() && "KESX".parse::<Currency>().is_err());
    }
}
