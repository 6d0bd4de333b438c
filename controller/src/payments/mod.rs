//! Money received: counted once, whatever is sent again, and turned in the same transaction into a ledger journal, an entitlement and a
//! new generation for the router.

mod routes;
mod rules;
mod store;

pub use crate::customers::{mark_applied, mark_online};
pub use routes::routes;
pub use store::PaymentView;

use crate::app::App;
use crate::customers::{self, Customer, CustomerError, CustomerStatus};
use crate::ledger::{self, Account};
use crate::packages::{self, PackageError, PackageView};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use model::{CustomerId, Money, PackageId, PaymentId, VoucherId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why an operation on payments was refused.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// The amount is not the package's price.
    #[error("the package costs {0}: that is the amount to take")]
    Amount(Money),
    /// The receipt was booked already.
    #[error("receipt {0} was booked already: it is the proof of another payment")]
    ReceiptTaken(String),
    /// There is no such payment.
    #[error("there is no such payment")]
    NotFound,
    /// The payment was reversed already.
    #[error("the payment was reversed already")]
    Reversed,
    /// The customer cannot get it.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The package cannot be sold.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How money came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Over the desk.
    Cash,
    /// When the voucher was sold; it is counted when it is used.
    Voucher,
}

impl Method {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Voucher => "voucher",
        }
    }

    const fn account(self) -> Account {
        match self {
            Self::Cash => Account::Cash,
            Self::Voucher => Account::VoucherClearing,
        }
    }
}

/// Whether a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// It stands.
    Completed,
    /// It was taken back.
    Reversed,
}

/// Cash taken at the desk.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCash {
    /// The number on the paper, 1 to 64 characters, unique among cash payments; made when left out.
    pub receipt: Option<String>,
    /// What was taken; exactly the package's price.
    pub amount: Money,
    /// The package; the customer's own when left out. Another one becomes the customer's.
    pub package: Option<PackageId>,
}

/// A payment that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taken {
    /// The payment.
    pub payment: PaymentId,
    /// The receipt's number.
    pub receipt: String,
    /// When the paid time begins.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When the paid time ends.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// The router's desired generation that carries it.
    pub generation: i64,
}

/// A payment that was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reversed {
    /// The payment.
    pub payment: PaymentId,
    /// The router's desired generation that carries it.
    pub generation: i64,
}

/// A payment, and how long it took to reach the router and to bring the customer online.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentDetails {
    /// The payment.
    #[serde(flatten)]
    pub payment: PaymentView,
    /// When the paid time begins.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// When the paid time ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// The router's desired generation that carries it.
    pub generation: Option<i64>,
    /// When the router was seen to hold it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub applied_at: Option<Timestamp>,
    /// Milliseconds from the request's arrival until then.
    pub applied_ms: Option<u64>,
    /// When the router was seen to list the session.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub online_at: Option<Timestamp>,
    /// Milliseconds from the request's arrival until then.
    pub online_ms: Option<u64>,
}

/// Takes cash from a customer. `received_at` is when the request arrived.
///
/// # Errors
/// When the amount is not the price, the receipt was booked already, or the customer or package cannot be sold to or sold.
pub async fn take_cash(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    cash: NewCash,
    received_at: Timestamp,
) -> Result<Taken, PaymentError> {
    let receipt = cash.receipt.unwrap_or_else(|| rules::new_receipt(&*app.entropy));
    if let Some((field, message)) = rules::receipt_fault(&receipt) {
        return Err(PaymentError::Field { field, message });
    }
    let customer = customers::lock(tx, customer).await?;
    let package = match cash.package {
        Some(other) if other != customer.package => packages::on_sale(tx, other).await?,
        Some(_) | None => packages::get(tx, customer.package).await?,
    };
    if cash.amount != package.price {
        return Err(PaymentError::Amount(package.price));
    }
    take(app, tx, &customer, &package, Method::Cash, receipt, received_at).await
}

/// Counts a voucher that a customer has used up in this transaction.
///
/// # Errors
/// When the package is not for this customer's kind of connection, or the customer has left.
pub async fn take_voucher(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    package: &PackageView,
    voucher: VoucherId,
    received_at: Timestamp,
) -> Result<Taken, PaymentError> {
    let customer = customers::lock(tx, customer).await?;
    take(app, tx, &customer, package, Method::Voucher, voucher.to_string(), received_at).await
}

async fn take(
    app: &App,
    tx: &mut TenantTx,
    customer: &Customer,
    package: &PackageView,
    method: Method,
    receipt: String,
    received_at: Timestamp,
) -> Result<Taken, PaymentError> {
    if customer.status == CustomerStatus::Terminated {
        return Err(CustomerError::Terminated.into());
    }
    let payment = PaymentId::generate(received_at, &*app.entropy);
    let new = store::NewPayment {
        id: payment,
        customer: customer.id,
        package: package.id,
        version: package.version_id,
        method,
        receipt: &receipt,
        amount: package.price,
    };
    store::insert(tx, &new, received_at).await?;
    ledger::sale(app, tx, payment, method.account(), package.price, received_at).await?;
    let granted = customers::grant(app, tx, customer, package, payment, received_at).await?;
    let details = serde_json::json!({
        "customer": customer.id, "method": method, "receipt": receipt, "amount": package.price, "until": granted.ends_at
    });
    tx.audit(received_at, "payment.take", &payment.to_string(), details).await?;
    Ok(Taken { payment, receipt, starts_at: granted.starts_at, ends_at: granted.ends_at, generation: granted.generation })
}

/// Takes a payment back, once: the ledger mirrors it, its time is voided, later time moves forward, and the router follows.
///
/// # Errors
/// When there is no such payment, it was reversed already, or the reason is missing.
pub async fn reverse(
    app: &App,
    tx: &mut TenantTx,
    id: PaymentId,
    reason: &str,
    now: Timestamp,
) -> Result<Reversed, PaymentError> {
    if let Some((field, message)) = rules::reason_fault(reason) {
        return Err(PaymentError::Field { field, message });
    }
    let payment = store::get(tx, id).await?.ok_or(PaymentError::NotFound)?;
    // The customer's row comes first, as when a payment is taken, so that the two cannot wait for each other.
    let customer = customers::lock(tx, payment.customer).await?;
    if !store::reverse(tx, id, reason, now).await? {
        return Err(PaymentError::Reversed);
    }
    ledger::reverse(app, tx, id, now).await?;
    let generation = customers::void(tx, &customer, id, now).await?;
    tx.audit(now, "payment.reverse", &id.to_string(), serde_json::json!({ "customer": customer.id, "reason": reason })).await?;
    Ok(Reversed { payment: id, generation })
}

/// Reads a payment with what became of it.
///
/// # Errors
/// When there is no such payment.
pub async fn details(tx: &mut TenantTx, id: PaymentId) -> Result<PaymentDetails, PaymentError> {
    let payment = store::get(tx, id).await?.ok_or(PaymentError::NotFound)?;
    let timeline = customers::timeline(tx, id).await?;
    let (applied_at, online_at) = (timeline.and_then(|line| line.applied_at), timeline.and_then(|line| line.online_at));
    let millis = |at: Option<Timestamp>| at.map(|at| rules::millis_since(payment.received_at, at));
    Ok(PaymentDetails {
        starts_at: timeline.map(|line| line.starts_at),
        ends_at: timeline.map(|line| line.ends_at),
        generation: timeline.map(|line| line.generation),
        applied_at,
        applied_ms: millis(applied_at),
        online_at,
        online_ms: millis(online_at),
        payment,
    })
}
