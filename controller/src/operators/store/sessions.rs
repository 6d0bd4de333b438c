//! Logins as people and tenants see and end them.

use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{LoginSessionId, OperatorId};
use serde::Serialize;
use sqlx::FromRow;
use std::net::IpAddr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A login that is in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LoginSessionView)]
pub struct SessionView {
    /// The login.
    pub id: LoginSessionId,
    /// Whose it is.
    pub operator: OperatorId,
    /// When they logged in.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Where it was last used from.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// What the client called itself.
    pub user_agent: String,
    /// Whether it is the one that this request was sent with.
    pub current: bool,
}

impl PageItem for SessionView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: LoginSessionId,
    operator_id: OperatorId,
    created_at: SqlTimestamp,
    seen_at: SqlTimestamp,
    expires_at: SqlTimestamp,
    address: Option<IpAddr>,
    user_agent: String,
}

impl From<Row> for SessionView {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            operator: row.operator_id,
            created_at: row.created_at.to_jiff(),
            seen_at: row.seen_at.to_jiff(),
            expires_at: row.expires_at.to_jiff(),
            address: row.address,
            user_agent: row.user_agent,
            current: false,
        }
    }
}

/// Which of a person's logins are ended.
pub(in crate::operators) struct Which {
    pub operator: OperatorId,
    /// Only this one.
    pub only: Option<LoginSessionId>,
    /// All but this one.
    pub but: Option<LoginSessionId>,
}

pub(in crate::operators) async fn list(
    tx: &mut TenantTx,
    operator: Option<OperatorId>,
    now: Timestamp,
    page: &Page,
) -> Result<Vec<SessionView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, operator_id, created_at, seen_at, expires_at, address, user_agent FROM login_session
          WHERE tenant_id = $1 AND purpose = 'login' AND revoked_at IS NULL AND expires_at > $2 AND ($3::uuid IS NULL OR operator_id = $3)
            AND id < $4 ORDER BY id DESC LIMIT $5",
    )
    .bind(tx.tenant())
    .bind(now.to_sqlx())
    .bind(operator)
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(SessionView::from).collect())
}

/// Lists the logins to the platform of one of its people.
pub(in crate::operators) async fn list_platform(
    tx: &mut PlatformTx,
    operator: OperatorId,
    now: Timestamp,
    page: &Page,
) -> Result<Vec<SessionView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, operator_id, created_at, seen_at, expires_at, address, user_agent FROM login_session
          WHERE tenant_id IS NULL AND operator_id = $1 AND purpose = 'login' AND revoked_at IS NULL AND expires_at > $2
            AND id < $3 ORDER BY id DESC LIMIT $4",
    )
    .bind(operator)
    .bind(now.to_sqlx())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(SessionView::from).collect())
}

/// Finds whose a login to the tenant is.
pub(in crate::operators) async fn owner(
    tx: &mut TenantTx,
    id: LoginSessionId,
    now: Timestamp,
) -> Result<Option<OperatorId>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT operator_id FROM login_session
          WHERE tenant_id = $1 AND id = $2 AND purpose = 'login' AND revoked_at IS NULL AND expires_at > $3",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .fetch_optional(tx.conn())
    .await?)
}

/// Ends a person's logins to the tenant; returns how many.
pub(in crate::operators) async fn end(tx: &mut TenantTx, which: &Which, now: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE login_session SET revoked_at = $5
          WHERE tenant_id = $1 AND operator_id = $2 AND revoked_at IS NULL AND expires_at > $5 AND ($3::uuid IS NULL OR id = $3)
            AND ($4::uuid IS NULL OR id <> $4)",
    )
    .bind(tx.tenant())
    .bind(which.operator)
    .bind(which.only)
    .bind(which.but)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Ends logins to the platform of one of its people; returns how many.
pub(in crate::operators) async fn end_platform(tx: &mut PlatformTx, which: &Which, now: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE login_session SET revoked_at = $4
          WHERE tenant_id IS NULL AND operator_id = $1 AND purpose = 'login' AND revoked_at IS NULL AND expires_at > $4
            AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3)",
    )
    .bind(which.operator)
    .bind(which.only)
    .bind(which.but)
    .bind(now.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
