//! What customers paid for, in the database.

use super::super::rules::Span;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, EntitlementId, PackageId, PackageVersionId, PaymentId, RouterId};
use sqlx::FromRow;

#[derive(FromRow)]
struct SpanRow {
    id: EntitlementId,
    starts_at: SqlTimestamp,
    ends_at: SqlTimestamp,
    unbroken_since: SqlTimestamp,
}

impl SpanRow {
    fn span(&self) -> Span {
        Span {
            starts_at: self.starts_at.to_jiff(),
            ends_at: self.ends_at.to_jiff(),
            unbroken_since: self.unbroken_since.to_jiff(),
        }
    }
}

/// Reads what the customer is entitled to last.
pub(in crate::customers) async fn last_span(tx: &mut TenantTx, customer: CustomerId) -> Result<Option<Span>, DbError> {
    let row: Option<SpanRow> = sqlx::query_as(
        "SELECT id, starts_at, ends_at, unbroken_since FROM entitlement
          WHERE tenant_id = $1 AND customer_id = $2 AND voided_at IS NULL ORDER BY ends_at DESC LIMIT 1",
    )
    .bind(tx.tenant())
    .bind(customer)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.span()))
}

/// An entitlement to be written.
pub(in crate::customers) struct NewEntitlement {
    pub(in crate::customers) id: EntitlementId,
    pub(in crate::customers) customer: CustomerId,
    pub(in crate::customers) package: PackageId,
    pub(in crate::customers) version: PackageVersionId,
    pub(in crate::customers) router: RouterId,
    pub(in crate::customers) payment: PaymentId,
    pub(in crate::customers) span: Span,
    pub(in crate::customers) generation: i64,
}

pub(in crate::customers) async fn insert_entitlement(tx: &mut TenantTx, new: &NewEntitlement) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO entitlement (tenant_id, id, customer_id, package_id, router_id, payment_id, starts_at, ends_at, unbroken_since, generation,
                package_version_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.customer)
    .bind(new.package)
    .bind(new.router)
    .bind(new.payment)
    .bind(new.span.starts_at.to_sqlx())
    .bind(new.span.ends_at.to_sqlx())
    .bind(new.span.unbroken_since.to_sqlx())
    .bind(new.generation)
    .bind(new.version)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Voids a payment's entitlement, once, and returns it.
pub(in crate::customers) async fn void(tx: &mut TenantTx, payment: PaymentId, now: Timestamp) -> Result<Option<Span>, DbError> {
    let row: Option<SpanRow> = sqlx::query_as(
        "UPDATE entitlement SET voided_at = $3 WHERE tenant_id = $1 AND payment_id = $2 AND voided_at IS NULL
         RETURNING id, starts_at, ends_at, unbroken_since",
    )
    .bind(tx.tenant())
    .bind(payment)
    .bind(now.to_sqlx())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.span()))
}

/// Reads what the customer is entitled to from a time on, in order.
pub(in crate::customers) async fn spans_from(
    tx: &mut TenantTx,
    customer: CustomerId,
    from: Timestamp,
) -> Result<Vec<(EntitlementId, Span)>, DbError> {
    let rows: Vec<SpanRow> = sqlx::query_as(
        "SELECT id, starts_at, ends_at, unbroken_since FROM entitlement
          WHERE tenant_id = $1 AND customer_id = $2 AND voided_at IS NULL AND starts_at >= $3 ORDER BY starts_at",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(from.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.span())).collect())
}

pub(in crate::customers) async fn set_span(tx: &mut TenantTx, id: EntitlementId, span: Span) -> Result<(), DbError> {
    sqlx::query("UPDATE entitlement SET starts_at = $3, ends_at = $4, unbroken_since = $5 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(span.starts_at.to_sqlx())
        .bind(span.ends_at.to_sqlx())
        .bind(span.unbroken_since.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Moves what has not ended to another router; what the old one never held waits for the new one's generation.
pub(in crate::customers) async fn move_entitlements(
    tx: &mut TenantTx,
    customer: CustomerId,
    router: RouterId,
    generation: i64,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE entitlement SET router_id = $3, generation = CASE WHEN applied_at IS NULL THEN $4 ELSE generation END
          WHERE tenant_id = $1 AND customer_id = $2 AND voided_at IS NULL AND ends_at > $5",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(router)
    .bind(generation)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::customers) async fn mark_applied(
    tx: &mut TenantTx,
    router: RouterId,
    generation: i64,
    at: Timestamp,
) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE entitlement SET applied_at = $4
          WHERE tenant_id = $1 AND router_id = $2 AND generation <= $3 AND applied_at IS NULL AND voided_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(generation)
    .bind(at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

pub(in crate::customers) async fn mark_online(tx: &mut TenantTx, customer: CustomerId, at: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE entitlement SET online_at = $3
          WHERE tenant_id = $1 AND customer_id = $2 AND ends_at > $3 AND voided_at IS NULL AND applied_at IS NOT NULL AND online_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(in crate::customers) async fn awaiting_online(
    tx: &mut TenantTx,
    router: RouterId,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<(CustomerId, String)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT DISTINCT c.id, c.login FROM entitlement e JOIN customer c ON c.tenant_id = $1 AND c.id = e.customer_id
          WHERE e.tenant_id = $1 AND e.router_id = $2 AND e.ends_at > $4 AND e.voided_at IS NULL AND e.applied_at > $3 AND e.online_at IS NULL
          LIMIT 500",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(since.to_sqlx())
    .bind(now.to_sqlx())
    .fetch_all(tx.conn())
    .await?)
}

/// What became of a payment's entitlement.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The router's generation that carries it.
    pub generation: i64,
    /// When the router was seen to hold it.
    pub applied_at: Option<Timestamp>,
    /// When the router was seen to list the session.
    pub online_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct TimelineRow {
    starts_at: SqlTimestamp,
    ends_at: SqlTimestamp,
    generation: i64,
    applied_at: Option<SqlTimestamp>,
    online_at: Option<SqlTimestamp>,
}

/// Reads what became of a payment's entitlement, a voided one's too.
///
/// # Errors
/// When the database does not answer.
pub async fn timeline(tx: &mut TenantTx, payment: PaymentId) -> Result<Option<Timeline>, DbError> {
    let row: Option<TimelineRow> = sqlx::query_as(
        "SELECT starts_at, ends_at, generation, applied_at, online_at FROM entitlement WHERE tenant_id = $1 AND payment_id = $2",
    )
    .bind(tx.tenant())
    .bind(payment)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Timeline {
        starts_at: row.starts_at.to_jiff(),
        ends_at: row.ends_at.to_jiff(),
        generation: row.generation,
        applied_at: row.applied_at.map(SqlTimestamp::to_jiff),
        online_at: row.online_at.map(SqlTimestamp::to_jiff),
    }))
}
