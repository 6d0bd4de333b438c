//! Standing rules, and what they have written about.

use super::CHECKED;
use crate::http::{Page, PageItem};
use crate::messages::{Event, NewRule};
use crate::packages::PackageKind;
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, MessageRuleId, TemplateId};
use serde::Serialize;
use sqlx::FromRow;
use std::collections::HashSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// When a message is written by itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessageRuleView)]
pub struct RuleView {
    /// The rule.
    pub id: MessageRuleId,
    /// What it writes about.
    pub event: Event,
    /// What it writes.
    pub template: TemplateId,
    /// Of reminders: minutes after the end of what is paid; before it, below zero.
    pub offset_minutes: Option<i32>,
    /// Only to customers who connect so.
    pub kind: Option<PackageKind>,
    /// Whether it waits for the end of quiet hours.
    pub waits: bool,
    /// Whether it writes at all.
    pub enabled: bool,
    /// What was due before is none of its.
    #[schema(value_type = String, format = DateTime)]
    pub holds_since: Timestamp,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was taken out of use.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Timestamp>,
    /// How far it was looked.
    #[serde(skip)]
    pub(in crate::messages) seen_until: Timestamp,
}

impl PageItem for RuleView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: MessageRuleId,
    event: String,
    template_id: TemplateId,
    offset_minutes: Option<i32>,
    kind: Option<String>,
    waits: bool,
    enabled: bool,
    holds_since: SqlTimestamp,
    seen_until: SqlTimestamp,
    created_at: SqlTimestamp,
    removed_at: Option<SqlTimestamp>,
}

impl From<Row> for RuleView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            event: Event::from_stored(&row.event).expect(CHECKED),
            template: row.template_id,
            offset_minutes: row.offset_minutes,
            kind: row.kind.map(|kind| PackageKind::from_stored(&kind).expect(CHECKED)),
            waits: row.waits,
            enabled: row.enabled,
            holds_since: row.holds_since.to_jiff(),
            seen_until: row.seen_until.to_jiff(),
            created_at: row.created_at.to_jiff(),
            removed_at: row.removed_at.map(SqlTimestamp::to_jiff),
        }
    }
}

/// Rules of the tenant `$1`.
macro_rules! rules {
    ($rest:literal) => {
        concat!(
            "SELECT id, event, template_id, offset_minutes, kind, waits, enabled, holds_since, seen_until, created_at, removed_at
               FROM message_rule WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

pub(in crate::messages) async fn insert_rule(
    tx: &mut TenantTx,
    id: MessageRuleId,
    new: &NewRule,
    waits: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO message_rule (tenant_id, id, event, template_id, offset_minutes, kind, waits, enabled, holds_since, seen_until, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, true, $8, $8, $8)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(new.event.as_str())
    .bind(new.template)
    .bind(new.offset_minutes)
    .bind(new.kind.map(PackageKind::as_str))
    .bind(waits)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::messages) async fn count_rules(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM message_rule WHERE tenant_id = $1 AND removed_at IS NULL")
        .bind(tx.tenant())
        .fetch_one(tx.conn())
        .await?)
}

pub(in crate::messages) async fn has_rules(tx: &mut TenantTx, template: TemplateId) -> Result<bool, DbError> {
    let query = "SELECT EXISTS (SELECT 1 FROM message_rule WHERE tenant_id = $1 AND template_id = $2 AND removed_at IS NULL)";
    Ok(sqlx::query_scalar(query).bind(tx.tenant()).bind(template).fetch_one(tx.conn()).await?)
}

pub(in crate::messages) async fn lock_rule(tx: &mut TenantTx, id: MessageRuleId) -> Result<Option<RuleView>, DbError> {
    let row: Option<Row> = sqlx::query_as(rules!("id = $2 AND removed_at IS NULL FOR NO KEY UPDATE"))
        .bind(tx.tenant())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(RuleView::from))
}

pub(in crate::messages) async fn rule(tx: &mut TenantTx, id: MessageRuleId) -> Result<Option<RuleView>, DbError> {
    let row: Option<Row> = sqlx::query_as(rules!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(RuleView::from))
}

pub(in crate::messages) async fn list_rules(tx: &mut TenantTx, page: &Page) -> Result<Vec<RuleView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(rules!("id < $2 ORDER BY id DESC LIMIT $3"))
        .bind(tx.tenant())
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(RuleView::from).collect())
}

pub(in crate::messages) async fn update_rule(tx: &mut TenantTx, after: &RuleView) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE message_rule SET template_id = $3, kind = $4, waits = $5, enabled = $6, holds_since = $7 WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(after.id)
    .bind(after.template)
    .bind(after.kind.map(PackageKind::as_str))
    .bind(after.waits)
    .bind(after.enabled)
    .bind(after.holds_since.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::messages) async fn remove_rule(tx: &mut TenantTx, id: MessageRuleId, now: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE message_rule SET removed_at = $3, enabled = false WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Reads the rules that write about an event.
pub(in crate::messages) async fn rules_for(tx: &mut TenantTx, event: Event) -> Result<Vec<RuleView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(rules!("event = $2 AND enabled AND removed_at IS NULL ORDER BY id"))
        .bind(tx.tenant())
        .bind(event.as_str())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(RuleView::from).collect())
}

/// Holds the rules that write when their time has come.
pub(in crate::messages) async fn hold_swept(tx: &mut TenantTx) -> Result<Vec<RuleView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(rules!(
        "event IN ('expiry', 'outage_start', 'outage_end') AND enabled AND removed_at IS NULL ORDER BY id FOR NO KEY UPDATE"
    ))
    .bind(tx.tenant())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(RuleView::from).collect())
}

pub(in crate::messages) async fn set_seen(tx: &mut TenantTx, id: MessageRuleId, until: Timestamp) -> Result<(), DbError> {
    sqlx::query("UPDATE message_rule SET seen_until = greatest(seen_until, $3) WHERE tenant_id = $1 AND id = $2")
        .bind(tx.tenant())
        .bind(id)
        .bind(until.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Claims what a rule is about to write about, and returns what nobody had claimed.
pub(in crate::messages) async fn claim_cycles(
    tx: &mut TenantTx,
    rule: MessageRuleId,
    pairs: &[(CustomerId, Uuid)],
    now: Timestamp,
) -> Result<HashSet<(CustomerId, Uuid)>, DbError> {
    if pairs.is_empty() {
        return Ok(HashSet::new());
    }
    let claimed: Vec<(CustomerId, Uuid)> = sqlx::query_as(
        "INSERT INTO message_cycle (tenant_id, rule_id, customer_id, cycle, at)
         SELECT $1, $2, n.customer, n.cycle, $5 FROM unnest($3::uuid[], $4::uuid[]) AS n (customer, cycle)
         ON CONFLICT DO NOTHING RETURNING customer_id, cycle",
    )
    .bind(tx.tenant())
    .bind(rule)
    .bind(pairs.iter().map(|(customer, _)| customer.uuid()).collect::<Vec<_>>())
    .bind(pairs.iter().map(|(_, cycle)| *cycle).collect::<Vec<_>>())
    .bind(now.to_sqlx())
    .fetch_all(tx.conn())
    .await?;
    Ok(claimed.into_iter().collect())
}
