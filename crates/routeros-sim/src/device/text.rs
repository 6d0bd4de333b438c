//! How texts, durations and speeds are kept inside the device.
//!
//! RouterOS stores bytes and knows no encoding. Inside the device a text is a `String` with one char per byte (Latin-1), so
//! that any byte survives; [`from_bytes`] and [`to_bytes`] stand at the edges.

/// Takes bytes from outside as the device's text.
#[must_use]
pub fn from_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Gives the device's text back as bytes; a char above U+00FF, which only code of ours could put there, becomes UTF-8.
#[must_use]
pub fn to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Shows the device's text to a person.
#[must_use]
pub fn readable(text: &str) -> String {
    String::from_utf8_lossy(&to_bytes(text)).into_owned()
}

/// Writes seconds as RouterOS does: `1w2d3h4m5s`, `0s`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let mut left = seconds;
    let mut text = String::new();
    for (unit, length) in [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        let count = left / length;
        left %= length;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads whole seconds out of `1w2d3h4m5s`, `1d02:03:04`, `02:03:04` or a bare number of seconds; fractions are cut.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut seen = false;
    while !rest.is_empty() {
        if rest.contains(':') && !rest.contains(['w', 'd', 'h', 'm', 's']) {
            return clock_seconds(rest).and_then(|clock| total.checked_add(clock));
        }
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |at| at + end);
        let factor = match &rest[end..unit_end] {
            "w" => 604_800,
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            "" if !seen => 1,
            "ms" | "us" | "ns" => 0,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        seen = true;
        rest = &rest[unit_end..];
    }
    seen.then_some(total)
}

fn clock_seconds(text: &str) -> Option<u64> {
    let whole = text.split('.').next()?;
    let parts: Vec<u64> = whole.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match parts.as_slice() {
        [hours, minutes] => hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?),
        [hours, minutes, seconds] => hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(*seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(to_bytes(&from_bytes(&bytes)), bytes);
        assert_eq!(readable(&from_bytes("Müller".as_bytes())), "Müller");
    }

    #[test]
    fn durations() {
        for (text, value) in [("0s", 0), ("1d", 86_400), ("1w2d3h4m5s", 788_645), ("25s", 25)] {
            assert_eq!(seconds(text), Some(value), "{text}");
            assert_eq!(duration(value), text);
        }
        for (text, value) in [("90", 90), ("02:03:04", 7_384), ("1d00:00:01", 86_401), ("500ms", 0), ("24h", 86_400)] {
            assert_eq!(seconds(text), Some(value), "{text}");
        }
        for text in ["", "d", "1x", "1:2:3:4", "9999999999999999999:00"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
