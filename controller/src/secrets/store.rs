//! Data keys in the database, sealed by the master key.

use super::keyring::{DataKey, Purpose};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::TenantId;
use sqlx::FromRow;
use uuid::Uuid;

/// A data key as it is stored.
#[derive(Debug, FromRow)]
pub(super) struct KeyRow {
    pub id: Uuid,
    pub purpose: String,
    pub version: i32,
    pub sealed_key: Vec<u8>,
    created_at: SqlTimestamp,
}

impl KeyRow {
    pub(super) fn created_at(&self) -> Timestamp {
        self.created_at.to_jiff()
    }
}

pub(super) async fn of_tenant(tx: &mut TenantTx) -> Result<Vec<KeyRow>, DbError> {
    let tenant = tx.tenant();
    Ok(sqlx::query_as(
        "SELECT id, purpose, version, sealed_key, created_at FROM data_key WHERE tenant_id = $1 ORDER BY purpose, version",
    )
    .bind(tenant)
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn insert(tx: &mut PlatformTx, tenant: TenantId, key: &DataKey, sealed: &[u8]) -> Result<(), DbError> {
    sqlx::query("INSERT INTO data_key (tenant_id, id, purpose, version, sealed_key, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(tenant)
        .bind(key.id)
        .bind(key.purpose.as_str())
        .bind(i32::try_from(key.version).expect("a key is not changed two thousand million times"))
        .bind(sealed)
        .bind(key.created_at.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Waits until no transaction seals with an older key, and lets none begin until this one ends; at most 20 s.
pub(super) async fn stop_sealing(tx: &mut PlatformTx, tenant: TenantId) -> Result<(), DbError> {
    sqlx::query("SET LOCAL lock_timeout = '20s'").execute(tx.conn()).await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('data_key:' || $1, 0))")
        .bind(tenant.uuid().to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Returns how many keys seal or have sealed.
pub(super) async fn sealing_versions(tx: &mut PlatformTx, tenant: TenantId) -> Result<Vec<i32>, DbError> {
    Ok(sqlx::query_scalar("SELECT version FROM data_key WHERE tenant_id = $1 AND purpose = $2 ORDER BY version DESC FOR UPDATE")
        .bind(tenant)
        .bind(Purpose::Seal.as_str())
        .fetch_all(tx.conn())
        .await?)
}

/// Removes the keys that sealed before a version.
pub(super) async fn retire_before(tx: &mut PlatformTx, tenant: TenantId, version: i32) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM data_key WHERE tenant_id = $1 AND purpose = $2 AND version < $3")
        .bind(tenant)
        .bind(Purpose::Seal.as_str())
        .bind(version)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

/// All data keys of all tenants, locked.
pub(super) async fn of_all(tx: &mut PlatformTx) -> Result<Vec<(TenantId, Uuid, i32, Vec<u8>)>, DbError> {
    Ok(sqlx::query_as("SELECT tenant_id, id, version, sealed_key FROM data_key ORDER BY tenant_id, id FOR UPDATE")
        .fetch_all(tx.conn())
        .await?)
}

pub(super) async fn replace(tx: &mut PlatformTx, tenant: TenantId, id: Uuid, sealed: &[u8]) -> Result<(), DbError> {
    sqlx::query("UPDATE data_key SET sealed_key = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant)
        .bind(id)
        .bind(sealed)
        .execute(tx.conn())
        .await?;
    Ok(())
}
