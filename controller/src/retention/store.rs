//! What ISPs said about retention, and the calls that forget.

use super::RetentionChange;
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::FromRow;

#[derive(Default, FromRow)]
struct Row {
    sessions_days: Option<i32>,
    usage_days: Option<i32>,
    outages_days: Option<i32>,
    diagnoses_days: Option<i32>,
    changes_days: Option<i32>,
    configurations_days: Option<i32>,
    messages_days: Option<i32>,
    audit_days: Option<i32>,
}

/// Reads what the tenant said; nothing where it said nothing.
pub(super) async fn said(tx: &mut TenantTx) -> Result<RetentionChange, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT sessions_days, usage_days, outages_days, diagnoses_days, changes_days, configurations_days, messages_days, audit_days FROM retention WHERE tenant_id = $1",
    )
    .bind(tx.tenant())
    .fetch_optional(tx.conn())
    .await?;
    let row = row.unwrap_or_default();
    Ok(RetentionChange {
        sessions_days: row.sessions_days,
        usage_days: row.usage_days,
        outages_days: row.outages_days,
        diagnoses_days: row.diagnoses_days,
        changes_days: row.changes_days,
        configurations_days: row.configurations_days,
        messages_days: row.messages_days,
        audit_days: row.audit_days,
    })
}

/// Keeps what is said, and what was said before about the rest.
pub(super) async fn set(tx: &mut TenantTx, change: &RetentionChange) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO retention AS r (tenant_id, sessions_days, usage_days, outages_days, diagnoses_days, changes_days, configurations_days,
                messages_days, audit_days)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant_id) DO UPDATE SET
            sessions_days = coalesce(excluded.sessions_days, r.sessions_days), usage_days = coalesce(excluded.usage_days, r.usage_days),
            outages_days = coalesce(excluded.outages_days, r.outages_days), diagnoses_days = coalesce(excluded.diagnoses_days, r.diagnoses_days),
            changes_days = coalesce(excluded.changes_days, r.changes_days),
            configurations_days = coalesce(excluded.configurations_days, r.configurations_days), messages_days = coalesce(excluded.messages_days, r.messages_days),
            audit_days = coalesce(excluded.audit_days, r.audit_days)",
    )
    .bind(tx.tenant())
    .bind(change.sessions_days)
    .bind(change.usage_days)
    .bind(change.outages_days)
    .bind(change.diagnoses_days)
    .bind(change.changes_days)
    .bind(change.configurations_days)
    .bind(change.messages_days)
    .bind(change.audit_days)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Drops a table's months that no tenant keeps; returns how many rows went.
pub(super) async fn drop_months(tx: &mut PlatformTx, table: &str, unless_said: i32, now: Timestamp) -> Result<i64, DbError> {
    let call = sqlx::query_scalar("SELECT drop_unkept_months($1, $2, $3)").bind(table).bind(unless_said).bind(now.to_sqlx());
    Ok(call.fetch_one(tx.conn()).await?)
}

/// Forgets a batch of a table's rows that their tenants keep no longer; returns how many went.
pub(super) async fn forget(
    tx: &mut PlatformTx,
    table: &str,
    unless_said: i32,
    now: Timestamp,
    most: i32,
) -> Result<i64, DbError> {
    let call = sqlx::query_scalar("SELECT forget_rows($1, $2, $3, $4)");
    Ok(call.bind(table).bind(unless_said).bind(now.to_sqlx()).bind(most).fetch_one(tx.conn()).await?)
}
