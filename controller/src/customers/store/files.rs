//! What files of customers are held against, and what became of them, in the database.

use super::{Customer, Row, ipv4};
use crate::http::Page;
use crate::http::PageItem;
use db::{DbError, TenantTx};
use ipnetwork::IpNetwork;
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, ImportId, RouterId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use utoipa::ToSchema;
use uuid::Uuid;

/// Reads which of some logins are in use.
pub(in crate::customers) async fn live_logins(tx: &mut TenantTx, logins: &[&str]) -> Result<HashSet<String>, DbError> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT login FROM customer WHERE tenant_id = $1 AND status <> 'terminated' AND login = ANY ($2)")
            .bind(tx.tenant())
            .bind(logins)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().collect())
}

/// Reads the addresses that are in use.
pub(in crate::customers) async fn live_addresses(tx: &mut TenantTx) -> Result<HashSet<(RouterId, Ipv4Addr)>, DbError> {
    let rows: Vec<(RouterId, IpNetwork)> = sqlx::query_as(
        "SELECT router_id, address FROM customer WHERE tenant_id = $1 AND status <> 'terminated' AND address IS NOT NULL",
    )
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(router, address)| (router, ipv4(address))).collect())
}

/// A file of customers that was taken in or refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ImportView {
    /// The import.
    pub id: ImportId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The file's SHA-256, in hex.
    pub file_sha256: String,
    /// The file's size.
    pub file_bytes: i64,
    /// `written`, or `refused` because a row was wrong; then nothing of it was written.
    pub outcome: String,
    /// How many rows the file had.
    pub rows: i32,
    /// How many customers were made.
    pub new: i32,
    /// How many were there already.
    pub exists: i32,
    /// How many rows were wrong.
    pub errors: i32,
}

impl PageItem for ImportView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct ImportRow {
    id: ImportId,
    at: SqlTimestamp,
    actor: String,
    file_hash: Vec<u8>,
    file_bytes: i64,
    outcome: String,
    rows_read: i32,
    made: i32,
    known: i32,
    wrong: i32,
}

impl From<ImportRow> for ImportView {
    fn from(row: ImportRow) -> Self {
        Self {
            id: row.id,
            at: row.at.to_jiff(),
            actor: row.actor,
            file_sha256: hex::encode(row.file_hash),
            file_bytes: row.file_bytes,
            outcome: row.outcome,
            rows: row.rows_read,
            new: row.made,
            exists: row.known,
            errors: row.wrong,
        }
    }
}

/// What became of a file.
pub(in crate::customers) struct Outcome<'a> {
    pub(in crate::customers) id: ImportId,
    pub(in crate::customers) hash: &'a [u8; 32],
    pub(in crate::customers) bytes: usize,
    pub(in crate::customers) rows: usize,
    pub(in crate::customers) made: usize,
    pub(in crate::customers) known: usize,
    pub(in crate::customers) wrong: usize,
}

pub(in crate::customers) async fn insert_import(tx: &mut TenantTx, file: &Outcome<'_>, now: Timestamp) -> Result<(), DbError> {
    let count = |number: usize| i32::try_from(number).expect("a file's rows are counted");
    sqlx::query(
        "INSERT INTO customer_import (tenant_id, id, at, actor, file_hash, file_bytes, outcome, rows_read, made, known, wrong)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tx.tenant())
    .bind(file.id)
    .bind(now.to_sqlx())
    .bind(tx.actor().as_str().to_owned())
    .bind(&file.hash[..])
    .bind(i64::try_from(file.bytes).expect("a file is far smaller"))
    .bind(if file.wrong == 0 { "written" } else { "refused" })
    .bind(count(file.rows))
    .bind(count(file.made))
    .bind(count(file.known))
    .bind(count(file.wrong))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Finds when the same file was last taken in.
pub(in crate::customers) async fn import_of(tx: &mut TenantTx, hash: &[u8; 32]) -> Result<Option<ImportView>, DbError> {
    let row: Option<ImportRow> = sqlx::query_as(
        "SELECT * FROM customer_import WHERE tenant_id = $1 AND file_hash = $2 AND outcome = 'written' ORDER BY id DESC LIMIT 1",
    )
    .bind(tx.tenant())
    .bind(&hash[..])
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(ImportView::from))
}

pub(in crate::customers) async fn imports(tx: &mut TenantTx, page: &Page) -> Result<Vec<ImportView>, DbError> {
    let rows: Vec<ImportRow> =
        sqlx::query_as("SELECT * FROM customer_import WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
            .bind(tx.tenant())
            .bind(page.before())
            .bind(page.fetch())
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(ImportView::from).collect())
}

/// Reads customers who have not left, oldest first, from one on.
pub(in crate::customers) async fn live_after(
    tx: &mut TenantTx,
    after: Option<CustomerId>,
    limit: i64,
) -> Result<Vec<Customer>, DbError> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT * FROM customer WHERE tenant_id = $1 AND id > $2 AND status <> 'terminated' ORDER BY id LIMIT $3")
            .bind(tx.tenant())
            .bind(after.map_or(Uuid::nil(), CustomerId::uuid))
            .bind(limit)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(Customer::from).collect())
}
