//! Notifications in the database. What is read or marked is always one operator's.

use super::{News, NotificationKind};
use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{NotificationId, OperatorId, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that the reader should know.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationView {
    /// The notification.
    pub id: NotificationId,
    /// What it is about.
    pub kind: NotificationKind,
    /// What there is to know.
    pub text: String,
    /// Where to look, as an id.
    pub link: Option<String>,
    /// When it was told.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was read.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub read_at: Option<Timestamp>,
}

impl PageItem for NotificationView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: NotificationId,
    kind: String,
    text: String,
    link: Option<String>,
    created_at: SqlTimestamp,
    read_at: Option<SqlTimestamp>,
}

impl From<Row> for NotificationView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: NotificationKind::from_stored(&row.kind).expect("the column's CHECK lets only these in"),
            text: row.text,
            link: row.link,
            created_at: row.created_at.to_jiff(),
            read_at: row.read_at.map(SqlTimestamp::to_jiff),
        }
    }
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    rows: &[(NotificationId, OperatorId)],
    news: &News<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO notification (tenant_id, id, operator_id, kind, about, link, text, created_at)
         SELECT $1, n.id, n.operator, $4, $5, $6, $7, $8 FROM unnest($2::uuid[], $3::uuid[]) AS n (id, operator)
         ON CONFLICT DO NOTHING",
    )
    .bind(tx.tenant())
    .bind(rows.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, operator)| operator.uuid()).collect::<Vec<_>>())
    .bind(news.kind.as_str())
    .bind(news.about)
    .bind(&news.link)
    .bind(news.text())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn insert_across(
    tx: &mut PlatformTx,
    tenant: TenantId,
    rows: &[(NotificationId, OperatorId)],
    news: &News<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO notification (tenant_id, id, operator_id, kind, about, link, text, created_at)
         SELECT $1, n.id, n.operator, $4, $5, $6, $7, $8 FROM unnest($2::uuid[], $3::uuid[]) AS n (id, operator)",
    )
    .bind(tenant)
    .bind(rows.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, operator)| operator.uuid()).collect::<Vec<_>>())
    .bind(news.kind.as_str())
    .bind(news.about)
    .bind(&news.link)
    .bind(news.text())
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says whether anybody was told of something.
pub(super) async fn was_told(tx: &mut TenantTx, kind: NotificationKind, about: Uuid) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM notification WHERE tenant_id = $1 AND about = $2 AND kind = $3)")
        .bind(tx.tenant())
        .bind(about)
        .bind(kind.as_str())
        .fetch_one(tx.conn())
        .await?)
}

/// Lists one operator's.
pub(super) async fn list(
    tx: &mut TenantTx,
    operator: OperatorId,
    unread: bool,
    page: &Page,
) -> Result<Vec<NotificationView>, DbError> {
    let query = if unread {
        "SELECT id, kind, text, link, created_at, read_at FROM notification
          WHERE tenant_id = $1 AND operator_id = $2 AND id < $3 AND read_at IS NULL ORDER BY id DESC LIMIT $4"
    } else {
        "SELECT id, kind, text, link, created_at, read_at FROM notification
          WHERE tenant_id = $1 AND operator_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"
    };
    let rows: Vec<Row> = sqlx::query_as(query)
        .bind(tx.tenant())
        .bind(operator)
        .bind(page.before())
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(NotificationView::from).collect())
}

pub(super) async fn mark_read(
    tx: &mut TenantTx,
    operator: OperatorId,
    id: NotificationId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE notification SET read_at = coalesce(read_at, $4) WHERE tenant_id = $1 AND operator_id = $2 AND id = $3",
    )
    .bind(tx.tenant())
    .bind(operator)
    .bind(id)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn mark_all_read(tx: &mut TenantTx, operator: OperatorId, now: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query("UPDATE notification SET read_at = $3 WHERE tenant_id = $1 AND operator_id = $2 AND read_at IS NULL")
        .bind(tx.tenant())
        .bind(operator)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn forget(tx: &mut TenantTx, before: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM notification WHERE tenant_id = $1 AND created_at < $2")
        .bind(tx.tenant())
        .bind(before.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}
