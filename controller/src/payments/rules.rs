//! What a receipt and a reason may be, and how long things took. Pure.

use crate::customers;
use jiff::Timestamp;
use model::Entropy;

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

/// Makes the number of a receipt that nobody wrote on paper: 40 random bits, unique by the database's own key.
pub(super) fn new_receipt(entropy: &dyn Entropy) -> String {
    format!("C-{}", customers::readable(8, entropy).to_ascii_uppercase())
}

/// Says what is wrong with a receipt's number, if anything.
pub(super) fn receipt_fault(receipt: &str) -> Option<Fault> {
    let good = (1..=64).contains(&receipt.chars().count()) && receipt.trim() == receipt && !receipt.contains(char::is_control);
    (!good).then_some(("receipt", "write 1 to 64 characters, without spaces around them"))
}

/// Says what is wrong with a reversal's reason, if anything.
pub(super) fn reason_fault(reason: &str) -> Option<Fault> {
    let good = (1..=200).contains(&reason.chars().count()) && !reason.trim().is_empty();
    (!good).then_some(("reason", "say why, in 1 to 200 characters"))
}

/// Counts milliseconds from the request's arrival; a clock that went back counts as none.
pub(super) fn millis_since(received_at: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.duration_since(received_at).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeededEntropy;

    #[test]
    fn receipts_and_reasons() {
        let made = new_receipt(&SeededEntropy::new(1));
        assert!(made.len() == 10 && made.starts_with("C-") && receipt_fault(&made).is_none(), "{made}");
        assert!(receipt_fault("").is_some() && receipt_fault(" 7").is_some() && receipt_fault(&"7".repeat(65)).is_some());
        assert!(
            reason_fault("  ").is_some() && reason_fault("typed twice").is_none() && reason_fault(&"x".repeat(201)).is_some()
        );
    }

    #[test]
    fn a_clock_that_went_back_counts_as_none() {
        let at = |millis| Timestamp::from_millisecond(millis).expect("a time");
        assert_eq!((millis_since(at(1_000), at(1_750)), millis_since(at(1_000), at(500))), (750, 0));
    }
}
