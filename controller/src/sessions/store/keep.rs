//! How long sessions and usage are kept.

use crate::sessions::Retention;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// Rows of one statement.
const BATCH: i64 = 5_000;

pub(in crate::sessions) async fn retention(tx: &mut TenantTx) -> Result<Option<Retention>, DbError> {
    let row: Option<(i32, i32)> = sqlx::query_as("SELECT sessions_days, usage_days FROM retention WHERE tenant_id = $1")
        .bind(tx.tenant())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|(sessions_days, usage_days)| Retention { sessions_days, usage_days }))
}

pub(in crate::sessions) async fn set_retention(tx: &mut TenantTx, retention: Retention) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO retention (tenant_id, sessions_days, usage_days) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id) DO UPDATE SET sessions_days = excluded.sessions_days, usage_days = excluded.usage_days",
    )
    .bind(tx.tenant())
    .bind(retention.sessions_days)
    .bind(retention.usage_days)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets one batch of what is older than two times; returns how many rows went.
pub(in crate::sessions) async fn forget(tx: &mut TenantTx, sessions: Timestamp, usage: Timestamp) -> Result<u64, DbError> {
    let ended = sqlx::query(
        "DELETE FROM session_history WHERE tenant_id = $1 AND (id, closed_at) IN
            (SELECT id, closed_at FROM session_history WHERE tenant_id = $1 AND closed_at < $2 ORDER BY closed_at LIMIT $3)",
    )
    .bind(tx.tenant())
    .bind(sessions.to_sqlx())
    .bind(BATCH)
    .execute(tx.conn())
    .await?
    .rows_affected();
    let used = sqlx::query(
        "DELETE FROM usage WHERE tenant_id = $1 AND (customer_id, hour, router_id) IN
            (SELECT customer_id, hour, router_id FROM usage WHERE tenant_id = $1 AND hour < $2 ORDER BY hour LIMIT $3)",
    )
    .bind(tx.tenant())
    .bind(usage.to_sqlx())
    .bind(BATCH)
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(ended + used)
}
