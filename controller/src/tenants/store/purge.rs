//! The purge in the database: which tables there are and who refers to whom is asked of the catalogue, so that a new table is covered on the
//! day it is made.

use super::super::purge::{Certificate, Removed};
use super::TenantView;
use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CertificateId, OperatorId, TenantId};
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What stays of a purged tenant: the certificate alone.
const STAYS: &str = "purge_certificate";

impl PageItem for Certificate {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: CertificateId,
    tenant_id: TenantId,
    tenant_name: String,
    requested_by: String,
    reason: String,
    requested_at: SqlTimestamp,
    finished_at: Option<SqlTimestamp>,
    tables: Json<BTreeMap<String, Removed>>,
    people_removed: i64,
    blocks_retired: i64,
    backups_removed: i64,
    sha256: Option<Vec<u8>>,
}

impl From<Row> for Certificate {
    fn from(row: Row) -> Self {
        let mut certificate = Self {
            id: row.id,
            tenant: row.tenant_id,
            name: row.tenant_name,
            requested_by: row.requested_by,
            reason: row.reason,
            requested_at: row.requested_at.to_jiff(),
            finished_at: row.finished_at.map(SqlTimestamp::to_jiff),
            tables: row.tables.0,
            people_removed: row.people_removed,
            blocks_retired: row.blocks_retired,
            backups_removed: row.backups_removed,
            sha256: row.sha256.as_ref().map(hex::encode),
            intact: true,
        };
        certificate.intact = row.sha256.is_none_or(|stored| stored == certificate.hash());
        certificate
    }
}

/// What is read of a certificate.
macro_rules! certificates {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant_id, tenant_name, requested_by, reason, requested_at, finished_at, tables, people_removed, blocks_retired,
                    backups_removed, sha256 FROM purge_certificate ",
            $rest
        )
    };
}

/// Opens the certificate, and remembers who serves this tenant and nobody else.
pub(in super::super) async fn begin(
    tx: &mut PlatformTx,
    id: CertificateId,
    tenant: &TenantView,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO purge_certificate (id, tenant_id, tenant_name, requested_by, reason, requested_at, people)
         VALUES ($1, $2, $3, $4, $5, $6, ARRAY(
            SELECT m.operator_id FROM membership m JOIN operator o ON o.id = m.operator_id AND NOT o.platform
             WHERE m.tenant_id = $2
               AND NOT EXISTS (SELECT 1 FROM membership e WHERE e.operator_id = m.operator_id AND e.tenant_id <> $2)
             ORDER BY m.operator_id))",
    )
    .bind(id)
    .bind(tenant.id)
    .bind(&tenant.name)
    .bind(by)
    .bind(reason)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Reads a tenant's certificate and keeps others from it until the transaction ends.
pub(in super::super) async fn lock(tx: &mut PlatformTx, tenant: TenantId) -> Result<Option<Certificate>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(certificates!("WHERE tenant_id = $1 FOR UPDATE")).bind(tenant).fetch_optional(tx.conn()).await?;
    Ok(row.map(Certificate::from))
}

pub(in super::super) async fn find(tx: &mut PlatformTx, tenant: TenantId) -> Result<Option<Certificate>, DbError> {
    let row: Option<Row> = sqlx::query_as(certificates!("WHERE tenant_id = $1")).bind(tenant).fetch_optional(tx.conn()).await?;
    Ok(row.map(Certificate::from))
}

pub(in super::super) async fn list(tx: &mut PlatformTx, page: &Page) -> Result<Vec<Certificate>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(certificates!("WHERE id < $1 ORDER BY id DESC LIMIT $2"))
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(Certificate::from).collect())
}

/// Every table of the real catalogue that holds rows of tenants.
pub(in super::super) async fn tables_of_tenants(tx: &mut PlatformTx) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> $1
          ORDER BY 1",
    )
    .bind(STAYS)
    .fetch_all(tx.conn())
    .await?)
}

/// Which table refers to which.
pub(in super::super) async fn references(tx: &mut PlatformTx) -> Result<Vec<(String, String)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT DISTINCT c.relname::text, r.relname::text FROM pg_constraint k
           JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
          WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition ORDER BY 1, 2",
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Says whether a group of tables still has rows of a tenant.
pub(in super::super) async fn has_rows(tx: &mut PlatformTx, tenant: TenantId, group: &[String]) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT tenant_has_rows($1::name[], $2)").bind(group).bind(tenant).fetch_one(tx.conn()).await?)
}

/// Removes some rows of a tenant, and writes into its certificate what went.
pub(in super::super) async fn remove(tx: &mut PlatformTx, tenant: TenantId, group: &[String], batch: i32) -> Result<(), DbError> {
    let gone: Vec<(String, i64, Vec<u8>)> =
        sqlx::query_as("SELECT table_name::text, row_count, digest FROM purge_tenant_rows($1::name[], $2, $3)")
            .bind(group)
            .bind(tenant)
            .bind(batch)
            .fetch_all(tx.conn())
            .await?;
    let Json(mut tables): Json<BTreeMap<String, Removed>> =
        sqlx::query_scalar("SELECT tables FROM purge_certificate WHERE tenant_id = $1 FOR UPDATE")
            .bind(tenant)
            .fetch_one(tx.conn())
            .await?;
    for (table, rows, digest) in gone.into_iter().filter(|(_, rows, _)| *rows > 0) {
        let before = tables.remove(&table);
        let chained = before.as_ref().map(|removed| removed.sha256.as_bytes()).unwrap_or_default();
        let sha256 = hex::encode(Sha256::new().chain_update(chained).chain_update(digest).finalize());
        tables.insert(table, Removed { rows: before.map_or(0, |removed| removed.rows) + rows, sha256 });
    }
    sqlx::query("UPDATE purge_certificate SET tables = $2 WHERE tenant_id = $1")
        .bind(tenant)
        .bind(Json(tables))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Puts a tenant's blocks of addresses to rest, and writes down how many.
pub(in super::super) async fn retire_blocks(tx: &mut PlatformTx, tenant: TenantId, until: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE purge_certificate SET blocks_retired = retire_tunnel_blocks($1, $2) WHERE tenant_id = $1")
        .bind(tenant)
        .bind(until.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Says whether a copy of the tenant is laid beside it.
pub(in super::super) async fn has_shadow(tx: &mut PlatformTx, tenant: TenantId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM tenant WHERE shadow_of = $1 AND status <> 'purged')")
        .bind(tenant)
        .fetch_one(tx.conn())
        .await?)
}

/// Writes down how many backup files there are, before they go.
pub(in super::super) async fn count_backups(tx: &mut PlatformTx, tenant: TenantId, files: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE purge_certificate SET backups_removed = $2 WHERE tenant_id = $1")
        .bind(tenant)
        .bind(files)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes the people who served this tenant and nobody else, as far as they still serve nobody.
pub(in super::super) async fn remove_people(tx: &mut PlatformTx, tenant: TenantId) -> Result<(), DbError> {
    let people: Vec<OperatorId> = sqlx::query_scalar("SELECT unnest(people) FROM purge_certificate WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_all(tx.conn())
        .await?;
    let gone: Vec<OperatorId> = sqlx::query_scalar("SELECT purge_people($1)").bind(people).fetch_all(tx.conn()).await?;
    sqlx::query("UPDATE purge_certificate SET people = '{}', people_removed = $2 WHERE tenant_id = $1")
        .bind(tenant)
        .bind(i64::try_from(gone.len()).unwrap_or(i64::MAX))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Closes the certificate, and leaves of the tenant a row without a name.
pub(in super::super) async fn finish(tx: &mut PlatformTx, certificate: &Certificate, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE purge_certificate SET finished_at = $2, sha256 = $3 WHERE id = $1")
        .bind(certificate.id)
        .bind(now.to_sqlx())
        .bind(&certificate.hash()[..])
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "UPDATE tenant SET status = 'purged', status_since = $2, status_reason = '', purged_at = $2, name = $3, time_zone = 'UTC',
                trial_ends_at = NULL, service_ends_at = NULL
          WHERE id = $1 AND status = 'purging'",
    )
    .bind(certificate.tenant)
    .bind(now.to_sqlx())
    .bind(format!("purged {}", certificate.tenant))
    .execute(tx.conn())
    .await?;
    Ok(())
}
