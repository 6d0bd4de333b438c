//! The audit logs in the database.

use super::Filter;
use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::AuditId;
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder};
use std::net::IpAddr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A line of a tenant's audit log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditView {
    /// The line.
    pub id: AuditId,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Its number, without gaps, from 1.
    pub seq: i64,
    /// Who did it: `operator:opr_…`, `token:tok_…` or `system:…`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// More about it; where something was changed, `before` and `after`.
    #[schema(value_type = Object)]
    pub details: Value,
    /// The request that did it; empty for what the controller does by itself.
    pub request_id: Option<String>,
    /// The address from which the request came.
    pub source: Option<String>,
    /// SHA-256 over the hash of the line before and this line, in hex.
    pub hash: String,
}

impl PageItem for AuditView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

/// A line of the platform's audit log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlatformAuditView {
    /// The line.
    pub id: AuditId,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Its number, without gaps, from 1.
    pub seq: i64,
    /// Who did it.
    pub actor: String,
    /// What it was for.
    pub reason: String,
    /// The request that did it; empty for what the controller does by itself.
    pub request_id: Option<String>,
    /// The address from which the request came.
    pub source: Option<String>,
}

impl PageItem for PlatformAuditView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: AuditId,
    at: SqlTimestamp,
    seq: i64,
    actor: String,
    action: String,
    target: String,
    details: Value,
    request_id: Option<String>,
    source: Option<IpAddr>,
    hash: Vec<u8>,
}

#[derive(FromRow)]
struct PlatformRow {
    id: AuditId,
    at: SqlTimestamp,
    seq: i64,
    actor: String,
    reason: String,
    request_id: Option<String>,
    source: Option<IpAddr>,
}

impl From<Row> for AuditView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at.to_jiff(),
            seq: row.seq,
            actor: row.actor,
            action: row.action,
            target: row.target,
            details: row.details,
            request_id: row.request_id,
            source: row.source.map(|address| address.to_string()),
            hash: hex::encode(row.hash),
        }
    }
}

pub(super) async fn list(tx: &mut TenantTx, filter: &Filter, before: Uuid, limit: i64) -> Result<Vec<AuditView>, DbError> {
    // Only what is asked for stands in the statement, so that the planner sees which index serves.
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT id, at, seq, actor, action, target, details, request_id, source, hash FROM audit_log WHERE tenant_id = ",
    );
    query.push_bind(tx.tenant()).push(" AND id < ").push_bind(before);
    if let Some(actor) = &filter.actor {
        query.push(" AND actor = ").push_bind(actor);
    }
    if let Some(action) = &filter.action {
        // A range instead of `^@`, of which the planner knows nothing under row-level security. No action holds the last of all characters.
        query.push(" AND action COLLATE \"C\" >= ").push_bind(action);
        query.push(" AND action COLLATE \"C\" < ").push_bind(format!("{action}\u{10FFFF}"));
    }
    if let Some(target) = &filter.target {
        query.push(" AND target = ").push_bind(target);
    }
    if let Some(from) = filter.from {
        query.push(" AND at >= ").push_bind(from.to_sqlx());
    }
    if let Some(until) = filter.until {
        query.push(" AND at < ").push_bind(until.to_sqlx());
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(AuditView::from).collect())
}

pub(super) async fn list_platform(tx: &mut PlatformTx, page: &Page) -> Result<Vec<PlatformAuditView>, DbError> {
    let rows: Vec<PlatformRow> = sqlx::query_as(
        "SELECT id, at, seq, actor, reason, request_id, source FROM platform_audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PlatformAuditView {
            id: row.id,
            at: row.at.to_jiff(),
            seq: row.seq,
            actor: row.actor,
            reason: row.reason,
            request_id: row.request_id,
            source: row.source.map(|address| address.to_string()),
        })
        .collect())
}

pub(super) async fn ensure_partitions(tx: &mut PlatformTx, since: Timestamp, until: Timestamp) -> Result<i32, DbError> {
    let call = sqlx::query_scalar("SELECT ensure_partitions($1, $2)").bind(since.to_sqlx()).bind(until.to_sqlx());
    Ok(call.fetch_one(tx.conn()).await?)
}
