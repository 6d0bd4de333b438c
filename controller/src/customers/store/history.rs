//! What customers are and were recognised by, in the database. What holds now stands on the customer alone.

use super::super::credentials::{CredentialKind, Past};
use super::Customer;
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CredentialId, CustomerId, Entropy};
use sqlx::FromRow;
use uuid::Uuid;

/// What a customer was recognised by, or is while `until` is empty.
#[derive(Debug)]
pub(in crate::customers) struct Span {
    /// The row; empty for what stands on the customer.
    pub(in crate::customers) id: Option<CredentialId>,
    pub(in crate::customers) customer: CustomerId,
    pub(in crate::customers) login: String,
    pub(in crate::customers) kind: CredentialKind,
    pub(in crate::customers) value: String,
    pub(in crate::customers) since: Timestamp,
    pub(in crate::customers) until: Option<Timestamp>,
}

impl PageItem for Span {
    fn cursor(&self) -> Uuid {
        self.id.map_or(Uuid::nil(), CredentialId::uuid)
    }
}

#[derive(FromRow)]
struct Row {
    id: Option<CredentialId>,
    customer_id: CustomerId,
    login: String,
    kind: String,
    value: String,
    since: SqlTimestamp,
    until: Option<SqlTimestamp>,
}

impl From<Row> for Span {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            customer: row.customer_id,
            login: row.login,
            kind: CredentialKind::from_stored(&row.kind).expect("the column's CHECK lets only these in"),
            value: row.value,
            since: row.since.to_jiff(),
            until: row.until.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Writes what a customer is recognised by no more.
pub(in crate::customers) async fn insert_past(
    tx: &mut TenantTx,
    customer: &Customer,
    past: &[Past],
    until: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), DbError> {
    let ids: Vec<Uuid> = past.iter().map(|_| CredentialId::generate(until, entropy).uuid()).collect();
    sqlx::query(
        "INSERT INTO customer_credential (tenant_id, customer_id, until, id, kind, value, since)
         SELECT $1, $2, $3, * FROM unnest($4::uuid[], $5::text[], $6::text[], $7::timestamptz[])",
    )
    .bind(tx.tenant())
    .bind(customer.id)
    .bind(until.to_sqlx())
    .bind(ids)
    .bind(past.iter().map(|past| past.kind.as_str()).collect::<Vec<_>>())
    .bind(past.iter().map(|past| past.value.as_str()).collect::<Vec<_>>())
    .bind(past.iter().map(|past| past.since.to_sqlx()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads what a customer was recognised by, newest first.
pub(in crate::customers) async fn past_of(tx: &mut TenantTx, customer: CustomerId, page: &Page) -> Result<Vec<Span>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT h.id, h.customer_id, c.login, h.kind, h.value, h.since, h.until
           FROM customer_credential h JOIN customer c ON c.tenant_id = $1 AND c.id = h.customer_id
          WHERE h.tenant_id = $1 AND h.customer_id = $2 AND h.id < $3 ORDER BY h.id DESC LIMIT $4",
    )
    .bind(tx.tenant())
    .bind(customer)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Span::from).collect())
}

/// Whose `$3` of the kind `$2` is or was, at the time `$4` if that is given.
macro_rules! whose {
    ($column:literal, $since:literal) => {
        concat!(
            "SELECT * FROM (
                SELECT NULL::uuid AS id, c.id AS customer_id, c.login, $2 AS kind, $3 AS value, ",
            $since,
            " AS since, c.terminated_at AS until
                  FROM customer c WHERE c.tenant_id = $1 AND ",
            $column,
            " = $3
                UNION ALL
                SELECT h.id, h.customer_id, c.login, h.kind, h.value, h.since, h.until
                  FROM customer_credential h JOIN customer c ON c.tenant_id = $1 AND c.id = h.customer_id
                 WHERE h.tenant_id = $1 AND h.kind = $2 AND h.value = $3) AS held
              WHERE $4::timestamptz IS NULL OR (held.since <= $4 AND (held.until IS NULL OR held.until > $4))
              ORDER BY held.since DESC LIMIT $5"
        )
    };
}

/// Reads whose something is or was, newest first: at a time, or ever. The customer is joined, so that nobody's is told beyond reach.
pub(in crate::customers) async fn whose(
    tx: &mut TenantTx,
    kind: CredentialKind,
    value: &str,
    at: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<Span>, DbError> {
    // The part that reads customers has a form for each kind, so that each finds its index.
    let query = match kind {
        CredentialKind::Login => whose!("c.login COLLATE \"C\"", "c.login_since"),
        CredentialKind::Mac => whose!("c.mac", "c.mac_since"),
        CredentialKind::Phone => whose!("c.phone COLLATE \"C\"", "c.phone_since"),
    };
    let rows: Vec<Row> = sqlx::query_as(query)
        .bind(tx.tenant())
        .bind(kind.as_str())
        .bind(value)
        .bind(at.map(|at| at.to_sqlx()))
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(Span::from).collect())
}
