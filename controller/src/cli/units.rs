//! How people write and read speeds, money, times and durations.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{BitsPerSec, Bytes, Currency, Money};
use serde_json::{Value, json};
use std::str::FromStr;

/// Seconds of the units that durations are written in, the largest first.
const SPANS: &[(&str, u64)] = &[("w", 7 * 86_400), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// A text that is not what belongs there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write {0}")]
pub(super) struct Malformed(&'static str);

/// A speed down and a speed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Speeds {
    pub down: BitsPerSec,
    pub up: BitsPerSec,
}

impl FromStr for Speeds {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = Malformed("download/upload, such as 10M/5M (bits per second)");
        let (down, up) = text.split_once('/').ok_or_else(|| wrong.clone())?;
        Ok(Self { down: down.parse().map_err(|_| wrong.clone())?, up: up.parse().map_err(|_| wrong)? })
    }
}

/// An amount of money whose currency may be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    minor: i64,
    currency: Option<Currency>,
}

impl FromStr for Amount {
    type Err = Malformed;

    /// Reads `500`, `500.00` or `KES 500.00`.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = Malformed("an amount such as 500, 500.00 or \"KES 500.00\"");
        let (currency, number) = match text.split_once(' ') {
            Some((currency, number)) => (Some(currency.parse().map_err(|_| wrong.clone())?), number),
            None => (None, text),
        };
        let (whole, cents) = number.split_once('.').unwrap_or((number, "00"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(cents) || cents.len() != 2 {
            return Err(wrong);
        }
        let minor = format!("{whole}{cents}").parse().map_err(|_| wrong)?;
        Ok(Self { minor, currency })
    }
}

impl Amount {
    /// Returns the amount, in the given currency where none was written.
    pub(super) fn or(self, currency: Currency) -> Money {
        Money::new(self.minor, self.currency.unwrap_or(currency))
    }
}

/// How long something lasts: by the calendar's months, or by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Months(u64),
    Seconds(u64),
}

impl FromStr for Span {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.strip_suffix("mo") {
            Some(months) => months.parse().map(Self::Months).map_err(|_| Malformed("months as 1mo")),
            None => seconds(text).map(Self::Seconds),
        }
    }
}

/// Reads a duration such as `30d`, `12h` or `1h30m`, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, Malformed> {
    let wrong = Malformed("a duration such as 30d, 12h, 45m, 1h30m, or 1mo for months where they are allowed");
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let split = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| wrong.clone())?;
        let number: u64 = rest[..split].parse().map_err(|_| wrong.clone())?;
        let (unit, factor) = SPANS.iter().find(|(unit, _)| rest[split..].starts_with(unit)).ok_or_else(|| wrong.clone())?;
        let part = number.checked_mul(*factor).ok_or_else(|| wrong.clone())?;
        total = total.checked_add(part).ok_or_else(|| wrong.clone())?;
        rest = &rest[split + unit.len()..];
    }
    if total == 0 { Err(wrong) } else { Ok(total) }
}

/// Writes seconds as [`seconds`] reads them. Weeks are written as days, as packages are sold by.
pub(super) fn span(mut seconds: u64) -> String {
    let mut text = String::new();
    for (unit, factor) in &SPANS[1..] {
        if seconds >= *factor {
            text.push_str(&format!("{}{unit}", seconds / factor));
            seconds %= factor;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a moment: `2026-03-01T18:00:00+03:00`, or a date, which means its first moment here.
pub(super) fn moment(text: &str) -> Result<Timestamp, Malformed> {
    let wrong = Malformed("a date such as 2026-03-01, or a time such as 2026-03-01T18:00:00+03:00");
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let date: Date = text.parse().map_err(|_| wrong.clone())?;
    date.to_zoned(TimeZone::system()).map(|zoned| zoned.timestamp()).map_err(|_| wrong)
}

/// Returns a field as text: nothing where there is none, `yes` and `no` for truths.
pub(super) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        other @ (Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

/// Returns a field that holds an amount, as `KES 500.00`.
pub(super) fn money(value: &Value, field: &str) -> String {
    serde_json::from_value::<Money>(value[field].clone()).map(|money| money.to_string()).unwrap_or_default()
}

/// Returns two fields that hold speeds, as `10M/5M`.
pub(super) fn speeds(value: &Value, down: &str, up: &str) -> String {
    match (value[down].as_u64(), value[up].as_u64()) {
        (Some(down), Some(up)) => format!("{}/{}", BitsPerSec(down), BitsPerSec(up)),
        _ => String::new(),
    }
}

/// Returns a field that holds a volume, as `5G`.
pub(super) fn volume(value: &Value, field: &str) -> String {
    value[field].as_u64().map(|bytes| Bytes(bytes).to_string()).unwrap_or_default()
}

/// Returns a field that holds a time, as `2026-01-15 12:00` on this machine's clock.
pub(super) fn time(value: &Value, field: &str) -> String {
    time_in(value, field, &TimeZone::system())
}

fn time_in(value: &Value, field: &str, zone: &TimeZone) -> String {
    let time = value[field].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    time.map(|time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
}

/// Writes an amount as the API takes it.
pub(super) fn money_json(money: Money) -> Value {
    json!({ "minor": money.minor, "currency": money.currency.as_str() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_download_first() {
        assert_eq!("10M/512k".parse(), Ok(Speeds { down: BitsPerSec(10_000_000), up: BitsPerSec(512_000) }));
        assert_eq!(speeds(&json!({ "d": 10_000_000, "u": 512_000 }), "d", "u"), "10M/512k");
        assert_eq!(speeds(&json!({ "d": null }), "d", "u"), "");
        for text in ["10M", "10M/", "/5M", "10M/5M/1M", "10 M/5M", "-1M/5M"] {
            assert!(text.parse::<Speeds>().is_err(), "{text}");
        }
    }

    #[test]
    fn money_is_exact() {
        let minor = |text: &str| text.parse::<Amount>().map(|amount| amount.or(Currency::KES).minor);
        assert_eq!((minor("500"), minor("500.05"), minor("0")), (Ok(50_000), Ok(50_005), Ok(0)));
        let dollars: Amount = "USD 7.50".parse().expect("an amount");
        assert_eq!(dollars.or(Currency::KES).to_string(), "USD 7.50");
        for text in ["", "5.", ".50", "5.5", "5.555", "-5", "+5", "5,00", "kes 5", "KES", "KES  5", "92233720368547758.08"] {
            assert!(minor(text).is_err(), "{text}");
        }
        assert_eq!(money(&json!({ "price": { "minor": 50_000, "currency": "KES" } }), "price"), "KES 500.00");
    }

    #[test]
    fn durations_are_read_as_written() {
        assert_eq!("1mo".parse(), Ok(Span::Months(1)));
        assert_eq!("30d".parse(), Ok(Span::Seconds(30 * 86_400)));
        assert_eq!("2w".parse(), Ok(Span::Seconds(14 * 86_400)));
        for text in ["30d", "1h30m", "45m", "1d12h5s"] {
            assert_eq!(seconds(text).map(span), Ok(text.to_owned()));
        }
        for text in ["", "0s", "30", "d", "1y", "1.5h", "mo", "99999999999999999999d", "99999999999999999w"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert_eq!(span(0), "0s");
    }

    #[test]
    fn times_are_shown_where_one_is() {
        let zone = TimeZone::get("Africa/Nairobi").expect("a zone");
        assert_eq!(time_in(&json!({ "at": "2026-01-15T09:00:00Z" }), "at", &zone), "2026-01-15 12:00");
        assert_eq!(time_in(&json!({ "at": null }), "at", &zone), "");
        assert_eq!(moment("2026-03-01T18:00:00+03:00").map(|time| time.to_string()), Ok("2026-03-01T15:00:00Z".to_owned()));
        assert!(moment("2026-03-01").is_ok() && moment("tomorrow").is_err());
    }
}
