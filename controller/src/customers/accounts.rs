//! Account numbers, by which customers say on a telephone's keys whose payment it is: eight digits, the last of which gives a typing error
//! away before money moves. Pure.

use model::Entropy;

/// Digits before the check digit.
const DRAWN: usize = 7;

/// Draws a number: nobody can count a tenant's customers by it. The first digit is no zero, which some would leave out.
pub(super) fn draw(entropy: &dyn Entropy) -> String {
    let mut digits = String::with_capacity(DRAWN + 1);
    while digits.len() < DRAWN {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        // Below 250 each of the ten digits comes as often as any other.
        for digit in bytes.into_iter().filter(|byte| *byte < 250).map(|byte| char::from(b'0' + byte % 10)) {
            if digits.len() < DRAWN && !(digits.is_empty() && digit == '0') {
                digits.push(digit);
            }
        }
    }
    digits.push(check_digit(&digits));
    digits
}

/// Reads a number that somebody typed; nothing when a digit is wrong, or two neighbours changed places.
#[must_use]
pub fn account_number(typed: &str) -> Option<String> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let shaped = digits.len() == DRAWN + 1 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    (shaped && digits.ends_with(check_digit(&digits[..DRAWN]))).then_some(digits)
}

/// The digit that makes the sum divisible by ten (Luhn, ISO/IEC 7812-1 Annex B).
fn check_digit(digits: &str) -> char {
    let weighed = digits.bytes().rev().enumerate().map(|(place, byte)| {
        let value = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
        value / 10 + value % 10
    });
    char::from_digit((10 - weighed.sum::<u32>() % 10) % 10, 10).expect("below ten")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;
    use std::collections::BTreeSet;

    #[test]
    fn a_wrong_or_swapped_digit_is_noticed() {
        let entropy = SeededEntropy::new(3);
        for _ in 0..500 {
            let number = draw(&entropy);
            assert_eq!(account_number(&number), Some(number.clone()));
            for place in 0..number.len() {
                for other in (b'0'..=b'9').map(char::from).filter(|digit| !number[place..].starts_with(*digit)) {
                    let wrong = format!("{}{other}{}", &number[..place], &number[place + 1..]);
                    assert_eq!(account_number(&wrong), None, "{wrong} for {number}");
                }
            }
            for place in 1..number.len() {
                let (a, b) = (&number[place - 1..place], &number[place..=place]);
                let swapped = format!("{}{b}{a}{}", &number[..place - 1], &number[place + 1..]);
                // Luhn's known gap: 09 and 90.
                if a != b && ![("0", "9"), ("9", "0")].contains(&(a, b)) {
                    assert_eq!(account_number(&swapped), None, "{swapped} for {number}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_typed_in_groups_and_nothing_else_is_one() {
        assert_eq!(check_digit("7992739871"), '3', "the example of the standard's users");
        assert_eq!((account_number(" 7992-7398 ").as_deref(), account_number("7992 7397")), (Some("79927398"), None));
        for text in ["", "1234567", "123456789", "0000000", "00000000", "1234567a", "١٢٣٤٥٦٧٨"] {
            assert_eq!(account_number(text), None, "{text}");
        }
    }

    #[test]
    fn drawn_numbers_hardly_meet() {
        let entropy = SeededEntropy::new(5);
        let drawn: BTreeSet<String> = (0..10_000).map(|_| draw(&entropy)).collect();
        // Of nine million, ten thousand meet about six times.
        assert!(drawn.len() > 9_970, "{}", drawn.len());
        assert!(drawn.iter().all(|number| number.len() == 8 && !number.starts_with('0')));
    }
}
