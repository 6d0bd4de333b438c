//! What a receipt and a reason may be, what an amount buys, and how long things took. Pure.

use crate::customers;
use jiff::Timestamp;
use model::{Entropy, Money};

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

/// The most hours that one compensation gives.
pub(super) const COMPENSATION_HOURS_MAX: u16 = 72;
/// How long ago an outage may have begun that is compensated, in hours.
pub(super) const COMPENSATION_AGE_HOURS: i64 = 14 * 24;
/// The largest sum that is believed, in minor units.
pub(super) const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// Makes the number of a receipt that nobody wrote on paper: 40 random bits, unique by the database's own key.
pub(super) fn new_receipt(letter: char, entropy: &dyn Entropy) -> String {
    format!("{letter}-{}", customers::readable(8, entropy).to_ascii_uppercase())
}

/// Says what is wrong with a receipt's number, if anything.
pub(super) fn receipt_fault(receipt: &str) -> Option<Fault> {
    let good = (1..=64).contains(&receipt.chars().count()) && receipt.trim() == receipt && !receipt.contains(char::is_control);
    (!good).then_some(("receipt", "write 1 to 64 characters, without spaces around them"))
}

/// Says what is wrong with a sum that came in, if anything.
pub(super) fn amount_fault(amount: Money) -> Option<Fault> {
    (!(1..=AMOUNT_MAX).contains(&amount.minor)).then_some(("amount", "give 1 to 1000000000000 minor units"))
}

/// Says what is wrong with a reason, if anything.
pub(super) fn reason_fault(reason: &str) -> Option<Fault> {
    let good = (1..=200).contains(&reason.chars().count()) && !reason.trim().is_empty();
    (!good).then_some(("reason", "say why, in 1 to 200 characters"))
}

/// Counts milliseconds from the request's arrival; a clock that went back counts as none.
pub(super) fn millis_since(received_at: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.duration_since(received_at).as_millis()).unwrap_or(0)
}

/// What a sum buys, together with what the wallet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bought {
    /// The package. What is over goes into the wallet, and what is missing comes from it.
    Package,
    /// Nothing: it goes into the wallet, and so much is missing there still, in minor units.
    Nothing { missing: i64 },
}

/// Decides what a sum buys. All three are minor units of one currency.
pub(super) fn bought(received: i64, in_wallet: i64, price: i64) -> Bought {
    assert!(received >= 0 && in_wallet >= 0 && price >= 0, "sums that are received, held or asked are not below zero");
    let missing = i128::from(price) - i128::from(received) - i128::from(in_wallet);
    match i64::try_from(missing) {
        Ok(missing) if missing > 0 => Bought::Nothing { missing },
        Ok(_) | Err(_) => Bought::Package,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Currency, SeededEntropy};
    use proptest::prelude::*;

    #[test]
    fn receipts_and_reasons() {
        let made = new_receipt('C', &SeededEntropy::new(1));
        assert!(made.len() == 10 && made.starts_with("C-") && receipt_fault(&made).is_none(), "{made}");
        assert!(receipt_fault("").is_some() && receipt_fault(" 7").is_some() && receipt_fault(&"7".repeat(65)).is_some());
        assert!(
            reason_fault("  ").is_some() && reason_fault("typed twice").is_none() && reason_fault(&"x".repeat(201)).is_some()
        );
    }

    #[test]
    fn sums_are_believable() {
        let fault = |minor| amount_fault(Money::new(minor, Currency::KES)).is_some();
        assert!(fault(0) && fault(-1) && fault(AMOUNT_MAX + 1) && !fault(1) && !fault(AMOUNT_MAX));
    }

    #[test]
    fn a_clock_that_went_back_counts_as_none() {
        let at = |millis| Timestamp::from_millisecond(millis).expect("a time");
        assert_eq!((millis_since(at(1_000), at(1_750)), millis_since(at(1_000), at(500))), (750, 0));
    }

    #[test]
    fn a_sum_buys_when_it_and_the_wallet_reach_the_price() {
        assert_eq!(bought(1_500, 0, 1_500), Bought::Package);
        assert_eq!(bought(2_000, 0, 1_500), Bought::Package);
        assert_eq!(bought(1_000, 500, 1_500), Bought::Package);
        assert_eq!(bought(0, 1_500, 1_500), Bought::Package);
        assert_eq!(bought(1_000, 499, 1_500), Bought::Nothing { missing: 1 });
        assert_eq!(bought(i64::MAX, i64::MAX, i64::MAX), Bought::Package);
        assert_eq!(bought(0, 0, i64::MAX), Bought::Nothing { missing: i64::MAX });
    }

    proptest! {
        #[test]
        fn no_money_appears_or_vanishes(received in 0..=AMOUNT_MAX, in_wallet in 0..=AMOUNT_MAX, price in 0..=AMOUNT_MAX) {
            let behind = match bought(received, in_wallet, price) {
                Bought::Package => in_wallet + received - price,
                Bought::Nothing { missing } => {
                    prop_assert!(missing > 0);
                    prop_assert_eq!(in_wallet + received + missing, price);
                    in_wallet + received
                }
            };
            prop_assert!(behind >= 0);
        }
    }
}
