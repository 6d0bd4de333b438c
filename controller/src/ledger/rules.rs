//! How journals are made. Pure; every one of them sums to zero.

use super::Account;
use model::Money;

/// One line of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) account: Account,
    /// Positive for a debit, negative for a credit.
    pub(super) amount: Money,
}

/// Returns the entries of a sale.
pub(super) fn sale(received_in: Account, amount: Money) -> Vec<Entry> {
    assert!(amount.minor > 0, "a sale is worth something");
    balanced(vec![Entry { account: received_in, amount }, Entry { account: Account::Sales, amount: negative(amount) }])
}

/// Returns the entries that take a journal back.
pub(super) fn reversal(entries: &[Entry]) -> Vec<Entry> {
    balanced(entries.iter().map(|entry| Entry { amount: negative(entry.amount), ..*entry }).collect())
}

fn negative(amount: Money) -> Money {
    Money::new(amount.minor.checked_neg().expect("prices are far from the end of 64 bits"), amount.currency)
}

fn balanced(entries: Vec<Entry>) -> Vec<Entry> {
    let first = entries.first().expect("a journal has entries").amount.currency;
    let sum = entries.iter().try_fold(Money::new(0, first), |sum, entry| sum.checked_add(entry.amount));
    assert_eq!(sum, Ok(Money::new(0, first)), "a journal balances in one currency");
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Currency;

    fn entry(account: Account, minor: i64) -> Entry {
        Entry { account, amount: Money::new(minor, Currency::KES) }
    }

    #[test]
    fn a_sale_stands_on_both_sides_and_its_reversal_undoes_it() {
        let entries = sale(Account::Cash, Money::new(150_000, Currency::KES));
        assert_eq!(entries, [entry(Account::Cash, 150_000), entry(Account::Sales, -150_000)]);
        assert_eq!(reversal(&entries), [entry(Account::Cash, -150_000), entry(Account::Sales, 150_000)]);
        assert_eq!(reversal(&reversal(&entries)), entries);
    }
}
