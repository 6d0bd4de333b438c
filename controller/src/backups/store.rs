//! What copies need of the database beside the rows themselves, and the list of backups that were taken.

use super::BackupView;
use crate::http::Page;
use db::{DbError, PlatformTx, TenantTx, on_constraint};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{BackupId, OperatorId, RouterId, TenantId};
use sqlx::FromRow;

/// Keeps a second backup of the same tenant from being taken until this transaction ends.
pub(super) async fn lock_backup(tx: &mut TenantTx) -> Result<bool, DbError> {
    let key = format!("backup:{}", tx.tenant().uuid());
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))").bind(key).fetch_one(tx.conn()).await?)
}

/// Returns the tenant's name and its row as JSON.
pub(super) async fn tenant_row(tx: &mut TenantTx) -> Result<(String, String), DbError> {
    let tenant = tx.tenant();
    Ok(sqlx::query_as("SELECT name, to_jsonb(t)::text FROM tenant t WHERE id = $1").bind(tenant).fetch_one(tx.conn()).await?)
}

/// Returns who serves the tenant, as JSON, without anything secret.
pub(super) async fn people(tx: &mut TenantTx) -> Result<Vec<String>, DbError> {
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar(
        "SELECT jsonb_build_object('id', o.id, 'login', o.login, 'display_name', o.display_name, 'status', o.status,
                                   'created_at', o.created_at)::text
           FROM operator o JOIN membership m ON m.operator_id = o.id WHERE m.tenant_id = $1 ORDER BY o.id",
    )
    .bind(tenant)
    .fetch_all(tx.conn())
    .await?)
}

/// Finds a tenant's name and status, and keeps others from hanging something new on it until this transaction ends.
pub(super) async fn lock_tenant(tx: &mut PlatformTx, tenant: TenantId) -> Result<Option<(String, String)>, DbError> {
    Ok(sqlx::query_as("SELECT name, status FROM tenant WHERE id = $1 FOR UPDATE").bind(tenant).fetch_optional(tx.conn()).await?)
}

/// Adds a person who is not known here yet. A login name that is somebody else's here is told apart; returns it if it had to be.
pub(super) async fn put_person(tx: &mut PlatformTx, json: &str, id: OperatorId) -> Result<Option<String>, DbError> {
    let known: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM operator WHERE id = $1)").bind(id).fetch_one(tx.conn()).await?;
    if known {
        return Ok(None);
    }
    let taken: Option<String> = sqlx::query_scalar("SELECT login FROM operator WHERE login = $1::jsonb->>'login'")
        .bind(json)
        .fetch_optional(tx.conn())
        .await?;
    let login = taken.map(|login| {
        let tail = id.uuid().simple().to_string();
        format!("{}.{}", login.chars().take(80).collect::<String>(), &tail[tail.len() - 8..])
    });
    sqlx::query(
        "INSERT INTO operator (id, login, display_name, status, created_at)
         SELECT (p->>'id')::uuid, coalesce($2, p->>'login'), p->>'display_name', p->>'status', (p->>'created_at')::timestamptz
           FROM (SELECT $1::jsonb AS p) AS person",
    )
    .bind(json)
    .bind(&login)
    .execute(tx.conn())
    .await?;
    Ok(login)
}

/// Lists the routers that are in use.
pub(super) async fn routers(tx: &mut TenantTx) -> Result<Vec<RouterId>, DbError> {
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar(
        "SELECT r.id FROM router r JOIN router_state s ON s.tenant_id = r.tenant_id AND s.router_id = r.id
          WHERE r.tenant_id = $1 AND r.removed_at IS NULL AND s.applied > 0 ORDER BY r.id",
    )
    .bind(tenant)
    .fetch_all(tx.conn())
    .await?)
}

#[derive(FromRow)]
struct Row {
    id: BackupId,
    state: String,
    started_at: SqlTimestamp,
    finished_at: Option<SqlTimestamp>,
    schema_version: i64,
    tables: Option<i32>,
    row_count: Option<i64>,
    bytes: Option<i64>,
    sha256: Option<Vec<u8>>,
    error: Option<String>,
    made_by: String,
}

impl From<Row> for BackupView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            state: row.state,
            started_at: row.started_at.to_jiff(),
            finished_at: row.finished_at.map(SqlTimestamp::to_jiff),
            schema_version: row.schema_version,
            tables: row.tables,
            rows: row.row_count,
            bytes: row.bytes,
            sha256: row.sha256.map(hex::encode),
            error: row.error,
            made_by: row.made_by,
        }
    }
}

pub(super) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<BackupView>, DbError> {
    let tenant = tx.tenant();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, state, started_at, finished_at, schema_version, tables, row_count, bytes, sha256, error, made_by
           FROM backup WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(tenant)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(BackupView::from).collect())
}

pub(super) async fn find(tx: &mut TenantTx, id: BackupId) -> Result<Option<BackupView>, DbError> {
    let tenant = tx.tenant();
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, state, started_at, finished_at, schema_version, tables, row_count, bytes, sha256, error, made_by
           FROM backup WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(BackupView::from))
}

pub(super) async fn insert(tx: &mut TenantTx, id: BackupId, schema_version: i64, now: Timestamp) -> Result<(), DbError> {
    let (tenant, actor) = (tx.tenant(), tx.actor().as_str().to_owned());
    sqlx::query("INSERT INTO backup (tenant_id, id, started_at, schema_version, made_by) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant)
        .bind(id)
        .bind(now.to_sqlx())
        .bind(schema_version)
        .bind(actor)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Counts the backups that are being made and were begun after a time.
pub(super) async fn count_making(tx: &mut TenantTx, since: Timestamp) -> Result<i64, DbError> {
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar("SELECT count(*) FROM backup WHERE tenant_id = $1 AND state = 'making' AND started_at > $2")
        .bind(tenant)
        .bind(since.to_sqlx())
        .fetch_one(tx.conn())
        .await?)
}

pub(super) async fn set_ready(tx: &mut TenantTx, id: BackupId, written: &super::Written, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant();
    sqlx::query(
        "UPDATE backup SET state = 'ready', finished_at = $3, tables = $4, row_count = $5, bytes = $6, sha256 = $7
          WHERE tenant_id = $1 AND id = $2 AND state = 'making'",
    )
    .bind(tenant)
    .bind(id)
    .bind(now.to_sqlx())
    .bind(i32::try_from(written.tables).unwrap_or(i32::MAX))
    .bind(i64::try_from(written.rows).unwrap_or(i64::MAX))
    .bind(i64::try_from(written.bytes).unwrap_or(i64::MAX))
    .bind(&written.sha256[..])
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn set_failed(tx: &mut TenantTx, id: BackupId, error: &str, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant();
    sqlx::query(
        "UPDATE backup SET state = 'failed', finished_at = $3, error = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'making'",
    )
    .bind(tenant)
    .bind(id)
    .bind(now.to_sqlx())
    .bind(error.chars().take(500).collect::<String>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Fails what was begun before a time and is still being made: its controller has ended.
pub(super) async fn fail_before(tx: &mut TenantTx, time: Timestamp, now: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant();
    let done = sqlx::query(
        "UPDATE backup SET state = 'failed', finished_at = $3, error = 'the controller ended while it was being taken'
          WHERE tenant_id = $1 AND state = 'making' AND started_at <= $2",
    )
    .bind(tenant)
    .bind(time.to_sqlx())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Marks all but the newest so many as removed; returns which.
pub(super) async fn remove_all_but(tx: &mut TenantTx, kept: i64) -> Result<Vec<BackupId>, DbError> {
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar(
        "UPDATE backup SET state = 'removed' WHERE tenant_id = $1 AND id IN
            (SELECT id FROM backup WHERE tenant_id = $1 AND state = 'ready' ORDER BY id DESC OFFSET $2)
         RETURNING id",
    )
    .bind(tenant)
    .bind(kept)
    .fetch_all(tx.conn())
    .await?)
}

/// Says which constraint a restore broke, in a few words.
pub(super) fn broken_rule(error: &DbError) -> Option<String> {
    let DbError::Sqlx(error) = error;
    let database = error.as_database_error()?;
    let code = database.code()?;
    // Class 22: a value that does not fit its column; the text would quote it.
    if code.starts_with("22") {
        return Some("a value does not fit its column".to_owned());
    }
    // Class 23: integrity constraints; MW0xx: our own triggers.
    let ours = code.starts_with("23") || code.starts_with("MW0");
    ours.then(|| on_constraint(error).map_or_else(|| database.message().to_owned(), str::to_owned))
}

/// Says when rows were put in from a backup last.
///
/// # Errors
/// When the database does not answer.
pub async fn last_restore(tx: &mut TenantTx) -> Result<Option<Timestamp>, DbError> {
    let at: Option<SqlTimestamp> = sqlx::query_scalar("SELECT max(restored_at) FROM restore WHERE tenant_id = $1")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?;
    Ok(at.map(SqlTimestamp::to_jiff))
}
