//! Leads in the database.

use super::{NewLead, Stage};
use crate::http::{Page, PageItem};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx as _};
use model::{CustomerId, LeadId, OperatorId, SiteId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// Somebody who may become a customer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeadView {
    /// The lead.
    pub id: LeadId,
    /// Their name.
    pub name: String,
    /// Their phone number, digits with the country in front.
    pub phone: String,
    /// Where they came from.
    pub source: String,
    /// How far it has come.
    pub stage: Stage,
    /// When to call again.
    #[schema(value_type = Option<String>, format = Date)]
    pub follow_up_on: Option<Date>,
    /// Where they want it.
    pub site: Option<SiteId>,
    /// Who calls.
    pub assignee: Option<OperatorId>,
    /// Notes.
    pub notes: String,
    /// The customer that came of it.
    pub customer: Option<CustomerId>,
    /// When it was noted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl PageItem for LeadView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: LeadId,
    name: String,
    phone: String,
    source: String,
    stage: String,
    follow_up_on: Option<SqlDate>,
    site_id: Option<SiteId>,
    assignee_id: Option<OperatorId>,
    notes: String,
    customer_id: Option<CustomerId>,
    created_at: SqlTimestamp,
}

impl From<Row> for LeadView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            phone: row.phone,
            source: row.source,
            stage: Stage::from_stored(&row.stage).expect("the column's CHECK lets only stages in"),
            follow_up_on: row.follow_up_on.map(SqlDate::to_jiff),
            site: row.site_id,
            assignee: row.assignee_id,
            notes: row.notes,
            customer: row.customer_id,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// Leads of the tenant `$1`.
macro_rules! lead {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, phone, source, stage, follow_up_on, site_id, assignee_id, notes, customer_id, created_at
               FROM lead WHERE tenant_id = $1 AND ",
            $rest
        )
    };
}

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM lead WHERE tenant_id = $1").bind(tx.tenant()).fetch_one(tx.conn()).await?)
}

pub(super) async fn insert(tx: &mut TenantTx, id: LeadId, new: &NewLead, phone: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO lead (tenant_id, id, name, phone, source, stage, follow_up_on, site_id, assignee_id, notes, created_at)
         VALUES ($1, $2, $3, $4, $5, 'new', $6, $7, $8, $9, $10)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(new.name.trim())
    .bind(phone)
    .bind(new.source.trim())
    .bind(new.follow_up_on.map(|day| day.to_sqlx()))
    .bind(new.site)
    .bind(new.assignee)
    .bind(new.notes.trim())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn lock(tx: &mut TenantTx, id: LeadId) -> Result<Option<LeadView>, DbError> {
    let row: Option<Row> =
        sqlx::query_as(lead!("id = $2 FOR UPDATE")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(LeadView::from))
}

pub(super) async fn get(tx: &mut TenantTx, id: LeadId) -> Result<Option<LeadView>, DbError> {
    let row: Option<Row> = sqlx::query_as(lead!("id = $2")).bind(tx.tenant()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(LeadView::from))
}

pub(super) async fn update(tx: &mut TenantTx, after: &LeadView) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE lead SET stage = $3, follow_up_on = $4, assignee_id = $5, notes = $6, customer_id = $7 WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tx.tenant())
    .bind(after.id)
    .bind(after.stage.as_str())
    .bind(after.follow_up_on.map(|day| day.to_sqlx()))
    .bind(after.assignee)
    .bind(after.notes.trim())
    .bind(after.customer)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn list(tx: &mut TenantTx, stage: Option<Stage>, page: &Page) -> Result<Vec<LeadView>, DbError> {
    let rows: Vec<Row> = match stage {
        Some(stage) => {
            sqlx::query_as(lead!("id < $2 AND stage = $4 ORDER BY id DESC LIMIT $3"))
                .bind(tx.tenant())
                .bind(page.before())
                .bind(page.fetch())
                .bind(stage.as_str())
                .fetch_all(tx.conn())
                .await?
        }
        None => {
            sqlx::query_as(lead!("id < $2 ORDER BY id DESC LIMIT $3"))
                .bind(tx.tenant())
                .bind(page.before())
                .bind(page.fetch())
                .fetch_all(tx.conn())
                .await?
        }
    };
    Ok(rows.into_iter().map(LeadView::from).collect())
}

/// Those to be called by a day, the most overdue first.
pub(super) async fn due(tx: &mut TenantTx, by: Date, limit: i64) -> Result<Vec<LeadView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(lead!(
        "follow_up_on <= $2 AND stage IN ('new', 'contacted', 'survey') ORDER BY follow_up_on, id LIMIT $3"
    ))
    .bind(tx.tenant())
    .bind(by.to_sqlx())
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(LeadView::from).collect())
}
