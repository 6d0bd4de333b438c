//! Limits and counters in the database.

use super::super::rules::limits::{Bounds, Limit};
use super::standing;
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::{Standing, TenantId};
use sqlx::{FromRow, PgConnection};
use std::collections::BTreeMap;

/// What decides a tenant's limits.
#[derive(Debug)]
pub(in super::super) struct Terms {
    trial: bool,
    set: BTreeMap<Limit, (Bounds, String)>,
    /// What the tenant's rows took when they were last measured.
    pub stored_bytes: i64,
}

impl Terms {
    /// The bounds of a limit.
    pub fn bounds(&self, limit: Limit) -> Bounds {
        self.set.get(&limit).map_or_else(|| limit.bounds(self.trial), |(bounds, _)| *bounds)
    }

    /// Why it is other than the default.
    pub fn reason(&self, limit: Limit) -> Option<&str> {
        self.set.get(&limit).map(|(_, reason)| reason.as_str())
    }

    /// Takes a change on.
    pub fn set(&mut self, limit: Limit, to: Option<(Bounds, String)>) {
        match to {
            Some(to) => drop(self.set.insert(limit, to)),
            None => drop(self.set.remove(&limit)),
        }
    }
}

/// Counts what a limit limits, behind a lock that ends with the transaction.
pub(in super::super) async fn count(tx: &mut TenantTx, limit: Limit, now: Timestamp) -> Result<i64, DbError> {
    let tenant = tx.tenant();
    counted(tx.conn(), tenant, limit, now).await
}

/// As [`count`], for the platform.
pub(in super::super) async fn count_across(
    tx: &mut PlatformTx,
    tenant: TenantId,
    limit: Limit,
    now: Timestamp,
) -> Result<i64, DbError> {
    counted(tx.conn(), tenant, limit, now).await
}

async fn counted(conn: &mut PgConnection, tenant: TenantId, limit: Limit, now: Timestamp) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count_for_limit($1, $2, $3)")
        .bind(limit.as_str())
        .bind(tenant)
        .bind(now.to_sqlx())
        .fetch_one(conn)
        .await?)
}

pub(in super::super) async fn terms(tx: &mut TenantTx) -> Result<Terms, DbError> {
    let tenant = tx.tenant();
    terms_of(tx.conn(), tenant).await
}

pub(in super::super) async fn terms_across(tx: &mut PlatformTx, tenant: TenantId) -> Result<Terms, DbError> {
    terms_of(tx.conn(), tenant).await
}

async fn terms_of(conn: &mut PgConnection, tenant: TenantId) -> Result<Terms, DbError> {
    #[derive(FromRow)]
    struct Row {
        status: String,
        stored: Option<i64>,
        name: Option<String>,
        soft: Option<i64>,
        hard: Option<i64>,
        reason: Option<String>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT t.status, l.name, l.soft, l.hard, l.reason,
                (SELECT u.storage_bytes FROM tenant_usage u WHERE u.tenant_id = t.id ORDER BY u.day DESC LIMIT 1) AS stored
           FROM tenant t LEFT JOIN tenant_limit l ON l.tenant_id = t.id WHERE t.id = $1",
    )
    .bind(tenant)
    .fetch_all(conn)
    .await?;
    let trial = rows.first().is_some_and(|row| standing(&row.status) == Standing::Trial);
    let stored_bytes = rows.first().and_then(|row| row.stored).unwrap_or(0);
    let set = rows.into_iter().filter_map(|row| {
        // A limit of a newer version than this is none of ours.
        let limit = Limit::from_stored(row.name.as_deref()?)?;
        Some((limit, (Bounds { soft: row.soft?, hard: row.hard? }, row.reason?)))
    });
    Ok(Terms { trial, set: set.collect(), stored_bytes })
}

/// Keeps others of the tenant from counting messages until the transaction ends.
pub(in super::super) async fn lock_messages(tx: &mut TenantTx) -> Result<(), DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('limit:messages:' || $1::text, 0))")
        .bind(tx.tenant())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in super::super) async fn counted_since(tx: &mut TenantTx, limit: Limit, day: Date) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT coalesce(sum(amount), 0)::bigint FROM usage_counter WHERE tenant_id = $1 AND name = $2 AND day >= $3",
    )
    .bind(tx.tenant())
    .bind(limit.as_str())
    .bind(day.to_sqlx())
    .fetch_one(tx.conn())
    .await?)
}

pub(in super::super) async fn add_to_counter(tx: &mut TenantTx, limit: Limit, day: Date, more: i64) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO usage_counter AS c (tenant_id, day, name, amount) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, day, name) DO UPDATE SET amount = c.amount + EXCLUDED.amount",
    )
    .bind(tx.tenant())
    .bind(day.to_sqlx())
    .bind(limit.as_str())
    .bind(more)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The messages of a month so far, as the daily measurements have them.
pub(in super::super) async fn messages_measured(tx: &mut PlatformTx, tenant: TenantId, now: Timestamp) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT coalesce(sum(u.messages), 0)::bigint FROM tenant_usage u JOIN tenant t ON t.id = u.tenant_id
          WHERE u.tenant_id = $1 AND u.day >= date_trunc('month', $2 AT TIME ZONE t.time_zone)::date",
    )
    .bind(tenant)
    .bind(now.to_sqlx())
    .fetch_one(tx.conn())
    .await?)
}

pub(in super::super) async fn set(
    tx: &mut PlatformTx,
    tenant: TenantId,
    limit: Limit,
    bounds: Bounds,
    reason: &str,
    by: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO tenant_limit (tenant_id, name, soft, hard, reason, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, name) DO UPDATE SET soft = EXCLUDED.soft, hard = EXCLUDED.hard, reason = EXCLUDED.reason,
                set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at",
    )
    .bind(tenant)
    .bind(limit.as_str())
    .bind(bounds.soft)
    .bind(bounds.hard)
    .bind(reason)
    .bind(by)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in super::super) async fn reset(tx: &mut PlatformTx, tenant: TenantId, limit: Limit) -> Result<(), DbError> {
    sqlx::query("DELETE FROM tenant_limit WHERE tenant_id = $1 AND name = $2")
        .bind(tenant)
        .bind(limit.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}
