//! The values a script works with, how they are read from a word and how they are printed.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use ipnetwork::IpNetwork;

/// One value of the scripting language (RouterOS manual, "Scripting", data types).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// What an undeclared or unset variable holds; `:typeof` says `nothing`.
    #[default]
    Nothing,
    /// What a search that found nothing, or an absent property, gives; `:typeof` says `nil`.
    Nil,
    /// `yes` or `no`.
    Bool(bool),
    /// A signed whole number.
    Num(i64),
    /// Text.
    Str(String),
    /// A span of time.
    Time(Duration),
    /// An address without a mask.
    Ip(IpAddr),
    /// An address with a mask; host bits are kept.
    Prefix(IpNetwork),
    /// The internal number of a row, such as `*1A`.
    Id(String),
    /// A list; an element may have a key.
    Array(Vec<Element>),
}

/// One element of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The key, when the array is associative.
    pub key: Option<String>,
    /// What stands there.
    pub value: Value,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Num(value)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self::Array(values.into_iter().map(|value| Element { key: None, value }).collect())
    }
}

impl Value {
    /// Reads a bare word as the console does: `yes`, `12`, `0x1f`, `1d2h`, `10.0.0.1`, `10.0.0.0/24`, `*1A`, else text.
    #[must_use]
    pub fn literal(word: &str) -> Self {
        match word {
            "yes" | "true" => return Self::Bool(true),
            "no" | "false" => return Self::Bool(false),
            "nil" => return Self::Nil,
            "nothing" => return Self::Nothing,
            _ => {}
        }
        number(word)
            .map(Self::Num)
            .or_else(|| word.parse().ok().map(Self::Ip))
            .or_else(|| prefix(word).map(Self::Prefix))
            .or_else(|| duration(word).map(Self::Time))
            .or_else(|| is_id(word).then(|| Self::Id(word.to_owned())))
            .unwrap_or_else(|| Self::Str(word.to_owned()))
    }

    /// The name `:typeof` gives.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Num(_) => "num",
            Self::Str(_) => "str",
            Self::Time(_) => "time",
            Self::Ip(IpAddr::V4(_)) => "ip",
            Self::Ip(IpAddr::V6(_)) => "ip6",
            Self::Prefix(IpNetwork::V4(_)) => "ip-prefix",
            Self::Prefix(IpNetwork::V6(_)) => "ip6-prefix",
            Self::Id(_) => "id",
            Self::Array(_) => "array",
        }
    }

    /// The value as `:put` prints it: `true`, `1d02:00:00`, `1;2;3`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Nothing | Self::Nil => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Num(value) => value.to_string(),
            Self::Str(text) | Self::Id(text) => text.clone(),
            Self::Time(span) => clock(*span),
            Self::Ip(address) => address.to_string(),
            Self::Prefix(network) => network.to_string(),
            Self::Array(elements) => join(elements, ';', Self::text),
        }
    }

    /// The value as a menu's argument is written: `yes`, `1d2h`, `1,2,3`.
    #[must_use]
    pub fn argument(&self) -> String {
        match self {
            Self::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
            Self::Time(time) => span(*time),
            Self::Array(elements) => join(elements, ',', Self::argument),
            Self::Nothing | Self::Nil | Self::Num(_) | Self::Str(_) | Self::Ip(_) | Self::Prefix(_) | Self::Id(_) => self.text(),
        }
    }

    /// Whether two values are equal. Text is equal to a number, address, time or id that it spells; never to a bool.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing | Self::Nil, Self::Nothing | Self::Nil) => true,
            (Self::Nothing | Self::Nil, Self::Str(text)) | (Self::Str(text), Self::Nothing | Self::Nil) => text.is_empty(),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bool(_), Self::Str(_)) | (Self::Str(_), Self::Bool(_)) => false,
            (Self::Str(text), typed) | (typed, Self::Str(text)) => *text == typed.text() || Self::literal(text) == *typed,
            (a, b) => a == b,
        }
    }

    /// How two values of one kind are ordered; `None` when they cannot be.
    #[must_use]
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Num(a), Self::Num(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Ip(a), Self::Ip(b)) => Some(a.cmp(b)),
            (Self::Str(a), Self::Str(b)) => Some(a.cmp(b)),
            (Self::Str(text), typed @ (Self::Num(_) | Self::Time(_) | Self::Ip(_))) => match Self::literal(text) {
                Self::Str(_) => None,
                read => read.order(typed),
            },
            (Self::Num(_) | Self::Time(_) | Self::Ip(_), Self::Str(_)) => other.order(self).map(Ordering::reverse),
            _ => None,
        }
    }

    /// The whole number this value is or spells.
    #[must_use]
    pub fn as_num(&self) -> Option<i64> {
        match self {
            Self::Num(value) => Some(*value),
            Self::Str(text) => number(text),
            _ => None,
        }
    }

    /// The span of time this value is or spells; a bare number counts seconds.
    #[must_use]
    pub fn as_time(&self) -> Option<Duration> {
        match self {
            Self::Time(span) => Some(*span),
            Self::Num(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Self::Str(text) => match Self::literal(text) {
                Self::Str(_) => None,
                read => read.as_time(),
            },
            _ => None,
        }
    }
}

fn join(elements: &[Element], separator: char, show: fn(&Value) -> String) -> String {
    let mut text = String::new();
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            text.push(separator);
        }
        if let Some(key) = &element.key {
            text.push_str(key);
            text.push('=');
        }
        text.push_str(&show(&element.value));
    }
    text
}

fn number(word: &str) -> Option<i64> {
    match word.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => i64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None if word.starts_with('+') => None,
        None => word.parse().ok(),
    }
}

fn prefix(word: &str) -> Option<IpNetwork> {
    word.contains('/').then(|| word.parse().ok()).flatten()
}

fn is_id(word: &str) -> bool {
    word.strip_prefix('*').is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

const WEEK: u64 = 7 * DAY;
const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
const MINUTE: u64 = 60;

/// The units of a span, longest first, in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", WEEK * 1000), ("d", DAY * 1000), ("h", HOUR * 1000), ("m", MINUTE * 1000), ("s", 1000), ("ms", 1)];

/// Reads `1w2d3h4m5s6ms`, `01:02:03` and `1d01:02:03`.
fn duration(word: &str) -> Option<Duration> {
    let mut rest = word;
    let mut millis = 0_u64;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        if rest.contains(':') && !rest.contains(['w', 'd']) {
            return Some(Duration::from_millis(millis.checked_add(clock_millis(rest)?)?));
        }
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: u64 = rest[..digits].parse().ok()?;
        let letters = rest[digits..].len() - rest[digits..].trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let name = &rest[digits..digits + letters];
        let (_, unit) = units.find(|(unit, _)| *unit == name)?;
        millis = millis.checked_add(count.checked_mul(*unit)?)?;
        rest = &rest[digits + letters..];
    }
    (!word.is_empty()).then(|| Duration::from_millis(millis))
}

fn clock_millis(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    if [hours, minutes, seconds].iter().any(|part| !(1..=2).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let read = |part: &str| part.parse::<u64>().ok();
    Some((read(hours)? * HOUR + read(minutes)? * MINUTE + read(seconds)?) * 1000)
}

/// Writes a span as the API does: `1w2d3h4m5s`.
fn span(time: Duration) -> String {
    let mut left = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, unit) in UNITS {
        if left >= unit {
            let _ = write!(text, "{}{name}", left / unit);
            left %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes a span as the console does: `1w2d03:04:05`.
fn clock(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    let mut text = String::new();
    for (name, unit, within) in [("w", WEEK, u64::MAX), ("d", DAY, WEEK)] {
        let count = seconds % within / unit;
        if count > 0 {
            let _ = write!(text, "{count}{name}");
        }
    }
    let day = seconds % DAY;
    let _ = write!(text, "{:02}:{:02}:{:02}", day / HOUR, day % HOUR / MINUTE, day % MINUTE);
    if millis > 0 {
        let _ = write!(text, ".{millis:03}");
    }
    text
}
