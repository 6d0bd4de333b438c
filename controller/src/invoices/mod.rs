//! Bills to customers: numbered without a gap, issued once, voided and never deleted. How they are paid is with the payments.

mod routes;
mod rules;
mod store;

pub use routes::routes;
pub use store::{InvoiceDetails, InvoiceView, LineView};

use crate::app::App;
use crate::customers::{self, CustomerError};
use crate::ledger::{self, About, Account, Entry, JournalKind, LedgerError, Source};
use crate::operators::{OperatorError, Permission, TenantScope};
use crate::packages::{self, PackageError};
use crate::tenants;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{CustomerId, InvoiceId, Money, PackageId};
use rules::Priced;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Why an operation on bills was refused.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: &'static str },
    /// There is no such bill.
    #[error("there is no such invoice")]
    NotFound,
    /// The bill is not in the state that this needs.
    #[error("the invoice is {is}: {remedy}")]
    State { is: &'static str, remedy: &'static str },
    /// More than is open.
    #[error("of this invoice {open} is open: give that or less")]
    TooMuch { open: Money },
    /// The customer is not there.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The package is not there.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It cannot be booked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The caller may not.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Where a bill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// Written, and not issued.
    Draft,
    /// Issued, and not paid in full.
    Issued,
    /// Paid in full.
    Paid,
    /// Taken back.
    Void,
}

impl InvoiceState {
    const ALL: [Self; 4] = [Self::Draft, Self::Issued, Self::Paid, Self::Void];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Issued => "issued",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// What a line of a bill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A package.
    Package,
    /// Anything else that costs something.
    Fee,
    /// What is taken off.
    Discount,
    /// Tax on all lines that are no tax.
    Tax,
}

impl LineKind {
    const ALL: [Self; 4] = [Self::Package, Self::Fee, Self::Discount, Self::Tax];

    /// The name as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Fee => "fee",
            Self::Discount => "discount",
            Self::Tax => "tax",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A line of a bill to be written.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// What it is.
    pub kind: LineKind,
    /// What it says, 1 to 200 characters; the package's name when left out.
    pub text: Option<String>,
    /// How many, 1 to 10,000; 1 when left out.
    pub quantity: Option<u16>,
    /// What one costs, in minor units; of a discount, what one takes off. The package's price when left out.
    pub unit_minor: Option<i64>,
    /// Of a line of kind package: which one.
    pub package: Option<PackageId>,
    /// Of a line of kind tax: hundredths of a per cent, 0 to 10,000.
    pub rate_bp: Option<u16>,
}

/// A bill to be written.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvoice {
    /// To whom.
    pub customer: CustomerId,
    /// The series that its number will be of: 1 to 10 capital letters, digits and hyphens; that of the settings when left out.
    pub prefix: Option<String>,
    /// When it is to be paid, at the latest.
    #[schema(value_type = String, format = Date, example = "2027-01-31")]
    pub due_on: Date,
    /// What else it says, up to 500 characters.
    #[serde(default)]
    pub note: String,
    /// Its lines, 1 to 100; a tax is on all lines that are no tax.
    pub lines: Vec<NewLine>,
}

/// Writes a bill, not yet issued.
///
/// # Errors
/// When the role may not, a field is wrong, or a customer or package is not there.
pub async fn make(app: &App, scope: &TenantScope, new: NewInvoice) -> Result<InvoiceId, InvoiceError> {
    let now = app.clock.now();
    let mut tx = scope.write(app, Permission::InvoicesWrite).await?;
    customers::expect(&mut tx, new.customer).await?;
    let currency = tenants::current(&mut tx).await?.currency;
    let wrong = |(field, message)| InvoiceError::Field { field, message };
    if let Some(fault) = rules::fault(&new) {
        return Err(wrong(fault));
    }
    let mut named = Vec::with_capacity(new.lines.len());
    for line in &new.lines {
        let package = match line.package {
            Some(id) => {
                let package = packages::get(&mut tx, id).await?;
                if package.price.currency != currency {
                    return Err(wrong(("lines", "the package is priced in another currency")));
                }
                Some((package.name.clone(), package.price.minor))
            }
            None => None,
        };
        named.push((line, package));
    }
    let priced = rules::priced(&named).map_err(wrong)?;
    let id = InvoiceId::generate(now, &*app.entropy);
    let prefix = match &new.prefix {
        Some(prefix) => prefix.clone(),
        None => tenants::settings_in_force(&mut tx).await?.invoices.prefix,
    };
    store::insert(app, &mut tx, id, (&new, &prefix, currency), &priced, now).await?;
    let details = json!({ "customer": new.customer, "total": Money::new(priced.total, currency), "lines": priced.lines.len() });
    tx.audit(now, "invoice.make", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(id)
}

/// Issues a bill: it gets the next number of its series and year, says who the customer is now, and is owed from then on.
///
/// # Errors
/// When there is no such bill, or it is no draft.
pub async fn issue(app: &App, tx: &mut TenantTx, id: InvoiceId, now: Timestamp) -> Result<InvoiceView, InvoiceError> {
    let invoice = store::lock(tx, id).await?.ok_or(InvoiceError::NotFound)?;
    if invoice.state != InvoiceState::Draft {
        return Err(InvoiceError::State { is: invoice.state.as_str(), remedy: "only a draft is issued" });
    }
    let customer = customers::lock(tx, invoice.customer).await?;
    let zone = TimeZone::get(&tenants::current(tx).await?.time_zone).unwrap_or(TimeZone::UTC);
    let year = now.to_zoned(zone).year();
    let number = store::next_number(tx, &invoice.prefix, year).await?;
    let name = if customer.full_name.is_empty() { &customer.login } else { &customer.full_name };
    let address = store::address(tx, customer.id).await?;
    store::issue(tx, id, year, number, name, &address, now).await?;
    let about = About { invoice: Some(id), router: Some(customer.router), ..About::default() };
    let net = Money::new(invoice.total.minor - invoice.tax.minor, invoice.total.currency);
    let entries = vec![
        Entry::debit(Account::Receivables, invoice.total).of(customer.id),
        Entry::credit(Account::Sales, net),
        Entry::credit(Account::Tax, invoice.tax),
    ];
    ledger::record(app, tx, JournalKind::Invoice, about, entries, now).await?;
    let issued = store::get(tx, id).await?.ok_or(InvoiceError::NotFound)?;
    tx.audit(now, "invoice.issue", &id.to_string(), json!({ "number": issued.number, "total": issued.total })).await?;
    Ok(issued)
}

/// Takes a bill back; its number stays used, and it is owed no more.
///
/// # Errors
/// When there is no such bill, something was paid of it, or it was voided already.
pub async fn void(app: &App, tx: &mut TenantTx, id: InvoiceId, reason: &str, now: Timestamp) -> Result<(), InvoiceError> {
    if !rules::is_reason(reason) {
        return Err(InvoiceError::Field { field: "reason", message: "say why, in 1 to 200 characters" });
    }
    let invoice = store::lock(tx, id).await?.ok_or(InvoiceError::NotFound)?;
    if invoice.state == InvoiceState::Void {
        return Err(InvoiceError::State { is: "void", remedy: "it stays so" });
    }
    if invoice.paid.minor > 0 {
        return Err(InvoiceError::State { is: invoice.state.as_str(), remedy: "reverse its payments first" });
    }
    store::void(tx, id, reason, now).await?;
    if invoice.state == InvoiceState::Issued {
        ledger::reverse(app, tx, Source::Invoice(id), reason, now).await?;
    }
    tx.audit(now, "invoice.void", &id.to_string(), json!({ "number": invoice.number, "reason": reason })).await?;
    Ok(())
}

/// Returns whose bill it is.
///
/// # Errors
/// When there is no such bill.
pub async fn owner(tx: &mut TenantTx, id: InvoiceId) -> Result<CustomerId, InvoiceError> {
    Ok(store::get(tx, id).await?.ok_or(InvoiceError::NotFound)?.customer)
}

/// Counts a sum towards a bill, in the transaction that books it, and returns what is still open.
///
/// # Errors
/// When there is no such bill, it is not issued, or less is open.
pub async fn allocate(tx: &mut TenantTx, id: InvoiceId, amount: Money) -> Result<Money, InvoiceError> {
    let invoice = store::lock(tx, id).await?.ok_or(InvoiceError::NotFound)?;
    if invoice.state != InvoiceState::Issued {
        let remedy = if invoice.state == InvoiceState::Draft { "issue it first" } else { "nothing is open" };
        return Err(InvoiceError::State { is: invoice.state.as_str(), remedy });
    }
    let open = Money::new(invoice.total.minor - invoice.paid.minor, invoice.total.currency);
    if amount.currency != open.currency || amount.minor > open.minor || amount.minor <= 0 {
        return Err(InvoiceError::TooMuch { open });
    }
    store::set_paid(tx, id, invoice.paid.minor + amount.minor).await?;
    Ok(Money::new(open.minor - amount.minor, open.currency))
}

/// Takes back what [`allocate`] counted.
///
/// # Errors
/// When there is no such bill.
///
/// # Panics
/// When more is taken back than was counted.
pub async fn release(tx: &mut TenantTx, id: InvoiceId, amount: Money) -> Result<(), InvoiceError> {
    let invoice = store::lock(tx, id).await?.ok_or(InvoiceError::NotFound)?;
    assert!((0..=invoice.paid.minor).contains(&amount.minor), "only what was paid is taken back");
    store::set_paid(tx, id, invoice.paid.minor - amount.minor).await?;
    Ok(())
}

/// Reads a bill with its lines.
///
/// # Errors
/// When there is no such bill.
pub async fn details(tx: &mut TenantTx, id: InvoiceId) -> Result<InvoiceDetails, InvoiceError> {
    let invoice = store::get(tx, id).await?.ok_or(InvoiceError::NotFound)?;
    let lines = store::lines(tx, id, invoice.total.currency).await?;
    Ok(InvoiceDetails { invoice, lines })
}

/// The lines of a bill with their sums.
#[derive(Debug)]
struct PricedInvoice {
    lines: Vec<Priced>,
    total: i64,
    tax: i64,
}
