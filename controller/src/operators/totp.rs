//! One-time codes by time (RFC 6238 over RFC 4226): HMAC-SHA-1, six digits, 30 seconds, one step to either side. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Length of a secret: what HMAC-SHA-1 gives, as RFC 4226 §4 (R6) advises.
pub const SECRET_BYTES: usize = 20;
const STEP_S: i64 = 30;
const DIGITS: usize = 6;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The code of a step, RFC 4226 §5.3.
fn code(secret: &[u8], step: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 0x0f);
    let bytes: [u8; 4] = digest[offset..offset + 4].try_into().expect("four bytes were cut");
    let number = (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000;
    format!("{number:0width$}", width = DIGITS)
}

/// Finds the step whose code it is: the present one or a neighbour, and later than the last that was used. `now_s` is Unix time in seconds.
#[must_use]
pub fn step_of(secret: &[u8], text: &str, now_s: i64, last_step: i64) -> Option<i64> {
    let present = now_s.div_euclid(STEP_S);
    // All three are looked at, whichever fits.
    let steps = [present - 1, present, present + 1];
    let fits = steps.map(|step| bool::from(code(secret, step).as_bytes().ct_eq(text.as_bytes())) && step > last_step);
    steps.into_iter().zip(fits).find(|(_, fits)| *fits).map(|(step, _)| step)
}

/// Says whether a text has the form of a code.
#[must_use]
pub fn is_code(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes bytes in base 32 without padding (RFC 4648 §6), as authenticators take a secret.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        for place in 0..(chunk.len() * 8).div_ceil(5) {
            let index = usize::try_from((bits >> (35 - 5 * place)) & 31).expect("five bits");
            text.push(char::from(BASE32[index]));
        }
    }
    text
}

/// The address that an authenticator reads from a QR code. The login name has only characters that stand for themselves, but for `@` and `+`.
#[must_use]
pub fn address(secret: &[u8], login: &str) -> String {
    let login = login.replace('@', "%40").replace('+', "%2B");
    format!(
        "otpauth://totp/Mastwire:{login}?secret={}&issuer=Mastwire&algorithm=SHA1&digits={DIGITS}&period={STEP_S}",
        base32(secret)
    )
}

/// The code that an authenticator shows, for tests that have to type it.
#[cfg(feature = "testing")]
#[must_use]
pub fn shown(secret: &[u8], now_s: i64) -> String {
    code(secret, now_s.div_euclid(STEP_S))
}

/// Reads base 32, as an authenticator does.
#[cfg(feature = "testing")]
#[must_use]
pub fn from_base32(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes().filter_map(|byte| BASE32.iter().position(|known| *known == byte)) {
        bits = bits << 5 | u32::try_from(digit).expect("below 32");
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("eight bits"));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 6238, appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (now_s, wanted) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SECRET, now_s / STEP_S), wanted);
            assert_eq!(step_of(SECRET, wanted, now_s, 0), Some(now_s / STEP_S));
        }
    }

    #[test]
    fn a_neighbouring_step_is_taken_and_no_step_twice() {
        let now_s = 1_111_111_111;
        let step = now_s / STEP_S;
        let text = code(SECRET, step);
        for (away_s, taken) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(step_of(SECRET, &text, now_s + away_s, 0).is_some(), taken, "{away_s}");
        }
        assert_eq!(step_of(SECRET, &text, now_s, step), None, "used");
        assert_eq!(step_of(SECRET, &code(SECRET, step - 1), now_s, step), None, "older than what was used");
        assert_eq!(step_of(SECRET, "12345", now_s, 0), None);
    }

    /// RFC 4648 §10.
    #[test]
    fn base_32() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        assert_eq!(address(b"f", "a+b@isp.example").split('?').next(), Some("otpauth://totp/Mastwire:a%2Bb%40isp.example"));
    }
}
