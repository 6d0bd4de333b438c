//! Visits of the platform's support.

use crate::http::{Page, PageItem};
use db::{DbError, PlatformTx, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{ImpersonationId, OperatorId, TenantId};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A visit as the tenant sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct VisitView {
    /// The visit.
    pub id: ImpersonationId,
    /// Who visits: the name in the audit log begins with `support:`.
    pub operator: OperatorId,
    /// The visitor's name.
    pub visitor: String,
    /// What for.
    pub reason: String,
    /// Whether something may be changed.
    pub writes: bool,
    /// Whether it goes on.
    pub open: bool,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was ended before that.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<String>,
}

impl PageItem for VisitView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: ImpersonationId,
    operator_id: OperatorId,
    visitor: String,
    reason: String,
    writes: bool,
    created_at: SqlTimestamp,
    expires_at: SqlTimestamp,
    ended_at: Option<SqlTimestamp>,
    ended_by: Option<String>,
}

impl Row {
    fn view(self, now: Timestamp) -> VisitView {
        let expires_at = self.expires_at.to_jiff();
        VisitView {
            id: self.id,
            operator: self.operator_id,
            visitor: self.visitor,
            reason: self.reason,
            writes: self.writes,
            open: self.ended_at.is_none() && expires_at > now,
            created_at: self.created_at.to_jiff(),
            expires_at,
            ended_at: self.ended_at.map(SqlTimestamp::to_jiff),
            ended_by: self.ended_by,
        }
    }
}

/// A visit that begins.
pub(in crate::operators) struct NewRow<'a> {
    pub id: ImpersonationId,
    pub visitor: OperatorId,
    pub reason: &'a str,
    pub writes: bool,
    pub token_hash: &'a [u8; 32],
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

/// Keeps a visit; false when there is no such tenant, or nothing is left of it.
pub(in crate::operators) async fn insert(tx: &mut PlatformTx, tenant: TenantId, row: &NewRow<'_>) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO impersonation (tenant_id, id, operator_id, visitor, reason, writes, token_hash, created_at, expires_at)
         SELECT t.id, $2, o.id, o.display_name, $4, $5, $6, $7, $8 FROM tenant t, operator o
          WHERE t.id = $1 AND t.status NOT IN ('purging', 'purged') AND o.id = $3",
    )
    .bind(tenant)
    .bind(row.id)
    .bind(row.visitor)
    .bind(row.reason)
    .bind(row.writes)
    .bind(&row.token_hash[..])
    .bind(row.now.to_sqlx())
    .bind(row.expires_at.to_sqlx())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::operators) async fn list(tx: &mut TenantTx, now: Timestamp, page: &Page) -> Result<Vec<VisitView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, operator_id, visitor, reason, writes, created_at, expires_at, ended_at, ended_by
           FROM impersonation WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.view(now)).collect())
}

/// Ends a visit; false when there is none that goes on.
pub(in crate::operators) async fn end(tx: &mut TenantTx, id: ImpersonationId, now: Timestamp) -> Result<bool, DbError> {
    let who = tx.actor().as_str().to_owned();
    let done = sqlx::query(
        "UPDATE impersonation SET ended_at = $3, ended_by = $4 WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > $3",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(now.to_sqlx())
    .bind(who)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
