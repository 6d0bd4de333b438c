//! Customers as somebody writes to them.

use crate::packages::PackageKind;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, EntitlementId, RouterId};
use sqlx::FromRow;
use uuid::Uuid;

/// A customer, with what a message may say of them.
#[derive(Debug, Clone)]
pub struct Addressee {
    /// The customer.
    pub id: CustomerId,
    /// The phone number's digits, its country first; empty where none is known.
    pub phone: String,
    /// The name for people.
    pub full_name: String,
    /// The name used to dial or log in.
    pub login: String,
    /// The number by which the customer's money is known.
    pub account_number: String,
    /// The language to write in.
    pub language: String,
    /// How the customer connects.
    pub kind: PackageKind,
    /// The router that serves the customer.
    pub router: RouterId,
    /// The package's name.
    pub package: String,
    /// The end of what was paid, also when it is over; none when nothing was ever paid.
    pub ends_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: CustomerId,
    phone: String,
    full_name: String,
    login: String,
    account_number: String,
    language: String,
    kind: String,
    router_id: RouterId,
    package: String,
    ends_at: Option<SqlTimestamp>,
}

impl From<Row> for Addressee {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            phone: row.phone,
            full_name: row.full_name,
            login: row.login,
            account_number: row.account_number,
            language: row.language,
            kind: PackageKind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            router: row.router_id,
            package: row.package,
            ends_at: row.ends_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Reads a customer, one who has left too.
///
/// # Errors
/// When the database does not answer.
pub async fn addressee(tx: &mut TenantTx, id: CustomerId) -> Result<Option<Addressee>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT c.id, c.phone, c.full_name, c.login, c.account_number, c.language, c.kind, c.router_id, p.name AS package,
                (SELECT max(e.ends_at) FROM entitlement e WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL) AS ends_at
           FROM customer c JOIN package p ON p.tenant_id = $1 AND p.id = c.package_id
          WHERE c.tenant_id = $1 AND c.id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Addressee::from))
}

/// Returns the end of what a customer paid, also when it is over.
///
/// # Errors
/// When the database does not answer.
pub async fn last_end(tx: &mut TenantTx, id: CustomerId) -> Result<Option<Timestamp>, DbError> {
    let end: Option<SqlTimestamp> = sqlx::query_scalar(
        "SELECT max(ends_at) FROM entitlement WHERE tenant_id = $1 AND customer_id = $2 AND voided_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(end.map(SqlTimestamp::to_jiff))
}

/// Lists the active customers whose paid time ends after the first moment and not after the second, with the entitlement that ends it, in the
/// order of the ends. `after` is the last one of the page before.
///
/// # Errors
/// When the database does not answer.
pub async fn ends_between(
    tx: &mut TenantTx,
    span: (Timestamp, Timestamp),
    after: Option<(Timestamp, CustomerId)>,
    limit: i64,
) -> Result<Vec<(Addressee, EntitlementId)>, DbError> {
    #[derive(FromRow)]
    struct Ending {
        #[sqlx(flatten)]
        customer: Row,
        entitlement: EntitlementId,
    }
    let rows: Vec<Ending> = sqlx::query_as(
        "SELECT c.id, c.phone, c.full_name, c.login, c.account_number, c.language, c.kind, c.router_id, p.name AS package, e.ends_at,
                e.id AS entitlement
           FROM entitlement e
           JOIN customer c ON c.tenant_id = $1 AND c.id = e.customer_id
           JOIN package p ON p.tenant_id = $1 AND p.id = c.package_id
          WHERE e.tenant_id = $1 AND e.voided_at IS NULL AND e.ends_at > $2 AND e.ends_at <= $3 AND c.status = 'active'
            AND NOT EXISTS (SELECT 1 FROM entitlement l WHERE l.tenant_id = $1 AND l.customer_id = c.id AND l.voided_at IS NULL
                                                          AND l.ends_at > e.ends_at)
            AND (e.ends_at, c.id) > ($4, $5)
          ORDER BY e.ends_at, c.id LIMIT $6",
    )
    .bind(tx.tenant())
    .bind(span.0.to_sqlx())
    .bind(span.1.to_sqlx())
    .bind(after.map_or(span.0, |(at, _)| at).to_sqlx())
    .bind(after.map_or(Uuid::max(), |(_, id)| id.uuid()))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.customer.into(), row.entitlement)).collect())
}

/// Lists the customers of a router who were to be served at a time, in the order of their ids. `after` is the last one of the page before.
///
/// # Errors
/// When the database does not answer.
pub async fn served_on(
    tx: &mut TenantTx,
    router: RouterId,
    at: Timestamp,
    after: Option<CustomerId>,
    limit: i64,
) -> Result<Vec<Addressee>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.id, c.phone, c.full_name, c.login, c.account_number, c.language, c.kind, c.router_id, p.name AS package,
                (SELECT max(e.ends_at) FROM entitlement e WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL) AS ends_at
           FROM customer c JOIN package p ON p.tenant_id = $1 AND p.id = c.package_id
          WHERE c.tenant_id = $1 AND c.router_id = $2 AND c.status = 'active' AND c.id > $4
            AND EXISTS (SELECT 1 FROM entitlement e WHERE e.tenant_id = $1 AND e.customer_id = c.id AND e.voided_at IS NULL
                                                      AND e.starts_at <= $3 AND e.ends_at > $3)
          ORDER BY c.id LIMIT $5",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(at.to_sqlx())
    .bind(after.map_or(Uuid::nil(), CustomerId::uuid))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Addressee::from).collect())
}
