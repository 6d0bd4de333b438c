//! One text for each meaning.

use super::Kind;
use model::{BitsPerSec, Bytes, UnitError, WgPublicKey};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a value is not of its argument's kind; the value itself is left out, because it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The bytes are not UTF-8.
    #[error("the value is not UTF-8 text")]
    NotText,
    /// The text is of another kind.
    #[error("the value is not {0}")]
    Malformed(&'static str),
    /// The number is out of its range.
    #[error("the value is out of range ({min} .. {max})")]
    OutOfRange {
        /// The smallest value.
        min: u64,
        /// The largest value.
        max: u64,
    },
}

impl Kind {
    /// Gives the one text that stands for all texts of the same meaning. Routers accept it, and what they then show has
    /// the same canonical text, so that values are compared by comparing these.
    ///
    /// # Errors
    /// The value is not of this kind.
    pub fn canonical(&self, raw: &[u8]) -> Result<String, ValueError> {
        self.text(str::from_utf8(raw).map_err(|_| ValueError::NotText)?)
    }

    fn text(&self, text: &str) -> Result<String, ValueError> {
        match self {
            Self::Text | Self::Reference(..) => Ok(text.to_owned()),
            Self::Bool => bool(text),
            Self::Number { min, max } => number(text, *min, *max),
            Self::Duration => duration(text).map(show_duration),
            Self::Rate => rate(text).map(|rate| rate.0.to_string()),
            Self::Size => size(text),
            Self::Pair(kind) => pair(kind, text),
            Self::RateLimit => rate_limit(text),
            Self::Address => address(text).map(|address| address.to_string()),
            Self::Prefix => prefix(text).map(|(address, length)| format!("{}/{length}", cut(address, length))),
            Self::InterfaceAddress => prefix(text).map(|(address, length)| format!("{address}/{length}")),
            Self::AddressRange => range(text).map(show_range),
            Self::AddressMatch => range(text).map(show_match),
            Self::Mac => mac(text),
            Self::Ports => ports(text),
            Self::Choice(words) => choice(words, text),
            Self::Or(words, kind) => choice(words, text).or_else(|_| kind.text(text)),
            Self::Either(first, second) => first.text(text).or_else(|_| second.text(text)),
            Self::List(kind) => items(text).map(|item| kind.text(item)).collect::<Result<Vec<_>, _>>().map(|all| all.join(",")),
            Self::Set(kind) => items(text).map(|item| kind.text(item)).collect::<Result<Vec<_>, _>>().map(sorted),
            Self::Flags(words) => flags(words, text),
            Self::Negatable(kind) => match text.strip_prefix('!') {
                Some(rest) => kind.text(rest).map(|rest| format!("!{rest}")),
                None => kind.text(text),
            },
            Self::Key => text.parse::<WgPublicKey>().map(|key| key.to_string()).map_err(|_| ValueError::Malformed("a key")),
            Self::Date => date(text),
            Self::TimeOfDay => time_of_day(text),
        }
    }
}

fn bool(text: &str) -> Result<String, ValueError> {
    match text {
        "yes" | "true" => Ok("yes".to_owned()),
        "no" | "false" => Ok("no".to_owned()),
        _ => Err(ValueError::Malformed("yes or no")),
    }
}

/// Reads digits alone: no sign, which `u64::from_str` would take.
fn digits(text: &str, what: &'static str) -> Result<u64, ValueError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ValueError::Malformed(what));
    }
    text.parse().map_err(|_| ValueError::OutOfRange { min: 0, max: u64::MAX })
}

fn number(text: &str, min: u64, max: u64) -> Result<String, ValueError> {
    let value = digits(text, "a whole number")?;
    if (min..=max).contains(&value) { Ok(value.to_string()) } else { Err(ValueError::OutOfRange { min, max }) }
}

fn choice(words: &[&str], text: &str) -> Result<String, ValueError> {
    if words.contains(&text) { Ok(text.to_owned()) } else { Err(ValueError::Malformed("one of the words this argument takes")) }
}

/// Splits at commas; an empty text has no items.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn sorted(mut items: Vec<String>) -> String {
    items.sort();
    items.dedup();
    items.join(",")
}

fn flags(words: &[&str], text: &str) -> Result<String, ValueError> {
    for item in items(text) {
        choice(words, item.strip_prefix('!').unwrap_or(item))?;
    }
    Ok(sorted(items(text).filter(|item| !item.starts_with('!')).map(str::to_owned).collect()))
}

fn pair(kind: &Kind, text: &str) -> Result<String, ValueError> {
    let (first, second) = text.split_once('/').unwrap_or((text, text));
    Ok(format!("{}/{}", kind.text(first)?, kind.text(second)?))
}

const SPEED: &str = "a speed such as 10M";

fn rate(text: &str) -> Result<BitsPerSec, ValueError> {
    // Routers take small letters for all units.
    text.to_ascii_uppercase().parse().map_err(|error| match error {
        UnitError::Malformed { .. } => ValueError::Malformed(SPEED),
        UnitError::TooLarge { .. } => ValueError::OutOfRange { min: 0, max: i64::MAX.unsigned_abs() },
    })
}

fn size(text: &str) -> Result<String, ValueError> {
    let bytes: Bytes = text.to_ascii_uppercase().parse().map_err(|error| match error {
        UnitError::Malformed { .. } => ValueError::Malformed("a volume such as 1G"),
        UnitError::TooLarge { .. } => ValueError::OutOfRange { min: 0, max: i64::MAX.unsigned_abs() },
    })?;
    Ok(bytes.0.to_string())
}

const SPAN: &str = "a time span such as 1d12h or 00:05:00";

/// Reads a time span as milliseconds.
fn duration(text: &str) -> Result<u64, ValueError> {
    let malformed = ValueError::Malformed(SPAN);
    let mut rest = text;
    let mut total = 0_u64;
    let mut parts = 0;
    while !rest.is_empty() {
        if rest.contains(':') && !rest.contains(['w', 'd', 'h', 'm', 's']) {
            return clock(rest).and_then(|clock| total.checked_add(clock).ok_or(malformed));
        }
        let split = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let value = digits(&rest[..split], SPAN)?;
        rest = &rest[split..];
        let (unit, factor) = [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1000)]
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))
            // A bare number counts seconds.
            .or_else(|| (rest.is_empty() && parts == 0).then_some(("", 1000)))
            .ok_or(malformed)?;
        rest = &rest[unit.len()..];
        total = value.checked_mul(factor).and_then(|part| total.checked_add(part)).ok_or(malformed)?;
        parts += 1;
    }
    if parts == 0 { Err(malformed) } else { Ok(total) }
}

/// Reads `HH:MM`, `HH:MM:SS` or `HH:MM:SS.mmm` as milliseconds.
fn clock(text: &str) -> Result<u64, ValueError> {
    let malformed = ValueError::Malformed(SPAN);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':').map(|part| digits(part, SPAN));
    let hours = parts.next().ok_or(malformed)??;
    let minutes = parts.next().ok_or(malformed)??;
    let seconds = parts.next().unwrap_or(Ok(0))?;
    if parts.next().is_some() || minutes > 59 || seconds > 59 || fraction.len() > 3 {
        return Err(malformed);
    }
    let milliseconds = if fraction.is_empty() { 0 } else { digits(&format!("{fraction:0<3}"), SPAN)? };
    hours.checked_mul(3_600_000).and_then(|h| h.checked_add(minutes * 60_000 + seconds * 1000 + milliseconds)).ok_or(malformed)
}

fn show_duration(milliseconds: u64) -> String {
    let mut rest = milliseconds;
    let mut text = String::new();
    for (unit, factor) in [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= factor {
            write!(text, "{}{unit}", rest / factor).expect("a String takes everything");
            rest %= factor;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

type Rates = (BitsPerSec, BitsPerSec);

fn rates(text: &str) -> Result<Rates, ValueError> {
    let (rx, tx) = text.split_once('/').unwrap_or((text, text));
    Ok((rate(rx)?, rate(tx)?))
}

/// Spells out what a rate limit leaves open (manual, "PPP AAA", `rate-limit`: the threshold defaults to the rate, the time
/// to 1 s, the priority to 8, the minimum to the rate), then leaves out from the end what is the default. Speeds are written
/// short here, because routers keep this text as it is and people read it.
fn rate_limit(text: &str) -> Result<String, ValueError> {
    const WHAT: &str = "a rate limit such as 10M/10M 20M/20M 8M/8M 10s/10s 8 1M/1M";
    const NONE: Rates = (BitsPerSec(0), BitsPerSec(0));
    let malformed = ValueError::Malformed(WHAT);
    let show = |(rx, tx): Rates| format!("{rx}/{tx}");
    let mut words = text.split_ascii_whitespace();
    let Some(first) = words.next() else { return Ok(String::new()) };
    let limit = rates(first)?;
    let burst = words.next().map_or(Ok(NONE), rates)?;
    let threshold = words.next().map_or(Ok(limit), rates)?;
    let time = Kind::Pair(&Kind::Duration).text(words.next().unwrap_or("1s"))?;
    let priority = number(words.next().unwrap_or("8"), 1, 8)?;
    let minimum = words.next().map_or(Ok(limit), rates)?;
    if words.next().is_some() {
        return Err(malformed);
    }
    // Without a burst its threshold and time mean nothing.
    let (threshold, time) = if burst == NONE { (NONE, "0s/0s".to_owned()) } else { (threshold, time) };
    let (plain_threshold, plain_time) = if burst == NONE { (NONE, "0s/0s") } else { (limit, "1s/1s") };
    let parts = [
        (show(limit), None),
        (show(burst), Some(show(NONE))),
        (show(threshold), Some(show(plain_threshold))),
        (time, Some(plain_time.to_owned())),
        (priority, Some("8".to_owned())),
        (show(minimum), Some(show(limit))),
    ];
    let used = parts.iter().rposition(|(value, default)| Some(value) != default.as_ref()).unwrap_or(0);
    Ok(parts[..=used].iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>().join(" "))
}

fn address(text: &str) -> Result<IpAddr, ValueError> {
    text.parse().map_err(|_| ValueError::Malformed("an IP address"))
}

fn prefix(text: &str) -> Result<(IpAddr, u8), ValueError> {
    let (host, length) = text.split_once('/').map_or((text, None), |(host, length)| (host, Some(length)));
    let host = address(host)?;
    let bits = if host.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Ok(bits), |length| digits(length, "a prefix length"))?;
    match u8::try_from(length) {
        Ok(length) if u64::from(length) <= bits => Ok((host, length)),
        _ => Err(ValueError::OutOfRange { min: 0, max: bits }),
    }
}

fn cut(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

/// Reads the first and the last address.
fn range(text: &str) -> Result<(Ipv4Addr, Ipv4Addr), ValueError> {
    const WHAT: &str = "an address, a range or a block of IPv4";
    let v4 = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| ValueError::Malformed(WHAT));
    let (first, last) = if let Some((first, last)) = text.split_once('-') {
        (v4(first)?, v4(last)?)
    } else {
        let (IpAddr::V4(host), length) = prefix(text)? else { return Err(ValueError::Malformed(WHAT)) };
        let host_bits = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        (Ipv4Addr::from_bits(host.to_bits() & !host_bits), Ipv4Addr::from_bits(host.to_bits() | host_bits))
    };
    if first <= last { Ok((first, last)) } else { Err(ValueError::Malformed("a range that begins before it ends")) }
}

fn show_range((first, last): (Ipv4Addr, Ipv4Addr)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn show_match((first, last): (Ipv4Addr, Ipv4Addr)) -> String {
    let differing = first.to_bits() ^ last.to_bits();
    let is_block = (u64::from(differing) + 1).is_power_of_two() && first.to_bits() & differing == 0;
    if is_block && first != last { format!("{first}/{}", differing.leading_zeros()) } else { show_range((first, last)) }
}

fn mac(text: &str) -> Result<String, ValueError> {
    let parts: Vec<&str> = text.split([':', '-', '.']).collect();
    if parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        Ok(parts.join(":").to_ascii_uppercase())
    } else {
        Err(ValueError::Malformed("a MAC address"))
    }
}

fn ports(text: &str) -> Result<String, ValueError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first, 0, 65_535)?, number(last, 0, 65_535)?);
    if first == last { Ok(first) } else { Ok(format!("{first}-{last}")) }
}

fn date(text: &str) -> Result<String, ValueError> {
    const WHAT: &str = "a day such as 2026-01-31";
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let malformed = ValueError::Malformed(WHAT);
    let old = text.contains('/');
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let [a, b, c] = parts[..] else { return Err(malformed) };
    let (year, month, day) = if old {
        let month = MONTHS.iter().position(|name| a.eq_ignore_ascii_case(name)).ok_or(malformed)?;
        (digits(c, WHAT)?, u64::try_from(month + 1).expect("twelve months"), digits(b, WHAT)?)
    } else {
        (digits(a, WHAT)?, digits(b, WHAT)?, digits(c, WHAT)?)
    };
    if (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day) {
        Ok(format!("{year:04}-{month:02}-{day:02}"))
    } else {
        Err(malformed)
    }
}

fn time_of_day(text: &str) -> Result<String, ValueError> {
    let milliseconds = clock(text)?;
    if milliseconds >= 86_400_000 {
        return Err(ValueError::Malformed("a time of the day such as 23:59:59"));
    }
    let seconds = milliseconds / 1000;
    Ok(format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}
