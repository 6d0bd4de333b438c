//! Configurations in the database.

use super::{Reason, Taken};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{ConfigurationId, RouterId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A configuration, without its text.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConfigurationView {
    /// The configuration.
    pub id: ConfigurationId,
    /// Whose it is.
    pub router: RouterId,
    /// When it was first seen.
    #[schema(value_type = String, format = DateTime)]
    pub taken_at: Timestamp,
    /// When the router was last seen to hold just this.
    #[schema(value_type = String, format = DateTime)]
    pub seen_until: Timestamp,
    /// Why it was taken.
    pub reason: Reason,
    /// Who took it.
    pub taken_by: String,
    /// The RouterOS version that wrote it.
    pub version: String,
    /// How many commands it holds.
    pub commands: i32,
    /// How many commands of the text are no configuration.
    pub left_out: i32,
    /// How many menus the router could not export.
    pub faults: i32,
    /// How many secrets were hidden that the router showed unasked.
    pub hidden: i32,
    /// The text's length in bytes.
    pub bytes: i32,
}

impl PageItem for ConfigurationView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: ConfigurationId,
    router_id: RouterId,
    taken_at: SqlTimestamp,
    seen_until: SqlTimestamp,
    reason: String,
    taken_by: String,
    version: String,
    commands: i32,
    left_out: i32,
    faults: i32,
    hidden: i32,
    bytes: i32,
}

impl From<Row> for ConfigurationView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            router: row.router_id,
            taken_at: row.taken_at.to_jiff(),
            seen_until: row.seen_until.to_jiff(),
            reason: Reason::from_stored(&row.reason),
            taken_by: row.taken_by,
            version: row.version,
            commands: row.commands,
            left_out: row.left_out,
            faults: row.faults,
            hidden: row.hidden,
            bytes: row.bytes,
        }
    }
}

/// Configurations of the tenant `$1`.
macro_rules! configuration {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT id, router_id, taken_at, seen_until, reason, taken_by, version, commands, left_out, faults, hidden, bytes",
            $more,
            " FROM configuration WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

/// Says whether the tenant has, or had, a router.
pub(super) async fn router_is_known(tx: &mut TenantTx, router: RouterId) -> Result<bool, DbError> {
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM router WHERE tenant_id = $1 AND id = $2)");
    Ok(found.bind(tx.tenant()).bind(router).fetch_one(tx.conn()).await?)
}

pub(super) async fn list(tx: &mut TenantTx, router: RouterId, page: &Page) -> Result<Vec<ConfigurationView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(configuration!("", "router_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"))
        .bind(tx.tenant())
        .bind(router)
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(ConfigurationView::from).collect())
}

/// Finds a configuration with its sealed text.
pub(super) async fn find(tx: &mut TenantTx, id: ConfigurationId) -> Result<Option<(ConfigurationView, Vec<u8>)>, DbError> {
    #[derive(FromRow)]
    struct Whole {
        #[sqlx(flatten)]
        row: Row,
        sealed_text: Vec<u8>,
    }
    let found: Option<Whole> =
        sqlx::query_as(configuration!(", sealed_text", "id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(found.map(|whole| (whole.row.into(), whole.sealed_text)))
}

/// Finds the configuration that a router held before another one.
pub(super) async fn before(tx: &mut TenantTx, router: RouterId, id: ConfigurationId) -> Result<Option<ConfigurationId>, DbError> {
    let found = sqlx::query_scalar(
        "SELECT id FROM configuration WHERE tenant_id = $1 AND router_id = $2 AND id < $3 ORDER BY id DESC LIMIT 1",
    );
    Ok(found.bind(tx.tenant()).bind(router).bind(id).fetch_optional(tx.conn()).await?)
}

/// How it stands with a router's history.
#[derive(Default)]
pub(super) struct State {
    pub latest: Option<ConfigurationId>,
    pub file_left: bool,
    /// Since when none could be taken, and why.
    pub failing: Option<(Timestamp, String)>,
}

pub(super) async fn state(tx: &mut TenantTx, router: RouterId) -> Result<Option<State>, DbError> {
    type Found = (Option<ConfigurationId>, bool, Option<SqlTimestamp>, Option<String>);
    let found: Option<Found> = sqlx::query_as(
        "SELECT latest_id, file_left, failing_since, failure FROM configuration_state WHERE tenant_id = $1 AND router_id = $2",
    )
    .bind(tx.tenant())
    .bind(router)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.map(|(latest, file_left, since, why)| State {
        latest,
        file_left,
        failing: since.map(SqlTimestamp::to_jiff).zip(why),
    }))
}

pub(super) async fn has_fingerprint(tx: &mut TenantTx, id: ConfigurationId, fingerprint: &[u8]) -> Result<bool, DbError> {
    let found =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM configuration WHERE tenant_id = $1 AND id = $2 AND fingerprint = $3)");
    Ok(found.bind(tx.tenant()).bind(id).bind(fingerprint).fetch_one(tx.conn()).await?)
}

/// Notes that a configuration still holds. A clock that was set back takes nothing away.
pub(super) async fn seen(tx: &mut TenantTx, id: ConfigurationId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE configuration SET seen_until = greatest(seen_until, $3) WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A configuration to keep.
pub(super) struct New<'a> {
    pub id: ConfigurationId,
    pub router: RouterId,
    pub now: Timestamp,
    pub reason: Reason,
    pub by: &'a str,
    pub taken: &'a Taken,
    pub fingerprint: &'a [u8],
    pub sealed: &'a [u8],
}

pub(super) async fn insert(tx: &mut TenantTx, new: &New<'_>) -> Result<(), DbError> {
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    sqlx::query(
        "INSERT INTO configuration (tenant_id, id, router_id, taken_at, seen_until, reason, taken_by, version, commands, left_out, faults,
                hidden, bytes, fingerprint, sealed_text)
         VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(tx.tenant())
    .bind(new.id)
    .bind(new.router)
    .bind(new.now.to_sqlx())
    .bind(new.reason.as_str())
    .bind(new.by)
    .bind(&new.taken.version)
    .bind(count(new.taken.commands))
    .bind(count(new.taken.left_out))
    .bind(count(new.taken.faults))
    .bind(count(new.taken.hidden))
    .bind(count(new.taken.text.len()))
    .bind(new.fingerprint)
    .bind(new.sealed)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes what a router holds; failures are over.
pub(super) async fn succeeded(tx: &mut TenantTx, router: RouterId, id: ConfigurationId) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO configuration_state (tenant_id, router_id, latest_id) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, router_id) DO UPDATE SET latest_id = excluded.latest_id, failing_since = NULL, failure = NULL",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn failed(tx: &mut TenantTx, router: RouterId, why: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO configuration_state AS s (tenant_id, router_id, failing_since, failure) VALUES ($1, $2, $4, $3)
         ON CONFLICT (tenant_id, router_id) DO UPDATE SET failing_since = coalesce(s.failing_since, excluded.failing_since), failure = excluded.failure",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(why)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn note_file(tx: &mut TenantTx, router: RouterId, left: bool) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO configuration_state (tenant_id, router_id, file_left) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, router_id) DO UPDATE SET file_left = excluded.file_left",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(left)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn failing_before(tx: &mut TenantTx, since: Timestamp) -> Result<i64, DbError> {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM configuration_state s JOIN router r ON r.tenant_id = s.tenant_id AND r.id = s.router_id
          WHERE s.tenant_id = $1 AND s.failing_since < $2 AND r.removed_at IS NULL",
    );
    Ok(count.bind(tx.tenant()).bind(since.to_sqlx()).fetch_one(tx.conn()).await?)
}

/// Forgets the oldest of a router beyond so many; what it holds now is the newest, so it stays.
pub(super) async fn drop_oldest(tx: &mut TenantTx, router: RouterId, most: i64) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM configuration WHERE tenant_id = $1 AND router_id = $2 AND id IN
                (SELECT id FROM configuration WHERE tenant_id = $1 AND router_id = $2 ORDER BY id DESC OFFSET $3)",
    )
    .bind(tx.tenant())
    .bind(router)
    .bind(most)
    .execute(tx.conn())
    .await?;
    Ok(())
}
