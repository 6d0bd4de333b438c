//! Telephone numbers as people write them, and the one form in which they are stored: digits with the country in front (E.164 without the
//! plus sign), by which payment services name them. Pure.

use super::rules::Fault;
use model::Country;

/// Most characters that are looked at: a number, and whatever was pasted around it.
const WRITTEN_MAX: usize = 40;
/// Most and fewest digits of a number with its country (ITU-T E.164 §6.1; no country has shorter ones).
const DIGITS_MAX: usize = 15;
const DIGITS_MIN: usize = 8;

const CHARACTERS: Fault = ("phone", "write digits, with spaces, dashes, dots or brackets if you like, such as 0712 345 678");
const LENGTH: Fault = ("phone", "the number has too few or too many digits for its country: look at it again");
const NO_COUNTRY: Fault = ("phone", "write the number with its country, such as +254 712 345 678");

/// Where the ten digits of the scripts begin in which numbers are written by place; a digit's value is its distance from there.
const ZEROS: [char; 23] = [
    '0',
    '\u{660}',
    '\u{6F0}',
    '\u{7C0}',
    '\u{966}',
    '\u{9E6}',
    '\u{A66}',
    '\u{AE6}',
    '\u{B66}',
    '\u{BE6}',
    '\u{C66}',
    '\u{CE6}',
    '\u{D66}',
    '\u{E50}',
    '\u{ED0}',
    '\u{F20}',
    '\u{1040}',
    '\u{17E0}',
    '\u{1810}',
    '\u{A620}',
    '\u{FF10}',
    '\u{104A0}',
    '\u{1E950}',
];

/// Reads a number that was written in any of the usual ways by somebody in a country. An empty text stays empty.
///
/// # Errors
/// When it is no number, or has another length than its country's numbers.
pub(super) fn normalised(text: &str, home: Option<Country>) -> Result<String, Fault> {
    let (abroad, digits) = taken_apart(text)?;
    if digits.is_empty() {
        return if abroad { Err(LENGTH) } else { Ok(String::new()) };
    }
    if abroad {
        return international(&digits);
    }
    let Some(home) = home else {
        // Without a country only what begins with a known one can be meant.
        return known_country(&digits).ok_or(NO_COUNTRY);
    };
    within(&digits, home).or_else(|| known_country(&digits)).ok_or(LENGTH)
}

/// Returns how the stored form of a number begins of which somebody has typed the beginning.
///
/// # Errors
/// When it is no beginning of a number.
pub(super) fn beginning(text: &str, home: Option<Country>) -> Result<String, Fault> {
    if let Ok(whole) = normalised(text, home) {
        return Ok(whole);
    }
    let (abroad, digits) = taken_apart(text)?;
    let Some(home) = home.filter(|home| !abroad && !digits.starts_with(home.calling_code())) else { return Ok(digits) };
    let number = digits.strip_prefix(home.trunk()).unwrap_or(&digits);
    Ok(format!("{}{number}", home.calling_code()))
}

/// Returns the digits, and whether a plus sign or two zeros said that the country comes first.
fn taken_apart(text: &str) -> Result<(bool, String), Fault> {
    let text = text.trim();
    let text = if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("tel:")) { &text[4..] } else { text };
    let (mut plus, mut digits) = (false, String::new());
    for (count, c) in text.chars().enumerate() {
        match digit(c) {
            _ if count == WRITTEN_MAX => return Err(CHARACTERS),
            Some(digit) => digits.push(digit),
            None if matches!(c, '+' | '\u{FF0B}') && digits.is_empty() && !plus => plus = true,
            None if is_separator(c) => {}
            None => return Err(CHARACTERS),
        }
    }
    if !plus && let Some(rest) = digits.strip_prefix("00") {
        return Ok((true, rest.to_owned()));
    }
    Ok((plus, digits))
}

fn digit(c: char) -> Option<char> {
    ZEROS.into_iter().find_map(|zero| {
        let value = u32::from(c).checked_sub(u32::from(zero))?;
        char::from_digit(value, 10)
    })
}

/// What stands between digits, and the invisible marks that telephones put around numbers when they are copied.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '.' | '/' | '(' | ')' | '[' | ']' | '_' | ',' | '\'')
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FF0D}' | '\u{FF08}' | '\u{FF09}')
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Reads digits that begin with a country's.
fn international(digits: &str) -> Result<String, Fault> {
    let mut known = countries_of(digits).peekable();
    if known.peek().is_none() {
        // A country that the table does not have: nothing is known of its numbers but the limits of all.
        let good = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && !digits.starts_with('0');
        return if good { Ok(digits.to_owned()) } else { Err(LENGTH) };
    }
    known.find_map(|country| after_calling_code(digits, country)).ok_or(LENGTH)
}

/// Reads digits whose country was not said to come first, but does.
fn known_country(digits: &str) -> Option<String> {
    countries_of(digits).find_map(|country| after_calling_code(digits, country))
}

fn countries_of(digits: &str) -> impl Iterator<Item = Country> {
    Country::all().filter(|country| digits.starts_with(country.calling_code()))
}

/// Reads digits behind a calling code; a trunk prefix that was left in, as in +254 (0) 712, is taken out.
fn after_calling_code(digits: &str, country: Country) -> Option<String> {
    let rest = digits.strip_prefix(country.calling_code())?;
    subscriber(rest, country).map(|number| format!("{}{number}", country.calling_code()))
}

/// Reads digits as they are written inside a country: with the country, with the trunk prefix, or without either, as spreadsheets leave
/// them.
fn within(digits: &str, home: Country) -> Option<String> {
    let inside = |number: &str| format!("{}{number}", home.calling_code());
    after_calling_code(digits, home).or_else(|| subscriber(digits, home).map(inside))
}

/// Returns the number without trunk prefix, if it has the length of the country's numbers.
fn subscriber(digits: &str, country: Country) -> Option<&str> {
    let fits = |number: &&str| country.lengths().contains(&number.len());
    match digits.strip_prefix(country.trunk()) {
        Some(rest) if !country.trunk().is_empty() => Some(rest).filter(fits),
        Some(_) | None => Some(digits).filter(fits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Entropy as _, SeededEntropy};

    fn country(code: &str) -> Country {
        code.parse().expect("it is in the table")
    }

    fn kenyan(text: &str) -> Result<String, Fault> {
        normalised(text, Some(country("KE")))
    }

    #[test]
    fn every_local_form_is_one_number() {
        for text in [
            "0712345678",
            "0712 345 678",
            "+254712345678",
            "254 712-345-678",
            "(+254) 712.345.678",
            "+254 (0)712 345678",
            "00254712345678",
            "712345678",
            "tel:+254-712-345-678",
            "\u{202D}+254 712 345678\u{202C}",
            "0712\u{A0}345\u{2011}678",
            "\u{FF0B}\u{FF12}54712345678",
            "٠٧١٢٣٤٥٦٧٨",
            "۰۷۱۲ ۳۴۵ ۶۷۸",
            "+٢٥٤٧١٢٣٤٥٦٧٨",
            "०७१२३४५६७८",
        ] {
            assert_eq!(kenyan(text).as_deref(), Ok("254712345678"), "{text}");
        }
        assert_eq!(kenyan("0110 345 678").as_deref(), Ok("254110345678"));
        assert_eq!(kenyan("020 2345 678").as_deref(), Ok("254202345678"), "a landline");
        assert_eq!((kenyan("").as_deref(), kenyan("  ").as_deref()), (Ok(""), Ok("")), "none is none");
    }

    #[test]
    fn neighbours_are_told_from_each_other() {
        assert_eq!(kenyan("+256 772 123 456").as_deref(), Ok("256772123456"));
        assert_eq!(kenyan("256772123456").as_deref(), Ok("256772123456"), "without the plus sign too");
        for (code, text, stored) in [
            ("UG", "0772 123456", "256772123456"),
            ("TZ", "0754-123-456", "255754123456"),
            ("NG", "0803 123 4567", "2348031234567"),
            ("ZA", "082 123 4567", "27821234567"),
            ("CI", "07 08 12 34 56", "2250708123456"),
            ("IT", "06 1234 5678", "390612345678"),
            ("US", "(415) 555-0132", "14155550132"),
            ("US", "1-415-555-0132", "14155550132"),
            ("SO", "061 2345678", "252612345678"),
        ] {
            assert_eq!(normalised(text, Some(country(code))).as_deref(), Ok(stored), "{text} in {code}");
        }
        assert_eq!(kenyan("+1 246 250 1234").as_deref(), Ok("12462501234"), "Barbados shares +1");
        assert_eq!(kenyan("+995 555 123456").as_deref(), Ok("995555123456"), "a country that is not in the table");
    }

    #[test]
    fn a_number_is_found_by_its_beginning() {
        for (typed, stored) in [
            ("0712", "254712"),
            ("+254 71", "25471"),
            ("25471", "25471"),
            ("712", "254712"),
            ("+256", "256"),
            ("0712345678", "254712345678"),
            ("", ""),
        ] {
            assert_eq!(beginning(typed, Some(country("KE"))).as_deref(), Ok(stored), "{typed}");
        }
        assert!(beginning("07x", Some(country("KE"))).is_err());
    }

    #[test]
    fn what_is_no_number_is_refused_and_told_why() {
        for text in ["071234567", "07123456789", "+25471234567", "+254 712 345 6789", "12", "+", "00", "1234567890123456"] {
            assert_eq!(kenyan(text), Err(LENGTH), "{text}");
        }
        for text in ["call me", "0712345678 ext 5", "0712+345678", "++254712345678", "0712;345678", "½", "\0", "𝟘712345678"] {
            assert_eq!(kenyan(text), Err(CHARACTERS), "{text}");
        }
        assert_eq!(kenyan(&"0".repeat(5000)), Err(CHARACTERS), "and not looked at to its end");
        assert_eq!(normalised("0712345678", None), Err(NO_COUNTRY));
        assert_eq!(normalised("254712345678", None).as_deref(), Ok("254712345678"));
    }

    /// Draws a number of a country and writes it in a random way: it is read as what it is.
    #[test]
    fn any_number_in_any_clothes_is_read() {
        let entropy = SeededEntropy::new(7);
        let below = |n: usize| {
            let mut bytes = [0; 8];
            entropy.fill(&mut bytes);
            usize::try_from(u64::from_le_bytes(bytes) % u64::try_from(n).expect("small")).expect("small")
        };
        let countries: Vec<Country> = Country::all().collect();
        for round in 0..20_000 {
            let home = countries[below(countries.len())];
            let length = home.lengths()[below(home.lengths().len())];
            // The first digit is one that no trunk prefix begins with.
            let digit = |from: u8, n: usize| char::from(from + u8::try_from(below(n)).expect("small"));
            let number: String = (0..length).map(|at| if at == 0 { digit(b'2', 8) } else { digit(b'0', 10) }).collect();
            let stored = format!("{}{number}", home.calling_code());
            let plain = match below(4) {
                0 => format!("+{stored}"),
                1 => format!("00{stored}"),
                2 if !home.trunk().is_empty() => format!("+{}({}){number}", home.calling_code(), home.trunk()),
                _ => format!("{}{number}", home.trunk()),
            };
            let zero = ZEROS[below(ZEROS.len())];
            let dressed: String = plain.chars().fold(String::new(), |mut text, c| {
                let other = c.to_digit(10).and_then(|value| char::from_u32(u32::from(zero) + value)).unwrap_or(c);
                text.push(other);
                if below(4) == 0 && other != '+' {
                    text.push([' ', '-', '.', '\u{200F}'][below(4)]);
                }
                text
            });
            if dressed.chars().count() > WRITTEN_MAX {
                continue;
            }
            let read = normalised(&dressed, Some(home));
            // Inside a country a number may also begin with the digits of its own calling code; then two readings are right.
            let ambiguous = !plain.starts_with(['+']) && !plain.starts_with("00") && number.starts_with(home.calling_code());
            assert!(
                ambiguous || read.as_deref() == Ok(stored.as_str()),
                "round {round}: {dressed} in {home}: {read:?}, not {stored}"
            );
            // What is stored is read again as itself, wherever the reader is.
            assert_eq!(normalised(&format!("+{stored}"), None).as_deref(), Ok(stored.as_str()), "round {round}");
        }
    }

    #[test]
    fn no_text_is_a_fault_of_ours() {
        let entropy = SeededEntropy::new(11);
        for _ in 0..20_000 {
            let mut bytes = [0; 24];
            entropy.fill(&mut bytes);
            // Mostly digits, since nothing else gets far.
            let odd = |pair: &[u8]| char::from_u32((u32::from(pair[0] & 0x7f) << 5) | u32::from(pair[1] & 31));
            let drawn = |pair: &[u8]| if pair[0] < 250 { Some(char::from(b'+' + pair[1] % 15)) } else { odd(pair) };
            let text: String = bytes.chunks(2).filter_map(drawn).collect();
            let Ok(number) = kenyan(&text) else { continue };
            let good = (DIGITS_MIN..=DIGITS_MAX).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            assert!(good || number.is_empty(), "{text:?}");
        }
    }
}
