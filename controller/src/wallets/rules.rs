//! What may be put right by hand. Pure.

use model::Money;

/// The most that one adjustment may move, in minor units: a slip of the hand stays a small one.
const ADJUST_MAX_MINOR: u64 = 10_000_000;

/// Says what is wrong with an adjustment, if anything.
pub(super) fn adjustment_fault(amount: Money, reason: &str) -> Option<(&'static str, &'static str)> {
    if amount.minor == 0 || amount.minor.unsigned_abs() > ADJUST_MAX_MINOR {
        return Some(("amount", "give 1 to 10000000 minor units, or as much below zero to take from the wallet"));
    }
    let good = (1..=200).contains(&reason.chars().count()) && !reason.trim().is_empty() && !reason.contains(char::is_control);
    (!good).then_some(("reason", "say why, in 1 to 200 characters"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Currency;

    #[test]
    fn an_adjustment_is_small_and_has_a_reason() {
        let fault = |minor, reason| adjustment_fault(Money::new(minor, Currency::KES), reason).map(|fault| fault.0);
        assert_eq!((fault(-10_000_000, "outage"), fault(10_000_000, "outage")), (None, None));
        for minor in [0, 10_000_001, -10_000_001, i64::MIN] {
            assert_eq!(fault(minor, "outage"), Some("amount"));
        }
        assert_eq!((fault(1, " "), fault(1, &"x".repeat(201))), (Some("reason"), Some("reason")));
    }
}
