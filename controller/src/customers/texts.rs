//! What people write about customers, in any script: names, notes, e-mail addresses and languages. Pure.

use super::rules::Fault;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longest name, in characters.
const NAME_MAX: usize = 100;
/// Longest note, in characters.
const NOTES_MAX: usize = 2000;
/// Longest e-mail address (RFC 5321 §4.5.3.1.3, less the brackets).
const EMAIL_MAX: usize = 254;

const NAME: Fault =
    ("full_name", "write up to 100 characters in any script, without control characters or marks that turn the text around");
const NOTES: Fault =
    ("notes", "write up to 2000 characters in any script, without control characters or marks that turn the text around");
const EMAIL: Fault = ("email", "write one address, such as jane@example.com");
const LANGUAGE: Fault = ("language", "write a language's letters, such as sw or en-KE");

/// Characters that no text may hold: those that steer a terminal or a printer, that turn the direction of what follows so that it reads as
/// something else, that break lines where none is expected, or that are no characters at all.
fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFD}')
        || matches!(c, '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// Brings a name into one form: composed characters (NFC), single spaces, none around it.
///
/// # Errors
/// When it is too long or holds what no text may hold.
pub(super) fn name(text: &str) -> Result<String, Fault> {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect();
    if text.chars().count() > NAME_MAX || text.contains(is_refused) { Err(NAME) } else { Ok(text) }
}

/// Brings a note into one form; lines stay lines.
///
/// # Errors
/// When it is too long or holds what no text may hold.
pub(super) fn notes(text: &str) -> Result<String, Fault> {
    let text: String = text.trim().replace("\r\n", "\n").nfc().collect();
    let refused = |c| is_refused(c) && !matches!(c, '\n' | '\t');
    if text.chars().count() > NOTES_MAX || text.contains(refused) { Err(NOTES) } else { Ok(text) }
}

/// Checks an e-mail address as far as that can be done without writing to it; the host's letters become small.
///
/// # Errors
/// When it cannot be one.
pub(super) fn email(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    let (person, host) = text.rsplit_once('@').ok_or(EMAIL)?;
    let person_good = (1..=64).contains(&person.len())
        && !person.contains(|c: char| c.is_whitespace() || is_refused(c) || "@<>,;:\"()[]\\".contains(c));
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || (c.is_alphanumeric() && !is_refused(c)))
    };
    let host_good = host.contains('.') && host.split('.').all(label);
    let text = format!("{person}@{}", host.to_lowercase());
    if person_good && host_good && text.len() <= EMAIL_MAX { Ok(text) } else { Err(EMAIL) }
}

/// Checks a language as BCP 47 writes the common ones: two or three letters, and a country's two if it matters.
///
/// # Errors
/// When it is written otherwise.
pub(super) fn language(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    let (language, country) = text.split_once(['-', '_']).map_or((text, None), |(language, country)| (language, Some(country)));
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !(2..=3).contains(&language.len()) || !letters(language) || country.is_some_and(|part| part.len() != 2 || !letters(part)) {
        return Err(LANGUAGE);
    }
    let country = country.map(|part| format!("-{}", part.to_ascii_uppercase())).unwrap_or_default();
    Ok(format!("{}{country}", language.to_ascii_lowercase()))
}

/// Returns the form in which names are compared: small letters without accents, so that `Müller` is found by `muller`. An unfinished word
/// folds to the beginning of what the whole word folds to.
pub(super) fn folded(name: &str) -> String {
    let plain = name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    // A capital may become a letter and a mark (İ), so marks are taken out once more. Some characters become many (ﷺ): an index takes
    // only so long a text.
    plain.nfkd().filter(|c| !is_combining_mark(*c)).take(NAME_MAX).collect()
}

/// Returns what of a name somebody may look for besides its beginning: the last word, if there are several.
pub(super) fn folded_last(name: &str) -> String {
    let folded = folded(name);
    folded.rsplit_once(' ').map_or(String::new(), |(_, last)| last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_are_kept() {
        for text in [
            "Wanjikũ wa Thiong'o",
            "Ọláolúwa Adébáyọ̀",
            "محمد أحمد",
            "שרה",
            "ጌታቸው",
            "张伟",
            "Nguyễn Văn A",
            "أ\u{200D}ب",
            "😀 Shop",
            "𞤀𞤣𞤤𞤢𞤥",
        ] {
            assert_eq!(name(text).map(|name| name.nfc().eq(text.nfc())), Ok(true), "{text}");
        }
        assert_eq!(name("Jose\u{301}").as_deref(), Ok("José"), "one form for what looks the same");
        assert_eq!(name("  Jane \t  W. ").as_deref(), Ok("Jane W."));
        assert_eq!(name(&"ä".repeat(100)).map(|name| name.chars().count()), Ok(100), "characters are counted, not bytes");
    }

    #[test]
    fn what_steers_or_turns_is_refused() {
        for bad in [
            "a\0b",
            "a\u{7}b",
            "a\u{1b}[31mb",
            "a\u{202E}b",
            "a\u{2066}b",
            "a\u{FEFF}b",
            "a\u{FFFE}b",
            "a\u{85}\u{9b}b",
            "a\u{E0041}b",
        ] {
            assert_eq!(name(bad), Err(NAME), "{bad:?}");
            assert_eq!(notes(bad), Err(NOTES), "{bad:?}");
        }
        assert_eq!(name(&"x".repeat(101)), Err(NAME));
        assert_eq!(notes(&"x".repeat(2001)), Err(NOTES));
        assert_eq!(notes("blue gate\r\nring twice\n").as_deref(), Ok("blue gate\nring twice"));
    }

    #[test]
    fn addresses_and_languages_are_checked() {
        assert_eq!(email(" Jane.W+isp@Example.COM ").as_deref(), Ok("Jane.W+isp@example.com"));
        assert_eq!(email("jane@пример.рф").as_deref(), Ok("jane@пример.рф"));
        assert_eq!(email("").as_deref(), Ok(""));
        let long = format!("{}@example.com", "x".repeat(65));
        for bad in [
            "jane",
            "@example.com",
            "jane@",
            "jane@example",
            "jane@.com",
            "jane@exa mple.com",
            "a@b@c.com",
            "jane@-x.com",
            "<j@x.com>",
            &long,
        ] {
            assert_eq!(email(bad), Err(EMAIL), "{bad}");
        }
        for (written, stored) in [("SW", "sw"), ("en_ke", "en-KE"), ("", ""), ("som", "som")] {
            assert_eq!(language(written).as_deref(), Ok(stored));
        }
        for bad in ["s", "swahili", "en-", "en-KEN", "e1", "en-KE-x"] {
            assert_eq!(language(bad), Err(LANGUAGE), "{bad}");
        }
    }

    #[test]
    fn names_are_found_without_accents_and_capitals() {
        for (text, fold) in [
            ("Müller", "muller"),
            ("WANJIKŨ", "wanjiku"),
            ("İstanbul", "istanbul"),
            ("Ọlá", "ola"),
            ("ＡＢＣ", "abc"),
            ("مُحَمَّد", "محمد"),
        ] {
            assert_eq!(folded(text), fold, "{text}");
        }
        assert_eq!((folded_last("Jane Wanjikũ").as_str(), folded_last("Jane").as_str()), ("wanjiku", ""));
        // The beginning of a name folds to the beginning of its fold, in whichever form it was typed.
        for text in ["José Müller", "Ọláolúwa Adébáyọ̀", "Wanjikũ", "ÅNGSTRÖM"] {
            for form in [text.nfc().collect::<String>(), text.nfd().collect()] {
                for (end, _) in form.char_indices() {
                    assert!(folded(text).starts_with(&folded(&form[..end])), "{}", &form[..end]);
                }
            }
        }
    }
}
