//! Customers' wallets: what they put in and have not used. A wallet never goes below zero, and is what the ledger says it is.

mod routes;
mod rules;

pub use routes::routes;

use crate::app::App;
use crate::customers::{self, CustomerError};
use crate::http::Page;
use crate::ledger::{self, About, Account, Entry, JournalKind, LedgerError, StatementLine};
use crate::tenants;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{Currency, CustomerId, JournalId, Money};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Why an operation on a wallet was refused.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The customer is not there.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// It cannot be booked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A customer's wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletView {
    /// Whose it is.
    pub customer: CustomerId,
    /// What it holds, in the currency that is sold in.
    pub balance: Money,
    /// What it holds in each currency that was ever put in.
    pub balances: Vec<Money>,
    /// What the customer owes by issued bills, in each currency.
    pub owed: Vec<Money>,
}

/// A correction by hand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAdjustment {
    /// What is put in; below zero, what is taken out. At most 10,000,000 minor units.
    pub amount: Money,
    /// Why, in 1 to 200 characters.
    pub reason: String,
}

/// A correction that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Adjusted {
    /// The journal.
    pub journal: JournalId,
    /// What the wallet holds now.
    pub balance: Money,
}

/// Reads a customer's wallet.
///
/// # Errors
/// When there is no such customer.
pub async fn wallet(tx: &mut TenantTx, customer: CustomerId) -> Result<WalletView, WalletError> {
    customers::expect(tx, customer).await?;
    let currency = tenants::current(tx).await?.currency;
    Ok(WalletView {
        customer,
        balance: ledger::wallet_balance(tx, customer, currency).await?,
        balances: ledger::wallet_balances(tx, customer).await?,
        owed: ledger::owed(tx, customer).await?,
    })
}

/// Reads a page of a wallet's statement, the newest first; in the currency that is sold in, unless another is named.
///
/// # Errors
/// When there is no such customer.
pub async fn statement(
    tx: &mut TenantTx,
    customer: CustomerId,
    currency: Option<Currency>,
    page: &Page,
) -> Result<Vec<StatementLine>, WalletError> {
    customers::expect(tx, customer).await?;
    let currency = match currency {
        Some(currency) => currency,
        None => tenants::current(tx).await?.currency,
    };
    Ok(ledger::statement(tx, customer, currency, page).await?)
}

/// Puts money into a wallet, or takes it out, by hand.
///
/// # Errors
/// When a field is wrong, there is no such customer, or the wallet does not hold so much.
pub async fn adjust(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    new: &NewAdjustment,
    now: Timestamp,
) -> Result<Adjusted, WalletError> {
    if let Some((field, message)) = rules::adjustment_fault(new.amount, &new.reason) {
        return Err(WalletError::Field { field, message });
    }
    let customer = customers::lock(tx, customer).await?;
    if new.amount.currency != tenants::current(tx).await?.currency {
        return Err(WalletError::Field { field: "amount", message: "give it in the currency that you sell in" });
    }
    let entries =
        vec![Entry::debit(Account::Adjustments, new.amount), Entry::credit(Account::Wallets, new.amount).of(customer.id)];
    let about = About { router: Some(customer.router), reason: &new.reason, ..About::default() };
    let journal = ledger::record(app, tx, JournalKind::Adjustment, about, entries, now).await?.expect("the amount is not zero");
    let balance = ledger::wallet_balance(tx, customer.id, new.amount.currency).await?;
    let details = json!({ "amount": new.amount, "reason": new.reason, "balance": balance });
    tx.audit(now, "wallet.adjust", &customer.id.to_string(), details).await?;
    Ok(Adjusted { journal, balance })
}
