//! Bills in the database.

use super::{InvoiceState, LineKind, NewInvoice, PricedInvoice};
use crate::app::App;
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx as _};
use model::{Currency, CustomerId, InvoiceId, InvoiceLineId, Money, PackageId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A bill.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InvoiceView {
    /// The bill.
    pub id: InvoiceId,
    /// Its number, such as `INV-2026-000001`; none before it is issued.
    pub number: Option<String>,
    /// The series of its number.
    pub prefix: String,
    /// To whom.
    pub customer: CustomerId,
    /// Where it stands.
    pub state: InvoiceState,
    /// What it comes to, with tax.
    pub total: Money,
    /// The tax in it.
    pub tax: Money,
    /// What was paid of it.
    pub paid: Money,
    /// When it is to be paid, at the latest.
    #[schema(value_type = String, format = Date)]
    pub due_on: Date,
    /// What else it says.
    pub note: String,
    /// The customer's name when it was issued.
    pub customer_name: Option<String>,
    /// The customer's address when it was issued.
    pub customer_address: Option<String>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was issued.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub issued_at: Option<Timestamp>,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub voided_at: Option<Timestamp>,
    /// Why it was taken back.
    pub void_reason: Option<String>,
}

/// A bill with its lines.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceDetails {
    /// The bill.
    #[serde(flatten)]
    pub invoice: InvoiceView,
    /// Its lines.
    pub lines: Vec<LineView>,
}

/// One line of a bill.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineView {
    /// What it is.
    pub kind: LineKind,
    /// What it says.
    pub text: String,
    /// How many.
    pub quantity: i32,
    /// What one costs.
    pub unit: Money,
    /// What the line comes to.
    pub amount: Money,
    /// Of a package: which.
    pub package: Option<PackageId>,
    /// Of a tax: hundredths of a per cent.
    pub rate_bp: Option<i32>,
}

impl PageItem for InvoiceView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: InvoiceId,
    prefix: String,
    year: Option<i32>,
    number: Option<i64>,
    customer_id: CustomerId,
    state: String,
    currency: String,
    total_minor: i64,
    tax_minor: i64,
    paid_minor: i64,
    due_on: SqlDate,
    note: String,
    customer_name: Option<String>,
    customer_address: Option<String>,
    created_at: SqlTimestamp,
    issued_at: Option<SqlTimestamp>,
    voided_at: Option<SqlTimestamp>,
    void_reason: Option<String>,
}

impl From<Row> for InvoiceView {
    fn from(row: Row) -> Self {
        let currency: Currency = row.currency.parse().expect("the column's CHECK lets only currencies in");
        Self {
            id: row.id,
            number: row.year.zip(row.number).map(|(year, number)| format!("{}-{year}-{number:06}", row.prefix)),
            prefix: row.prefix,
            customer: row.customer_id,
            state: InvoiceState::from_stored(&row.state).expect("the column's CHECK lets only states in"),
            total: Money::new(row.total_minor, currency),
            tax: Money::new(row.tax_minor, currency),
            paid: Money::new(row.paid_minor, currency),
            due_on: row.due_on.to_jiff(),
            note: row.note,
            customer_name: row.customer_name,
            customer_address: row.customer_address,
            created_at: row.created_at.to_jiff(),
            issued_at: row.issued_at.map(SqlTimestamp::to_jiff),
            voided_at: row.voided_at.map(SqlTimestamp::to_jiff),
            void_reason: row.void_reason,
        }
    }
}

macro_rules! invoices {
    ($rest:literal) => {
        concat!(
            "SELECT id, prefix, year, number, customer_id, state, currency, total_minor, tax_minor, paid_minor, due_on, note, customer_name,
                    customer_address, created_at, issued_at, voided_at, void_reason
               FROM invoice WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

pub(super) async fn insert(
    app: &App,
    tx: &mut TenantTx,
    id: InvoiceId,
    (new, prefix, currency): (&NewInvoice, &str, Currency),
    priced: &PricedInvoice,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO invoice (tenant_id, id, customer_id, prefix, currency, total_minor, tax_minor, due_on, note, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(new.customer)
    .bind(prefix)
    .bind(currency.as_str())
    .bind(priced.total)
    .bind(priced.tax)
    .bind(new.due_on.to_sqlx())
    .bind(&new.note)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    for (position, line) in (1_i32..).zip(&priced.lines) {
        sqlx::query(
            "INSERT INTO invoice_line (tenant_id, id, invoice_id, position, kind, text, quantity, unit_minor, amount_minor, package_id, rate_bp)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(tx.tenant())
        .bind(InvoiceLineId::generate(now, &*app.entropy))
        .bind(id)
        .bind(position)
        .bind(line.kind.as_str())
        .bind(&line.text)
        .bind(line.quantity)
        .bind(line.unit)
        .bind(line.amount)
        .bind(line.package)
        .bind(line.rate_bp)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Takes the next number of a series. The counter's row stays locked until the transaction ends: who comes next waits, and a number that is
/// not used after all was never given.
pub(super) async fn next_number(tx: &mut TenantTx, prefix: &str, year: i16) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO invoice_counter (tenant_id, prefix, year, last) VALUES ($1, $2, $3, 1)
         ON CONFLICT (tenant_id, prefix, year) DO UPDATE SET last = invoice_counter.last + 1 RETURNING last",
    )
    .bind(tx.tenant())
    .bind(prefix)
    .bind(i32::from(year))
    .fetch_one(tx.conn())
    .await?)
}

/// Reads where a customer is: the address of the place, if one is known.
pub(super) async fn address(tx: &mut TenantTx, customer: CustomerId) -> Result<String, DbError> {
    let address: Option<String> = sqlx::query_scalar(
        "SELECT s.address FROM customer c JOIN site s ON s.tenant_id = $1 AND s.id = c.site_id WHERE c.tenant_id = $1 AND c.id = $2",
    )
    .bind(tx.tenant())
    .bind(customer)
    .fetch_optional(tx.conn())
    .await?;
    Ok(address.unwrap_or_default())
}

pub(super) async fn issue(
    tx: &mut TenantTx,
    id: InvoiceId,
    year: i16,
    number: i64,
    name: &str,
    address: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE invoice SET state = 'issued', year = $3, number = $4, customer_name = $5, customer_address = $6, issued_at = $7
          WHERE tenant_id = $1 AND id = $2 AND state = 'draft'",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(i32::from(year))
    .bind(number)
    .bind(name)
    .bind(address)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn void(tx: &mut TenantTx, id: InvoiceId, reason: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE invoice SET state = 'void', voided_at = $3, void_reason = $4
          WHERE tenant_id = $1 AND id = $2 AND state <> 'void' AND paid_minor = 0",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says how much of a bill is paid; in full, it is paid.
pub(super) async fn set_paid(tx: &mut TenantTx, id: InvoiceId, paid: i64) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE invoice SET paid_minor = $3, state = CASE WHEN $3 = total_minor THEN 'paid' ELSE 'issued' END
          WHERE tenant_id = $1 AND id = $2 AND state IN ('issued', 'paid')",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(paid)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn lock(tx: &mut TenantTx, id: InvoiceId) -> Result<Option<InvoiceView>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(invoices!("id = $2 FOR UPDATE")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(InvoiceView::from))
}

pub(super) async fn get(tx: &mut TenantTx, id: InvoiceId) -> Result<Option<InvoiceView>, DbError> {
    let row: Option<Row> = sqlx::query_as(invoices!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(InvoiceView::from))
}

/// Which bills are asked for.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Filter {
    pub(super) customer: Option<CustomerId>,
    pub(super) state: Option<InvoiceState>,
}

pub(super) async fn list(tx: &mut TenantTx, filter: Filter, before: Uuid, most: i64) -> Result<Vec<InvoiceView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(invoices!(
        "id < $2 AND ($3::uuid IS NULL OR customer_id = $3) AND ($4::text IS NULL OR state = $4) ORDER BY id DESC LIMIT $5"
    ))
    .bind(tx.tenant())
    .bind(before)
    .bind(filter.customer)
    .bind(filter.state.map(InvoiceState::as_str))
    .bind(most)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(InvoiceView::from).collect())
}

pub(super) async fn page(tx: &mut TenantTx, filter: Filter, page: &Page) -> Result<Vec<InvoiceView>, DbError> {
    list(tx, filter, page.before(), page.fetch()).await
}

#[derive(FromRow)]
struct LineRow {
    kind: String,
    text: String,
    quantity: i32,
    unit_minor: i64,
    amount_minor: i64,
    package_id: Option<PackageId>,
    rate_bp: Option<i32>,
}

/// Reads a bill's lines, which are limited in number.
pub(super) async fn lines(tx: &mut TenantTx, invoice: InvoiceId, currency: Currency) -> Result<Vec<LineView>, DbError> {
    let rows: Vec<LineRow> = sqlx::query_as(
        "SELECT kind, text, quantity, unit_minor, amount_minor, package_id, rate_bp FROM invoice_line
          WHERE tenant_id = $1 AND invoice_id = $2 ORDER BY position",
    )
    .bind(tx.tenant())
    .bind(invoice)
    .fetch_all(tx.conn())
    .await?;
    let line = |row: LineRow| LineView {
        kind: LineKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
        text: row.text,
        quantity: row.quantity,
        unit: Money::new(row.unit_minor, currency),
        amount: Money::new(row.amount_minor, currency),
        package: row.package_id,
        rate_bp: row.rate_bp,
    };
    Ok(rows.into_iter().map(line).collect())
}
