//! How journals are made, and what an account may be called. Pure; every journal sums to zero.

use super::{Account, AccountCode, AccountKind};
use model::{CustomerId, Money};

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub account: AccountCode,
    /// Positive for a debit, negative for a credit.
    pub amount: Money,
    /// Whose, in wallets and receivables.
    pub customer: Option<CustomerId>,
}

impl Entry {
    /// What comes to an account.
    #[must_use]
    pub fn debit(account: impl Into<AccountCode>, amount: Money) -> Self {
        Self { account: account.into(), amount, customer: None }
    }

    /// What goes from an account.
    #[must_use]
    pub fn credit(account: impl Into<AccountCode>, amount: Money) -> Self {
        Self { account: account.into(), amount: negative(amount), customer: None }
    }

    /// Says whose it is.
    #[must_use]
    pub fn of(self, customer: CustomerId) -> Self {
        Self { customer: Some(customer), ..self }
    }
}

/// Returns the entries of money that was received and what it bought; what is over goes into the wallet, and what is missing comes from it.
#[must_use]
pub fn sale(received_in: Account, customer: CustomerId, received: Money, price: Money) -> Vec<Entry> {
    assert_eq!(received.currency, price.currency, "a price is paid in its own currency");
    let over = Money::new(
        received.minor.checked_sub(price.minor).expect("prices and payments are far from the end of 64 bits"),
        price.currency,
    );
    let money = Entry::debit(received_in, received);
    let money = if received_in == Account::Wallets { money.of(customer) } else { money };
    balanced(vec![money, Entry::credit(Account::Sales, price), Entry::credit(Account::Wallets, over).of(customer)])
}

/// Returns the entries that take a journal back.
pub(super) fn reversal(entries: &[Entry]) -> Vec<Entry> {
    balanced(entries.iter().map(|entry| Entry { amount: negative(entry.amount), ..entry.clone() }).collect())
}

fn negative(amount: Money) -> Money {
    Money::new(amount.minor.checked_neg().expect("amounts are far from the end of 64 bits"), amount.currency)
}

/// Leaves out what is nothing, and checks that the rest sums to zero in one currency.
pub(super) fn balanced(entries: Vec<Entry>) -> Vec<Entry> {
    let entries: Vec<Entry> = entries.into_iter().filter(|entry| entry.amount.minor != 0).collect();
    if let Some(first) = entries.first().map(|entry| entry.amount.currency) {
        let sum = entries.iter().try_fold(Money::new(0, first), |sum, entry| sum.checked_add(entry.amount));
        assert_eq!(sum, Ok(Money::new(0, first)), "a journal balances in one currency");
    }
    entries
}

/// Says what is wrong with an account's code or name, if anything.
pub(super) fn account_fault(code: &str, name: &str) -> Option<Fault> {
    if !is_code(code) {
        return Some(("code", "write 2 to 40 small letters, digits and _, beginning with a letter: office_rent"));
    }
    name_fault(name)
}

/// Says what is wrong with an account's name, if anything.
pub(super) fn name_fault(name: &str) -> Option<Fault> {
    let good = (1..=100).contains(&name.chars().count()) && name.trim() == name && !name.contains(char::is_control);
    (!good).then_some(("name", "write 1 to 100 characters, without spaces around them"))
}

/// Says whether a text can be an account's code.
pub(super) fn is_code(code: &str) -> bool {
    (2..=40).contains(&code.len())
        && code.starts_with(|first: char| first.is_ascii_lowercase())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Kinds of account that a tenant may make.
pub(super) fn kind_fault(kind: AccountKind) -> Option<Fault> {
    let own = matches!(kind, AccountKind::Asset | AccountKind::Expense | AccountKind::Equity);
    (!own).then_some((
        "type",
        "make accounts of type asset (a second bank), expense or equity; the program books in the others itself",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Currency, SeededEntropy};

    fn customer() -> CustomerId {
        CustomerId::generate(jiff::Timestamp::UNIX_EPOCH, &SeededEntropy::new(1))
    }

    fn kes(minor: i64) -> Money {
        Money::new(minor, Currency::KES)
    }

    #[test]
    fn a_sale_stands_on_both_sides_and_its_reversal_undoes_it() {
        let entries = sale(Account::Cash, customer(), kes(150_000), kes(150_000));
        assert_eq!(entries, [Entry::debit(Account::Cash, kes(150_000)), Entry::credit(Account::Sales, kes(150_000))]);
        assert_eq!(
            reversal(&entries),
            [Entry::debit(Account::Cash, kes(-150_000)), Entry::credit(Account::Sales, kes(-150_000))]
        );
        assert_eq!(reversal(&reversal(&entries)), entries);
    }

    #[test]
    fn the_wallet_takes_what_is_over_and_gives_what_is_missing() {
        let wallet = |minor| Entry::credit(Account::Wallets, kes(minor)).of(customer());
        assert_eq!(sale(Account::Cash, customer(), kes(200), kes(150))[2], wallet(50));
        assert_eq!(sale(Account::Cash, customer(), kes(100), kes(150))[2], wallet(-50));
        assert_eq!(sale(Account::Cash, customer(), kes(100), kes(0)), [Entry::debit(Account::Cash, kes(100)), wallet(100)]);
        assert_eq!(
            sale(Account::Wallets, customer(), kes(150), kes(150)),
            [Entry::debit(Account::Wallets, kes(150)).of(customer()), Entry::credit(Account::Sales, kes(150))]
        );
    }

    #[test]
    fn codes_are_small_and_plain() {
        assert!(is_code("office_rent") && is_code("m2"));
        for wrong in ["", "a", "Rent", "9rent", "rent-2", "r\u{e9}nt"] {
            assert!(!is_code(wrong), "{wrong}");
        }
    }
}
