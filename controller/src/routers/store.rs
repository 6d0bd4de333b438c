//! Routers in the database.

use super::RouterError;
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{RouterId, SiteId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashMap;
use std::net::IpAddr;
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a router stands on the road from created to serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its texts were made.
    Created,
    /// It is in the tunnel, and its operator has not looked at the serial number yet.
    Joined,
    /// Its operator has recognised the serial number; customers' secrets may be sent to it.
    Confirmed,
    /// It was taken out.
    Removed,
}

impl Stage {
    fn from_stored(text: &str) -> Self {
        match text {
            "created" => Self::Created,
            "joined" => Self::Joined,
            "confirmed" => Self::Confirmed,
            "removed" => Self::Removed,
            other => unreachable!("the column's CHECK lets no {other} in"),
        }
    }
}

pub(super) struct Router {
    pub id: RouterId,
    pub name: String,
    pub stage: Stage,
    pub site: Option<SiteId>,
    pub serial: Option<String>,
    pub board: Option<String>,
    pub version: Option<String>,
    pub address: Option<IpAddr>,
    pub created_at: Timestamp,
}

impl PageItem for Router {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: RouterId,
    name: String,
    stage: String,
    site_id: Option<SiteId>,
    serial: Option<String>,
    board: Option<String>,
    version: Option<String>,
    address: Option<IpAddr>,
    created_at: SqlTimestamp,
}

impl From<Row> for Router {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            stage: Stage::from_stored(&row.stage),
            site: row.site_id,
            serial: row.serial,
            board: row.board,
            version: row.version,
            address: row.address,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// Writes a new router; its serial number is known beforehand only when it comes from elsewhere.
pub(super) async fn insert(
    tx: &mut TenantTx,
    id: RouterId,
    name: &str,
    serial: Option<&str>,
    now: Timestamp,
) -> Result<(), RouterError> {
    sqlx::query("INSERT INTO router (tenant_id, id, name, created_at, serial) VALUES ($1, $2, $3, $4, $5)")
        .bind(tx.tenant())
        .bind(id)
        .bind(name)
        .bind(now.to_sqlx())
        .bind(serial)
        .execute(tx.conn())
        .await
        .map_err(taken)?;
    Ok(())
}

/// Begins to count what a new router should hold and does; for who sees only what is assigned to them, once it is.
pub(super) async fn insert_state(tx: &mut TenantTx, id: RouterId) -> Result<(), DbError> {
    sqlx::query("INSERT INTO router_state (tenant_id, router_id) VALUES ($1, $2)")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Routers of the tenant `$1` that were not removed.
macro_rules! router {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.name, r.stage, r.site_id, r.serial, r.board, r.version, a.address, r.created_at FROM router r
               LEFT JOIN tunnel_address a ON a.tenant_id = r.tenant_id AND a.router_id = r.id
              WHERE r.tenant_id = $1 AND r.removed_at IS NULL AND ",
            $rest
        )
    };
}

pub(super) async fn list(tx: &mut TenantTx, site: Option<SiteId>, page: &Page) -> Result<Vec<Router>, DbError> {
    // A statement for each, so that each has its index.
    let query = match site {
        Some(site) => {
            sqlx::query_as(router!("r.site_id = $2 AND r.id < $3 ORDER BY r.id DESC LIMIT $4")).bind(tx.tenant()).bind(site)
        }
        None => sqlx::query_as(router!("r.id < $2 ORDER BY r.id DESC LIMIT $3")).bind(tx.tenant()),
    };
    let rows: Vec<Row> = query.bind(page.before()).bind(page.fetch()).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(Router::from).collect())
}

pub(super) async fn update(tx: &mut TenantTx, id: RouterId, name: &str, site: Option<SiteId>) -> Result<(), RouterError> {
    sqlx::query("UPDATE router SET name = $3, site_id = $4 WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(name)
        .bind(site)
        .execute(tx.conn())
        .await
        .map_err(taken)?;
    Ok(())
}

fn taken(error: sqlx::Error) -> RouterError {
    match on_constraint(&error) {
        Some("router_name_unique") => RouterError::NameTaken,
        Some("router_serial_unique") => RouterError::SerialTaken,
        _ => DbError::from(error).into(),
    }
}

pub(super) async fn stands(tx: &mut TenantTx, id: RouterId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM router WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL)")
        .bind(tx.tenant())
        .bind(id)
        .fetch_one(tx.conn())
        .await?)
}

/// Reads a router that was not removed, and holds it against others who would change it until the transaction ends.
pub(super) async fn lock(tx: &mut TenantTx, id: RouterId) -> Result<Router, RouterError> {
    sqlx::query("SELECT 1 FROM router WHERE tenant_id = $1 AND id = $2 FOR UPDATE")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await
        .map_err(DbError::from)?;
    find(tx, id).await
}

pub(super) async fn find(tx: &mut TenantTx, id: RouterId) -> Result<Router, RouterError> {
    let row: Option<Row> =
        sqlx::query_as(router!("r.id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await.map_err(DbError::from)?;
    row.map(Router::from).ok_or(RouterError::NotFound)
}

pub(super) async fn confirm(tx: &mut TenantTx, id: RouterId) -> Result<(), DbError> {
    sqlx::query("UPDATE router SET stage = 'confirmed' WHERE tenant_id = $1 AND id = $2 AND stage = 'joined'")
        .bind(tx.tenant())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Takes a router out; its row stays for what was sold on it, its passwords do not.
pub(super) async fn remove(tx: &mut TenantTx, id: RouterId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE router SET stage = 'removed', removed_at = $3, api_password = NULL, api_password_next = NULL WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn by_name(tx: &mut TenantTx) -> Result<HashMap<String, RouterId>, DbError> {
    let rows: Vec<(String, RouterId)> = sqlx::query_as("SELECT name, id FROM router WHERE tenant_id = $1 AND removed_at IS NULL")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().collect())
}

/// Counts the customers on a router who have not left, along a foreign key from its far end.
pub(super) async fn customers_on(tx: &mut TenantTx, id: RouterId) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM customer WHERE tenant_id = $1 AND router_id = $2 AND status <> 'terminated'")
        .bind(tx.tenant())
        .bind(id)
        .fetch_one(tx.conn())
        .await?)
}
