//! Tenants in the database.

use super::{NewTenant, TenantError};
use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{Currency, DataKeyId, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantView {
    /// The tenant.
    pub id: TenantId,
    /// The ISP's name.
    pub name: String,
    /// `active` or `suspended`.
    pub status: String,
    /// The currency it sells in.
    pub currency: Currency,
    /// Its time zone.
    pub time_zone: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl PageItem for TenantView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: TenantId,
    name: String,
    status: String,
    currency: String,
    time_zone: String,
    created_at: SqlTimestamp,
}

impl From<Row> for TenantView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            status: row.status,
            currency: row.currency.parse().expect("the column's CHECK lets only currencies in"),
            time_zone: row.time_zone,
            created_at: row.created_at.to_jiff(),
        }
    }
}

pub(super) async fn insert(tx: &mut PlatformTx, id: TenantId, new: &NewTenant, now: Timestamp) -> Result<(), TenantError> {
    sqlx::query("INSERT INTO tenant (id, name, currency, time_zone, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(&new.name)
        .bind(new.currency.as_str())
        .bind(&new.time_zone)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await
        .map_err(|error| match on_constraint(&error) {
            Some("tenant_name_unique") => TenantError::NameTaken,
            _ => DbError::from(error).into(),
        })?;
    Ok(())
}

pub(super) async fn insert_data_key(
    tx: &mut PlatformTx,
    tenant: TenantId,
    id: DataKeyId,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO data_key (tenant_id, id, version, sealed_key, created_at) VALUES ($1, $2, 1, $3, $4)")
        .bind(tenant)
        .bind(id)
        .bind(sealed)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn set_status(tx: &mut PlatformTx, id: TenantId, status: &str) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE tenant SET status = $2 WHERE id = $1").bind(id).bind(status).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn list(tx: &mut PlatformTx, page: &Page) -> Result<Vec<TenantView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, name, status, currency, time_zone, created_at FROM tenant WHERE id < $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(TenantView::from).collect())
}

/// Reads the transaction's own tenant.
///
/// # Errors
/// When the database does not answer.
pub async fn current(tx: &mut TenantTx) -> Result<TenantView, DbError> {
    let row: Row = sqlx::query_as("SELECT id, name, status, currency, time_zone, created_at FROM tenant WHERE id = $1")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?;
    Ok(row.into())
}
