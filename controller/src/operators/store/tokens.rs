//! API tokens.

use super::role;
use crate::http::{Page, PageItem};
use crate::operators::api_tokens::NewApiToken;
use crate::operators::{Permission, PermissionSet, Role};
use db::{DbError, TenantTx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::ApiTokenId;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// An API token without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// The token.
    pub id: ApiTokenId,
    /// What its maker called it.
    pub name: String,
    /// What it may do, in short.
    pub role: Role,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// Who made it, as in the audit log.
    pub created_by: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

impl PageItem for TokenView {
    fn cursor(&self) -> Uuid {
        self.id.uuid()
    }
}

#[derive(FromRow)]
struct Row {
    id: ApiTokenId,
    name: String,
    role: String,
    permissions: Option<Vec<String>>,
    created_by: Option<String>,
    created_at: SqlTimestamp,
    expires_at: Option<SqlTimestamp>,
    revoked_at: Option<SqlTimestamp>,
}

impl From<Row> for TokenView {
    fn from(row: Row) -> Self {
        let role = role(&row.role);
        let rights = row.permissions.map_or_else(|| role.permissions(), |names| PermissionSet::from_stored(&names));
        Self {
            id: row.id,
            name: row.name,
            role,
            permissions: rights.iter().collect(),
            created_by: row.created_by,
            created_at: row.created_at.to_jiff(),
            expires_at: row.expires_at.map(SqlTimestamp::to_jiff),
            revoked_at: row.revoked_at.map(SqlTimestamp::to_jiff),
        }
    }
}

pub(in crate::operators) async fn insert(
    tx: &mut TenantTx,
    id: ApiTokenId,
    new: &NewApiToken,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<(), DbError> {
    let maker = tx.actor().as_str().to_owned();
    sqlx::query(
        "INSERT INTO api_token (tenant_id, id, name, role, permissions, token_hash, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tx.tenant())
    .bind(id)
    .bind(&new.name)
    .bind(new.role.as_str())
    .bind(new.permissions.map(PermissionSet::names))
    .bind(&token_hash[..])
    .bind(maker)
    .bind(now.to_sqlx())
    .bind(new.expires_at.map(|end| end.to_sqlx()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::operators) async fn revoke(tx: &mut TenantTx, id: ApiTokenId, now: Timestamp) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE api_token SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL")
        .bind(tx.tenant())
        .bind(id)
        .bind(now.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::operators) async fn list(tx: &mut TenantTx, page: &Page) -> Result<Vec<TokenView>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, name, role, permissions, created_by, created_at, expires_at, revoked_at FROM api_token
          WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(tx.tenant())
    .bind(page.before())
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(TokenView::from).collect())
}
