//! Routers' generations, tags and change sets in the database.

use super::rules::ServiceChoice;
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{ChangeSetId, RouterId, Tag};
use reconcile::ChangeSet;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) struct RouterRow {
    pub confirmed: bool,
    pub serial: Option<String>,
    pub chosen: Vec<ServiceChoice>,
    pub approved: Vec<ServiceChoice>,
    pub desired: i64,
}

pub(super) async fn router(tx: &mut TenantTx, router: RouterId) -> Result<Option<RouterRow>, DbError> {
    #[derive(FromRow)]
    struct Row {
        stage: String,
        serial: Option<String>,
        services_chosen: Json<Vec<ServiceChoice>>,
        services: Json<Vec<ServiceChoice>>,
        desired: i64,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT r.stage, r.serial, r.services_chosen, r.services, s.desired FROM router r
           JOIN router_state s ON s.tenant_id = r.tenant_id AND s.router_id = r.id
          WHERE r.tenant_id = $1 AND r.id = $2 AND r.removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(router)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| RouterRow {
        confirmed: row.stage == "confirmed",
        serial: row.serial,
        chosen: row.services_chosen.0,
        approved: row.services.0,
        desired: row.desired,
    }))
}

pub(super) async fn confirmed(tx: &mut TenantTx) -> Result<Vec<RouterId>, DbError> {
    Ok(sqlx::query_scalar("SELECT id FROM router WHERE tenant_id = $1 AND stage = 'confirmed'")
        .bind(tx.tenant())
        .fetch_all(tx.conn())
        .await?)
}

#[derive(FromRow)]
pub(super) struct AccountRow {
    #[sqlx(rename = "api_user")]
    pub user: Option<String>,
    #[sqlx(rename = "api_password")]
    pub password: Option<Vec<u8>>,
    #[sqlx(rename = "api_password_next")]
    pub password_next: Option<Vec<u8>>,
}

pub(super) async fn account(tx: &mut TenantTx, router: RouterId) -> Result<Option<AccountRow>, DbError> {
    Ok(sqlx::query_as(
        "SELECT api_user, api_password, api_password_next FROM router WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
    )
    .bind(tx.tenant())
    .bind(router)
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn set_chosen(tx: &mut TenantTx, router: RouterId, services: &[ServiceChoice]) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE router SET services_chosen = $3 WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL")
        .bind(tx.tenant())
        .bind(router)
        .bind(Json(services))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn approve_chosen(tx: &mut TenantTx, router: RouterId) -> Result<(), DbError> {
    sqlx::query("UPDATE router SET services = services_chosen WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(router)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Every object key of a router with its tag.
pub(super) async fn tags(tx: &mut TenantTx, router: RouterId) -> Result<Vec<(String, Tag)>, DbError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT object_key, tag FROM router_object WHERE tenant_id = $1 AND router_id = $2")
            .bind(tx.tenant())
            .bind(router)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(|(key, tag)| (key, tag.parse().expect("the column's CHECK lets only tags in"))).collect())
}

/// Gives new keys their tags; a key that got one in the meantime keeps it.
pub(super) async fn insert_tags(tx: &mut TenantTx, router: RouterId, tags: &[(String, Tag)]) -> Result<(), DbError> {
    let (keys, texts): (Vec<&str>, Vec<String>) = tags.iter().map(|(key, tag)| (key.as_str(), tag.to_string())).unzip();
    sqlx::query(
        "INSERT INTO router_object (tenant_id, router_id, object_key, tag) SELECT $1, $2, * FROM unnest($3::text[], $4::text[])
         ON CONFLICT (tenant_id, router_id, object_key) DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(keys)
    .bind(texts)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets the tags of objects that are wanted no more and were seen to be gone.
pub(super) async fn delete_tags(tx: &mut TenantTx, router: RouterId, keys: &[String]) -> Result<(), DbError> {
    sqlx::query("DELETE FROM router_object WHERE tenant_id = $1 AND router_id = $2 AND object_key = ANY ($3)")
        .bind(tx.tenant())
        .bind(router)
        .bind(keys)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How a router stands to what it should hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct StateView {
    /// The generation that is wanted.
    pub desired: i64,
    /// The generation that was applied and read back.
    pub applied: i64,
    /// Whether the router holds what is wanted.
    pub in_sync: bool,
    /// Failures since the last success.
    pub failures: i32,
    /// What the last failure was.
    pub last_error: Option<String>,
    /// When it was last tried.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub attempted_at: Option<Timestamp>,
    /// When it last succeeded.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub applied_at: Option<Timestamp>,
}

pub(super) async fn state(tx: &mut TenantTx, router: RouterId) -> Result<Option<StateView>, DbError> {
    #[derive(FromRow)]
    struct Row {
        desired: i64,
        applied: i64,
        failures: i32,
        last_error: Option<String>,
        attempted_at: Option<SqlTimestamp>,
        applied_at: Option<SqlTimestamp>,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT desired, applied, failures, last_error, attempted_at, applied_at FROM router_state WHERE tenant_id = $1 AND router_id = $2",
    )
    .bind(tx.tenant())
    .bind(router)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| StateView {
        desired: row.desired,
        applied: row.applied,
        in_sync: row.applied == row.desired && row.failures == 0,
        failures: row.failures,
        last_error: row.last_error,
        attempted_at: row.attempted_at.map(SqlTimestamp::to_jiff),
        applied_at: row.applied_at.map(SqlTimestamp::to_jiff),
    }))
}

/// Records a success. A worker that looked at an older generation than one already recorded changes nothing.
pub(super) async fn succeeded(tx: &mut TenantTx, router: RouterId, generation: i64, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE router_state SET applied = GREATEST(applied, $3), failures = 0, last_error = NULL, attempted_at = $4, applied_at = $4
          WHERE tenant_id = $1 AND router_id = $2",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(generation)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Records a failure and returns how many there were in a row.
pub(super) async fn failed(tx: &mut TenantTx, router: RouterId, error: &str, now: Timestamp) -> Result<i32, DbError> {
    Ok(sqlx::query_scalar(
        "UPDATE router_state SET failures = failures + 1, last_error = $3, attempted_at = $4
          WHERE tenant_id = $1 AND router_id = $2 RETURNING failures",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(error)
    .bind(now.to_sqlx())
    .fetch_one(tx.conn())
    .await?)
}

/// How long each part of a run took, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, serde::Deserialize, ToSchema)]
pub struct Timing {
    /// Reading the business from the database.
    pub read_us: u64,
    /// Connecting and logging in; near nothing when a connection was kept.
    pub connect_us: u64,
    /// Printing what the router holds.
    pub observe_us: u64,
    /// Planning.
    pub plan_us: u64,
    /// Writing.
    pub apply_us: u64,
    /// Printing again and comparing.
    pub read_back_us: u64,
}

/// A plan that was applied.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeSetView {
    /// The change set.
    pub id: ChangeSetId,
    /// The generation it brought the router to.
    pub generation: i64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// `applied` or `failed`.
    pub outcome: String,
    /// What failed.
    pub error: Option<String>,
    /// How many commands changed something.
    pub writes: i32,
    /// The changes, without secrets.
    #[schema(value_type = Object)]
    pub changes: serde_json::Value,
    /// How long each part took.
    pub timing: Timing,
}

impl PageItem for ChangeSetView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

/// What a look did. The set is written straight into its column: with ten thousand changes a copy of it is much.
pub(super) struct NewChangeSet<'a> {
    pub(super) id: ChangeSetId,
    pub(super) generation: i64,
    pub(super) started_at: Timestamp,
    pub(super) error: Option<String>,
    pub(super) set: &'a ChangeSet,
    pub(super) timing: Timing,
}

pub(super) async fn insert_change_set(tx: &mut TenantTx, router: RouterId, new: NewChangeSet<'_>) -> Result<(), DbError> {
    let writes = new.set.changes.len() + new.set.kicks.len();
    sqlx::query(
        "INSERT INTO change_set (tenant_id, id, router_id, generation, started_at, outcome, error, writes, changes, timing_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(router)
    .bind(new.generation)
    .bind(new.started_at.to_sqlx())
    .bind(if new.error.is_some() { "failed" } else { "applied" })
    .bind(new.error)
    .bind(i32::try_from(writes).unwrap_or(i32::MAX))
    .bind(Json(new.set))
    .bind(Json(new.timing))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn list_change_sets(tx: &mut TenantTx, router: RouterId, page: &Page) -> Result<Vec<ChangeSetView>, DbError> {
    #[derive(FromRow)]
    struct Row {
        id: ChangeSetId,
        generation: i64,
        started_at: SqlTimestamp,
        outcome: String,
        error: Option<String>,
        writes: i32,
        changes: serde_json::Value,
        timing_us: Json<Timing>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, generation, started_at, outcome, error, writes, changes, timing_us FROM change_set
          WHERE tenant_id = $1 AND router_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ChangeSetView {
            id: row.id,
            generation: row.generation,
            started_at: row.started_at.to_jiff(),
            outcome: row.outcome,
            error: row.error,
            writes: row.writes,
            changes: row.changes,
            timing: row.timing_us.0,
        })
        .collect())
}
