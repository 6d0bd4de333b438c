//! Gateways in the database.

use super::{Environment, GatewayError, Kind, NewGateway, Provider, Purpose};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{GatewayId, RouterId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A gateway, without its keys.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GatewayView {
    /// The gateway.
    pub id: GatewayId,
    /// What travels through it.
    pub kind: Kind,
    /// Who runs it.
    pub provider: Provider,
    /// Its name for people.
    pub name: String,
    /// Whose matters travel through it.
    pub purpose: Purpose,
    /// Only for customers of this router.
    pub router: Option<RouterId>,
    /// Whether it comes before others of its kind and purpose.
    pub default: bool,
    /// Its place among those that fit equally well.
    pub position: i32,
    /// Whether what happens is real: a sandbox's money is none.
    pub environment: Environment,
    /// Names of the keys that are set.
    pub fields: Vec<String>,
    /// Counts how often the keys were set.
    pub credential_version: i64,
    /// Whether it is used at all.
    pub enabled: bool,
    /// When it was set up.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// When it was taken out of use for good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Timestamp>,
}

impl PageItem for GatewayView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: GatewayId,
    kind: String,
    provider: String,
    name: String,
    purpose: String,
    router_id: Option<RouterId>,
    is_default: bool,
    position: i32,
    environment: String,
    fields: Vec<String>,
    credential_version: i64,
    enabled: bool,
    created_at: SqlTimestamp,
    changed_at: SqlTimestamp,
    removed_at: Option<SqlTimestamp>,
}

impl From<Row> for GatewayView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: Kind::from_stored(&row.kind).expect("the column's CHECK lets only kinds in"),
            provider: Provider::from_stored(&row.provider).expect("only known providers are stored, and none is ever taken away"),
            name: row.name,
            purpose: Purpose::from_stored(&row.purpose).expect("the column's CHECK lets only purposes in"),
            router: row.router_id,
            default: row.is_default,
            position: row.position,
            environment: Environment::from_stored(&row.environment).expect("the column's CHECK lets only the two in"),
            fields: row.fields,
            credential_version: row.credential_version,
            enabled: row.enabled,
            created_at: row.created_at.to_jiff(),
            changed_at: row.changed_at.to_jiff(),
            removed_at: row.removed_at.map(SqlTimestamp::to_jiff),
        }
    }
}

macro_rules! gateways {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, provider, name, purpose, router_id, is_default, position, environment, fields, credential_version, enabled,
                    created_at, changed_at, removed_at
               FROM gateway WHERE tenant_id = $1 ",
            $rest
        )
    };
}

fn taken(error: sqlx::Error) -> GatewayError {
    match on_constraint(&error) {
        Some("gateway_name_unique") => GatewayError::NameTaken,
        Some("gateway_default_unique") => GatewayError::DefaultTaken,
        _ => DbError::from(error).into(),
    }
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: GatewayId,
    new: &NewGateway,
    sealed: &[u8],
    fields: &[String],
    now: Timestamp,
) -> Result<(), GatewayError> {
    sqlx::query(
        "INSERT INTO gateway (tenant_id, id, kind, provider, name, purpose, router_id, is_default, position, environment, credentials, fields,
                created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(new.provider.kind().as_str())
    .bind(new.provider.as_str())
    .bind(&new.name)
    .bind(new.purpose.as_str())
    .bind(new.router)
    .bind(new.default)
    .bind(i32::from(new.position))
    .bind(new.environment.as_str())
    .bind(sealed)
    .bind(fields)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM gateway WHERE tenant_id = $1 AND removed_at IS NULL")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn lock(tx: &mut TenantTx, id: GatewayId) -> Result<Option<GatewayView>, DbError> {
    let row: Option<Row> = sqlx::query_as(gateways!("AND id = $2 AND removed_at IS NULL FOR UPDATE"))
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(GatewayView::from))
}

pub(super) async fn get(tx: &mut TenantTx, id: GatewayId) -> Result<Option<GatewayView>, DbError> {
    let row: Option<Row> = sqlx::query_as(gateways!("AND id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(GatewayView::from))
}

/// Reads all that were not removed; their number is limited.
pub(super) async fn live(tx: &mut TenantTx) -> Result<Vec<GatewayView>, DbError> {
    let rows: Vec<Row> =
        sqlx::query_as(gateways!("AND removed_at IS NULL ORDER BY id")).bind(tx.tenant()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(GatewayView::from).collect())
}

pub(super) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<GatewayView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(gateways!("AND id < $2 ORDER BY id DESC LIMIT $3"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(GatewayView::from).collect())
}

pub(super) async fn update(tx: &mut TenantTx, after: &GatewayView, now: Timestamp) -> Result<(), GatewayError> {
    sqlx::query(
        "UPDATE gateway SET name = $3, purpose = $4, router_id = $5, is_default = $6, position = $7, enabled = $8, changed_at = $9
          WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(after.id)
    .bind(&after.name)
    .bind(after.purpose.as_str())
    .bind(after.router)
    .bind(after.default)
    .bind(after.position)
    .bind(after.enabled)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await
    .map_err(taken)?;
    Ok(())
}

pub(super) async fn set_credentials(
    tx: &mut TenantTx,
    id: GatewayId,
    sealed: &[u8],
    fields: &[String],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE gateway SET credentials = $3, fields = $4, credential_version = credential_version + 1, changed_at = $5
          WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(sealed)
    .bind(fields)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn sealed(tx: &mut TenantTx, id: GatewayId) -> Result<Option<(Vec<u8>, i64)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT credentials, credential_version FROM gateway WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn set_report_address(tx: &mut TenantTx, id: GatewayId, hash: [u8; 32], now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO report_address (tenant_id, gateway_id, key_hash, made_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, gateway_id) DO UPDATE SET key_hash = EXCLUDED.key_hash, made_at = EXCLUDED.made_at",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&hash[..])
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a gateway out of use, and forgets its keys and where it is reported to.
pub(super) async fn remove(tx: &mut TenantTx, id: GatewayId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("DELETE FROM report_address WHERE tenant_id = $1 AND gateway_id = $2")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "UPDATE gateway SET removed_at = $3, changed_at = $3, enabled = false, is_default = false, credentials = '\\x', fields = '{}'
          WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}
