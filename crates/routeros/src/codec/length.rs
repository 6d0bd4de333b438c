//! The length in front of a word.

/// Appends the length of a word in its shortest form.
///
/// # Panics
/// The length does not fit into 32 bits.
pub fn encode_length(length: usize, out: &mut Vec<u8>) {
    let length = u32::try_from(length).expect("words are shorter than 4 GiB");
    let bytes = length.to_be_bytes();
    match length {
        0..0x80 => out.push(bytes[3]),
        0x80..0x4000 => out.extend([bytes[2] | 0x80, bytes[3]]),
        0x4000..0x20_0000 => out.extend([bytes[1] | 0xC0, bytes[2], bytes[3]]),
        0x20_0000..0x1000_0000 => out.extend([bytes[0] | 0xE0, bytes[1], bytes[2], bytes[3]]),
        0x1000_0000.. => {
            out.push(0xF0);
            out.extend(bytes);
        }
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The length is not complete yet.
    Partial,
    /// A length, and how many bytes it took.
    Length {
        /// Bytes of the word.
        word: usize,
        /// Bytes of the length itself.
        head: usize,
    },
    /// A control byte, all of which are reserved.
    Reserved(u8),
}

/// Reads the length at the beginning of some bytes.
pub(super) fn decode_length(bytes: &[u8]) -> Head {
    let Some(&first) = bytes.first() else { return Head::Partial };
    let (head, mask) = match first {
        0..0x80 => (1, 0x7F),
        0x80..0xC0 => (2, 0x3F),
        0xC0..0xE0 => (3, 0x1F),
        0xE0..0xF0 => (4, 0x0F),
        0xF0..0xF8 => (5, 0),
        0xF8.. => return Head::Reserved(first),
    };
    let Some(rest) = bytes.get(1..head) else { return Head::Partial };
    let word = rest.iter().fold(usize::from(first & mask), |length, byte| (length << 8) | usize::from(*byte));
    Head::Length { word, head }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges of each form; the forms up to four bytes agree with another implementation, librouteros.
    const VECTORS: &[(usize, &str)] = &[
        (0, "00"),
        (1, "01"),
        (0x7F, "7f"),
        (0x80, "8080"),
        (0x3FFF, "bfff"),
        (0x4000, "c04000"),
        (0x1F_FFFF, "dfffff"),
        (0x20_0000, "e0200000"),
        (0x0FFF_FFFF, "efffffff"),
        (0x1000_0000, "f010000000"),
        (0xFFFF_FFFF, "f0ffffffff"),
    ];

    #[test]
    fn known_lengths() {
        for (word, expected) in VECTORS {
            let mut bytes = Vec::new();
            encode_length(*word, &mut bytes);
            assert_eq!(hex::encode(&bytes), *expected);
            assert_eq!(decode_length(&bytes), Head::Length { word: *word, head: bytes.len() });
            for cut in 0..bytes.len() {
                assert_eq!(decode_length(&bytes[..cut]), Head::Partial);
            }
        }
        for byte in 0xF8..=0xFF {
            assert_eq!(decode_length(&[byte]), Head::Reserved(byte));
        }
    }
}
