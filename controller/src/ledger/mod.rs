//! The ledger: every sum of money stands in it twice, and nothing in it is ever changed. A correction is a reversal.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::{Balance, JournalView};

use crate::app::App;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{JournalId, Money, PaymentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where money stands. A debit is positive and a credit negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// What lies at the desk.
    Cash,
    /// What was taken when vouchers were handed out, seen from their use.
    VoucherClearing,
    /// What was sold.
    Sales,
}

impl Account {
    const ALL: [Self; 3] = [Self::Cash, Self::VoucherClearing, Self::Sales];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::VoucherClearing => "voucher_clearing",
            Self::Sales => "sales",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.as_str() == name)
    }
}

/// Writes the journal of a sale: what came in on one side, the sale on the other. What costs nothing leaves no journal.
///
/// # Errors
/// When the payment has one already, or the database does not answer.
pub async fn sale(
    app: &App,
    tx: &mut TenantTx,
    payment: PaymentId,
    received_in: Account,
    amount: Money,
    now: Timestamp,
) -> Result<(), DbError> {
    if amount.minor == 0 {
        return Ok(());
    }
    let id = JournalId::generate(now, &*app.entropy);
    store::insert(app, tx, id, payment, None, &rules::sale(received_in, amount), now).await
}

/// Writes the journal that takes a payment's sale back, entry by entry.
///
/// # Errors
/// When it was taken back already, or the database does not answer.
pub async fn reverse(app: &App, tx: &mut TenantTx, payment: PaymentId, now: Timestamp) -> Result<(), DbError> {
    let Some((sale, entries)) = store::sale_of(tx, payment).await? else { return Ok(()) };
    let id = JournalId::generate(now, &*app.entropy);
    store::insert(app, tx, id, payment, Some(sale), &rules::reversal(&entries), now).await
}
