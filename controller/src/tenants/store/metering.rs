//! Measurements in the database.

use super::super::metering::{TableUse, TenantUsage, UsageDay};
use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx as _};
use model::TenantId;
use sqlx::FromRow;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How long counters stay beside the measurements that sum them up: a limit by the month needs no more.
const COUNTERS_KEPT_DAYS: i64 = 62;

#[derive(Debug, FromRow)]
pub(in super::super) struct Counts {
    routers: i64,
    customers: i64,
    customers_served: i64,
    operators: i64,
    api_tokens: i64,
    messages: i64,
    api_requests: i64,
}

/// Counts a tenant's rows of each table.
pub(in super::super) async fn rows_by_tenant(tx: &mut PlatformTx, table: &str) -> Result<Vec<(TenantId, TableUse)>, DbError> {
    let rows: Vec<(TenantId, i64, i64)> = sqlx::query_as("SELECT tenant_id, row_count, bytes FROM rows_by_tenant($1::name)")
        .bind(table)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(|(tenant, rows, bytes)| (tenant, TableUse { rows, bytes })).collect())
}

pub(in super::super) async fn counts(tx: &mut TenantTx, day: Date, now: Timestamp) -> Result<Counts, DbError> {
    Ok(sqlx::query_as(
        "SELECT (SELECT count(*) FROM router WHERE tenant_id = $1 AND removed_at IS NULL) AS routers,
                (SELECT count(*) FROM customer WHERE tenant_id = $1 AND status <> 'terminated') AS customers,
                (SELECT count(DISTINCT e.customer_id) FROM entitlement e JOIN customer c ON c.tenant_id = $1 AND c.id = e.customer_id
                  WHERE e.tenant_id = $1 AND c.status = 'active' AND e.voided_at IS NULL AND e.starts_at <= $3 AND e.ends_at > $3)
                    AS customers_served,
                (SELECT count(*) FROM membership WHERE tenant_id = $1) AS operators,
                (SELECT count(*) FROM api_token WHERE tenant_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3))
                    AS api_tokens,
                (SELECT coalesce(sum(amount), 0)::bigint FROM usage_counter WHERE tenant_id = $1 AND day = $2 AND name = 'messages')
                    AS messages,
                (SELECT coalesce(sum(amount), 0)::bigint FROM usage_counter WHERE tenant_id = $1 AND day = $2 AND name = 'api_requests')
                    AS api_requests",
    )
    .bind(tx.tenant())
    .bind(day.to_sqlx())
    .bind(now.to_sqlx())
    .fetch_one(tx.conn())
    .await?)
}

pub(in super::super) async fn write(
    tx: &mut TenantTx,
    day: Date,
    counts: &Counts,
    tables: &BTreeMap<String, TableUse>,
    now: Timestamp,
) -> Result<(), DbError> {
    // What came after the last measurement of a day belongs to that day all the same.
    sqlx::query(
        "UPDATE tenant_usage u SET messages = GREATEST(u.messages, c.messages), api_requests = GREATEST(u.api_requests, c.requests)
           FROM (SELECT day, coalesce(sum(amount) FILTER (WHERE name = 'messages'), 0)::bigint AS messages,
                        coalesce(sum(amount) FILTER (WHERE name = 'api_requests'), 0)::bigint AS requests
                   FROM usage_counter WHERE tenant_id = $1 GROUP BY day) c
          WHERE u.tenant_id = $1 AND u.day = c.day",
    )
    .bind(tx.tenant())
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "INSERT INTO tenant_usage AS u (tenant_id, day, routers, customers, customers_served, operators, api_tokens, messages, api_requests,
                storage_bytes, tables, measured_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (tenant_id, day) DO UPDATE SET routers = EXCLUDED.routers, customers = EXCLUDED.customers,
                customers_served = EXCLUDED.customers_served, operators = EXCLUDED.operators, api_tokens = EXCLUDED.api_tokens,
                messages = EXCLUDED.messages, api_requests = EXCLUDED.api_requests, storage_bytes = EXCLUDED.storage_bytes,
                tables = EXCLUDED.tables, measured_at = EXCLUDED.measured_at",
    )
    .bind(tx.tenant())
    .bind(day.to_sqlx())
    .bind(counts.routers)
    .bind(counts.customers)
    .bind(counts.customers_served)
    .bind(counts.operators)
    .bind(counts.api_tokens)
    .bind(counts.messages)
    .bind(counts.api_requests)
    .bind(tables.values().map(|used| used.bytes).sum::<i64>())
    .bind(Json(tables))
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets counters that nothing asks for any more.
pub(in super::super) async fn forget_counters(tx: &mut TenantTx, today: Date) -> Result<(), DbError> {
    let oldest = today.checked_sub(jiff::Span::new().days(COUNTERS_KEPT_DAYS)).unwrap_or(today);
    sqlx::query("DELETE FROM usage_counter WHERE tenant_id = $1 AND day < $2")
        .bind(tx.tenant())
        .bind(oldest.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

#[derive(FromRow)]
struct Row {
    tenant_id: TenantId,
    name: Option<String>,
    day: SqlDate,
    routers: i64,
    customers: i64,
    customers_served: i64,
    operators: i64,
    api_tokens: i64,
    messages: i64,
    api_requests: i64,
    storage_bytes: i64,
    tables: Json<BTreeMap<String, TableUse>>,
    measured_at: SqlTimestamp,
}

impl PageItem for TenantUsage {
    fn cursor(&self) -> Uuid {
        self.tenant.uuid()
    }
}

impl From<Row> for TenantUsage {
    fn from(row: Row) -> Self {
        let usage = UsageDay {
            day: row.day.to_jiff(),
            routers: row.routers,
            customers: row.customers,
            customers_served: row.customers_served,
            operators: row.operators,
            api_tokens: row.api_tokens,
            messages: row.messages,
            api_requests: row.api_requests,
            storage_bytes: row.storage_bytes,
            tables: row.tables.0,
            measured_at: row.measured_at.to_jiff(),
        };
        Self { tenant: row.tenant_id, name: row.name.unwrap_or_default(), usage }
    }
}

pub(in super::super) async fn days(tx: &mut TenantTx, from: Date, until: Date) -> Result<Vec<UsageDay>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT u.*, NULL::text AS name FROM tenant_usage u WHERE u.tenant_id = $1 AND u.day BETWEEN $2 AND $3 ORDER BY u.day DESC",
    )
    .bind(tx.tenant())
    .bind(from.to_sqlx())
    .bind(until.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| TenantUsage::from(row).usage).collect())
}

pub(in super::super) async fn newest_of_each(tx: &mut PlatformTx, until: Date, page: &Page) -> Result<Vec<TenantUsage>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT u.*, t.name FROM tenant t
           CROSS JOIN LATERAL (SELECT * FROM tenant_usage u WHERE u.tenant_id = t.id AND u.day <= $1 ORDER BY u.day DESC LIMIT 1) u
          WHERE t.id < $2 ORDER BY t.id DESC LIMIT $3",
    )
    .bind(until.to_sqlx())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(TenantUsage::from).collect())
}
