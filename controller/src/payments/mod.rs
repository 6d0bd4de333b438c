//! Money received: counted once, whatever is sent again, and turned in the same transaction into a ledger journal, an entitlement and a
//! new generation for the router. What buys nothing lies in the wallet; what fits nobody lies in the inbox.

pub mod attempts;
mod compensation;
pub mod inbox;
mod invoices;
mod routes;
mod rules;
mod settle;
mod statements;
mod store;

pub use crate::customers::{mark_applied, mark_online};
pub use compensation::{Compensated, Compensation, compensate};
pub use invoices::{InvoicePaid, NewInvoicePayment, pay_invoice};
pub use routes::routes;
pub use settle::{Aim, Difference, Received, Settled, settle};
pub use statements::{Imported, LineFault, Origin, import};
pub use store::PaymentView;
pub use store::attempts::AttemptView;
pub use store::inbox::UnmatchedView;

use crate::app::App;
use crate::customers::{self, CustomerError};
use crate::gateways::GatewayError;
use crate::invoices::InvoiceError;
use crate::ledger::{self, Account, LedgerError, Source};
use crate::packages::{PackageError, PackageView};
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
    #[error(
        "the package costs {0}: take that amount, or say `difference: wallet`, and the difference goes through the customer's wallet"
    )]
    Amount(Money),
    /// The wallet does not hold the price.
    #[error("the package costs {price} and the wallet holds {has}: take in the difference first")]
    Short { price: Money, has: Money },
    /// The receipt was booked already.
    #[error("receipt {0} was booked already: it is the proof of another payment")]
    ReceiptTaken(String),
    /// There is no such payment, attempt or item.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The payment was reversed already.
    #[error("the payment was reversed already")]
    Reversed,
    /// The payment is in the inbox.
    #[error("nobody knows whose money this is: match it or note its refund in the inbox of unmatched money")]
    Unmatched,
    /// The item was settled already.
    #[error("this money was settled already: it was {0}")]
    Resolved(&'static str),
    /// The money is a playground's.
    #[error("this gateway is a sandbox: its money is none and is never counted")]
    Sandbox,
    /// The gateway carries no money.
    #[error("this gateway carries messages, not money")]
    NoMoneyGateway,
    /// An attempt that ended does not begin anew.
    #[error("the attempt is {0} and stays so")]
    Attempt(&'static str),
    /// The file is not a statement.
    #[error("{0}")]
    File(String),
    /// Lines of a statement are wrong, and nothing was booked.
    #[error("{} lines are wrong; nothing was booked", .0.len())]
    Lines(Vec<LineFault>),
    /// The customer cannot get it.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The package cannot be sold.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It cannot be booked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The gateway cannot be used.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The bill cannot be paid.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
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
    /// Out of the customer's wallet.
    Wallet,
    /// To the bank.
    Bank,
    /// By telephone.
    MobileMoney,
    /// Not at all: hours that were given for an outage.
    Compensation,
}

impl Method {
    const ALL: [Self; 6] = [Self::Cash, Self::Voucher, Self::Wallet, Self::Bank, Self::MobileMoney, Self::Compensation];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Voucher => "voucher",
            Self::Wallet => "wallet",
            Self::Bank => "bank",
            Self::MobileMoney => "mobile_money",
            Self::Compensation => "compensation",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Where such money stands when it has come; a compensation is none.
    const fn account(self) -> Option<Account> {
        match self {
            Self::Cash => Some(Account::Cash),
            Self::Voucher => Some(Account::VoucherClearing),
            Self::Wallet => Some(Account::Wallets),
            Self::Bank => Some(Account::Bank),
            Self::MobileMoney => Some(Account::MobileMoney),
            Self::Compensation => None,
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
    /// It came, and nobody knows whose it is.
    Unmatched,
    /// It fitted nobody and was given back.
    Refunded,
}

impl PaymentState {
    const ALL: [Self; 4] = [Self::Completed, Self::Reversed, Self::Unmatched, Self::Refunded];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Reversed => "reversed",
            Self::Unmatched => "unmatched",
            Self::Refunded => "refunded",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Cash taken at the desk.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCash {
    /// The number on the paper, 1 to 64 characters, unique among cash payments; made when left out.
    pub receipt: Option<String>,
    /// What was taken; the package's price, unless the difference may go through the wallet.
    pub amount: Money,
    /// The package; the customer's own when left out. Another one becomes the customer's.
    pub package: Option<PackageId>,
    /// What to do when the amount is not the price; refuse when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// Cash that is put into the wallet.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTopUp {
    /// The number on the paper, 1 to 64 characters, unique among cash payments; made when left out.
    pub receipt: Option<String>,
    /// What was taken.
    pub amount: Money,
}

/// A payment that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taken {
    /// The payment.
    pub payment: PaymentId,
    /// The receipt's number.
    pub receipt: String,
    /// When the paid time begins; nothing when it bought none.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// When the paid time ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// The router's desired generation that carries it.
    pub generation: Option<i64>,
    /// What the customer's wallet holds now.
    pub wallet: Money,
    /// What is still missing for the package.
    pub missing: Option<Money>,
}

/// A payment that was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reversed {
    /// The payment.
    pub payment: PaymentId,
    /// The router's desired generation that carries it, if it gave time.
    pub generation: Option<i64>,
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
    let receipt = cash.receipt.unwrap_or_else(|| rules::new_receipt('C', &*app.entropy));
    let money = Received { method: Method::Cash, gateway: None, receipt, amount: cash.amount, received_at };
    let aim = Aim::Buy { customer, package: cash.package, difference: cash.difference.unwrap_or(Difference::Refuse) };
    settle::at_the_desk(app, tx, money, aim).await
}

/// Takes cash from a customer and puts it into the wallet.
///
/// # Errors
/// When a field is wrong, the receipt was booked already, or the customer has left.
pub async fn top_up(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    cash: NewTopUp,
    received_at: Timestamp,
) -> Result<Taken, PaymentError> {
    let receipt = cash.receipt.unwrap_or_else(|| rules::new_receipt('C', &*app.entropy));
    if let Some((field, message)) = rules::amount_fault(cash.amount) {
        return Err(PaymentError::Field { field, message });
    }
    let money = Received { method: Method::Cash, gateway: None, receipt, amount: cash.amount, received_at };
    settle::at_the_desk(app, tx, money, Aim::Wallet { customer }).await
}

/// Pays a package out of the customer's wallet.
///
/// # Errors
/// When the wallet does not hold the price, or the customer or package cannot be sold to or sold.
pub async fn pay_from_wallet(
    app: &App,
    tx: &mut TenantTx,
    customer: CustomerId,
    package: Option<PackageId>,
    now: Timestamp,
) -> Result<Taken, PaymentError> {
    settle::from_wallet(app, tx, customer, package, now).await
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
    settle::voucher(app, tx, customer, package, voucher, received_at).await
}

/// Takes a payment back, once: the ledger mirrors it, its time is voided, later time moves forward, and the router follows. What it put
/// into the wallet goes out of it; what it paid of a bill is owed again.
///
/// # Errors
/// When there is no such payment, it was reversed already, the reason is missing, or the wallet was spent in the meantime.
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
    let payment = store::get(tx, id).await?.ok_or(PaymentError::NotFound("payment"))?;
    let Some(customer) = payment.customer else { return Err(PaymentError::Unmatched) };
    // The customer's row comes first, as when a payment is taken, so that the two cannot wait for each other.
    let customer = customers::lock(tx, customer).await?;
    if !store::reverse(tx, id, reason, now).await? {
        return Err(PaymentError::Reversed);
    }
    ledger::reverse(app, tx, Source::Payment(id), reason, now).await?;
    if let Some(invoice) = payment.invoice {
        crate::invoices::release(tx, invoice, payment.amount).await?;
    }
    let generation = match payment.package {
        Some(_) => Some(customers::void(tx, &customer, id, now).await?),
        None => None,
    };
    tx.audit(now, "payment.reverse", &id.to_string(), serde_json::json!({ "customer": customer.id, "reason": reason })).await?;
    Ok(Reversed { payment: id, generation })
}

/// Reads a payment with what became of it.
///
/// # Errors
/// When there is no such payment.
pub async fn details(tx: &mut TenantTx, id: PaymentId) -> Result<PaymentDetails, PaymentError> {
    let payment = store::get(tx, id).await?.ok_or(PaymentError::NotFound("payment"))?;
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
