//! The ledger: every sum of money stands in it twice, and nothing in it is ever changed. A correction is a reversal.
//!
//! A customer's wallet is what the ledger says the ISP owes them; its balance is kept beside the entries, in the same transaction.

mod accounts;
mod routes;
mod rules;
mod store;

pub use accounts::{AccountChange, NewAccount, add_account, change_account, close_account, expect_account, open_system_accounts};
pub use routes::routes;
pub use rules::{Entry, sale};
pub use store::{AccountView, Balance, JournalView, StatementLine, owed, statement, wallet_balance, wallet_balances};

use crate::app::App;
use crate::operators::OperatorError;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{ExpenseId, InvoiceId, JournalId, Money, PaymentId, RouterId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Accounts that a tenant may have.
pub const ACCOUNTS_MAX: i64 = 500;

/// Why something could not be booked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// The account's code is taken.
    #[error("an account with this code exists")]
    CodeTaken,
    /// The program books in it itself.
    #[error("this account is the program's own: it stays as it is")]
    System,
    /// Too many accounts.
    #[error("a tenant may have {ACCOUNTS_MAX} accounts")]
    TooManyAccounts,
    /// The wallet does not hold enough.
    #[error(
        "the customer's wallet holds {has}, and {needs} would go out of it: take in the difference first, or choose a smaller amount"
    )]
    Wallet { has: Money, needs: Money },
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What kind of thing stands in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// What the ISP has.
    Asset,
    /// What it owes.
    Liability,
    /// What it earned.
    Income,
    /// What it spent.
    Expense,
    /// What its owners put in.
    Equity,
}

impl AccountKind {
    const ALL: [Self; 5] = [Self::Asset, Self::Liability, Self::Income, Self::Expense, Self::Equity];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asset => "asset",
            Self::Liability => "liability",
            Self::Income => "income",
            Self::Expense => "expense",
            Self::Equity => "equity",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The accounts that the program books in. Every tenant has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// What lies at the desk.
    Cash,
    /// What came to the bank.
    Bank,
    /// What came by mobile money.
    MobileMoney,
    /// What was taken when vouchers were handed out, seen from their use.
    VoucherClearing,
    /// What customers owe.
    Receivables,
    /// What customers put in and have not used.
    Wallets,
    /// Money whose owner is not known.
    Unmatched,
    /// Tax that was taken and is to be paid on.
    Tax,
    /// What was sold.
    Sales,
    /// What was given or taken by hand.
    Adjustments,
    /// What was spent and has no account of its own.
    Expenses,
}

impl Account {
    /// All of them; the migration gives them to tenants that were there before.
    pub const ALL: [Self; 11] = [
        Self::Cash,
        Self::Bank,
        Self::MobileMoney,
        Self::VoucherClearing,
        Self::Receivables,
        Self::Wallets,
        Self::Unmatched,
        Self::Tax,
        Self::Sales,
        Self::Adjustments,
        Self::Expenses,
    ];

    /// Its code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Bank => "bank",
            Self::MobileMoney => "mobile_money",
            Self::VoucherClearing => "voucher_clearing",
            Self::Receivables => "receivables",
            Self::Wallets => "wallets",
            Self::Unmatched => "unmatched",
            Self::Tax => "tax",
            Self::Sales => "sales",
            Self::Adjustments => "adjustments",
            Self::Expenses => "expenses",
        }
    }

    /// What it is called and what kind it is.
    #[must_use]
    pub const fn description(self) -> (&'static str, AccountKind) {
        match self {
            Self::Cash => ("Cash at the desk", AccountKind::Asset),
            Self::Bank => ("Bank", AccountKind::Asset),
            Self::MobileMoney => ("Mobile money", AccountKind::Asset),
            Self::VoucherClearing => ("Vouchers handed out", AccountKind::Asset),
            Self::Receivables => ("Owed by customers", AccountKind::Asset),
            Self::Wallets => ("Customers' wallets", AccountKind::Liability),
            Self::Unmatched => ("Money whose owner is not known", AccountKind::Liability),
            Self::Tax => ("Tax to be paid on", AccountKind::Liability),
            Self::Sales => ("Sales", AccountKind::Income),
            Self::Adjustments => ("Wallets set right by hand", AccountKind::Expense),
            Self::Expenses => ("Other expenses", AccountKind::Expense),
        }
    }
}

/// The code by which an account is called: 2 to 40 small letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[a-z][a-z0-9_]{1,39}$", example = "expenses")]
pub struct AccountCode(String);

impl AccountCode {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Account> for AccountCode {
    fn from(account: Account) -> Self {
        Self(account.as_str().to_owned())
    }
}

impl TryFrom<String> for AccountCode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if rules::is_code(&text) {
            Ok(Self(text))
        } else {
            Err("an account's code has 2 to 40 small letters, digits and _, beginning with a letter")
        }
    }
}

/// What a journal is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalKind {
    /// Money came in, or was taken from the wallet, and bought a package.
    Sale,
    /// Money came in and stays in the wallet.
    TopUp,
    /// A wallet was set right by hand.
    Adjustment,
    /// Money came in and fits nobody.
    Unmatched,
    /// It was found out whose that money is.
    Match,
    /// That money was given back.
    Refund,
    /// A bill was issued.
    Invoice,
    /// A bill was paid, or a part of it.
    InvoicePayment,
    /// The ISP spent something.
    Expense,
}

impl JournalKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::TopUp => "top_up",
            Self::Adjustment => "adjustment",
            Self::Unmatched => "unmatched",
            Self::Match => "match",
            Self::Refund => "refund",
            Self::Invoice => "invoice",
            Self::InvoicePayment => "invoice_payment",
            Self::Expense => "expense",
        }
    }
}

/// What a journal is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The payment.
    pub payment: Option<PaymentId>,
    /// The bill.
    pub invoice: Option<InvoiceId>,
    /// The expense.
    pub expense: Option<ExpenseId>,
    /// The router that serves the customer at that moment.
    pub router: Option<RouterId>,
    /// How money came in, as the payment has it.
    pub method: Option<&'a str>,
    /// Why, where somebody had to say.
    pub reason: &'a str,
}

/// A source whose journals can be taken back.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// All journals of a payment.
    Payment(PaymentId),
    /// The journal by which a bill was issued.
    Invoice(InvoiceId),
    /// The journal of an expense.
    Expense(ExpenseId),
}

/// Writes a journal, and keeps the wallets it touches. Entries of nothing are left out, and a journal of nothing is none.
///
/// # Errors
/// When a wallet would go below zero, an account is not there, or the database does not answer.
///
/// # Panics
/// When the entries do not sum to zero in one currency.
pub async fn record(
    app: &App,
    tx: &mut TenantTx,
    kind: JournalKind,
    about: About<'_>,
    entries: Vec<Entry>,
    now: Timestamp,
) -> Result<Option<JournalId>, LedgerError> {
    let entries = rules::balanced(entries);
    if entries.is_empty() {
        return Ok(None);
    }
    let id = JournalId::generate(now, &*app.entropy);
    store::insert(app, tx, &store::NewJournal { id, kind: kind.as_str(), about, reversal_of: None, entries: &entries }, now)
        .await?;
    Ok(Some(id))
}

/// Writes the journals that take back, entry by entry, what was booked for a source and was not taken back before. The last is undone first.
///
/// # Errors
/// When a wallet would go below zero, or the database does not answer.
pub async fn reverse(app: &App, tx: &mut TenantTx, source: Source, reason: &str, now: Timestamp) -> Result<(), LedgerError> {
    for standing in store::standing(tx, source).await? {
        let id = JournalId::generate(now, &*app.entropy);
        let about = About { reason, ..standing.about() };
        let entries = rules::reversal(&standing.entries);
        let new = store::NewJournal { id, kind: "reversal", about, reversal_of: Some(standing.id), entries: &entries };
        store::insert(app, tx, &new, now).await?;
    }
    Ok(())
}
