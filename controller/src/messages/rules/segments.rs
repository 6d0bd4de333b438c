//! How many segments a text message takes: what the operator of the mobile network charges by. Pure.
//!
//! Source: 3GPP TS 23.038 §6.2.1 (the 7-bit alphabet and its extension) and TS 23.040 §9.2.3.24.1 (the header of a message in several
//! parts, 6 bytes, which takes 7 septets or 3 units of UTF-16 from each).

use serde::Serialize;
use utoipa::ToSchema;

/// Units that fit into a message of one segment, and into each of several.
const GSM: (usize, usize) = (160, 153);
const UTF16: (usize, usize) = (70, 67);

/// The default alphabet but for the escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// What stands behind the escape, and so counts twice.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// In what a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MessageEncoding)]
pub enum Encoding {
    /// The 7-bit alphabet of GSM: 160 characters in one segment, 153 in each of several.
    Gsm7,
    /// UTF-16, as soon as one character is in no GSM alphabet: 70 units, 67 in each of several.
    Ucs2,
}

/// What a text takes as a text message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MessageSize)]
pub struct Size {
    /// In what it is written.
    pub encoding: Encoding,
    /// How many units of the encoding it takes: some characters take two.
    pub units: usize,
    /// How many segments.
    pub segments: usize,
}

/// Units of a character in the GSM alphabet, if it is in it.
fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENDED.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// Measures a text. A character of two units is never cut in two.
pub(in super::super) fn measure(text: &str) -> Size {
    let gsm: Option<Vec<usize>> = text.chars().map(septets).collect();
    let (encoding, widths, (one, each)) = match gsm {
        Some(widths) => (Encoding::Gsm7, widths, GSM),
        None => (Encoding::Ucs2, text.chars().map(char::len_utf16).collect(), UTF16),
    };
    let units: usize = widths.iter().sum();
    if units <= one {
        return Size { encoding, units, segments: 1 };
    }
    let (mut segments, mut filled) = (1, 0);
    for width in widths {
        if filled + width > each {
            segments += 1;
            filled = 0;
        }
        filled += width;
    }
    Size { encoding, units, segments }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_take_what_the_standard_says() {
        use Encoding::{Gsm7, Ucs2};
        let cases: [(String, Encoding, usize, usize); 17] = [
            ("Hello".into(), Gsm7, 5, 1),
            ("a".repeat(160), Gsm7, 160, 1),
            ("a".repeat(161), Gsm7, 161, 2),
            ("a".repeat(306), Gsm7, 306, 2),
            ("a".repeat(307), Gsm7, 307, 3),
            ("€".repeat(80), Gsm7, 160, 1),
            ("€".repeat(81), Gsm7, 162, 2),
            // 76 pairs fill 152 of 153: the 77th begins the next segment.
            ("€".repeat(153), Gsm7, 306, 3),
            ("{[~]}|^\\".into(), Gsm7, 16, 1),
            ("ÄÖÑÜäöñüàèéùìò£¥§¿¡ß\n\r".into(), Gsm7, 23, 1),
            // A typewriter's quote is in the alphabet, a printer's is not; c with a cedilla is in it as a capital only.
            ("it's".into(), Gsm7, 4, 1),
            ("it’s".into(), Ucs2, 4, 1),
            ("ç".into(), Ucs2, 1, 1),
            ("я".repeat(70), Ucs2, 70, 1),
            ("я".repeat(71), Ucs2, 71, 2),
            ("😀".repeat(35), Ucs2, 70, 1),
            // 33 pairs fill 66 of 67.
            ("😀".repeat(67), Ucs2, 134, 3),
        ];
        for (text, encoding, units, segments) in cases {
            assert_eq!(measure(&text), Size { encoding, units, segments }, "{text}");
        }
    }

    #[test]
    fn the_alphabet_has_its_128_characters() {
        // 127 and the escape, which is no character of a text.
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENDED.chars().count(), 10);
        assert!(!BASIC.chars().any(|c| EXTENDED.contains(c)));
    }

    proptest! {
        #[test]
        fn more_text_never_takes_fewer_segments(text in "[a-zа-я€😀]{0,400}", more in "[a-zа-я€😀]{0,5}") {
            let (before, after) = (measure(&text), measure(&format!("{text}{more}")));
            prop_assert!(after.segments >= before.segments);
            prop_assert!(before.segments >= 1);
            let room = match before.encoding { Encoding::Gsm7 => 160, Encoding::Ucs2 => 70 };
            prop_assert!(before.units <= room * before.segments);
        }
    }
}
