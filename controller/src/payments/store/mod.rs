//! Payments in the database.

pub(super) mod attempts;
pub(super) mod inbox;

use super::{Method, PaymentState};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, GatewayId, InvoiceId, Money, PackageId, PackageVersionId, PaymentId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A payment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PaymentView {
    /// The payment.
    pub id: PaymentId,
    /// Who paid; nobody that is known while it is unmatched.
    pub customer: Option<CustomerId>,
    /// For what; nothing when it lies in the wallet or paid a bill.
    pub package: Option<PackageId>,
    /// The package as it was sold.
    pub package_version: Option<PackageVersionId>,
    /// The bill that it paid, or a part of.
    pub invoice: Option<InvoiceId>,
    /// How it came in.
    pub method: Method,
    /// Through which gateway.
    pub gateway: Option<GatewayId>,
    /// The receipt's number.
    pub receipt: String,
    /// How much.
    pub amount: Money,
    /// Whether it stands.
    pub state: PaymentState,
    /// Who took it.
    pub taken_by: String,
    /// When the request arrived.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// When it was taken back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reversed_at: Option<Timestamp>,
    /// Why it was taken back.
    pub reversal_reason: Option<String>,
}

impl PageItem for PaymentView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: PaymentId,
    customer_id: Option<CustomerId>,
    package_id: Option<PackageId>,
    package_version_id: Option<PackageVersionId>,
    invoice_id: Option<InvoiceId>,
    method: String,
    gateway_id: Option<GatewayId>,
    receipt: String,
    amount_minor: i64,
    currency: String,
    state: String,
    taken_by: String,
    received_at: SqlTimestamp,
    reversed_at: Option<SqlTimestamp>,
    reversal_reason: Option<String>,
}

impl From<Row> for PaymentView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            customer: row.customer_id,
            package: row.package_id,
            package_version: row.package_version_id,
            invoice: row.invoice_id,
            method: Method::from_stored(&row.method).expect("the column's CHECK lets only methods in"),
            gateway: row.gateway_id,
            receipt: row.receipt,
            amount: Money::new(row.amount_minor, row.currency.parse().expect("the column's CHECK lets only currencies in")),
            state: PaymentState::from_stored(&row.state).expect("the column's CHECK lets only states in"),
            taken_by: row.taken_by,
            received_at: row.received_at.to_jiff(),
            reversed_at: row.reversed_at.map(SqlTimestamp::to_jiff),
            reversal_reason: row.reversal_reason,
        }
    }
}

/// A payment to be written.
pub(super) struct NewPayment<'a> {
    pub(super) id: PaymentId,
    pub(super) customer: Option<CustomerId>,
    pub(super) package: Option<(PackageId, PackageVersionId)>,
    pub(super) invoice: Option<InvoiceId>,
    pub(super) method: Method,
    pub(super) gateway: Option<GatewayId>,
    pub(super) receipt: &'a str,
    pub(super) amount: Money,
}

/// Claims a receipt, once: of many at the same time one writes its payment, and the others are told that it was there. This is the one
/// door through which money counts.
pub(super) async fn claim(tx: &mut TenantTx, new: &NewPayment<'_>, received_at: Timestamp) -> Result<bool, DbError> {
    let taken_by = tx.actor().as_str().to_owned();
    let state = if new.customer.is_some() { PaymentState::Completed } else { PaymentState::Unmatched };
    let done = sqlx::query(
        "INSERT INTO payment (tenant_id, id, customer_id, package_id, package_version_id, invoice_id, method, gateway_id, receipt, amount_minor,
                currency, state, taken_by, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT ON CONSTRAINT payment_receipt_unique DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.customer)
    .bind(new.package.map(|(package, _)| package))
    .bind(new.package.map(|(_, version)| version))
    .bind(new.invoice)
    .bind(new.method.as_str())
    .bind(new.gateway)
    .bind(new.receipt)
    .bind(new.amount.minor)
    .bind(new.amount.currency.as_str())
    .bind(state.as_str())
    .bind(taken_by)
    .bind(received_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Reads which payment claimed a receipt.
pub(super) async fn claimed(
    tx: &mut TenantTx,
    method: Method,
    gateway: Option<GatewayId>,
    receipt: &str,
) -> Result<Option<PaymentId>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM payment WHERE tenant_id = $1 AND method = $2 AND gateway_id IS NOT DISTINCT FROM $3 AND receipt = $4",
    )
    .bind(tx.tenant())
    .bind(method.as_str())
    .bind(gateway)
    .bind(receipt)
    .fetch_optional(tx.conn())
    .await?)
}

/// Writes the payments of nothing by which hours are given; the receipt is the row's own id.
pub(super) async fn insert_compensations(
    tx: &mut TenantTx,
    rows: &[(PaymentId, CustomerId, PackageId, PackageVersionId)],
    currency: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let taken_by = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO payment (tenant_id, method, amount_minor, currency, taken_by, received_at, id, customer_id, package_id, package_version_id, receipt)
         SELECT $1, 'compensation', 0, $2, $3, $4, * FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[])",
    )
    .bind(tx.tenant())
    .bind(currency)
    .bind(taken_by)
    .bind(now.to_sqlx())
    .bind(rows.iter().map(|row| row.0.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.0.to_string()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Marks a payment as taken back, unless it was already; of two at once one finds nothing to mark.
pub(super) async fn reverse(tx: &mut TenantTx, id: PaymentId, reason: &str, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE payment SET state = 'reversed', reversed_at = $3, reversal_reason = $4
          WHERE tenant_id = $1 AND id = $2 AND state = 'completed'",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says whose money it is that fitted nobody, once.
pub(super) async fn assign(
    tx: &mut TenantTx,
    id: PaymentId,
    customer: CustomerId,
    package: Option<(PackageId, PackageVersionId)>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE payment SET state = 'completed', customer_id = $3, package_id = $4, package_version_id = $5
          WHERE tenant_id = $1 AND id = $2 AND state = 'unmatched'",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(customer)
    .bind(package.map(|(package, _)| package))
    .bind(package.map(|(_, version)| version))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks money that fitted nobody as given back, once.
pub(super) async fn refund(tx: &mut TenantTx, id: PaymentId) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE payment SET state = 'refunded' WHERE tenant_id = $1 AND id = $2 AND state = 'unmatched'")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn get(tx: &mut TenantTx, id: PaymentId) -> Result<Option<PaymentView>, DbError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM payment WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(PaymentView::from))
}

pub(super) async fn list(tx: &mut TenantTx, customer: Option<CustomerId>, page: &Page) -> Result<Vec<PaymentView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM payment WHERE tenant_id = $1 AND id < $2 AND ($3::uuid IS NULL OR customer_id = $3) ORDER BY id DESC LIMIT $4",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(customer)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(PaymentView::from).collect())
}
