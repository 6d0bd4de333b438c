//! Payments in the database.

use super::{Method, PaymentError, PaymentState};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, Money, PackageId, PackageVersionId, PaymentId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A payment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PaymentView {
    /// The payment.
    pub id: PaymentId,
    /// Who paid.
    pub customer: CustomerId,
    /// For what.
    pub package: PackageId,
    /// The package as it was sold.
    pub package_version: PackageVersionId,
    /// How it came in.
    pub method: Method,
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
    customer_id: CustomerId,
    package_id: PackageId,
    package_version_id: PackageVersionId,
    method: String,
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
            method: if row.method == Method::Cash.as_str() { Method::Cash } else { Method::Voucher },
            receipt: row.receipt,
            amount: Money::new(row.amount_minor, row.currency.parse().expect("the column's CHECK lets only currencies in")),
            state: if row.state == "completed" { PaymentState::Completed } else { PaymentState::Reversed },
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
    pub(super) customer: CustomerId,
    pub(super) package: PackageId,
    pub(super) version: PackageVersionId,
    pub(super) method: Method,
    pub(super) receipt: &'a str,
    pub(super) amount: Money,
}

pub(super) async fn insert(tx: &mut TenantTx, new: &NewPayment<'_>, received_at: Timestamp) -> Result<(), PaymentError> {
    let taken_by = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO payment (tenant_id, id, customer_id, package_id, method, receipt, amount_minor, currency, taken_by, received_at, package_version_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.customer)
    .bind(new.package)
    .bind(new.method.as_str())
    .bind(new.receipt)
    .bind(new.amount.minor)
    .bind(new.amount.currency.as_str())
    .bind(taken_by)
    .bind(received_at.to_sqlx())
    .bind(new.version)
    .execute(tx.conn())
    .await
    .map_err(|error| match on_constraint(&error) {
        Some("payment_receipt_unique") => PaymentError::ReceiptTaken(new.receipt.to_owned()),
        _ => DbError::from(error).into(),
    })?;
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
